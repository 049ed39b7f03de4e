#include "bootstrap/sqs_frame.h"

void sqs_frame(struct ports *ports, void *self, sqs_batch *work, int64_t margin_ms,
               const struct invocation *invocation, struct invocation_result *ret_result) {
  struct arena arena;
  struct sqs_event event;
  struct failure failure;
  arena_init(&arena);
  ports_begin(ports, invocation, margin_ms);
  if (!sqs_event_read(invocation->event, &arena, &event, &failure)) {
    ports_refuse_event(invocation, &failure, ret_result);
  } else {
    bool *failed = ARENA_ARRAY(&arena, event.count, bool);
    work(self, invocation, &event, &arena, failed);
    ret_result->body = sqs_event_answer(&event, failed, invocation->arena);
  }
  ports_end(ports);
  arena_release(&arena);
}
