/* Tests of the core: the stories of contract section 2. */
#include "order/decide_test_tools.h"

static enum verdict begin(struct story *story, enum order_command slot) {
  return tell(story, (struct command){.kind = COMMAND_KIND_BEGIN,
                                      .slot = slot,
                                      .attempts = 1,
                                      .dispatch_version = story->order.slots[slot].dispatch_version});
}

static enum verdict outcome(struct story *story, enum order_command slot, enum outcome outcome) {
  return tell(story, (struct command){
                         .kind = COMMAND_KIND_OUTCOME,
                         .slot = slot,
                         .outcome = outcome,
                         .attempts = 1,
                         .dispatch_version = story->order.slots[slot].dispatch_version,
                         .begun_ms = story->order.slots[slot].since_ms,
                         .reference = outcome == OUTCOME_DONE ? BYTES("ref") : (struct bytes){NULL, 0},
                         .reason = outcome == OUTCOME_REFUSED ? BYTES("out_of_stock") : BYTES("answered 500")});
}

static enum verdict callback(struct story *story, enum order_command slot, enum outcome outcome) {
  return tell(story, (struct command){.kind = COMMAND_KIND_OUTCOME,
                                      .slot = slot,
                                      .outcome = outcome,
                                      .is_callback = true,
                                      .reference = BYTES("late")});
}

static void goes_through(struct story *story, enum order_command slot, enum outcome with) {
  assert_int_equal(begin(story, slot), VERDICT_DECIDED);
  assert_true(story->decision.send);
  assert_int_equal(outcome(story, slot, with), VERDICT_DECIDED);
}

static enum verdict cancel(struct story *story) {
  return tell(story, (struct command){.kind = COMMAND_KIND_CANCEL, .reason = BYTES("changed my mind")});
}

static bool sends(const struct story *story, enum order_command slot) {
  for (size_t i = 0; i < story->decision.message_count; i++)
    if (story->decision.messages[i].kind == MESSAGE_CALL && story->decision.messages[i].slot == slot)
      return true;
  return false;
}

#define STATUS(story) order_status_name((story).order.status)

/* --- stories --- */

static void test_completes(void **state) {
  (void)state;
  struct story s = created(true);
  assert_string_equal(STATUS(s), "accepted");
  assert_int_equal(s.order.version, 1);
  assert_true(sends(&s, COMMAND_RESERVE));
  assert_false(sends(&s, COMMAND_RECORD));
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_string_equal(STATUS(s), "processing");
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_RECORD) && sends(&s, COMMAND_SHIP));
  goes_through(&s, COMMAND_SHIP, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "processing");
  goes_through(&s, COMMAND_RECORD, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "completed");
  assert_int_equal(cancel(&s), VERDICT_FINAL);
  assert_null(order_refund_state(&s.order));
}

static void test_first_refusal_refunds_only(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "reversing");
  assert_true(sends(&s, COMMAND_REFUND));
  assert_false(sends(&s, COMMAND_RELEASE));
  assert_string_equal(order_refund_state(&s.order), "waiting");
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_refund_state(&s.order), "done");
  assert_string_equal(order_step_state(&s.order, STEP_RESERVE), "refused");
  assert_string_equal(order_step_state(&s.order, STEP_RECORD), "waiting");
}

static void test_refusal_on_terms_has_nothing_to_refund(void **state) {
  (void)state;
  struct story s = created(false);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "rejected");
  assert_null(order_refund_state(&s.order));
}

static void test_late_refusal_undoes_in_order(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_SHIP, OUTCOME_DONE);
  goes_through(&s, COMMAND_RECORD, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "reversing");
  assert_true(sends(&s, COMMAND_RECALL));
  assert_false(sends(&s, COMMAND_RELEASE) || sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_RECALL, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RELEASE));
  assert_false(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_step_state(&s.order, STEP_SHIP), "undone");
}

static void test_reversal_waits_for_what_is_unsettled(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  begin(&s, COMMAND_RECORD);
  goes_through(&s, COMMAND_SHIP, OUTCOME_REFUSED);
  assert_true(sends(&s, COMMAND_RELEASE));
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_false(sends(&s, COMMAND_REFUND)); /* record is still out */
  assert_int_equal(outcome(&s, COMMAND_RECORD, OUTCOME_DONE), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_step_state(&s.order, STEP_RECORD), "undone");
}

static void test_cancel_before_anything_was_sent(void **state) {
  (void)state;
  struct story s = created(true);
  int64_t message = s.order.slots[COMMAND_RESERVE].dispatch_version;
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND));
  assert_int_equal(tell(&s, (struct command){.kind = COMMAND_KIND_BEGIN,
                                             .slot = COMMAND_RESERVE,
                                             .attempts = 1,
                                             .dispatch_version = message}),
                   VERDICT_STALE);
  assert_int_equal(cancel(&s), VERDICT_UNCHANGED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "cancelled");
}

static void test_cancel_while_an_attempt_is_out(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_int_equal(s.decision.message_count, 0); /* first it must be known whether it was applied */
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_SEND);
  outcome(&s, COMMAND_RESERVE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RELEASE));
}

static void test_cancel_while_backing_off_after_a_429(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_NOT_APPLIED), VERDICT_DECIDED);
  assert_int_equal(s.decision.event_count, 0);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND)); /* surely never applied: nothing to settle, nothing to undo */
}

static void test_a_429_after_a_500_proves_nothing(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN), VERDICT_UNCHANGED);
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_SEND);
  assert_int_equal(
      tell(&s, (struct command){.kind = COMMAND_KIND_OUTCOME,
                                .slot = COMMAND_RESERVE,
                                .outcome = OUTCOME_NOT_APPLIED,
                                .in_doubt = true,
                                .attempts = 2,
                                .dispatch_version = s.order.slots[COMMAND_RESERVE].dispatch_version}),
      VERDICT_UNCHANGED);
  assert_true(s.order.slots[COMMAND_RESERVE].unsettled);
}

static void test_refusal_and_cancel_meet(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  cancel(&s);
  outcome(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "cancelled"); /* decided first */
}

static void test_unknown_outcome_by_idempotency(void **state) {
  (void)state;
  static const struct {
    enum idempotency idempotency;
    enum verdict ended, begun_again;
    const char *status;
  } cases[] = {{IDEMPOTENCY_KEY, VERDICT_UNCHANGED, VERDICT_SEND, "processing"},
               {IDEMPOTENCY_LOOKUP, VERDICT_UNCHANGED, VERDICT_LOOK_UP, "processing"},
               {IDEMPOTENCY_NONE, VERDICT_DECIDED, VERDICT_STALE, "attention"}};
  for (size_t i = 0; i < 3; i++) {
    rules.idempotency[SERVICE_INVENTORY] = cases[i].idempotency;
    struct story s = created(true);
    begin(&s, COMMAND_RESERVE);
    assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN), cases[i].ended);
    assert_string_equal(STATUS(s), cases[i].status);
    assert_int_equal(begin(&s, COMMAND_RESERVE), cases[i].begun_again);
  }
}

static void test_crash_in_an_attempt_of_a_service_without_keys(void **state) {
  (void)state;
  rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_NONE;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE); /* … and the process dies */
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_false(s.decision.send);
  assert_string_equal(STATUS(s), "attention");
  assert_int_equal(cancel(&s), VERDICT_STEP_UNSETTLED);
}

static void test_pending_callback_and_deadline(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_PENDING);
  assert_string_equal(order_step_state(&s.order, STEP_RESERVE), "pending");
  assert_int_equal(s.decision.messages[0].kind, MESSAGE_EXPIRE);
  assert_int_equal(s.decision.messages[0].due_ms, NOW + DEADLINE);
  struct story late = s;
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_DECIDED);
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_UNCHANGED);
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_REFUSED), VERDICT_CONFLICT);
  late.now_ms = NOW + DEADLINE;
  assert_int_equal(
      tell(&late, (struct command){.kind = COMMAND_KIND_EXPIRE,
                                   .slot = COMMAND_RESERVE,
                                   .dispatch_version = late.order.slots[COMMAND_RESERVE].dispatch_version}),
      VERDICT_DECIDED);
  assert_string_equal(STATUS(late), "attention");
}

static void test_deadline_of_retries(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN);
  s.now_ms = NOW + DEADLINE;
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_false(s.decision.send);
  assert_string_equal(STATUS(s), "attention");
}

static void test_retry_and_skip(void **state) {
  (void)state;
  struct story s = created(true);
  const struct command retry = {.kind = COMMAND_KIND_RETRY, .step = STEP_RESERVE};
  assert_int_equal(tell(&s, retry), VERDICT_STEP_NOT_WAITING);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_INVALID);
  assert_string_equal(STATUS(s), "attention");
  struct story skipped = s;
  int64_t old = s.order.slots[COMMAND_RESERVE].dispatch_version;
  assert_int_equal(tell(&s, retry), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_RESERVE));
  assert_int_not_equal(s.order.slots[COMMAND_RESERVE].dispatch_version, old);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  const struct command skip = {
      .kind = COMMAND_KIND_SKIP, .step = STEP_RESERVE, .reason = BYTES("by hand"), .applied = true};
  assert_int_equal(tell(&skipped, skip), VERDICT_DECIDED);
  assert_string_equal(order_step_state(&skipped.order, STEP_RESERVE), "done");
  assert_int_equal(callback(&skipped, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_CONFLICT);
}

static void test_skipped_without_effect_is_not_undone(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_RECORD, OUTCOME_INVALID);
  tell(&s, (struct command){.kind = COMMAND_KIND_SKIP, .step = STEP_RECORD, .reason = BYTES("gone")});
  goes_through(&s, COMMAND_SHIP, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_REFUND)); /* for the payment; record was not applied */
  assert_int_not_equal(s.order.slots[COMMAND_RECORD].state, SLOT_DONE);
}

static void test_undo_refused_needs_a_person(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "attention");
  assert_string_equal(order_refund_state(&s.order), "attention");
  tell(&s, (struct command){.kind = COMMAND_KIND_RETRY, .step = STEP_RECORD});
  assert_string_equal(STATUS(s), "reversing");
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
}

static void test_cancel_from_attention_settles_first(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_SHIP, OUTCOME_GARBAGE);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_SHIP)); /* the same key again tells */
  assert_false(sends(&s, COMMAND_RELEASE));
  assert_int_equal(begin(&s, COMMAND_SHIP), VERDICT_SEND);
  outcome(&s, COMMAND_SHIP, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RECALL));
}

static void test_missing_order(void **state) {
  (void)state;
  struct decision decision;
  for (int kind = 1; kind < COMMAND_KIND_COUNT; kind++) {
    const struct command command = {.kind = (enum command_kind)kind};
    assert_int_equal(order_decide(NULL, &command, &rules, NOW, &arena, &decision), VERDICT_MISSING);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_completes),
      TEST(test_first_refusal_refunds_only),
      TEST(test_refusal_on_terms_has_nothing_to_refund),
      TEST(test_late_refusal_undoes_in_order),
      TEST(test_reversal_waits_for_what_is_unsettled),
      TEST(test_cancel_before_anything_was_sent),
      TEST(test_cancel_while_an_attempt_is_out),
      TEST(test_cancel_while_backing_off_after_a_429),
      TEST(test_a_429_after_a_500_proves_nothing),
      TEST(test_refusal_and_cancel_meet),
      TEST(test_unknown_outcome_by_idempotency),
      TEST(test_crash_in_an_attempt_of_a_service_without_keys),
      TEST(test_pending_callback_and_deadline),
      TEST(test_deadline_of_retries),
      TEST(test_retry_and_skip),
      TEST(test_skipped_without_effect_is_not_undone),
      TEST(test_undo_refused_needs_a_person),
      TEST(test_cancel_from_attention_settles_first),
      TEST(test_missing_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
