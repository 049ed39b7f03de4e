/* relay: batches of the table's stream. What fails is reported by the lowest sequence number, and comes again
 * with all that follows; a message that is sent twice is known by its order, slot and dispatch. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/relay.h"
#include "function/relay.h"

enum { MARGIN_MS = 1500 };

void relay_records(struct ports *ports, const struct stream_record *records, size_t count, bool gives_up,
                   struct arena *arena, bool *ret_failed) {
  struct store_dynamodb_image *images = ARENA_ARRAY(arena, count, struct store_dynamodb_image);
  struct message *messages = ARENA_ARRAY(arena, count * DECISION_MESSAGES_MAX, struct message);
  size_t *places = ARENA_ARRAY(arena, count * DECISION_MESSAGES_MAX, size_t), message_count = 0;
  bool *sent = ARENA_ARRAY(arena, count * DECISION_MESSAGES_MAX, bool);
  struct failure failure;
  for (size_t i = 0; i < count; i++) {
    struct bytes detail;
    ret_failed[i] = false;
    if (!records[i].image) continue; /* an item that is gone */
    if (!store_dynamodb_read_image(records[i].image, arena, &images[i], &detail)) {
      log_event(LOG_ERROR, "change_unreadable", LOG_TEXT("sequence", records[i].sequence_number),
                LOG_TEXT("detail", detail));
      images[i].is_new = false;
      ret_failed[i] = !gives_up;
      continue;
    }
    for (size_t j = 0; j < images[i].message_count; j++) {
      places[message_count] = i;
      messages[message_count++] = images[i].messages[j];
    }
  }
  relay_run(queue_sqs_port(ports->queue), messages, message_count, sent);
  for (size_t i = 0; i < message_count; i++)
    if (!sent[i]) ret_failed[places[i]] = true;
  if (store_dynamodb_note_created(ports->store, images, count, &failure)) return;
  log_event(LOG_WARN, "directory_not_written", LOG_STRING("detail", failure.text));
  for (size_t i = 0; i < count; i++) ret_failed[i] |= images[i].is_new;
}

static bool relay_open(void **ret_self, struct failure *ret_failure) {
  struct ports *ports = calloc(1, sizeof *ports);
  if (!ports) panic("out of memory");
  *ret_self = ports;
  return ports_open(ports, NEEDS_TABLE | NEEDS_QUEUES, ret_failure);
}

static void relay_close(void *self) {
  ports_close(self);
  free(self);
}

static void relay_handle(void *self, const struct invocation *invocation,
                         struct invocation_result *ret_result) {
  struct ports *ports = self;
  struct arena arena;
  struct stream_event event;
  struct failure failure;
  arena_init(&arena);
  ports_begin(ports, invocation, MARGIN_MS);
  if (!stream_event_read(invocation->event, &arena, &event, &failure)) {
    ports_refuse_event(invocation, &failure, ret_result);
  } else {
    bool *failed = ARENA_ARRAY(&arena, event.count, bool);
    relay_records(ports, event.records, event.count, false, &arena, failed);
    ret_result->body = stream_event_answer(&event, failed, invocation->arena);
  }
  ports_end(ports);
  arena_release(&arena);
}

const struct handler handler_relay = {
    .name = "relay", .open = relay_open, .handle = relay_handle, .close = relay_close};
