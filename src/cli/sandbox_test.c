/* The services' logic without HTTP: keys, stock, undoing, faults, the ledger's lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/sandbox_server.h"

#define ORDER(lines) "{\"id\":\"ord_1\",\"lines\":[" lines "]}"

static struct arena arena; /* of bodies */

static int setup(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

static struct sandbox_result apply(struct sandbox_core *core, enum order_command command, const char *key,
                                   const char *body, bool refuse) {
  struct json *json = NULL;
  struct bytes detail;
  assert_true(json_parse(bytes_of(body), &arena, &json, &detail));
  struct sandbox_command asked = {command, bytes_of(key), json, 1000, refuse};
  return sandbox_core_apply(core, &asked);
}

static void a_key_is_applied_once(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  struct sandbox_result first =
      apply(core, COMMAND_RESERVE, "ord_1.reserve", ORDER("{\"sku\":\"a\",\"quantity\":4}"), false);
  struct sandbox_result again =
      apply(core, COMMAND_RESERVE, "ord_1.reserve", ORDER("{\"sku\":\"a\",\"quantity\":9}"), false);
  assert_false(first.refused);
  assert_false(first.repeated);
  assert_true(again.repeated);
  assert_int_equal(again.sequence, first.sequence);
  assert_int_equal(again.record->attempts, 2);
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 6);
  assert_int_equal(sandbox_core_effect_count(core), 1);
  assert_true(bytes_equal_string(first.record->order, "ord_1"));
  sandbox_core_free(core);
}

static void keys_are_each_services_own(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  assert_false(apply(core, COMMAND_RECORD, "k", "{}", false).repeated);
  assert_false(apply(core, COMMAND_SHIP, "k", "{}", false).repeated);
  assert_non_null(sandbox_core_find(core, SERVICE_ACCOUNTING, BYTES("k")));
  assert_null(sandbox_core_find(core, SERVICE_INVENTORY, BYTES("k")));
  sandbox_core_free(core);
}

static void a_reserve_takes_all_or_nothing(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  /* The SKU repeats: 6 and 6 are more than 10. */
  struct sandbox_result result = apply(
      core, COMMAND_RESERVE, "ord_1.reserve",
      ORDER("{\"sku\":\"b\",\"quantity\":1},{\"sku\":\"a\",\"quantity\":6},{\"sku\":\"a\",\"quantity\":6}"),
      false);
  assert_true(result.refused);
  assert_string_equal(result.reason, "out_of_stock");
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 10);
  assert_int_equal(sandbox_core_stock(core, BYTES("b")), 10);
  assert_int_equal(sandbox_core_effect_count(core), 0);
  /* The refusal is the key's result for good, even if there is stock again. */
  assert_true(
      apply(core, COMMAND_RESERVE, "ord_1.reserve", ORDER("{\"sku\":\"a\",\"quantity\":1}"), false).refused);
  sandbox_core_free(core);
}

static void a_release_gives_back_once(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  apply(core, COMMAND_RESERVE, "ord_1.reserve", ORDER("{\"sku\":\"a\",\"quantity\":10}"), false);
  assert_true(
      apply(core, COMMAND_RESERVE, "ord_2.reserve", ORDER("{\"sku\":\"a\",\"quantity\":1}"), false).refused);
  assert_false(apply(core, COMMAND_RELEASE, "ord_1.release", "{}", false).refused);
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 10);
  apply(core, COMMAND_RELEASE, "ord_1.release", "{}", false);
  apply(core, COMMAND_RELEASE, "ord_9.release", "{}", false);
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 10);
  assert_int_equal(sandbox_core_effect_count(core), 3);
  sandbox_core_free(core);
}

static void who_ignores_keys_applies_each_attempt(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 1U << SERVICE_INVENTORY);
  const char *body = ORDER("{\"sku\":\"a\",\"quantity\":3}");
  struct sandbox_result first = apply(core, COMMAND_RESERVE, "ord_1.reserve", body, false);
  struct sandbox_result second = apply(core, COMMAND_RESERVE, "ord_1.reserve", body, false);
  assert_int_not_equal(first.sequence, second.sequence);
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 4);
  apply(core, COMMAND_RELEASE, "ord_1.release", "{}", false);
  assert_int_equal(sandbox_core_stock(core, BYTES("a")), 7);
  assert_false(apply(core, COMMAND_SHIP, "ord_1.ship", "{}", false).repeated);
  assert_true(apply(core, COMMAND_SHIP, "ord_1.ship", "{}", false).repeated);
  sandbox_core_free(core);
}

static void refusals_on_request_spare_undos(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  assert_true(apply(core, COMMAND_SHIP, "ord_1.ship", "{}", true).refused);
  assert_true(apply(core, COMMAND_SHIP, "ord_1.ship", "{}", false).refused);
  assert_false(apply(core, COMMAND_REFUND, "ord_1.refund", "{}", true).refused);
  sandbox_core_free(core);
}

static void the_ledger_tells_every_effect(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  apply(core, COMMAND_RECORD, "ord_1.record", "{}", false);
  apply(core, COMMAND_REFUND, "ord_1.refund", "{\"recorded\":false}", false);
  apply(core, COMMAND_REFUND, "ord_1.refund", "{\"recorded\":false}", false);
  struct text text;
  text_init(&text, &arena);
  for (uint64_t i = 1; i <= sandbox_core_effect_count(core); i++)
    sandbox_ledger_line(sandbox_core_effect(core, i), i, &text);
  text_append_char(&text, '\0');
  assert_string_equal(
      text.data,
      "{\"sequence\":1,\"at\":\"1970-01-01T00:00:01.000Z\",\"service\":\"accounting\",\"command\":"
      "\"record\",\"order\":\"ord_1\",\"key\":\"ord_1.record\",\"reference\":\"rec-1\",\"attempts\":1}\n"
      "{\"sequence\":2,\"at\":\"1970-01-01T00:00:01.000Z\",\"service\":\"accounting\",\"command\":"
      "\"refund\",\"order\":\"ord_1\",\"key\":\"ord_1.refund\",\"reference\":\"ref-2\",\"attempts\":2,"
      "\"recorded\":false}\n");
  sandbox_core_free(core);
}

static void many_effects_stay_in_order(void **state) {
  (void)state;
  struct sandbox_core *core = sandbox_core_new(10, 0);
  char key[32];
  for (int i = 0; i < 40000; i++) {
    snprintf(key, sizeof key, "ord_%d.ship", i);
    assert_int_equal(apply(core, COMMAND_SHIP, key, "{}", false).sequence, i + 1);
  }
  assert_true(bytes_equal_string(sandbox_core_effect(core, 33334)->record->order, "ord_33333"));
  sandbox_core_free(core);
}

static struct sandbox sandbox_with(struct fault_rates rates) {
  struct sandbox sandbox = {.settings = {.slow_ms = 20, .hang_ms = 30},
                            .core = sandbox_core_new(10, 0),
                            .faults = {.rates = rates, .services = 7, .state = 1}};
  arena_init(&sandbox.scratch);
  return sandbox;
}

static void sandbox_release(struct sandbox *sandbox) {
  sandbox_core_free(sandbox->core);
  arena_release(&sandbox->scratch);
}

static struct sandbox_answer ask(struct sandbox *sandbox, const char *key, const char *body) {
  struct sandbox_answer answer;
  struct sandbox_call call = {COMMAND_SHIP, bytes_of(key), {0}, bytes_of(body), 1000};
  sandbox_decide(sandbox, &call, &answer);
  return answer;
}

/* Each fault alone: what is answered, and whether it was applied. */
static void faults_do_what_they_say(void **state) {
  (void)state;
  static const struct {
    struct fault_rates rates;
    int status;
    int64_t wait_ms;
    int effects; /* -1: by toss */
  } cases[] = {
      {{0}, 200, 0, 1},
      {{.fail = 1}, 503, 0, 0},
      {{.lost = 1}, 0, 0, 1},
      {{.slow = 1}, 200, 20, 1},
      {{.timeout = 1}, 0, 30, -1},
      {{.refuse = 1}, 409, 0, 0},
      {{.pending = 1}, 200, 0, 1} /* no Callback-URL: answered at once */,
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct sandbox sandbox = sandbox_with(cases[i].rates);
    struct sandbox_answer answer = ask(&sandbox, "ord_1.ship", "{}");
    assert_int_equal(answer.status, cases[i].status);
    assert_int_equal(answer.wait_ms, cases[i].wait_ms);
    if (cases[i].effects >= 0) assert_int_equal(sandbox_core_effect_count(sandbox.core), cases[i].effects);
    sandbox_release(&sandbox);
  }
}

static void bad_calls_are_refused(void **state) {
  (void)state;
  struct sandbox sandbox = sandbox_with((struct fault_rates){0});
  assert_int_equal(ask(&sandbox, "", "{}").status, 400);
  assert_int_equal(ask(&sandbox, "ord_1.ship", "{").status, 400);
  assert_int_equal(ask(&sandbox, "ord_1.ship", "[]").status, 400);
  struct sandbox_answer answer;
  sandbox_look_up(&sandbox, SERVICE_FULFILMENT, BYTES("ord_1.ship"), &answer);
  assert_int_equal(answer.status, 404);
  assert_int_equal(ask(&sandbox, "ord_1.ship", "{}").status, 200);
  sandbox_look_up(&sandbox, SERVICE_FULFILMENT, BYTES("ord_1.ship"), &answer);
  assert_int_equal(answer.status, 200);
  assert_true(bytes_equal_string(bytes_from(answer.body, answer.body_size),
                                 "{\"outcome\":\"done\",\"reference\":\"shp-1\"}"));
  sandbox_release(&sandbox);
}

static void faults_change_at_once_or_not_at_all(void **state) {
  (void)state;
  struct faults faults = {.services = 7};
  const char *complaint;
  static const struct {
    const char *text;
    bool good;
  } cases[] = {
      {"{\"fail\":0.5,\"services\":[\"accounting\"]}", true},
      {"{\"fail\":2}", false},
      {"{\"lost\":\"1\"}", false},
      {"{\"fail\":0.1,\"wrong\":1}", false},
      {"{\"services\":[\"x\"]}", false},
      {"[]", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct json *json;
    struct bytes detail;
    assert_true(json_parse(bytes_of(cases[i].text), &arena, &json, &detail));
    assert_int_equal(faults_change(&faults, json, &complaint), cases[i].good);
  }
  assert_true(faults.rates.fail > 0.49 && faults.rates.fail < 0.51);
  assert_int_equal(faults.services, 1U << SERVICE_ACCOUNTING);
  struct fault_plan plan = faults_draw(&faults, SERVICE_INVENTORY);
  assert_false(plan.fail);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_key_is_applied_once),
      cmocka_unit_test(keys_are_each_services_own),
      cmocka_unit_test(a_reserve_takes_all_or_nothing),
      cmocka_unit_test(a_release_gives_back_once),
      cmocka_unit_test(who_ignores_keys_applies_each_attempt),
      cmocka_unit_test(refusals_on_request_spare_undos),
      cmocka_unit_test(the_ledger_tells_every_effect),
      cmocka_unit_test(many_effects_stay_in_order),
      cmocka_unit_test(faults_do_what_they_say),
      cmocka_unit_test(bad_calls_are_refused),
      cmocka_unit_test(faults_change_at_once_or_not_at_all),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
