/* The step table and the names of things: consistent with themselves and with each other. */
#include "order/step.h"
#include "fake/testing.h"

static void test_commands_and_steps_name_each_other(void **state) {
  (void)state;
  bool named[COMMAND_COUNT] = {false};
  for (int step = 0; step < STEP_COUNT; step++) {
    const struct step_rule *rule = &step_rules[step];
    assert_int_equal(command_rules[rule->command].step, step);
    assert_int_equal(command_rules[rule->undo].step, step);
    assert_false(command_rules[rule->command].is_undo);
    assert_true(command_rules[rule->undo].is_undo);
    assert_int_equal(command_service(rule->command), rule->service);
    assert_int_equal(command_service(rule->undo), rule->service);
    assert_string_equal(command_rules[rule->command].name, rule->name);
    assert_false(named[rule->command] || named[rule->undo]);
    named[rule->command] = named[rule->undo] = true;
  }
  for (int command = 0; command < COMMAND_COUNT; command++) assert_true(named[command]);
}

/* Contract section 2: what starts when, and in which order it is undone. */
static void test_contract(void **state) {
  (void)state;
  static const struct {
    enum step step;
    const char *name, *service, *command, *undo;
    unsigned after, undo_after;
    bool money;
  } rows[] = {
      {STEP_RESERVE, "reserve", "inventory", "reserve", "release", 0, STEP_BIT(STEP_SHIP), false},
      {STEP_RECORD, "record", "accounting", "record", "refund", STEP_BIT(STEP_RESERVE),
       STEP_BIT(STEP_RESERVE) | STEP_BIT(STEP_SHIP), true},
      {STEP_SHIP, "ship", "fulfilment", "ship", "recall", STEP_BIT(STEP_RESERVE), 0, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const struct step_rule *rule = &step_rules[rows[i].step];
    assert_string_equal(rule->name, rows[i].name);
    assert_string_equal(service_names[rule->service], rows[i].service);
    assert_string_equal(command_rules[rule->command].name, rows[i].command);
    assert_string_equal(command_rules[rule->undo].name, rows[i].undo);
    assert_int_equal(rule->after, rows[i].after);
    assert_int_equal(rule->undo_after, rows[i].undo_after);
    assert_int_equal(rule->undo_returns_money, rows[i].money);
  }
}

/* No step waits, directly or by way of others, for itself: neither forwards nor back. */
static void test_no_circles(void **state) {
  (void)state;
  for (int back = 0; back < 2; back++) {
    unsigned reached = 0;
    for (int round = 0; round < STEP_COUNT; round++)
      for (int step = 0; step < STEP_COUNT; step++) {
        unsigned needs = back ? step_rules[step].undo_after : step_rules[step].after;
        if ((needs & ~reached) == 0) reached |= STEP_BIT(step);
      }
    assert_int_equal(reached, STEP_BIT(STEP_COUNT) - 1);
  }
}

static void test_names_are_read_as_written(void **state) {
  (void)state;
  for (int i = 0; i < STEP_COUNT; i++) {
    enum step step;
    assert_true(step_parse(bytes_of(step_rules[i].name), &step));
    assert_int_equal(step, i);
  }
  for (int i = 0; i < COMMAND_COUNT; i++) {
    enum order_command command;
    assert_true(order_command_parse(bytes_of(command_rules[i].name), &command));
    assert_int_equal(command, i);
  }
  size_t finals = 0;
  for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
    enum order_status status;
    assert_true(order_status_parse(bytes_of(order_status_name((enum order_status)i)), &status));
    assert_int_equal(status, i);
    finals += order_status_is_final(status);
  }
  assert_int_equal(finals, 3);
  static const char *const none[] = {"", "Reserve", "reserve ", "accept", "completedx"};
  for (size_t i = 0; i < COUNT_OF(none); i++) {
    enum step step;
    enum order_command command;
    enum order_status status;
    assert_false(step_parse(bytes_of(none[i]), &step));
    assert_false(order_command_parse(bytes_of(none[i]), &command));
    assert_false(order_status_parse(bytes_of(none[i]), &status));
  }
  enum step step;
  assert_false(step_parse(BYTES("release"), &step)); /* a command, not a step */
  assert_string_equal(order_channel_name(CHANNEL_RETAIL), "retail");
  assert_string_equal(order_channel_name(CHANNEL_WHOLESALE), "wholesale");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_commands_and_steps_name_each_other),
      cmocka_unit_test(test_contract),
      cmocka_unit_test(test_no_circles),
      cmocka_unit_test(test_names_are_read_as_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
