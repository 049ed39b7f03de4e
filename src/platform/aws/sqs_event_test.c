/* Batches of SQS, and which messages of them are named as failed. */
#include "platform/aws/sqs_event.h"

#include "platform/aws/event_test_tools.h"

static struct arena arena;

static struct sqs_event read_sample(const char *name) {
  struct sqs_event event;
  struct failure failure;
  if (!sqs_event_read(event_sample(name, &arena), &arena, &event, &failure)) fail_msg("%s", failure.text);
  return event;
}

static void messages_are_read(void **state) {
  (void)state;
  struct sqs_event event = read_sample("sqs");
  assert_int_equal(event.count, 2);
  const struct sqs_record *record = &event.records[1];
  assert_text(record->message_id, "059f36b4-87a3-44ab-83d2-661975680002");
  assert_text(record->receipt_handle, "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a2");
  assert_true(bytes_starts_with(record->body, BYTES("{\"id\":\"ord_")));
  assert_int_equal(event.records[0].receive_count, 1);
  assert_int_equal(record->receive_count, 3);
  assert_int_equal(record->sent_ms, 1795428930002);
  assert_text(record->queue_name, "orders-inventory-retail");
  assert_text(record->queue_arn, "arn:aws:sqs:eu-west-1:123456789012:orders-inventory-retail");
  assert_false(record->is_fifo);
  assert_int_equal(record->group_id.size, 0);
}

static void an_empty_batch_is_a_batch(void **state) {
  (void)state;
  struct sqs_event event = {.count = 7};
  struct failure failure;
  assert_true(sqs_event_read(BYTES("{\"Records\":[]}"), &arena, &event, &failure));
  assert_int_equal(event.count, 0);
  assert_text(sqs_event_answer(&event, NULL, &arena), "{\"batchItemFailures\":[]}");
}

static void failed_messages_are_named(void **state) {
  (void)state;
  struct sqs_event event = read_sample("sqs");
  assert_text(sqs_event_answer(&event, (const bool[]){false, false}, &arena), "{\"batchItemFailures\":[]}");
  assert_text(sqs_event_answer(&event, (const bool[]){false, true}, &arena),
              "{\"batchItemFailures\":[{\"itemIdentifier\":\"059f36b4-87a3-44ab-83d2-661975680002\"}]}");
  /* no groups: what comes after is its own affair */
  assert_text(sqs_event_answer(&event, (const bool[]){true, false}, &arena),
              "{\"batchItemFailures\":[{\"itemIdentifier\":\"059f36b4-87a3-44ab-83d2-661975680001\"}]}");
}

/* The sample's groups are a, b, a, b. */
static void a_group_keeps_its_order(void **state) {
  (void)state;
  struct sqs_event event = read_sample("sqs-fifo");
  assert_true(event.records[0].is_fifo);
  assert_text(event.records[1].group_id, "b");
  struct bytes answer = sqs_event_answer(&event, (const bool[]){true, false, false, false}, &arena);
  assert_holds(answer, "0001\"},{\"itemIdentifier\":\"059f36b4-87a3-44ab-83d2-661975680003\"}]}");
  assert_lacks(answer, "0002");
  assert_lacks(answer, "0004");
  answer = sqs_event_answer(&event, (const bool[]){false, false, true, true}, &arena);
  assert_lacks(answer, "0001");
  assert_holds(answer, "0003\"},{");
  assert_holds(answer, "0004\"}]}");
}

static void what_is_no_batch_is_refused_with_a_reason(void **state) {
  (void)state;
  static const struct {
    const char *sample, *from, *to, *reason;
  } cases[] = {
      {"foreign-s3", "", "", "\"aws:s3\", and not from aws:sqs"},
      {"foreign-sns", "", "", "and not from aws:sqs"},
      {"foreign-schedule", "", "", "Records is missing"},
      {"dynamodb", "", "", "aws:dynamodb"},
      {"sqs", "\"messageId\": \"059f36b4-87a3-44ab-83d2-661975680001\"", "\"messageId\": \"\"",
       "messageId should be not empty"},
      {"sqs", "\"messageId\"", "\"messageID\"", "messageId is missing"},
      {"sqs", "\"ApproximateReceiveCount\": \"1\"", "\"ApproximateReceiveCount\": 1",
       "ApproximateReceiveCount should be text"},
      {"sqs", "\"ApproximateReceiveCount\": \"1\"", "\"ApproximateReceiveCount\": \"-1\"", "a number as text"},
      {"sqs", "\"SentTimestamp\": \"1795428930001\"", "\"SentTimestamp\": \"9223372036854775808\"",
       "a number as text"},
      {"sqs", "\"attributes\"", "\"attribute\"", "attributes is missing"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sqs_event event;
    struct failure failure;
    struct bytes text = event_sample_with(cases[i].sample, cases[i].from, cases[i].to, &arena);
    assert_false(sqs_event_read(text, &arena, &event, &failure));
    assert_holds(bytes_of(failure.text), cases[i].reason);
  }
}

static bool read_any(struct bytes text, struct arena *memory, struct failure *ret_failure) {
  struct sqs_event event;
  return sqs_event_read(text, memory, &event, ret_failure);
}

static void damaged_events_are_refused_or_read(void **state) {
  (void)state;
  event_reader_is_total(read_any, "sqs");
  event_reader_is_total(read_any, "sqs-fifo");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_are_read),
      cmocka_unit_test(an_empty_batch_is_a_batch),
      cmocka_unit_test(failed_messages_are_named),
      cmocka_unit_test(a_group_keeps_its_order),
      cmocka_unit_test(what_is_no_batch_is_refused_with_a_reason),
      cmocka_unit_test(damaged_events_are_refused_or_read),
  };
  arena_init(&arena);
  int code = cmocka_run_group_tests(tests, NULL, NULL);
  arena_release(&arena);
  return code;
}
