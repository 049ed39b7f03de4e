/* sweep: what queues have given up (dead letters) is brought to a person's attention. */
#ifndef FUNCTION_SWEEP_H
#define FUNCTION_SWEEP_H

#include "function/context.h"
#include "port/queue.h"

/* ACK: the command waits for a person now, or the message was out of date anyway. */
void sweep_run(const struct function_context *context, const struct message *messages, size_t count,
               struct message_result *ret_results);

#endif
