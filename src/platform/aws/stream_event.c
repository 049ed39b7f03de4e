#include "platform/aws/stream_event.h"

#include "platform/aws/event.h"
#include "wire/json_write.h"

static bool read_change(const struct json *json, enum stream_change *ret_change, struct failure *ret_failure) {
  static const char *const names[] = {
      [STREAM_INSERT] = "INSERT", [STREAM_MODIFY] = "MODIFY", [STREAM_REMOVE] = "REMOVE"};
  const struct json *name;
  if (!event_required(json, "eventName", JSON_STRING, &name, ret_failure)) return false;
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    if (!bytes_equal_string(name->text, names[i])) continue;
    *ret_change = (enum stream_change)i;
    return true;
  }
  return event_refuse(ret_failure, name, "INSERT, MODIFY or REMOVE");
}

static bool is_number(struct bytes text) {
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] < '0' || text.data[i] > '9') return false;
  return text.size > 0;
}

static bool read_record(const struct json *json, struct stream_record *ret_record,
                        struct failure *ret_failure) {
  const struct json *change, *keys, *number, *image, *partition, *sort;
  struct stream_record record = {0};
  if (!read_change(json, &record.change, ret_failure) ||
      !event_required(json, "dynamodb", JSON_OBJECT, &change, ret_failure) ||
      !event_required(change, "SequenceNumber", JSON_STRING, &number, ret_failure) ||
      !event_required(change, "Keys", JSON_OBJECT, &keys, ret_failure) ||
      !event_required(keys, "k", JSON_OBJECT, &partition, ret_failure) ||
      !event_required(partition, "S", JSON_STRING, &partition, ret_failure) ||
      !event_required(keys, "r", JSON_OBJECT, &sort, ret_failure) ||
      !event_required(sort, "S", JSON_STRING, &sort, ret_failure) ||
      !event_optional(change, "NewImage", JSON_OBJECT, &image, ret_failure))
    return false;
  if (!is_number(number->text)) return event_refuse(ret_failure, number, "digits");
  if (!image && record.change != STREAM_REMOVE)
    return failure_set(ret_failure, "NewImage is missing: the stream's view should be NEW_IMAGE");
  record.partition_key = partition->text;
  record.sort_key = sort->text;
  record.sequence_number = number->text;
  record.image = image;
  *ret_record = record;
  return true;
}

bool stream_event_read(struct bytes text, struct arena *arena, struct stream_event *ret_event,
                       struct failure *ret_failure) {
  const struct json *root, *records;
  if (!event_parse(text, arena, &root, ret_failure) ||
      !event_records(root, "aws:dynamodb", &records, ret_failure))
    return false;
  struct stream_event event = {.records = ARENA_ARRAY(arena, records->count, struct stream_record),
                               .stream_arn = json_member_text(records->first, "eventSourceARN")};
  for (const struct json *one = records->first; one; one = one->next)
    if (!read_record(one, &event.records[event.count++], ret_failure)) return false;
  *ret_event = event;
  return true;
}

struct bytes stream_attribute_text(const struct json *image, const char *name) {
  return json_member_text(json_member(image, name), "S");
}

/* As numbers: "9" before "10", "007" as "7". */
static bool is_lower(struct bytes a, struct bytes b) {
  while (a.size > 0 && a.data[0] == '0') a = bytes_slice(a, 1, a.size);
  while (b.size > 0 && b.data[0] == '0') b = bytes_slice(b, 1, b.size);
  return a.size != b.size ? a.size < b.size : bytes_compare(a, b) < 0;
}

struct bytes stream_event_answer(const struct stream_event *event, const bool *failed, struct arena *arena) {
  const struct stream_record *lowest = NULL;
  for (size_t i = 0; i < event->count; i++) {
    const struct stream_record *record = &event->records[i];
    if (failed[i] && (!lowest || is_lower(record->sequence_number, lowest->sequence_number))) lowest = record;
  }
  struct text text;
  text_init(&text, arena);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_open_array(&writer, "batchItemFailures");
  if (lowest) {
    json_open_object(&writer, NULL);
    json_write_text(&writer, "itemIdentifier", lowest->sequence_number);
    json_close_object(&writer);
  }
  json_close_array(&writer);
  json_close_object(&writer);
  return text_view(&text);
}
