/* Sending commands: whole lives through call_run, what is tried again and when, crashes between begin
 * and finish, and what a failing store leads to. */
#include <stdio.h>

#include "fake/world.h"
#include "function/call.h"

static const char *status_of(struct fake_world *w, struct bytes id) {
  return order_status_name(fake_order(w, id)->status);
}

static struct bytes key_of(struct fake_world *w, struct bytes id, const char *command) {
  return arena_printf(&w->arena, "%.*s.%s", BYTES_PRINTF(id), command);
}

static void test_completed(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  static const enum order_command commands[] = {COMMAND_RESERVE, COMMAND_RECORD, COMMAND_SHIP};
  for (size_t i = 0; i < COUNT_OF(commands); i++) {
    struct message_result result = fake_call(w, id, commands[i]);
    assert_int_equal(result.settlement, SETTLE_ACK);
  }
  assert_string_equal(status_of(w, id), "completed");
  assert_text(fake_order(w, id)->slots[COMMAND_SHIP].reference, "ref");
  assert_int_equal(w->services.call_count, 3);
  assert_views_equal(w->services.calls[2].key, key_of(w, id, "ship"));
  assert_int_equal(w->telemetry.counts[METRIC_CALLS], 3);
  assert_string_equal(w->telemetry.label_a[METRIC_CALLS], "ship");
  assert_string_equal(w->telemetry.label_b[METRIC_CALLS], "done");
  assert_true(w->telemetry.value[METRIC_CALL_SECONDS] == 0.0015);
  /* The messages come again: they are dropped, and nothing is sent. */
  for (size_t i = 0; i < COUNT_OF(commands); i++)
    assert_int_equal(fake_call(w, id, commands[i]).settlement, SETTLE_ACK);
  assert_int_equal(w->services.call_count, 3);
}

static void test_rejected_and_refunded_once(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  fake_call(w, id, COMMAND_RESERVE);
  fake_call(w, id, COMMAND_RECORD);
  fake_services_answer(&w->services, 409, "{\"reason\":\"no_courier\"}");
  fake_call(w, id, COMMAND_SHIP);
  assert_string_equal(status_of(w, id), "reversing");
  fake_call(w, id, COMMAND_RELEASE);
  fake_call(w, id, COMMAND_REFUND);
  assert_string_equal(status_of(w, id), "rejected");
  assert_text(fake_order(w, id)->reason, "no_courier");
  assert_int_equal(fake_call(w, id, COMMAND_REFUND).settlement, SETTLE_ACK);
  assert_int_equal(w->services.call_count, 5);
  assert_text(w->services.calls[3].path, "/release");
  assert_text(w->services.calls[4].path, "/refund");
}

/* --- trying again ----------------------------------------------------------------------------------- */

static void test_back_off_doubles_with_full_jitter(void **state) {
  struct fake_world *w = *state;
  w->entropy.is_highest = true;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  int64_t bound_ms = FAKE_RETRY_FIRST_MS;
  for (int64_t attempts = 0; attempts < 15; attempts++) {
    fake_services_answer(&w->services, 503, "");
    struct message_result result = fake_call_after(w, id, COMMAND_RESERVE, attempts, "");
    assert_int_equal(result.settlement, SETTLE_RETRY);
    assert_int_equal(result.attempts, attempts + 1);
    assert_string_equal(result.note, "answered 503 Service Unavailable");
    assert_int_equal(result.delay_ms, bound_ms);
    bound_ms = bound_ms * 2 > FAKE_RETRY_MAX_MS ? FAKE_RETRY_MAX_MS : bound_ms * 2;
    assert_views_equal(w->services.calls[attempts].key, key_of(w, id, "reserve")); /* the same on every one */
    assert_views_equal(w->services.calls[attempts].body, w->services.calls[0].body);
  }
  assert_int_equal(bound_ms, FAKE_RETRY_MAX_MS);
  assert_int_equal(w->telemetry.counts[METRIC_RETRIES], 15);
  /* All of the range is used: the lowest entropy gives the shortest delay. */
  w->entropy.is_highest = false;
  w->entropy.next = 0;
  struct fake_entropy before = w->entropy;
  fake_services_answer(&w->services, 503, "");
  struct message_result result = fake_call_after(w, id, COMMAND_RESERVE, 14, "");
  assert_true(result.delay_ms >= 1 && result.delay_ms < FAKE_RETRY_MAX_MS);
  assert_true(w->entropy.fills > before.fills);
}

static void test_retry_after_is_a_lower_bound(void **state) {
  struct fake_world *w = *state;
  w->entropy.is_highest = true;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  static const struct {
    int64_t retry_after_ms, delay_ms;
  } cases[] = {{7000, 7000},
               {0, FAKE_RETRY_FIRST_MS},
               {100, FAKE_RETRY_FIRST_MS},
               {2 * (int64_t)FAKE_DEADLINE_MS, FAKE_DEADLINE_MS}}; /* but at the deadline it comes once more */
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    fake_services_answer_with(
        &w->services, &(struct service_answer){
                          .status = 429, .has_retry_after = true, .retry_after_ms = cases[i].retry_after_ms});
    struct message_result result = fake_call(w, id, COMMAND_RESERVE);
    assert_int_equal(result.settlement, SETTLE_RETRY);
    assert_int_equal(result.delay_ms, cases[i].delay_ms);
  }
}

static void test_deadline_brings_attention_with_the_last_answer(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  fake_services_answer(&w->services, 503, "{\"detail\":\"maintenance\"}");
  struct message_result result = fake_call(w, id, COMMAND_RESERVE);
  w->clock.now_ms += FAKE_DEADLINE_MS;
  struct message_result last = fake_call_after(w, id, COMMAND_RESERVE, result.attempts, result.note);
  assert_int_equal(last.settlement, SETTLE_ACK);
  assert_int_equal(w->services.call_count, 1); /* no further attempt */
  assert_string_equal(status_of(w, id), "attention");
  assert_text(fake_order(w, id)->slots[COMMAND_RESERVE].reason,
              "the deadline has passed; last answer: answered 503 Service Unavailable: maintenance");
}

/* Whatever a service says is cut between characters: an order whose state is not UTF-8 could never be
 * read again. */
static void test_long_answers_stay_utf8(void **state) {
  struct fake_world *w = *state;
  static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (size_t i = 0; i < COUNT_OF(characters); i++)
    for (size_t offset = 0; offset < 4; offset++) {
      struct text body;
      text_init(&body, &w->arena);
      text_printf(&body, "{\"detail\":\"%.*s", (int)offset, "xxxx");
      for (int j = 0; j < 190; j++) text_append_string(&body, characters[i]);
      text_append_string(&body, "\"}");
      struct bytes id = fake_accept(w, "ada", arena_printf(&w->arena, "pay_%zu_%zu", i, offset).data);
      fake_services_answer(&w->services, 500, arena_string(&w->arena, text_view(&body)));
      struct message_result result = fake_call(w, id, COMMAND_RESERVE);
      size_t count;
      assert_true(strlen(result.note) > 150);
      assert_true(bytes_count_code_points(bytes_of(result.note), &count));
      w->clock.now_ms += FAKE_DEADLINE_MS;
      fake_call_after(w, id, COMMAND_RESERVE, result.attempts, result.note);
      assert_string_equal(status_of(w, id), "attention");
    }
}

/* --- outcomes that are not known --------------------------------------------------------------------- */

/* A crash between the two: the attempt was recorded before it was sent, so that it is not forgotten. */
static void begin_and_crash(struct fake_world *w, struct bytes id, enum order_command slot) {
  struct call_attempt attempt;
  call_begin(&w->context, fake_store_message(&w->store, id, MESSAGE_CALL, slot), 1, &attempt);
  assert_true(attempt.send);
  assert_false(attempt.in_doubt);
  assert_true(fake_order(w, id)->slots[slot].unsettled);
  call_attempt_release(&attempt);
}

static void test_crash_with_keys_sends_the_same_again(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  begin_and_crash(w, id, COMMAND_RESERVE);
  struct call_attempt attempt, *all[] = {&attempt};
  call_begin(&w->context, fake_store_message(&w->store, id, MESSAGE_CALL, COMMAND_RESERVE), 1, &attempt);
  assert_true(attempt.send && attempt.in_doubt && !attempt.request.is_lookup);
  const struct service_answer done = {.status = 200, .body = BYTES("{\"reference\":\"r\"}")};
  const struct service_answer *answers[] = {&done};
  call_finish(&w->context, all, answers, 1);
  assert_true(attempt.stored);
  assert_string_equal(attempt.outcome, "done");
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].state, SLOT_DONE);
  call_attempt_release(&attempt);
}

static void test_crash_without_keys_needs_a_person(void **state) {
  struct fake_world *w = *state;
  w->context.rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_NONE;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  begin_and_crash(w, id, COMMAND_RESERVE);
  assert_int_equal(fake_call(w, id, COMMAND_RESERVE).settlement, SETTLE_ACK);
  assert_int_equal(w->services.call_count, 0); /* never sent twice */
  assert_string_equal(status_of(w, id), "attention");
}

static void test_crash_with_lookup_asks_first(void **state) {
  struct fake_world *w = *state;
  w->entropy.is_highest = true;
  w->context.rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_LOOKUP;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  begin_and_crash(w, id, COMMAND_RESERVE);
  fake_services_answer(&w->services, 500, "");
  struct message_result result = fake_call_after(w, id, COMMAND_RESERVE, 1, "");
  assert_int_equal(result.settlement, SETTLE_RETRY);
  assert_int_equal(result.attempts, 1); /* a look-up is no attempt */
  assert_true(result.delay_ms > 0);
  fake_services_answer(&w->services, 404, "");
  result = fake_call_after(w, id, COMMAND_RESERVE, 1, "");
  assert_int_equal(result.settlement, SETTLE_RETRY);
  assert_int_equal(result.delay_ms, 0); /* never applied: at once */
  assert_true(w->services.calls[0].is_lookup && w->services.calls[1].is_lookup);
  fake_call_after(w, id, COMMAND_RESERVE, 1, "");
  assert_false(w->services.calls[2].is_lookup);
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].state, SLOT_DONE);
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].attempts, 2);
}

static void test_a_lookup_that_tells(void **state) {
  struct fake_world *w = *state;
  w->context.rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_LOOKUP;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  begin_and_crash(w, id, COMMAND_RESERVE);
  fake_services_answer(&w->services, 200, "{\"outcome\":\"done\",\"reference\":\"found\"}");
  assert_int_equal(fake_call_after(w, id, COMMAND_RESERVE, 1, "").settlement, SETTLE_ACK);
  assert_text(fake_order(w, id)->slots[COMMAND_RESERVE].reference, "found");
  assert_int_equal(w->services.call_count, 1);
}

static void test_pending_and_expired(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  fake_services_answer(&w->services, 202, "");
  assert_int_equal(fake_call(w, id, COMMAND_RESERVE).settlement, SETTLE_ACK);
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].state, SLOT_PENDING);
  const struct message *expire = fake_store_message(&w->store, id, MESSAGE_EXPIRE, COMMAND_RESERVE);
  assert_non_null(expire);
  assert_true(expire->due_ms == FAKE_NOW_MS + FAKE_DEADLINE_MS);
  w->clock.now_ms = expire->due_ms;
  struct message_result result;
  call_run(&w->context, &w->services.port, expire, 1, NULL, &result);
  assert_int_equal(result.settlement, SETTLE_ACK);
  assert_string_equal(status_of(w, id), "attention");
  assert_int_equal(w->services.call_count, 1);
}

/* --- failing stores ---------------------------------------------------------------------------------- */

static void test_nothing_is_sent_that_is_not_stored_first(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  static const enum commit_status failures[] = {COMMIT_THROTTLED, COMMIT_FAILED};
  for (size_t i = 0; i < COUNT_OF(failures); i++) {
    fake_store_script(&w->store, failures[i]);
    struct message_result result = fake_call_after(w, id, COMMAND_RESERVE, 4, "kept");
    assert_int_equal(result.settlement, SETTLE_RETRY);
    assert_int_equal(result.attempts, 4); /* none was made */
    assert_string_equal(result.note, "kept");
    assert_true(result.delay_ms > 0);
  }
  w->store.fails_loads = true;
  assert_int_equal(fake_call(w, id, COMMAND_RESERVE).settlement, SETTLE_RETRY);
  assert_int_equal(w->services.call_count, 0);
}

/* The message is acknowledged only once what the answer means is stored. */
static void test_an_outcome_that_cannot_be_stored_is_not_acknowledged(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct call_attempt attempt, *all[] = {&attempt};
  call_begin(&w->context, fake_store_message(&w->store, id, MESSAGE_CALL, COMMAND_RESERVE), 1, &attempt);
  const struct service_answer done = {.status = 200, .body = BYTES("{\"reference\":\"r\"}")};
  const struct service_answer *answers[] = {&done};
  fake_store_script(&w->store, COMMIT_FAILED);
  call_finish(&w->context, all, answers, 1);
  assert_false(attempt.stored);
  assert_int_equal(attempt.result.settlement, SETTLE_RETRY);
  assert_int_equal(attempt.result.attempts, 1);
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].state, SLOT_RUNNING);
  call_finish(&w->context, all, answers, 1); /* the same answer again */
  assert_true(attempt.stored);
  assert_int_equal(attempt.result.settlement, SETTLE_ACK);
  assert_int_equal(fake_order(w, id)->slots[COMMAND_RESERVE].state, SLOT_DONE);
  call_attempt_release(&attempt);
}

static void test_messages_out_of_date_and_of_missing_orders(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct message message = *fake_store_message(&w->store, id, MESSAGE_CALL, COMMAND_RESERVE);
  struct message_result result;
  message.dispatch_version += 7;
  call_run(&w->context, &w->services.port, &message, 1, NULL, &result);
  assert_int_equal(result.settlement, SETTLE_ACK);
  message.order_id[10] = message.order_id[10] == 'a' ? 'b' : 'a';
  call_run(&w->context, &w->services.port, &message, 1, NULL, &result);
  assert_int_equal(result.settlement, SETTLE_ACK);
  assert_int_equal(w->services.call_count, 0);
}

/* Of a batch each message is settled by what became of its own order. */
static void test_a_batch(void **state) {
  struct fake_world *w = *state;
  enum { COUNT = 5 };
  static const struct {
    int status;
    enum settlement settlement;
    enum slot_state becomes;
  } cases[COUNT] = {{200, SETTLE_ACK, SLOT_DONE},
                    {500, SETTLE_RETRY, SLOT_RUNNING},
                    {409, SETTLE_ACK, SLOT_REFUSED},
                    {202, SETTLE_ACK, SLOT_PENDING},
                    {400, SETTLE_ACK, SLOT_ATTENTION}};
  struct bytes ids[COUNT];
  struct message messages[COUNT];
  struct message_result results[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    ids[i] = fake_accept(w, "ada", arena_printf(&w->arena, "pay_%zu", i).data);
    messages[i] = *fake_store_message(&w->store, ids[i], MESSAGE_CALL, COMMAND_RESERVE);
    fake_services_answer(&w->services, cases[i].status, "{\"reference\":\"r\"}");
  }
  size_t commit_calls = w->store.commit_calls;
  call_run(&w->context, &w->services.port, messages, COUNT, NULL, results);
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(results[i].settlement, cases[i].settlement);
    assert_int_equal(fake_order(w, ids[i])->slots[COMMAND_RESERVE].state, cases[i].becomes);
  }
  assert_int_equal(w->store.commit_calls - commit_calls, 2); /* all that begin, all that end */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_completed),
      TEST(test_rejected_and_refunded_once),
      TEST(test_back_off_doubles_with_full_jitter),
      TEST(test_retry_after_is_a_lower_bound),
      TEST(test_deadline_brings_attention_with_the_last_answer),
      TEST(test_long_answers_stay_utf8),
      TEST(test_crash_with_keys_sends_the_same_again),
      TEST(test_crash_without_keys_needs_a_person),
      TEST(test_crash_with_lookup_asks_first),
      TEST(test_a_lookup_that_tells),
      TEST(test_pending_and_expired),
      TEST(test_nothing_is_sent_that_is_not_stored_first),
      TEST(test_an_outcome_that_cannot_be_stored_is_not_acknowledged),
      TEST(test_messages_out_of_date_and_of_missing_orders),
      TEST(test_a_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
