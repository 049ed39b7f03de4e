/* Batches of SQS messages (platform/aws/sqs_event.h): each record can be named in the answer, and the answer
 * names what failed and, beyond that, only what must not overtake it. */
#include "platform/aws/sqs_event.h"

#include "fuzz.h"

static size_t answered(const struct sqs_event *event, const bool *failed, struct arena *arena) {
  const struct json *list =
      json_member(fuzz_json(sqs_event_answer(event, failed, arena), arena), "batchItemFailures");
  ensure(list && list->type == JSON_ARRAY);
  for (const struct json *one = list->first; one; one = one->next)
    ensure(json_member_text(one, "itemIdentifier").size > 0);
  return list->count;
}

FUZZ_TARGET(input, arena) {
  struct sqs_event event = {NULL, 0}, again;
  struct failure failure = {""};
  if (!sqs_event_read(input, arena, &event, &failure)) {
    ensure(failure.text[0] && !event.records && event.count == 0);
    return;
  }
  ensure(sqs_event_read(input, arena, &again, &failure) && again.count == event.count);
  bool *failed = ARENA_ARRAY(arena, event.count, bool);
  ensure(answered(&event, failed, arena) == 0);
  size_t marked = 0;
  for (size_t i = 0; i < event.count; i++) {
    const struct sqs_record *record = &event.records[i];
    ensure(record->message_id.size > 0 && record->receive_count >= 0 && record->sent_ms >= 0);
    failed[i] = i % 2 == 0;
    marked += failed[i];
  }
  size_t named = answered(&event, failed, arena);
  ensure(named >= marked && named <= event.count);
  memset(failed, 1, event.count);
  ensure(answered(&event, failed, arena) == event.count);
}
