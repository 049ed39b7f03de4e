/* Batches of a DynamoDB stream, and where Lambda is told to go on. */
#include "platform/aws/stream_event.h"

#include "platform/aws/event_test_tools.h"

static struct arena arena;

static struct stream_event read_event(struct bytes text) {
  struct stream_event event;
  struct failure failure;
  if (!stream_event_read(text, &arena, &event, &failure)) fail_msg("%s", failure.text);
  return event;
}

static void records_are_read(void **state) {
  (void)state;
  struct stream_event event = read_event(event_sample("dynamodb", &arena));
  assert_int_equal(event.count, 3);
  assert_text(event.stream_arn,
              "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-11-23T00:00:00.000");
  const struct stream_record *record = &event.records[0];
  assert_int_equal(record->change, STREAM_INSERT);
  assert_int_equal(event.records[1].change, STREAM_MODIFY);
  assert_int_equal(event.records[2].change, STREAM_REMOVE);
  assert_text(record->partition_key, "ord_00000000000000000000000000000001");
  assert_text(record->sort_key, "o");
  assert_text(record->sequence_number, "4421584500000000017450001");
  assert_text(stream_attribute_text(record->image, "o"), "[{\"kind\":\"call\"}]");
  assert_text(stream_attribute_text(record->image, "v"), "");
  assert_text(stream_attribute_text(record->image, "none"), "");
  assert_null(event.records[2].image);
  assert_text(stream_attribute_text(event.records[2].image, "o"), "");
}

#define FIRST "4421584500000000017450001"
#define SECOND "4421584500000000017450002"

static void the_lowest_failure_is_named(void **state) {
  (void)state;
  struct stream_event event = read_event(event_sample("dynamodb", &arena));
  assert_text(stream_event_answer(&event, (const bool[]){false, false, false}, &arena),
              "{\"batchItemFailures\":[]}");
  assert_text(stream_event_answer(&event, (const bool[]){false, true, true}, &arena),
              "{\"batchItemFailures\":[{\"itemIdentifier\":\"" SECOND "\"}]}");
  assert_text(stream_event_answer(&event, (const bool[]){true, false, true}, &arena),
              "{\"batchItemFailures\":[{\"itemIdentifier\":\"" FIRST "\"}]}");
}

static void sequence_numbers_compare_as_numbers(void **state) {
  (void)state;
  struct stream_event event = read_event(event_sample_with("dynamodb", FIRST, "10", &arena));
  event.records[1].sequence_number = BYTES("9");
  event.records[2].sequence_number = BYTES("008");
  assert_holds(stream_event_answer(&event, (const bool[]){true, true, false}, &arena),
               "[{\"itemIdentifier\":\"9\"}]");
  assert_holds(stream_event_answer(&event, (const bool[]){true, true, true}, &arena), "\"008\"");
}

static void what_is_no_such_stream_is_refused_with_a_reason(void **state) {
  (void)state;
  static const struct {
    const char *sample, *from, *to, *reason;
  } cases[] = {
      {"sqs", "", "", "\"aws:sqs\", and not from aws:dynamodb"},
      {"foreign-schedule", "", "", "Records is missing"},
      {"dynamodb", "\"INSERT\"", "\"TRUNCATE\"", "eventName should be INSERT, MODIFY or REMOVE"},
      {"dynamodb", "\"NewImage\"", "\"OldImage\"", "NEW_IMAGE"},
      {"dynamodb", "\"k\": {", "\"pk\": {", "k is missing"},
      {"dynamodb", "\"" FIRST "\"", "\"12a\"", "SequenceNumber should be digits"},
      {"dynamodb", "\"" FIRST "\"", "\"\"", "SequenceNumber should be digits"},
      {"dynamodb", "\"dynamodb\": {", "\"kinesis\": {", "dynamodb is missing"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct stream_event event;
    struct failure failure;
    struct bytes text = event_sample_with(cases[i].sample, cases[i].from, cases[i].to, &arena);
    assert_false(stream_event_read(text, &arena, &event, &failure));
    assert_holds(bytes_of(failure.text), cases[i].reason);
  }
}

static bool read_any(struct bytes text, struct arena *memory, struct failure *ret_failure) {
  struct stream_event event;
  return stream_event_read(text, memory, &event, ret_failure);
}

static void damaged_events_are_refused_or_read(void **state) {
  (void)state;
  event_reader_is_total(read_any, "dynamodb");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_are_read),
      cmocka_unit_test(the_lowest_failure_is_named),
      cmocka_unit_test(sequence_numbers_compare_as_numbers),
      cmocka_unit_test(what_is_no_such_stream_is_refused_with_a_reason),
      cmocka_unit_test(damaged_events_are_refused_or_read),
  };
  arena_init(&arena);
  int code = cmocka_run_group_tests(tests, NULL, NULL);
  arena_release(&arena);
  return code;
}
