#include "function/sweep.h"

#include "function/change.h"

enum { STORE_RETRY_MS = 5000 };

void sweep_run(const struct function_context *context, const struct message *messages, size_t count,
               struct message_result *ret_results) {
  struct arena arena;
  arena_init(&arena);
  struct change *changes = ARENA_ARRAY(&arena, count, struct change);
  struct change **all = ARENA_ARRAY(&arena, count, struct change *);
  for (size_t i = 0; i < count; i++) {
    const struct message *message = &messages[i];
    struct bytes reason =
        message->note[0]
            ? arena_printf(&arena, "its message was delivered too often; last answer: %s", message->note)
            : BYTES("its message was delivered too often, and no attempt ended");
    changes[i] = (struct change){.id = bytes_from(message->order_id, ORDER_ID_CHARACTERS),
                                 .how = STORE_LOAD_STATE,
                                 .command = {.kind = COMMAND_KIND_ABANDON,
                                             .slot = message->slot,
                                             .dispatch_version = message->dispatch_version,
                                             .reason = reason}};
    all[i] = &changes[i];
  }
  change_run(context, all, count, &arena);
  for (size_t i = 0; i < count; i++)
    ret_results[i] = (struct message_result){.settlement = changes[i].unavailable ? SETTLE_RETRY : SETTLE_ACK,
                                             .delay_ms = STORE_RETRY_MS};
  arena_release(&arena);
}
