#include "platform/net/circuit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/attributes.h"

enum { FIRST_MS = 1000, MOST_MS = 3000, LIMIT = 8 };

static const struct service_answer unreachable = {.transport = TRANSPORT_NOT_SENT};

static struct service_answer answered(int status) {
  return (struct service_answer){.transport = TRANSPORT_ANSWERED, .status = status};
}

static void note(struct circuit *circuit, struct service_answer answer, int64_t now_ms) {
  circuit_note(circuit, SERVICE_INVENTORY, &answer, now_ms);
}

static struct circuit opened_at(int64_t now_ms) {
  struct circuit circuit;
  circuit_init(&circuit, FIRST_MS, MOST_MS);
  for (int i = 0; i < CIRCUIT_FAILURES_MAX; i++) note(&circuit, unreachable, now_ms);
  assert_int_equal(circuit.state, CIRCUIT_OPEN);
  return circuit;
}

static void test_opens_after_failures_in_a_row(void **state) {
  (void)state;
  struct circuit circuit;
  circuit_init(&circuit, FIRST_MS, MOST_MS);
  for (int round = 0; round < 3; round++) {
    for (int i = 1; i < CIRCUIT_FAILURES_MAX; i++) note(&circuit, answered(503), 0);
    assert_int_equal(circuit_allowance(&circuit, LIMIT, 0), LIMIT);
    note(&circuit, answered(200), 0); /* in a row, not in all */
  }
  for (int i = 0; i < CIRCUIT_FAILURES_MAX; i++) note(&circuit, answered(408), 5);
  assert_int_equal(circuit_allowance(&circuit, LIMIT, 5), 0);
}

/* A refusal, a wrong request and "too many" come from a service that works. */
static void test_what_is_no_trouble(void **state) {
  (void)state;
  static const int works[] = {200, 202, 302, 400, 409, 422, 429};
  struct circuit circuit;
  circuit_init(&circuit, FIRST_MS, MOST_MS);
  for (size_t i = 0; i < COUNT_OF(works); i++) {
    for (int times = 0; times < 2 * CIRCUIT_FAILURES_MAX; times++) note(&circuit, answered(works[i]), 0);
    assert_int_equal(circuit.state, CIRCUIT_CLOSED);
  }
}

static void test_one_call_tries_it(void **state) {
  (void)state;
  struct circuit circuit = opened_at(100);
  assert_int_equal(circuit_allowance(&circuit, LIMIT, 100 + FIRST_MS - 1), 0);
  assert_int_equal(circuit_allowance(&circuit, LIMIT, 100 + FIRST_MS), 1);
  note(&circuit, answered(200), 100 + FIRST_MS);
  assert_int_equal(circuit_allowance(&circuit, LIMIT, 100 + FIRST_MS), LIMIT);
}

/* A single failed trial opens it again, for twice as long each time, up to the bound. */
static void test_stays_open_longer_each_time(void **state) {
  (void)state;
  static const int64_t open_ms[] = {FIRST_MS, 2 * FIRST_MS, MOST_MS, MOST_MS};
  int64_t now_ms = 0;
  struct circuit circuit = opened_at(now_ms);
  for (size_t i = 0; i < COUNT_OF(open_ms); i++) {
    assert_int_equal(circuit.open_until_ms, now_ms + open_ms[i]);
    now_ms = circuit.open_until_ms;
    assert_int_equal(circuit_allowance(&circuit, LIMIT, now_ms), 1);
    note(&circuit, unreachable, now_ms);
  }
  now_ms = circuit.open_until_ms;
  assert_int_equal(circuit_allowance(&circuit, LIMIT, now_ms), 1);
  note(&circuit, answered(201), now_ms);
  circuit = opened_at(now_ms);
  assert_int_equal(circuit.open_until_ms, now_ms + FIRST_MS); /* it begins anew */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opens_after_failures_in_a_row), cmocka_unit_test(test_what_is_no_trouble),
      cmocka_unit_test(test_one_call_tries_it), cmocka_unit_test(test_stays_open_longer_each_time)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
