/* relay: takes the messages that were stored with orders (their outbox) to the queues, where the store
 * does not do so itself. A message may be taken twice; its identity is its order, slot and dispatch. */
#ifndef FUNCTION_RELAY_H
#define FUNCTION_RELAY_H

#include "port/queue.h"

/* Sends all of them; true for each that its queue has surely taken. */
void relay_run(struct queue *queue, const struct message *messages, size_t count, bool *ret_sent);

#endif
