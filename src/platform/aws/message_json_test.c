/* Bodies of SQS messages: what is written is read, and anything else is refused with a reason. */
#include "platform/aws/message_json.h"

#include "fake/testing.h"

static const char id[] = "ord_0123456789abcdefghjkmnpqrstvwxyz";

static void test_messages(void **state) {
  struct arena arena;
  struct bytes detail;
  struct message again, message = {.kind = MESSAGE_EXPIRE,
                                   .slot = COMMAND_RECALL,
                                   .queue = queue_index(SERVICE_FULFILMENT, CHANNEL_RETAIL),
                                   .dispatch_version = 3,
                                   .created_ms = 1,
                                   .due_ms = 2,
                                   .deadline_ms = 3,
                                   .attempts = 4,
                                   .note = "said \"no\"\n"};
  (void)state;
  arena_init(&arena);
  memcpy(message.order_id, id, ORDER_ID_CHARACTERS);
  assert_true(message_read(message_write(&message, &arena), &arena, &again, &detail));
  assert_memory_equal(again.order_id, message.order_id, ORDER_ID_CHARACTERS);
  assert_true(again.kind == message.kind && again.slot == message.slot && again.queue == message.queue &&
              again.dispatch_version == 3 && again.created_ms == 1 && again.due_ms == 2 &&
              again.deadline_ms == 3 && again.attempts == 4);
  assert_string_equal(again.note, message.note);
  static const char *const bad[] = {
      "",
      "[]",
      "{}",
      "{\"id\":\"ord_1\"}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"kind\":\"call\",\"command\":\"eat\"}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"kind\":\"wait\",\"command\":\"ship\"}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"kind\":\"call\",\"command\":\"ship\",\"dispatch\":1}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"kind\":\"call\",\"command\":\"ship\",\"dispatch\":0,"
      "\"created\":1,\"due\":1,\"deadline\":1,\"attempts\":0}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    detail = (struct bytes){NULL, 0};
    assert_false(message_read(bytes_of(bad[i]), &arena, &again, &detail));
    assert_true(detail.size > 0);
  }
  arena_release(&arena);
}

static void test_intake(void **state) {
  struct arena arena;
  struct bytes detail;
  struct intake_order again, order = {.id = bytes_of(id),
                                      .customer = BYTES("ada \"x\""),
                                      .content_json = BYTES("{\"a\":\"\\u000a\"}"),
                                      .traceparent = BYTES("00-1"),
                                      .accepted_ms = 5,
                                      .claims = {BYTES("payment:1"), BYTES("purchase:2")},
                                      .claim_count = 2};
  (void)state;
  arena_init(&arena);
  assert_true(intake_read(intake_write(&order, &arena), &arena, &again, &detail));
  assert_views_equal(again.id, order.id);
  assert_views_equal(again.customer, order.customer);
  assert_views_equal(again.content_json, order.content_json);
  assert_views_equal(again.traceparent, order.traceparent);
  assert_true(again.accepted_ms == 5);
  assert_int_equal(again.claim_count, 2);
  assert_views_equal(again.claims[1], order.claims[1]);
  static const char *const bad[] = {
      "",
      "{}",
      "{}\n{}",
      "x\n{}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\"}\n{}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"customer\":\"a\",\"accepted\":1}\n{}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"customer\":\"a\",\"accepted\":1,\"claims\":[1]}\n{}",
      "{\"id\":\"ord_0123456789abcdefghjkmnpqrstvwxyz\",\"customer\":\"a\",\"accepted\":1,\"claims\":[\"1\","
      "\"2\",\"3\"]}\n{}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    detail = (struct bytes){NULL, 0};
    assert_false(intake_read(bytes_of(bad[i]), &arena, &again, &detail));
    assert_true(detail.size > 0);
  }
  arena_release(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_intake)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
