/* Spares a service that is down, and keeps its rate, as far as one environment can: environments share no
 * memory, so each has a circuit breaker of its own, and its part of the rate. Whoever must wait is put back
 * into its queue without an attempt; nothing is dropped. */
#ifndef BOOTSTRAP_GUARD_H
#define BOOTSTRAP_GUARD_H

#include "bootstrap/ports.h"
#include "port/services.h"

struct guard;

/* Calls go on to `services`; how they end moves the circuits. */
struct guard *guard_open(const struct ports *ports, struct services *services);
void guard_close(struct guard *guard);
struct services *guard_port(struct guard *guard);

/* A batch begins. */
void guard_begin(struct guard *guard);
/* 0: the message's service may be called now, and the call counts. Else how long the message must wait. What
 * needs no call, or is due for a person, never waits. */
int64_t guard_wait_ms(struct guard *guard, const struct message *message);

#endif
