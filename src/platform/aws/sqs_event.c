#include "platform/aws/sqs_event.h"

#include "platform/aws/event.h"
#include "wire/json_write.h"

static bool read_number(const struct json *attributes, const char *name, int64_t *ret_number,
                        struct failure *ret_failure) {
  const struct json *member;
  if (!event_required(attributes, name, JSON_STRING, &member, ret_failure)) return false;
  unsigned long long number;
  if (!bytes_to_uint64(member->text, &number) || number > INT64_MAX)
    return event_refuse(ret_failure, member, "a number as text");
  *ret_number = (int64_t)number;
  return true;
}

static bool read_record(const struct json *json, struct sqs_record *ret_record, struct failure *ret_failure) {
  const struct json *id, *handle, *body, *attributes, *arn, *group;
  struct sqs_record record = {0};
  if (!event_required(json, "messageId", JSON_STRING, &id, ret_failure) ||
      !event_required(json, "receiptHandle", JSON_STRING, &handle, ret_failure) ||
      !event_required(json, "body", JSON_STRING, &body, ret_failure) ||
      !event_required(json, "eventSourceARN", JSON_STRING, &arn, ret_failure) ||
      !event_required(json, "attributes", JSON_OBJECT, &attributes, ret_failure) ||
      !event_optional(attributes, "MessageGroupId", JSON_STRING, &group, ret_failure) ||
      !read_number(attributes, "ApproximateReceiveCount", &record.receive_count, ret_failure) ||
      !read_number(attributes, "SentTimestamp", &record.sent_ms, ret_failure))
    return false;
  /* An answer that names a failed message by nothing would bring all of them back. */
  if (id->text.size == 0) return event_refuse(ret_failure, id, "not empty");
  record.message_id = id->text;
  record.receipt_handle = handle->text;
  record.body = body->text;
  record.queue_arn = arn->text;
  size_t colon = arn->text.size;
  while (colon > 0 && arn->text.data[colon - 1] != ':') colon--;
  record.queue_name = bytes_slice(arn->text, colon, arn->text.size);
  struct bytes end = BYTES(".fifo"), name = record.queue_name;
  record.is_fifo = name.size > end.size && bytes_equal(bytes_slice(name, name.size - end.size, name.size), end);
  if (group) record.group_id = group->text;
  *ret_record = record;
  return true;
}

bool sqs_event_read(struct bytes text, struct arena *arena, struct sqs_event *ret_event,
                    struct failure *ret_failure) {
  const struct json *root, *records;
  if (!event_parse(text, arena, &root, ret_failure) || !event_records(root, "aws:sqs", &records, ret_failure))
    return false;
  struct sqs_event event = {.records = ARENA_ARRAY(arena, records->count, struct sqs_record)};
  for (const struct json *one = records->first; one; one = one->next)
    if (!read_record(one, &event.records[event.count++], ret_failure)) return false;
  *ret_event = event;
  return true;
}

static bool follows_a_failure(const struct sqs_event *event, const bool *failed, size_t index) {
  if (!event->records[index].is_fifo) return false;
  for (size_t i = 0; i < index; i++)
    if (failed[i] && bytes_equal(event->records[i].group_id, event->records[index].group_id)) return true;
  return false;
}

struct bytes sqs_event_answer(const struct sqs_event *event, const bool *failed, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_open_array(&writer, "batchItemFailures");
  for (size_t i = 0; i < event->count; i++) {
    if (!failed[i] && !follows_a_failure(event, failed, i)) continue;
    json_open_object(&writer, NULL);
    json_write_text(&writer, "itemIdentifier", event->records[i].message_id);
    json_close_object(&writer);
  }
  json_close_array(&writer);
  json_close_object(&writer);
  return text_view(&text);
}
