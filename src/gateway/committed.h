/* What is told of every commit that was done, on whichever platform: a line in the log where an order has
 * come to an end or to a person, and a count of each status it came to. */
#ifndef GATEWAY_COMMITTED_H
#define GATEWAY_COMMITTED_H

#include "order/decide.h"
#include "port/telemetry.h"

/* True where the order's status moved. */
bool committed_tell(struct telemetry *telemetry, const struct decision *decision);

#endif
