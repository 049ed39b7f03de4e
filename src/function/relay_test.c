/* Which messages are made again where those of an order may have been lost. */
#include "function/relay.h"
#include "fake/testing.h"

static struct order some_order(void) {
  struct order order = {.id = BYTES("ord_0123456789abcdefghjkmnpqrstvwxyz"),
                        .content.channel = CHANNEL_WHOLESALE};
  order.slots[COMMAND_RESERVE] =
      (struct order_slot){.state = SLOT_DONE, .dispatch_version = 1, .since_ms = 1000, .deadline_ms = 9000};
  order.slots[COMMAND_RECORD] = (struct order_slot){
      .state = SLOT_WAITING, .dispatch_version = 3, .since_ms = 2000, .deadline_ms = 9000, .attempts = 4};
  order.slots[COMMAND_SHIP] =
      (struct order_slot){.state = SLOT_PENDING, .dispatch_version = 3, .since_ms = 3000, .deadline_ms = 9500};
  return order;
}

static void test_what_is_under_way_is_sent_again(void **state) {
  (void)state;
  struct order order = some_order();
  struct message messages[COMMAND_COUNT];
  assert_int_equal(relay_again(&order, 5000, 7000, messages), 2);
  assert_int_equal(messages[0].kind, MESSAGE_CALL);
  assert_int_equal(messages[0].slot, COMMAND_RECORD);
  assert_int_equal(messages[0].queue, queue_index(SERVICE_ACCOUNTING, CHANNEL_WHOLESALE));
  assert_int_equal(messages[0].dispatch_version, 3);
  assert_int_equal(messages[0].due_ms, 7000);
  assert_int_equal(messages[0].deadline_ms, 9000);
  assert_int_equal(messages[0].attempts, 5);
  assert_memory_equal(messages[0].order_id, order.id.data, ORDER_ID_CHARACTERS);
  assert_int_equal(messages[1].kind, MESSAGE_EXPIRE);
  assert_int_equal(messages[1].slot, COMMAND_SHIP);
  assert_int_equal(messages[1].due_ms, 9500);
}

static void test_what_began_later_is_left_alone(void **state) {
  (void)state;
  struct order order = some_order();
  struct message messages[COMMAND_COUNT];
  assert_int_equal(relay_again(&order, 3000, 7000, messages), 1);
  assert_int_equal(messages[0].slot, COMMAND_RECORD);
  assert_int_equal(relay_again(&order, 2000, 7000, messages), 0);
}

static void test_nothing_is_made_where_no_message_is_out(void **state) {
  (void)state;
  struct order order = some_order();
  struct message messages[COMMAND_COUNT];
  order.slots[COMMAND_RECORD].dispatch_version = 0; /* an order that waits for a person */
  order.slots[COMMAND_SHIP].state = SLOT_ATTENTION;
  assert_int_equal(relay_again(&order, 5000, 7000, messages), 0);
}

static void test_a_deadline_that_has_passed_is_due_now(void **state) {
  (void)state;
  struct order order = some_order();
  struct message messages[COMMAND_COUNT];
  assert_int_equal(relay_again(&order, 5000, 99000, messages), 2);
  assert_int_equal(messages[1].due_ms, 99000);
  assert_int_equal(messages[1].deadline_ms, 9500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_under_way_is_sent_again),
      cmocka_unit_test(test_what_began_later_is_left_alone),
      cmocka_unit_test(test_nothing_is_made_where_no_message_is_out),
      cmocka_unit_test(test_a_deadline_that_has_passed_is_due_now),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
