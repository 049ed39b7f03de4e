#include "function/relay.h"

#include "base/arena.h"

void relay_run(struct queue *queue, const struct message *messages, size_t count, bool *ret_sent) {
  for (size_t i = 0; i < count; i++) ret_sent[i] = false;
  if (count > 0) queue_send(queue, messages, count, ret_sent);
}
