/* HTTP messages as values, and problem documents. */
#include "wire/http.h"
#include "fake/testing.h"
#include "wire/json.h"
#include "wire/problem.h"

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

static void test_methods(void **state) {
  (void)state;
  assert_int_equal(http_method_from(BYTES("GET")), HTTP_GET);
  assert_int_equal(http_method_from(BYTES("HEAD")), HTTP_HEAD);
  assert_int_equal(http_method_from(BYTES("POST")), HTTP_POST);
  assert_int_equal(http_method_from(BYTES("OPTIONS")), HTTP_OPTIONS);
  assert_int_equal(http_method_from(BYTES("get")), HTTP_OTHER); /* methods are case-sensitive */
  assert_int_equal(http_method_from(BYTES("")), HTTP_OTHER);
}

static void test_headers(void **state) {
  (void)state;
  const struct http_header headers[] = {
      {BYTES("X-One"), BYTES(" 1\t")}, {BYTES("two"), BYTES("2")}, {BYTES("x-one"), BYTES("3")}};
  const struct http_request request = {.headers = headers, .header_count = 3};
  assert_text(http_header_value(&request, "x-ONE"), "1");
  assert_int_equal(http_header_count(&request, "X-One"), 2);
  assert_ptr_equal(http_header_find(&request, "TWO"), &headers[1]);
  assert_null(http_header_find(&request, "three"));
  assert_null(http_header_value(&request, "three").data);
  struct http_response response = {.status = 0};
  for (int i = 0; i < 16; i++) http_response_add(&response, i == 9 ? "Nine" : "Other", BYTES("v"));
  assert_text(http_response_header(&response, "nine"), "v");
  assert_null(http_response_header(&response, "ten").data);
}

static void test_status_texts(void **state) {
  (void)state;
  assert_string_equal(http_status_text(404), "Not Found");
  assert_string_equal(http_status_text(422), "Unprocessable Content");
  assert_string_equal(http_status_text(299), "Unknown");
}

/* "name=value|…" */
static struct bytes parsed(const char *query) {
  struct http_parameter *parameters;
  size_t count;
  struct text text;
  text_init(&text, &arena);
  if (!http_query_parse(bytes_of(query), &arena, &parameters, &count)) return BYTES("refused");
  for (size_t i = 0; i < count; i++)
    text_printf(&text, "%.*s=%.*s|", BYTES_PRINTF(parameters[i].name), BYTES_PRINTF(parameters[i].value));
  return text_view(&text);
}

static void test_queries(void **state) {
  (void)state;
  assert_text(parsed(""), "");
  assert_text(parsed("a=1&b=2"), "a=1|b=2|");
  assert_text(parsed("a"), "a=|");
  assert_text(parsed("a=&=b&&c=1"), "a=|=b|=|c=1|");
  assert_text(parsed("a=b=c"), "a=b=c|");
  assert_text(parsed("a%3D1=b%26c+d%2B"), "a=1=b&c d+|");
  assert_text(parsed("from=2026-01-01T00:00:00%2B01:00"), "from=2026-01-01T00:00:00+01:00|");
  assert_text(parsed("a=%4"), "refused");
  assert_text(parsed("%zz=1"), "refused");
}

static void test_every_problem(void **state) {
  (void)state;
  for (int problem = PROBLEM_NONE + 1; problem < PROBLEM_COUNT; problem++) {
    struct http_response response = {.status = 0};
    struct json *root;
    struct bytes detail;
    problem_respond((enum problem)problem, BYTES("what is \"wrong\""), NULL, &arena, &response);
    assert_true(json_parse(response.body, &arena, &root, &detail));
    const char *code = problem_code((enum problem)problem);
    assert_text(json_member_text(root, "code"), code);
    assert_views_equal(json_member_text(root, "type"), arena_printf(&arena, "/problems/%s", code));
    assert_text(json_member_text(root, "title"), problem_title((enum problem)problem));
    assert_text(json_member_text(root, "detail"), "what is \"wrong\"");
    assert_int_equal(json_member_int64(root, "status", 0), response.status);
    assert_int_equal(response.status, problem_status((enum problem)problem));
    assert_true(response.status >= 400 && response.status < 600);
    assert_null(json_member(root, "errors"));
    assert_text(http_response_header(&response, "Content-Type"), "application/problem+json");
    for (int other = PROBLEM_NONE + 1; other < problem; other++)
      assert_string_not_equal(code, problem_code((enum problem)other));
  }
}

static void test_problem_with_errors(void **state) {
  (void)state;
  struct http_response response = {.status = 0};
  struct problem_errors errors;
  problem_errors_init(&errors, &arena);
  problem_errors_add(&errors, BYTES("/lines/0/quantity"), "must be at least %d", 1);
  problem_errors_add(&errors, BYTES(""), "bad");
  problem_respond(PROBLEM_INVALID_ORDER, BYTES("d"), &errors, &arena, &response);
  assert_int_equal(response.status, 422);
  assert_holds(response.body,
               "\"errors\":[{\"pointer\":\"/lines/0/quantity\",\"detail\":\"must be at least 1\"},"
               "{\"pointer\":\"\",\"detail\":\"bad\"}]");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_methods), TEST(test_headers),       TEST(test_status_texts),
      TEST(test_queries), TEST(test_every_problem), TEST(test_problem_with_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
