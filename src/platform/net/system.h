/* The machine's own clock and randomness, behind their ports. */
#ifndef PLATFORM_NET_SYSTEM_H
#define PLATFORM_NET_SYSTEM_H

#include "port/clock.h"
#include "port/entropy.h"

/* Shared, without state of their own. */
struct clock *system_clock(void);
struct entropy *system_entropy(void);

#endif
