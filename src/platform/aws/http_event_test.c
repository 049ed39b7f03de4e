/* HTTP events in every shape, and the answers in the same. */
#include "platform/aws/http_event.h"

#include "gateway/gateway.h"
#include "platform/aws/event_test_tools.h"

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

static struct http_event read_event(struct bytes text) {
  struct http_event event;
  struct failure failure;
  if (!http_event_read(text, &arena, &event, &failure)) fail_msg("%s", failure.text);
  return event;
}

static struct http_event read_sample(const char *name) { return read_event(event_sample(name, &arena)); }

static void requests_are_the_same_in_every_shape(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum http_event_shape shape;
    size_t headers;
  } cases[] = {{"http-api", HTTP_EVENT_2, 11},
               {"http-api-jwt", HTTP_EVENT_2, 11},
               {"http-api-base64", HTTP_EVENT_2, 11},
               {"function-url", HTTP_EVENT_2, 11},
               {"rest-api", HTTP_EVENT_1, 10},
               {"rest-api-cognito", HTTP_EVENT_1, 10},
               {"alb", HTTP_EVENT_ALB, 10}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_event event = read_sample(cases[i].name);
    assert_int_equal(event.shape, cases[i].shape);
    assert_int_equal(event.request.method, HTTP_POST);
    assert_text(event.request.path, "/v1/orders");
    assert_text(event.request.query, "");
    assert_int_equal(event.request.header_count, cases[i].headers);
    assert_text(http_header_value(&event.request, "AUTHORIZATION"), "Bearer TOKEN");
    assert_text(http_header_value(&event.request, "idempotency-key"), "order-4711");
    assert_text(http_header_value(&event.request, "Content-Type"), "application/json");
    assert_true(bytes_starts_with(event.request.body, BYTES("{\"channel\":\"retail\",\"currency\":\"GBP\"")));
    assert_true(event.request.body.data[event.request.body.size - 1] == '}');
    assert_false(event.request.body_too_large);
  }
}

static void paths_and_queries(void **state) {
  (void)state;
  static const struct {
    const char *name, *path, *query;
  } cases[] = {
      {"http-api-stage", "/v1/orders", "limit=10&status=accepted"},
      {"http-api-1.0", "/v1/orders/ord_00000000000000000000000000000000", ""},
      {"rest-api-query", "/v1/orders",
       "status=accepted&from=2026-11-23T00%3A00%3A00%2B01%3A00&cursor=a%26b%3Dc&cursor=%C3%A4%201"},
      {"alb-query", "/v1/orders", "status=accepted&from=2026-11-23T00%3A00%3A00Z"},
      {"alb-multi", "/v1/orders", "status=accepted&status=completed&cursor=a%26b"},
      {"alb-health-check", "/healthz", ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_event event = read_sample(cases[i].name);
    assert_int_equal(event.request.method, HTTP_GET);
    assert_text(event.request.path, cases[i].path);
    assert_text(event.request.query, cases[i].query);
    assert_int_equal(event.request.body.size, 0);
  }
}

static void stages_are_cut_off_only_as_a_whole(void **state) {
  (void)state;
  static const struct {
    const char *sent, *path;
  } cases[] = {{"/live", "/"},
               {"/live/", "/"},
               {"/lively/x", "/lively/x"},
               {"/v1/live", "/v1/live"},
               {"", "/"},
               {"/live/live/a", "/live/a"},
               {"/live/%2F a?b", "/%2F%20a%3Fb"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct bytes member = arena_printf(&arena, "\"rawPath\": \"%s\"", cases[i].sent);
    struct bytes text =
        event_sample_with("http-api-stage", "\"rawPath\": \"/live/v1/orders\"", member.data, &arena);
    assert_text(read_event(text).request.path, cases[i].path);
  }
}

static void header_lines_come_one_by_one_where_the_event_has_them_so(void **state) {
  (void)state;
  struct http_event event = read_sample("alb-multi");
  assert_int_equal(event.shape, HTTP_EVENT_ALB_MULTI);
  assert_int_equal(http_header_count(&event.request, "Accept"), 2);
  assert_text(http_header_value(&event.request, "Accept"), "application/json");
}

static void claims_of_an_authoriser(void **state) {
  (void)state;
  static const char *const names[] = {"http-api-jwt", "rest-api-cognito"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    struct http_event event = read_sample(names[i]);
    assert_true(event.claims.present);
    assert_text(event.claims.subject, "customer-17");
    assert_text(event.claims.scope, "orders:read orders:write");
    assert_true(json_member_text(event.claims.all, "iss").size > 0);
  }
  assert_false(read_sample("http-api").claims.present);
  assert_false(read_sample("rest-api").claims.present);
  assert_false(read_sample("alb").claims.present);
  struct http_event listed = read_event(event_sample_with(
      "http-api-jwt", "\"scope\": \"orders:read orders:write\"", "\"scp\": \"[a b]\"", &arena));
  assert_text(listed.claims.scope, "a b");
}

/* Whoever may call through a load balancer can't bring claims along. */
static void a_load_balancer_has_no_claims(void **state) {
  (void)state;
  struct bytes text =
      event_sample_with("alb", "\"elb\"", "\"authorizer\": {\"claims\": {\"sub\": \"x\"}}, \"elb\"", &arena);
  assert_false(read_event(text).claims.present);
}

/* An event with a body of that many bytes. */
static struct bytes event_with_body(size_t size, bool is_base64) {
  char *body = memset(arena_allocate(&arena, size + 1), is_base64 ? 'A' : 'x', size);
  body[size] = 0;
  return arena_printf(
      &arena,
      "{\"version\":\"2.0\",\"rawPath\":\"/v1/orders\",\"requestContext\":{\"http\":{\"method\":"
      "\"POST\"}},\"body\":\"%s\",\"isBase64Encoded\":%s}",
      body, is_base64 ? "true" : "false");
}

static void bodies_over_the_limit_are_left_out(void **state) {
  (void)state;
  static const struct {
    size_t size;
    bool is_base64, too_large;
    size_t body_size;
  } cases[] = {
      {GATEWAY_BODY_BYTES_MAX, false, false, GATEWAY_BODY_BYTES_MAX},
      {GATEWAY_BODY_BYTES_MAX + 1, false, true, 0},
      {(size_t)GATEWAY_BODY_BYTES_MAX / 3 * 4, true, false, (size_t)GATEWAY_BODY_BYTES_MAX / 3 * 3},
      {((size_t)GATEWAY_BODY_BYTES_MAX / 3 + 1) * 4, true, true, 0},
      {(size_t)6 * 1024 * 1024, true, true, 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_event event = read_event(event_with_body(cases[i].size, cases[i].is_base64));
    assert_int_equal(event.request.body_too_large, cases[i].too_large);
    assert_int_equal(event.request.body.size, cases[i].body_size);
  }
}

static void foreign_events_are_refused_with_a_reason(void **state) {
  (void)state;
  static const struct {
    const char *text, *reason;
  } cases[] = {
      {"", "not JSON"},
      {"[]", "an array"},
      {"{}", "requestContext"},
      {"{\"requestContext\":{}}", "httpMethod"},
      {"{\"requestContext\":{\"http\":{}},\"rawPath\":\"/\"}", "method is missing"},
      {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}}}", "rawPath is missing"},
      {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"rawPath\":\"/\",\"headers\":[]}",
       "headers should be an object"},
      {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"rawPath\":\"/\",\"headers\":{\"a\":1}}",
       "a should be text"},
      {"{\"requestContext\":{\"http\":{\"method\":\"GET\"}},\"rawPath\":\"/"
       "\",\"body\":\"?\",\"isBase64Encoded\":"
       "true}",
       "base64"},
      {"{\"requestContext\":{\"elb\":{}},\"httpMethod\":\"GET\",\"path\":\"/"
       "\",\"multiValueHeaders\":{\"a\":\"b\"}}",
       "a should be an array"},
  };
  struct http_event event;
  struct failure failure;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_false(http_event_read(bytes_of(cases[i].text), &arena, &event, &failure));
    assert_holds(bytes_of(failure.text), cases[i].reason);
  }
  static const char *const samples[] = {"sqs", "dynamodb", "foreign-s3", "foreign-sns", "foreign-schedule"};
  for (size_t i = 0; i < COUNT_OF(samples); i++) {
    assert_false(http_event_read(event_sample(samples[i], &arena), &arena, &event, &failure));
    assert_holds(bytes_of(failure.text), "not an HTTP event");
  }
}

/* --- answers --- */

static struct http_response response_with_two_of_a_name(void) {
  struct http_response response = {.status = 401, .body = BYTES("{\"code\":\"unauthenticated\"}")};
  http_response_add(&response, "Content-Type", BYTES("application/problem+json"));
  http_response_add(&response, "WWW-Authenticate", BYTES("Bearer"));
  http_response_add(&response, "www-authenticate", BYTES("Basic"));
  return response;
}

#define JOINED \
  "\"headers\":{\"Content-Type\":\"application/problem+json\",\"WWW-Authenticate\":\"Bearer, Basic\"}"
#define LISTED                                              \
  "\"multiValueHeaders\":{\"Content-Type\":[\"application/" \
  "problem+json\"],\"WWW-Authenticate\":[\"Bearer\",\"Basic\"]}"
#define BODY ",\"body\":\"{\\\"code\\\":\\\"unauthenticated\\\"}\",\"isBase64Encoded\":false}"

static void answers_have_the_shape_of_the_event(void **state) {
  (void)state;
  static const struct {
    enum http_event_shape shape;
    const char *answer;
  } cases[] = {
      {HTTP_EVENT_2, "{\"statusCode\":401," JOINED BODY},
      {HTTP_EVENT_1, "{\"statusCode\":401," LISTED BODY},
      {HTTP_EVENT_ALB, "{\"statusCode\":401,\"statusDescription\":\"401 Unauthorized\"," JOINED BODY},
      {HTTP_EVENT_ALB_MULTI, "{\"statusCode\":401,\"statusDescription\":\"401 Unauthorized\"," LISTED BODY},
  };
  struct http_response response = response_with_two_of_a_name();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_event event = {.shape = cases[i].shape, .request.method = HTTP_POST};
    assert_text(http_event_answer(&event, &response, &arena), cases[i].answer);
  }
}

static void answers_without_a_body(void **state) {
  (void)state;
  static const struct {
    enum http_method method;
    int status;
    bool body;
  } cases[] = {{HTTP_GET, 200, true},
               {HTTP_HEAD, 200, false},
               {HTTP_GET, 304, false},
               {HTTP_POST, 204, false},
               {HTTP_HEAD, 404, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct http_event event = {.shape = HTTP_EVENT_2, .request.method = cases[i].method};
    struct http_response response = {.status = cases[i].status, .body = BYTES("x")};
    struct bytes answer = http_event_answer(&event, &response, &arena);
    if (cases[i].body)
      assert_holds(answer, "\"body\":\"x\"");
    else
      assert_lacks(answer, "\"body\"");
    assert_holds(answer, "\"isBase64Encoded\":false");
  }
}

static void a_body_that_is_not_text_goes_as_base64(void **state) {
  (void)state;
  struct http_event event = {.shape = HTTP_EVENT_2};
  struct http_response response = {.status = 200, .body = BYTES("\xff\x00")};
  struct bytes answer = http_event_answer(&event, &response, &arena);
  assert_holds(answer, "\"body\":\"/wA=\",\"isBase64Encoded\":true");
}

static bool read_any(struct bytes text, struct arena *memory, struct failure *ret_failure) {
  struct http_event event;
  return http_event_read(text, memory, &event, ret_failure);
}

static void damaged_events_are_refused_or_read(void **state) {
  (void)state;
  static const char *const names[] = {"http-api-jwt",    "rest-api-cognito", "rest-api-query",
                                      "http-api-base64", "alb-multi",        "alb-query"};
  for (size_t i = 0; i < COUNT_OF(names); i++) event_reader_is_total(read_any, names[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_are_the_same_in_every_shape),
      cmocka_unit_test(paths_and_queries),
      cmocka_unit_test(stages_are_cut_off_only_as_a_whole),
      cmocka_unit_test(header_lines_come_one_by_one_where_the_event_has_them_so),
      cmocka_unit_test(claims_of_an_authoriser),
      cmocka_unit_test(a_load_balancer_has_no_claims),
      cmocka_unit_test(bodies_over_the_limit_are_left_out),
      cmocka_unit_test(foreign_events_are_refused_with_a_reason),
      cmocka_unit_test(answers_have_the_shape_of_the_event),
      cmocka_unit_test(answers_without_a_body),
      cmocka_unit_test(a_body_that_is_not_text_goes_as_base64),
      cmocka_unit_test(damaged_events_are_refused_or_read),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
