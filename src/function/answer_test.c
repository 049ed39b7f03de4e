/* What a service's answer means: contract section 2 and section 5, "Order life", as tables. */
#include <stdio.h>

#include "fake/testing.h"
#include "function/answer.h"

static struct arena arena;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

struct answer_case {
  int status;
  const char *body;
  enum outcome outcome;
  const char *reference, *reason;
};

static const struct answer_case attempts[] = {
    {200, "{\"reference\":\"r\"}", OUTCOME_DONE, "r", ""},
    {201, "{\"reference\":\"r\",\"more\":1}", OUTCOME_DONE, "r", ""},
    {200, "{\"reference\":\"\"}", OUTCOME_GARBAGE, "", "answered 200 with a body that has no reference"},
    {200, "{\"reference\":5}", OUTCOME_GARBAGE, "", "answered 200 with a body that has no reference"},
    {201, "{\"reference\":\"a\\u0001\"}", OUTCOME_GARBAGE, "",
     "answered 201 with a body that has no reference"},
    {200, "[\"reference\"]", OUTCOME_GARBAGE, "", "answered 200 with a body that has no reference"},
    {200, "", OUTCOME_GARBAGE, "", "answered 200 with a body that has no reference"},
    {200, "{\"reference\":\"r\"", OUTCOME_GARBAGE, "", "answered 200 with a body that has no reference"},
    {202, "", OUTCOME_PENDING, "", "answered 202 Accepted"},
    {204, "", OUTCOME_GARBAGE, "", "answered 204 No Content"},
    {206, "{\"reference\":\"r\"}", OUTCOME_GARBAGE, "", "answered 206 Unknown"},
    {409, "{\"reason\":\"out_of_stock\",\"detail\":\"none left\"}", OUTCOME_REFUSED, "", "out_of_stock"},
    {422, "{\"reason\":\"bad\"}", OUTCOME_REFUSED, "", "bad"},
    {409, "{}", OUTCOME_REFUSED, "", "unspecified"},
    {422, "not json", OUTCOME_REFUSED, "", "unspecified"},
    {409, "{\"reason\":7}", OUTCOME_REFUSED, "", "unspecified"},
    {409, "{\"reason\":\"a\\nb\"}", OUTCOME_REFUSED, "", "unspecified"},
    {425, "", OUTCOME_NOT_APPLIED, "", "answered 425 Too Early"},
    {429, "{\"reason\":\"slow_down\"}", OUTCOME_NOT_APPLIED, "", "answered 429 Too Many Requests: slow_down"},
    {408, "", OUTCOME_UNKNOWN, "", "answered 408 Request Timeout"},
    {500, "{\"detail\":\"boom\"}", OUTCOME_UNKNOWN, "", "answered 500 Internal Server Error: boom"},
    {503, "<html>", OUTCOME_UNKNOWN, "", "answered 503 Service Unavailable"},
    {599, "", OUTCOME_UNKNOWN, "", "answered 599 Unknown"},
    {301, "", OUTCOME_UNKNOWN, "", "answered 301 Unknown"},
    {307, "{\"reference\":\"r\"}", OUTCOME_UNKNOWN, "", "answered 307 Unknown"},
    {100, "", OUTCOME_UNKNOWN, "", "answered 100 Unknown"},
    {400, "{\"reason\":\"bad_country\",\"detail\":\"no such country\"}", OUTCOME_INVALID, "",
     "answered 400 Bad Request: bad_country, no such country"},
    {401, "", OUTCOME_INVALID, "", "answered 401 Unauthorized"},
    {404, "{\"detail\":\"what?\"}", OUTCOME_INVALID, "", "answered 404 Not Found: what?"},
    {418, "", OUTCOME_INVALID, "", "answered 418 Unknown"},
};

static const struct answer_case lookups[] = {
    {200, "{\"outcome\":\"done\",\"reference\":\"r\"}", OUTCOME_DONE, "r", ""},
    {200, "{\"outcome\":\"refused\",\"reason\":\"why\"}", OUTCOME_REFUSED, "", "why"},
    {404, "", OUTCOME_NOT_APPLIED, "", "look-up: answered 404 Not Found"},
    {202, "", OUTCOME_PENDING, "", "look-up: answered 202 Accepted"},
    {200, "{\"reference\":\"r\"}", OUTCOME_UNKNOWN, "", "look-up: answered 200 OK"},
    {200, "", OUTCOME_UNKNOWN, "", "look-up: answered 200 OK"},
    {201, "{\"outcome\":\"done\",\"reference\":\"r\"}", OUTCOME_UNKNOWN, "", "look-up: answered 201 Created"},
    {409, "{\"reason\":\"x\"}", OUTCOME_UNKNOWN, "", "look-up: answered 409 Conflict: x"},
    {500, "", OUTCOME_UNKNOWN, "", "look-up: answered 500 Internal Server Error"},
};

static void check(const struct answer_case *one, const struct answer_meaning *meaning) {
  if (meaning->outcome != one->outcome) fail_msg("%d %s: %d", one->status, one->body, (int)meaning->outcome);
  assert_text(meaning->reference, one->reference);
  assert_text(meaning->reason, one->reason);
}

static void test_attempts(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(attempts); i++) {
    struct answer_meaning meaning;
    struct service_answer answer = {.status = attempts[i].status, .body = bytes_of(attempts[i].body)};
    answer_read(&answer, &arena, &meaning);
    check(&attempts[i], &meaning);
  }
}

static void test_lookups(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(lookups); i++) {
    struct answer_meaning meaning;
    struct service_answer answer = {.status = lookups[i].status, .body = bytes_of(lookups[i].body)};
    answer_read_lookup(&answer, &arena, &meaning);
    check(&lookups[i], &meaning);
  }
}

/* Without a complete answer, the status that may have come counts for nothing. */
static void test_no_answer(void **state) {
  (void)state;
  struct service_answer answer = {.transport = TRANSPORT_NOT_SENT,
                                  .status = 200,
                                  .body = BYTES("{\"reference\":\"r\"}"),
                                  .failure = BYTES("refused")};
  struct answer_meaning meaning;
  answer_read(&answer, &arena, &meaning);
  assert_int_equal(meaning.outcome, OUTCOME_NOT_APPLIED);
  assert_text(meaning.reason, "no answer: refused");
  answer_read_lookup(&answer, &arena, &meaning);
  assert_int_equal(meaning.outcome, OUTCOME_UNKNOWN);
  answer.transport = TRANSPORT_BROKEN;
  answer_read(&answer, &arena, &meaning);
  assert_int_equal(meaning.outcome, OUTCOME_UNKNOWN);
  answer.status = 404;
  answer_read_lookup(&answer, &arena, &meaning);
  assert_int_equal(meaning.outcome, OUTCOME_UNKNOWN);
  assert_text(meaning.reason, "look-up: no answer: refused");
}

/* Every status has a meaning, and only those that prove a refusal or an effect are taken for one. */
static void test_every_status(void **state) {
  (void)state;
  for (int status = 100; status < 600; status++) {
    struct answer_meaning meaning;
    struct service_answer answer = {.status = status, .body = BYTES("{\"reference\":\"r\",\"reason\":\"x\"}")};
    answer_read(&answer, &arena, &meaning);
    assert_int_equal(meaning.outcome == OUTCOME_DONE, status == 200 || status == 201);
    assert_int_equal(meaning.outcome == OUTCOME_REFUSED, status == 409 || status == 422);
    bool surely_not = status >= 400 && status < 500 && status != 408;
    assert_int_equal(meaning.outcome == OUTCOME_REFUSED || meaning.outcome == OUTCOME_INVALID ||
                         meaning.outcome == OUTCOME_NOT_APPLIED,
                     surely_not);
  }
}

static void test_callbacks(void **state) {
  (void)state;
  static const struct {
    const char *body, *says;
    enum outcome outcome;
    const char *reference, *reason;
  } cases[] = {
      {"{\"outcome\":\"done\",\"reference\":\"r\"}", NULL, OUTCOME_DONE, "r", ""},
      {"{\"outcome\":\"refused\",\"reason\":\"no\"}", NULL, OUTCOME_REFUSED, "", "no"},
      {"{\"outcome\":\"refused\"}", NULL, OUTCOME_REFUSED, "", "unspecified"},
      {"{\"outcome\":\"refused\",\"reason\":null}", NULL, OUTCOME_REFUSED, "", "unspecified"},
      {"{\"outcome\":\"refused\",\"reason\":\"\"}", NULL, OUTCOME_REFUSED, "", "unspecified"},
      {"{\"outcome\":\"refused\",\"reason\":5}", "reason must be", OUTCOME_DONE, NULL, NULL},
      {"{\"outcome\":\"refused\",\"reason\":\"a\\u0000\"}", "reason must be", OUTCOME_DONE, NULL, NULL},
      {"{\"outcome\":\"done\"}", "reference must be", OUTCOME_DONE, NULL, NULL},
      {"{\"outcome\":\"done\",\"reference\":\"\"}", "reference must be", OUTCOME_DONE, NULL, NULL},
      {"{\"outcome\":\"done\",\"reference\":1}", "reference must be", OUTCOME_DONE, NULL, NULL},
      {"{\"outcome\":\"Done\",\"reference\":\"r\"}", "outcome must be", OUTCOME_DONE, NULL, NULL},
      {"{\"reference\":\"r\"}", "outcome must be", OUTCOME_DONE, NULL, NULL},
      {"[]", "must be a JSON object", OUTCOME_DONE, NULL, NULL},
      {"", "must be a JSON object", OUTCOME_DONE, NULL, NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct answer_meaning meaning;
    struct bytes detail;
    assert_int_equal(answer_read_callback(bytes_of(cases[i].body), &arena, &meaning, &detail),
                     cases[i].says == NULL);
    if (cases[i].says) {
      assert_holds(detail, cases[i].says);
      continue;
    }
    assert_int_equal(meaning.outcome, cases[i].outcome);
    assert_text(meaning.reference, cases[i].reference);
    assert_text(meaning.reason, cases[i].reason);
  }
}

static void test_lengths(void **state) {
  (void)state;
  char text[300], body[400];
  memset(text, 'x', sizeof text);
  for (int more = 0; more < 2; more++) {
    struct answer_meaning meaning;
    struct bytes detail;
    struct service_answer answer = {.status = 200};
    answer.body =
        bytes_from(body, (size_t)snprintf(body, sizeof body, "{\"reference\":\"%.*s\"}", 128 + more, text));
    answer_read(&answer, &arena, &meaning);
    assert_int_equal(meaning.outcome, more ? OUTCOME_GARBAGE : OUTCOME_DONE);
    answer.status = 409;
    answer.body =
        bytes_from(body, (size_t)snprintf(body, sizeof body, "{\"reason\":\"%.*s\"}", 200 + more, text));
    answer_read(&answer, &arena, &meaning);
    assert_int_equal(meaning.reason.size, more ? strlen("unspecified") : 200);
    answer.body = bytes_from(
        body,
        (size_t)snprintf(body, sizeof body, "{\"outcome\":\"refused\",\"reason\":\"%.*s\"}", 200 + more, text));
    assert_int_equal(answer_read_callback(answer.body, &arena, &meaning, &detail), !more);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_attempts),     TEST(test_lookups),   TEST(test_no_answer),
      TEST(test_every_status), TEST(test_callbacks), TEST(test_lengths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
