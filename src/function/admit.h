/* admit: puts the orders that wait in the intake (port/intake.h) into the store, at the rate that it
 * takes them. They were acknowledged, so none may be refused any more: one that turns out to be in
 * conflict with another order (its payment has made one meanwhile, or its id stands for other content)
 * is stored all the same, and a person decides. */
#ifndef FUNCTION_ADMIT_H
#define FUNCTION_ADMIT_H

#include "function/context.h"
#include "port/intake.h"
#include "port/queue.h"

/* ACK: it is in the store. RETRY, with `delay_ms`: not yet. */
void admit_run(const struct function_context *context, const struct intake_order *orders, size_t count,
               struct message_result *ret_results);

#endif
