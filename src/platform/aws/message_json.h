/* Messages as bodies of SQS messages: the port's (port/queue.h) as JSON, the intake's as a line of JSON and
 * the content after it, as it is. */
#ifndef PLATFORM_AWS_MESSAGE_JSON_H
#define PLATFORM_AWS_MESSAGE_JSON_H

#include "base/arena.h"
#include "port/intake.h"
#include "port/queue.h"

struct bytes message_write(const struct message *message, struct arena *arena);
/* False, with what is wrong, for anything that message_write does not make. The channel is not in it: the
 * queue is that of its retail orders. */
MUST_USE bool message_read(struct bytes body, struct arena *arena, struct message *ret_message,
                           struct bytes *ret_detail);

struct bytes intake_write(const struct intake_order *order, struct arena *arena);
MUST_USE bool intake_read(struct bytes body, struct arena *arena, struct intake_order *ret_order,
                          struct bytes *ret_detail);

#endif
