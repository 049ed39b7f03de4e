/* The rules of the claims, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "wire/jwt.h"

#define NOW_MS 1790000000000 /* in seconds 1790000000 */
#define CHARACTERS_32 "01234567890123456789012345678901"
#define CHARACTERS_128 CHARACTERS_32 CHARACTERS_32 CHARACTERS_32 CHARACTERS_32

struct claim_case {
  const char *payload;
  const char *detail; /* NULL: accepted */
};

static const struct claim_case cases[] = {
    /* exp */
    {"{\"sub\":\"c\",\"exp\":1790000001}", NULL},
    {"{\"sub\":\"c\"}", "no exp"},
    {"{\"sub\":\"c\",\"exp\":null}", "exp is not a time"},
    {"{\"sub\":\"c\",\"exp\":\"1790000001\"}", "exp is not a time"},
    {"{\"sub\":\"c\",\"exp\":[1790000001]}", "exp is not a time"},
    {"{\"sub\":\"c\",\"exp\":true}", "exp is not a time"},
    {"{\"sub\":\"c\",\"exp\":1789999971}", NULL},
    {"{\"sub\":\"c\",\"exp\":1789999970.001}", NULL},
    {"{\"sub\":\"c\",\"exp\":1789999970}", "expired"},
    {"{\"sub\":\"c\",\"exp\":1789999969.999}", "expired"},
    {"{\"sub\":\"c\",\"exp\":0}", "expired"},
    {"{\"sub\":\"c\",\"exp\":-1}", "expired"},
    {"{\"sub\":\"c\",\"exp\":-1e300}", "expired"},
    {"{\"sub\":\"c\",\"exp\":1.8e9}", NULL},
    {"{\"sub\":\"c\",\"exp\":9223372036854775807}", NULL},
    {"{\"sub\":\"c\",\"exp\":99999999999999999999999999}", NULL},
    {"{\"sub\":\"c\",\"exp\":1e400}", NULL},
    {"{\"sub\":\"c\",\"exp\":1790000001.0000000000000000000000000000000000000000000000000000000000000}",
     "exp is not a time"},
    /* nbf */
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":1790000030}", NULL},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":1790000030.001}", "not valid yet"},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":1790000031}", "not valid yet"},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":1e300}", "not valid yet"},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":\"0\"}", "nbf is not a time"},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":null}", "nbf is not a time"},
    {"{\"sub\":\"c\",\"exp\":1800000000,\"nbf\":-1e300}", NULL},
    /* sub */
    {"{\"exp\":1800000000}", "no sub"},
    {"{\"exp\":1800000000,\"sub\":\"\"}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":7}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":null}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":\"" CHARACTERS_128 "\"}", NULL},
    {"{\"exp\":1800000000,\"sub\":\"" CHARACTERS_128 "x\"}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":\"\xC3\xA9" CHARACTERS_32 CHARACTERS_32 CHARACTERS_32
     "0123456789012345678901234567890\"}",
     NULL}, /* 128 characters in 129 bytes */
    {"{\"exp\":1800000000,\"sub\":\"a\\u0000b\"}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":\"a\\nb\"}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":\"a\\u007fb\"}", "1 to 128"},
    {"{\"exp\":1800000000,\"sub\":\"a\\u0085b\"}", "1 to 128"},
    /* scope */
    {"{\"exp\":1800000000,\"sub\":\"c\",\"scope\":\"orders:read orders:write\"}", NULL},
    {"{\"exp\":1800000000,\"sub\":\"c\",\"scope\":[\"orders:read\"]}", "scope is not a text"},
};

static const char *check(const char *payload, const struct jwt_policy *policy, struct jwt_claims *ret_claims) {
  static struct arena arena;
  struct json *object = NULL;
  struct bytes problem;
  const char *detail = NULL;
  arena_reset(&arena);
  if (!json_parse(bytes_of(payload), &arena, &object, &problem)) fail_msg("%s: %s", payload, problem.data);
  if (jwt_check_claims(object, policy, NOW_MS, ret_claims, &detail)) return NULL;
  assert_non_null(detail);
  return detail;
}

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct jwt_claims claims = {0};
    const char *detail = check(cases[i].payload, &(struct jwt_policy){0}, &claims);
    bool as_expected = cases[i].detail ? detail && strstr(detail, cases[i].detail) : !detail;
    if (!as_expected) fail_msg("%s: %s", cases[i].payload, detail ? detail : "accepted");
    assert_true(detail ? claims.subject.size == 0 : claims.subject.size > 0);
  }
}

static void test_issuer_and_audience(void **state) {
  (void)state;
  static const struct {
    const char *members;
    bool accepted;
  } rows[] = {
      {"\"iss\":\"https://i\",\"aud\":\"spillway\"", true},
      {"\"iss\":\"https://i\",\"aud\":[\"other\",\"spillway\"]", true},
      {"\"iss\":\"https://i\",\"aud\":[\"spillway\",7]", false},
      {"\"iss\":\"https://i\",\"aud\":[]", false},
      {"\"iss\":\"https://i\",\"aud\":\"Spillway\"", false},
      {"\"iss\":\"https://i\",\"aud\":\"spillway other\"", false},
      {"\"iss\":\"https://i\",\"aud\":{\"spillway\":1}", false},
      {"\"iss\":\"https://i\"", false},
      {"\"iss\":\"https://i/\",\"aud\":\"spillway\"", false},
      {"\"iss\":[\"https://i\"],\"aud\":\"spillway\"", false},
      {"\"aud\":\"spillway\"", false},
  };
  struct jwt_policy policy = {.issuer = BYTES("https://i"), .audience = BYTES("spillway")};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char payload[200];
    struct jwt_claims claims;
    snprintf(payload, sizeof payload, "{\"exp\":1800000000,\"sub\":\"c\",%s}", rows[i].members);
    const char *detail = check(payload, &policy, &claims);
    if (!detail != rows[i].accepted) fail_msg("%s: %s", payload, detail ? detail : "accepted");
  }
}

static void test_values_given(void **state) {
  (void)state;
  struct jwt_claims claims;
  assert_null(
      check("{\"exp\":1800000000.2509,\"sub\":\"c\",\"scope\":\"a b\"}", &(struct jwt_policy){0}, &claims));
  assert_int_equal(claims.expires_ms, 1800000000250);
  assert_true(bytes_equal(claims.subject, BYTES("c")));
  assert_true(bytes_equal(claims.scope, BYTES("a b")));
  assert_null(check("{\"exp\":1800000000,\"sub\":\"c\"}", &(struct jwt_policy){0}, &claims));
  assert_int_equal(claims.scope.size, 0);
}

static void test_scope_words(void **state) {
  (void)state;
  assert_true(jwt_scope_has(BYTES("orders:read"), "orders:read"));
  assert_true(jwt_scope_has(BYTES("a  orders:read b"), "orders:read"));
  assert_true(jwt_scope_has(BYTES("a orders:read "), "orders:read"));
  assert_false(jwt_scope_has(BYTES("orders:readonly"), "orders:read"));
  assert_false(jwt_scope_has(BYTES("orders:read,orders:write"), "orders:read"));
  assert_false(jwt_scope_has(BYTES("ORDERS:READ"), "orders:read"));
  assert_false(jwt_scope_has(BYTES(""), "orders:read"));
  assert_false(jwt_scope_has(BYTES("  "), ""));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_issuer_and_audience),
                                     cmocka_unit_test(test_values_given), cmocka_unit_test(test_scope_words)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
