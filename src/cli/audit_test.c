/* The audit's judgement, as a table: a ledger, what the server stores, what the services applied,
 * and how many of each violation that is. Every kind of violation is provoked. */
#include "cli/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Lines of the surge's ledger. */
#define RUN "{\"type\":\"run\",\"run\":\"r\",\"at\":\"2026-01-01T00:00:00.000Z\",\"url\":\"http://a\"}\n"
#define BODY(payment)                                                                                \
  "{\"channel\":\"retail\",\"lines\":[{\"sku\":\"A\",\"quantity\":2}],\"coupon\":\"\",\"payment\":{" \
  "\"reference\":\"" payment "\"}}"
#define TERMS(po) \
  "{\"channel\":\"wholesale\",\"lines\":[{\"sku\":\"A\",\"quantity\":2}],\"purchase_order\":\"" po "\"}"
#define ATTEMPT(key, body) \
  "{\"type\":\"attempt\",\"key\":\"" key "\",\"customer\":\"ada\",\"try\":1,\"at\":\"x\",\"body\":" body "}\n"
#define ACKNOWLEDGED(key, id) \
  "{\"type\":\"answer\",\"key\":\"" key "\",\"try\":1,\"at\":\"x\",\"status\":202,\"id\":\"" id "\"}\n"
#define ANSWERED(key, status, code)                                                                        \
  "{\"type\":\"answer\",\"key\":\"" key "\",\"try\":1,\"at\":\"x\",\"status\":" status ",\"code\":\"" code \
  "\"}\n"
#define ONE RUN ATTEMPT("k1", BODY("p1")) ACKNOWLEDGED("k1", "o1")
#define ONE_ON_TERMS RUN ATTEMPT("k1", TERMS("po1")) ACKNOWLEDGED("k1", "o1")

/* Orders as the server shows them. */
#define STEP(name, state, reference, undo)                                                                    \
  "{\"name\":\"" name "\",\"state\":\"" state "\",\"reference\":\"" reference "\",\"undo_reference\":\"" undo \
  "\"}"
#define STEPS_DONE                                                                                          \
  "[" STEP("reserve", "done", "res-1", "") "," STEP("record", "done", "rec-2", "") "," STEP("ship", "done", \
                                                                                            "shp-3", "") "]"
#define STEPS_NONE "[]"
#define STORED(id, status, payment, quantity, steps)                                            \
  "{\"id\":\"" id "\",\"customer\":\"ada\",\"status\":\"" status                                \
  "\",\"version\":3,\"channel\":\"retail\","                                                    \
  "\"lines\":[{\"sku\":\"A\",\"quantity\":" quantity "}],\"payment\":{\"reference\":\"" payment \
  "\"},\"steps\":" steps ",\"refund\":null}\n"
#define STORED_TERMS(id, status, po, steps)                                                                    \
  "{\"id\":\"" id "\",\"customer\":\"ada\",\"status\":\"" status                                               \
  "\",\"version\":3,\"channel\":\"wholesale\","                                                                \
  "\"lines\":[{\"sku\":\"A\",\"quantity\":2}],\"purchase_order\":\"" po "\",\"payment\":null,\"steps\":" steps \
  ",\"refund\":null}\n"

/* Lines of the sandbox's ledger. */
#define EFFECT_AT(at, id, command, reference) \
  "{\"at\":\"" at "\",\"command\":\"" command "\",\"order\":\"" id "\",\"reference\":\"" reference "\"}\n"
#define EFFECT(id, command, reference) EFFECT_AT("2026-01-01T00:00:01Z", id, command, reference)
#define REFUND(id, reference, recorded)                                                                     \
  "{\"at\":\"2026-01-01T00:00:01Z\",\"command\":\"refund\",\"order\":\"" id "\",\"reference\":\"" reference \
  "\","                                                                                                     \
  "\"recorded\":" recorded "}\n"
#define ALL_DONE EFFECT("o1", "reserve", "res-1") EFFECT("o1", "record", "rec-2") EFFECT("o1", "ship", "shp-3")

static const struct {
  const char *name, *ledger, *stored, *effects;
  uint64_t lost, duplicated, half_finished, foreign;
} cases[] = {
    {"all is well", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE), ALL_DONE, 0, 0, 0, 0},
    {"refused and not stored", RUN ATTEMPT("k1", BODY("p1")) ANSWERED("k1", "422", "invalid-order"), "", "", 0,
     0, 0, 0},
    {"no answer and not stored", RUN ATTEMPT("k1", BODY("p1")), "", "", 0, 0, 0, 0},
    {"no answer but stored", RUN ATTEMPT("k1", BODY("p1")), STORED("o1", "completed", "p1", "2", STEPS_DONE),
     ALL_DONE, 0, 0, 0, 0},
    {"503 first, then acknowledged",
     RUN ATTEMPT("k1", BODY("p1")) ANSWERED("k1", "503", "overloaded") ACKNOWLEDGED("k1", "o1"),
     STORED("o1", "completed", "p1", "2", STEPS_DONE), ALL_DONE, 0, 0, 0, 0},
    {"the ledger's last line is cut off", ONE "{\"type\":\"att",
     STORED("o1", "completed", "p1", "2", STEPS_DONE), ALL_DONE, 0, 0, 0, 0},

    {"lost: not in the store", ONE, "", "", 1, 0, 0, 0},
    {"lost: other content", ONE, STORED("o1", "completed", "p1", "3", STEPS_DONE), ALL_DONE, 1, 0, 0, 0},
    {"lost: another payment", ONE, STORED("o1", "completed", "p9", "2", STEPS_DONE), ALL_DONE, 1, 0, 0, 1},

    {"duplicated: an effect twice", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     ALL_DONE EFFECT("o1", "ship", "shp-4"), 0, 1, 0, 0},
    {"duplicated: two orders for one payment", ONE,
     STORED("o1", "attention", "p1", "2", STEPS_NONE) STORED("o2", "attention", "p1", "2", STEPS_NONE), "", 0,
     1, 0, 0},
    {"duplicated: two orders for one purchase order", ONE_ON_TERMS,
     STORED_TERMS("o1", "attention", "po1", STEPS_NONE) STORED_TERMS("o2", "attention", "po1", STEPS_NONE), "",
     0, 1, 0, 0},
    {"duplicated: two ids for one key", ONE ACKNOWLEDGED("k1", "o2"),
     STORED("o1", "attention", "p1", "2", STEPS_NONE), "", 0, 1, 0, 0},

    {"half-finished: not final", ONE, STORED("o1", "processing", "p1", "2", STEPS_NONE), "", 0, 0, 1, 0},
    {"in attention is allowed", ONE, STORED("o1", "attention", "p1", "2", STEPS_NONE),
     EFFECT("o1", "reserve", "res-1"), 0, 0, 0, 0},
    {"half-finished: completed without shipping", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     EFFECT("o1", "reserve", "res-1") EFFECT("o1", "record", "rec-2"), 0, 0, 1, 0},
    {"half-finished: completed, yet undone", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     ALL_DONE EFFECT("o1", "release", "rel-4"), 0, 0, 1, 0},
    {"half-finished: completed with a made-up reference", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     EFFECT("o1", "reserve", "res-1") EFFECT("o1", "record", "rec-2") EFFECT("o1", "ship", "shp-9"), 0, 0, 1,
     0},
    {"shipped by hand", ONE,
     STORED("o1", "completed", "p1", "2",
            "[" STEP("reserve", "done", "res-1", "") "," STEP("record", "done", "rec-2", "") "," STEP(
                "ship", "done", "C-17", "") "]"),
     EFFECT("o1", "reserve", "res-1") EFFECT("o1", "record", "rec-2"), 0, 0, 0, 0},
    {"a skipped step", ONE,
     STORED("o1", "completed", "p1", "2",
            "[" STEP("reserve", "done", "res-1", "") "," STEP("record", "done", "rec-2", "") "," STEP(
                "ship", "skipped", "", "") "]"),
     EFFECT("o1", "reserve", "res-1") EFFECT("o1", "record", "rec-2"), 0, 0, 0, 0},

    {"rejected, all undone", ONE, STORED("o1", "rejected", "p1", "2", STEPS_NONE),
     ALL_DONE EFFECT("o1", "recall", "rcl-4") EFFECT("o1", "release", "rel-5") REFUND("o1", "ref-6", "true"), 0,
     0, 0, 0},
    {"half-finished: rejected, stock kept", ONE, STORED("o1", "rejected", "p1", "2", STEPS_NONE),
     EFFECT("o1", "reserve", "res-1") REFUND("o1", "ref-2", "false"), 0, 0, 1, 0},
    {"half-finished: cancelled, not recalled", ONE, STORED("o1", "cancelled", "p1", "2", STEPS_NONE),
     EFFECT("o1", "ship", "shp-1") REFUND("o1", "ref-2", "false"), 0, 0, 1, 0},
    {"half-finished: money kept", ONE, STORED("o1", "cancelled", "p1", "2", STEPS_NONE), "", 0, 0, 1, 0},
    {"half-finished: the refund says recorded, the books do not", ONE,
     STORED("o1", "cancelled", "p1", "2", STEPS_NONE), REFUND("o1", "ref-1", "true"), 0, 0, 1, 0},
    {"half-finished: undone what was never done", ONE, STORED("o1", "cancelled", "p1", "2", STEPS_NONE),
     EFFECT("o1", "release", "rel-1") REFUND("o1", "ref-2", "false"), 0, 0, 1, 0},
    {"on terms: nothing to refund", ONE_ON_TERMS, STORED_TERMS("o1", "rejected", "po1", STEPS_NONE), "", 0, 0,
     0, 0},
    {"half-finished: on terms, recorded and not refunded", ONE_ON_TERMS,
     STORED_TERMS("o1", "rejected", "po1", STEPS_NONE), EFFECT("o1", "record", "rec-1"), 0, 0, 1, 0},
    {"half-finished: on terms, refunded for nothing", ONE_ON_TERMS,
     STORED_TERMS("o1", "rejected", "po1", STEPS_NONE), REFUND("o1", "ref-1", "false"), 0, 0, 1, 0},
    {"half-finished: no status that is known", ONE, STORED("o1", "odd", "p1", "2", STEPS_NONE), "", 0, 0, 1, 0},

    {"foreign: never attempted", ONE,
     STORED("o1", "completed", "p1", "2", STEPS_DONE) STORED("o2", "attention", "p2", "2", STEPS_NONE),
     ALL_DONE, 0, 0, 0, 1},
    {"foreign: stored though refused", RUN ATTEMPT("k1", BODY("p1")) ANSWERED("k1", "422", "invalid-order"),
     STORED("o1", "attention", "p1", "2", STEPS_NONE), "", 0, 0, 0, 1},
    {"foreign: effects of no order", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     ALL_DONE EFFECT("o7", "ship", "shp-7") EFFECT("o7", "record", "rec-8"), 0, 0, 0, 2},
    {"effects of an earlier run are nobody's", ONE, STORED("o1", "completed", "p1", "2", STEPS_DONE),
     ALL_DONE EFFECT_AT("2025-12-31T23:59:59Z", "o7", "ship", "shp-7"), 0, 0, 0, 0},
    {"lost: another customer's", ONE,
     "{\"id\":\"o1\",\"customer\":\"eve\",\"status\":\"attention\",\"channel\":\"retail\",\"lines\":[{\"sku\":"
     "\"A\","
     "\"quantity\":2}],\"payment\":{\"reference\":\"p1\"},\"steps\":[],\"refund\":null}\n",
     "", 1, 0, 0, 0},
};

static void judge(size_t number, struct audit_world *world, struct audit_verdict *ret_verdict) {
  struct bytes rest = bytes_of(cases[number].ledger), line;
  audit_world_init(world);
  while (bytes_next_part(&rest, '\n', &line))
    if (line.size && !audit_take_line(world, line)) assert_int_equal(rest.size, 0);
  rest = bytes_of(cases[number].stored);
  while (bytes_next_part(&rest, '\n', &line)) {
    struct json *json;
    struct bytes detail;
    struct arena arena;
    arena_init(&arena);
    if (line.size && json_parse(line, &arena, &json, &detail))
      audit_take_order(world, audit_order_of(world, json_member_text(json, "id")), json);
    else
      assert_int_equal(line.size, 0);
    arena_release(&arena);
  }
  rest = bytes_of(cases[number].effects);
  while (bytes_next_part(&rest, '\n', &line))
    if (line.size) assert_true(audit_take_effect(world, line));
  audit_judge(world, ret_verdict);
}

static void violations_are_found(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct audit_world world;
    struct audit_verdict verdict;
    judge(i, &world, &verdict);
    const uint64_t *found = verdict.violations;
    bool right = found[AUDIT_LOST] == cases[i].lost && found[AUDIT_DUPLICATED] == cases[i].duplicated &&
                 found[AUDIT_HALF_FINISHED] == cases[i].half_finished &&
                 found[AUDIT_FOREIGN] == cases[i].foreign;
    if (!right)
      fail_msg("%s: lost %d, duplicated %d, half-finished %d, foreign %d", cases[i].name,
               (int)found[AUDIT_LOST], (int)found[AUDIT_DUPLICATED], (int)found[AUDIT_HALF_FINISHED],
               (int)found[AUDIT_FOREIGN]);
    uint64_t sum =
        found[AUDIT_LOST] + found[AUDIT_DUPLICATED] + found[AUDIT_HALF_FINISHED] + found[AUDIT_FOREIGN];
    assert_int_equal(audit_is_clean(&verdict), sum == 0);
    assert_int_equal(verdict.example_count > 0, sum > 0);
    audit_world_release(&world);
  }
}

static void attempts_are_counted(void **state) {
  (void)state;
  static const char ledger[] = RUN ATTEMPT("a", BODY("1")) ATTEMPT("b", BODY("2")) ATTEMPT("c", BODY("3"))
      ATTEMPT("d", BODY("4")) ANSWERED("a", "422", "invalid-order") ANSWERED("b", "422", "invalid-order")
          ANSWERED("c", "503", "overloaded") ANSWERED("d", "409", "payment-already-used");
  struct audit_world world;
  struct audit_verdict verdict;
  struct bytes rest = bytes_of(ledger), line;
  audit_world_init(&world);
  while (bytes_next_part(&rest, '\n', &line))
    if (line.size) assert_true(audit_take_line(&world, line));
  audit_judge(&world, &verdict);
  assert_int_equal(verdict.attempted, 4);
  assert_int_equal(verdict.refused, 3);
  assert_int_equal(verdict.unanswered, 1);
  assert_int_equal(verdict.code_count, 2);
  assert_true(bytes_equal_string(verdict.codes[0].code, "invalid-order"));
  assert_int_equal(verdict.codes[0].count, 2);
  audit_world_release(&world);
}

static void contents_are_compared(void **state) {
  (void)state;
  static const struct {
    const char *sent, *stored, *pointer;
  } pairs[] = {
      {"{\"a\":1}", "{\"a\":1,\"b\":2}", ""},
      {"{\"a\":1}", "{\"b\":2}", "/a"},
      {"{\"a\":1}", "{\"a\":2}", "/a"},
      {"{\"a\":\"\",\"b\":null,\"c\":0,\"d\":{}}", "{}", ""},
      {"{\"a\":\"x\"}", "{\"a\":null}", "/a"},
      {"{\"a\":[{\"b\":1},{\"b\":2}]}", "{\"a\":[{\"b\":1},{\"b\":3}]}", "/a/1/b"},
      {"{\"a\":[1]}", "{\"a\":[1,2]}", "/a"},
      {"{\"a\":\"1\"}", "{\"a\":1}", "/a"},
  };
  for (size_t i = 0; i < COUNT_OF(pairs); i++) {
    struct arena arena;
    struct json *sent, *stored;
    struct bytes detail;
    arena_init(&arena);
    assert_true(json_parse(bytes_of(pairs[i].sent), &arena, &sent, &detail));
    assert_true(json_parse(bytes_of(pairs[i].stored), &arena, &stored, &detail));
    struct bytes found = audit_difference(sent, stored, &arena);
    if (!bytes_equal_string(found, pairs[i].pointer)) fail_msg("%s: %.*s", pairs[i].sent, BYTES_PRINTF(found));
    arena_release(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(violations_are_found),
      cmocka_unit_test(attempts_are_counted),
      cmocka_unit_test(contents_are_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
