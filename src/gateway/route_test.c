/* The table of routes: what is found where, and what is allowed there. */
#include "gateway/route.h"
#include "fake/testing.h"

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

static void test_table_is_by_id(void **state) {
  (void)state;
  for (int i = 0; i < ROUTE_COUNT; i++) {
    assert_int_equal(routes[i].id, i);
    assert_true(bytes_starts_with(bytes_of(routes[i].label),
                                  bytes_of(routes[i].method == HTTP_GET ? "GET /" : "POST /")));
    assert_true(routes[i].method == HTTP_GET || routes[i].method == HTTP_POST);
    if (routes[i].method == HTTP_GET) assert_int_equal(routes[i].body, BODY_NONE);
    if (routes[i].is_admin) assert_int_equal(routes[i].scope, SCOPE_NONE);
    if (routes[i].names_order) assert_int_not_equal(routes[i].scope, SCOPE_NONE);
  }
}

struct route_case {
  const char *method, *path;
  int id; /* -1: none */
  const char *first, *second, *allow;
};

static void check(const struct route_case *one, bool api, bool admin) {
  struct bytes parameters[2] = {{NULL, 0}, {NULL, 0}}, allow;
  const struct route *route = route_find(http_method_from(bytes_of(one->method)), bytes_of(one->path), api,
                                         admin, &arena, parameters, &allow);
  if ((route ? (int)route->id : -1) != one->id) fail_msg("%s %s", one->method, one->path);
  if (route) {
    assert_text(parameters[0], one->first);
    assert_text(parameters[1], one->second);
  } else {
    assert_text(allow, one->allow);
  }
}

static void test_found(void **state) {
  (void)state;
  static const struct route_case cases[] = {
      {"POST", "/v1/orders", ROUTE_CREATE, "", "", ""},
      {"GET", "/v1/orders", ROUTE_LIST, "", "", ""},
      {"HEAD", "/v1/orders", ROUTE_LIST, "", "", ""},
      {"GET", "/v1/orders/ord_1", ROUTE_GET, "ord_1", "", ""},
      {"GET", "/v1/orders/a%2Fb", ROUTE_GET, "a%2Fb", "", ""},
      {"GET", "/v1/orders/a/events", ROUTE_EVENTS, "a", "", ""},
      {"POST", "/v1/orders/a/cancel", ROUTE_CANCEL, "a", "", ""},
      {"POST", "/v1/callbacks/a/ship", ROUTE_CALLBACK, "a", "ship", ""},
      {"GET", "/v1/attention", ROUTE_ATTENTION, "", "", ""},
      {"POST", "/v1/orders/a/steps/b/retry", ROUTE_RETRY, "a", "b", ""},
      {"POST", "/v1/orders/a/steps/b/skip", ROUTE_SKIP, "a", "b", ""},
      {"GET", "/healthz", ROUTE_HEALTHZ, "", "", ""},
      {"GET", "/readyz", ROUTE_READYZ, "", "", ""},
      {"HEAD", "/metrics", ROUTE_METRICS, "", "", ""},
      {"GET", "/openapi.json", ROUTE_OPENAPI, "", "", ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) check(&cases[i], true, true);
}

static void test_not_found(void **state) {
  (void)state;
  static const struct route_case cases[] = {
      {"GET", "/", -1, "", "", ""},
      {"GET", "", -1, "", "", ""},
      {"GET", "/v1", -1, "", "", ""},
      {"GET", "/v1/", -1, "", "", ""},
      {"GET", "/v1/orders/", -1, "", "", ""},
      {"GET", "/v1/orders//events", -1, "", "", ""},
      {"GET", "/v1/orders/a/", -1, "", "", ""},
      {"GET", "/v1/orders/a/b", -1, "", "", ""},
      {"GET", "/v1/Orders", -1, "", "", ""},
      {"GET", "//v1/orders", -1, "", "", ""},
      {"GET", "v1/orders", -1, "", "", ""},
      {"GET", "/v1/%6Frders", -1, "", "", ""},
      {"POST", "/v1/orders/a/steps//retry", -1, "", "", ""},
      {"POST", "/v1/callbacks/a", -1, "", "", ""},
      {"GET", "/healthz/", -1, "", "", ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) check(&cases[i], true, true);
}

static void test_not_allowed(void **state) {
  (void)state;
  static const struct route_case cases[] = {
      {"DELETE", "/v1/orders", -1, "", "", "POST, GET, HEAD"},
      {"OPTIONS", "/v1/orders", -1, "", "", "POST, GET, HEAD"},
      {"POST", "/v1/orders/a", -1, "", "", "GET, HEAD"},
      {"get", "/v1/orders/a", -1, "", "", "GET, HEAD"},
      {"GET", "/v1/orders/a/cancel", -1, "", "", "POST"},
      {"HEAD", "/v1/orders/a/cancel", -1, "", "", "POST"},
      {"POST", "/healthz", -1, "", "", "GET, HEAD"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) check(&cases[i], true, true);
}

/* Where there is an admin listener of its own, each knows its own routes only. */
static void test_listeners(void **state) {
  (void)state;
  static const struct route_case known[] = {{"GET", "/v1/orders", ROUTE_LIST, "", "", ""},
                                            {"GET", "/metrics", ROUTE_METRICS, "", "", ""}};
  static const struct route_case unknown[] = {{"GET", "/v1/orders", -1, "", "", ""},
                                              {"GET", "/metrics", -1, "", "", ""}};
  check(&known[0], true, false);
  check(&unknown[1], true, false);
  check(&unknown[0], false, true);
  check(&known[1], false, true);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {TEST(test_table_is_by_id), TEST(test_found), TEST(test_not_found),
                                     TEST(test_not_allowed), TEST(test_listeners)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
