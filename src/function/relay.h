/* relay: takes the messages that were stored with orders (their outbox) to the queues, where the store
 * does not do so itself. A message may be taken twice; its identity is its order, slot and dispatch. */
#ifndef FUNCTION_RELAY_H
#define FUNCTION_RELAY_H

#include "order/order.h"
#include "port/queue.h"

/* Sends all of them; true for each that its queue has surely taken. */
void relay_run(struct queue *queue, const struct message *messages, size_t count, bool *ret_sent);

/* The messages that should be out for an order as it stands, where they may have been lost: of each command
 * that was dispatched, or last begun, before `until_ms` and has not ended. Gives how many of the COMMAND_COUNT
 * there is room for. They count as tried once: whoever has the first ones may have made an attempt. */
size_t relay_again(const struct order *order, int64_t until_ms, int64_t now_ms, struct message *ret_messages);

#endif
