/* Batches of a table's stream (platform/aws/stream_event.h) and the images in them (store_dynamodb.h): the
 * answer names one record or none, and what an image says to send is complete. */
#include "platform/aws/stream_event.h"

#include "fuzz.h"
#include "order/step.h"
#include "platform/aws/store_dynamodb.h"
#include "wire/id.h"

static void check_image(const struct json *image, struct arena *arena) {
  struct store_dynamodb_image read;
  struct bytes detail = {NULL, 0};
  if (!store_dynamodb_read_image(image, arena, &read, &detail)) {
    ensure(detail.size > 0);
    return;
  }
  if (!read.is_order) return;
  ensure(read.id.size == ORDER_ID_CHARACTERS && read.created_ms >= 0);
  ensure(read.message_count <= DECISION_MESSAGES_MAX);
  for (size_t i = 0; i < read.message_count; i++) {
    const struct message *message = &read.messages[i];
    ensure(message->slot < COMMAND_COUNT && message->queue >= 0 && message->queue < QUEUE_COUNT);
    ensure(message->kind == MESSAGE_CALL || message->kind == MESSAGE_EXPIRE);
  }
}

static size_t answered(const struct stream_event *event, const bool *failed, struct arena *arena) {
  const struct json *list =
      json_member(fuzz_json(stream_event_answer(event, failed, arena), arena), "batchItemFailures");
  ensure(list && list->type == JSON_ARRAY);
  return list->count;
}

FUZZ_TARGET(input, arena) {
  struct stream_event event = {.records = NULL}, again;
  struct failure failure = {""};
  if (!stream_event_read(input, arena, &event, &failure)) {
    ensure(failure.text[0] && !event.records && event.count == 0);
    return;
  }
  ensure(stream_event_read(input, arena, &again, &failure) && again.count == event.count);
  bool *failed = ARENA_ARRAY(arena, event.count, bool);
  ensure(answered(&event, failed, arena) == 0);
  for (size_t i = 0; i < event.count; i++) {
    const struct stream_record *record = &event.records[i];
    unsigned char digits = 0;
    for (size_t j = 0; j < record->sequence_number.size; j++)
      digits |= (unsigned char)(record->sequence_number.data[j] < '0' || record->sequence_number.data[j] > '9');
    ensure(record->sequence_number.size > 0 && !digits);
    ensure(record->image || record->change == STREAM_REMOVE);
    if (record->image) check_image(record->image, arena);
    memset(failed, 0, event.count);
    failed[i] = true;
    ensure(answered(&event, failed, arena) == 1);
  }
}
