#include "function/relay.h"

#include "base/arena.h"
#include "order/step.h"

void relay_run(struct queue *queue, const struct message *messages, size_t count, bool *ret_sent) {
  for (size_t i = 0; i < count; i++) ret_sent[i] = false;
  if (count > 0) queue_send(queue, messages, count, ret_sent);
}

size_t relay_again(const struct order *order, int64_t until_ms, int64_t now_ms, struct message *ret_messages) {
  size_t count = 0;
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *slot = &order->slots[i];
    bool waits = slot->state == SLOT_PENDING; /* for a callback, or its deadline */
    if (!waits && slot->state != SLOT_WAITING && slot->state != SLOT_RUNNING) continue;
    if (slot->dispatch_version == 0 || slot->since_ms >= until_ms) continue;
    struct message *message = &ret_messages[count++];
    *message =
        (struct message){.kind = waits ? MESSAGE_EXPIRE : MESSAGE_CALL,
                         .slot = (enum order_command)i,
                         .queue = queue_index(command_service((enum order_command)i), order->content.channel),
                         .dispatch_version = slot->dispatch_version,
                         .created_ms = now_ms,
                         .due_ms = waits && slot->deadline_ms > now_ms ? slot->deadline_ms : now_ms,
                         .deadline_ms = slot->deadline_ms,
                         .attempts = slot->attempts + 1};
    memcpy(message->order_id, order->id.data, ORDER_ID_CHARACTERS);
  }
  return count;
}
