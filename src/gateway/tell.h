/* What is told of commits and calls, on whichever platform: lines in the log, and counts. */
#ifndef GATEWAY_TELL_H
#define GATEWAY_TELL_H

#include "function/call.h"
#include "port/telemetry.h"

/* Of a commit that was done: a line where the order has come to an end or to a person, and a count of each
 * status it came to. True where its status moved. */
bool tell_commit(struct telemetry *telemetry, const struct decision *decision);

/* Of a call that was not answered well: a line with what the service said and when it is tried again. */
void tell_call(const struct call_attempt *attempt, const struct service_answer *answer);

#endif
