/* Authentication: the header's forms, claims and scopes, caches, several sources of keys and keys that
 * are fetched anew. */
#include "fake/gateway.h"

#define TARGET "/v1/orders/ord_00000000000000000000000000000000"

static struct exchange *with_header(struct fake_gateway *fake, struct bytes value) {
  struct exchange *exchange = fake_request(fake, "GET", TARGET, NULL, NULL);
  if (value.size) fake_header(exchange, "Authorization", value);
  fake_send(fake, exchange);
  return exchange;
}

/* The customer of a good token sees that there is no such order; without one, it's a 401. */
#define assert_let_in(exchange) assert_problem(exchange, 404, "not-found")

static void test_forms_of_the_header(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes bearer = fake_bearer(fake, "ada", FAKE_ALL_SCOPES);
  struct bytes token = bytes_slice(bearer, 7, bearer.size);
  struct arena *arena = &fake->world.arena;
  assert_let_in(with_header(fake, bearer));
  assert_let_in(with_header(fake, arena_printf(arena, "bEARER   %.*s ", BYTES_PRINTF(token))));
  const struct bytes bad[] = {
      {NULL, 0},           BYTES("Bearer"), BYTES("Bearer "),
      BYTES("Basic YTpi"), token,           arena_printf(arena, "Bearer%.*s", BYTES_PRINTF(token)),
      BYTES("Bearer a b")};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct exchange *exchange = with_header(fake, bad[i]);
    assert_problem(exchange, 401, "unauthenticated");
    assert_int_equal(fake_header_count(exchange, "WWW-Authenticate"), 1);
    assert_holds(http_response_header(&exchange->response, "WWW-Authenticate"), "Bearer realm=\"spillway\"");
  }
  struct exchange *two = fake_request(fake, "GET", TARGET, "ada", FAKE_ALL_SCOPES);
  fake_header(two, "authorization", bearer);
  fake_send(fake, two);
  assert_problem(two, 401, "unauthenticated");
  assert_int_equal(fake_store_accesses(&fake->world.store), 0);
}

static void test_claims(void **state) {
  struct fake_gateway *fake = *state;
  struct arena *arena = &fake->world.arena;
  long long now = FAKE_NOW_MS / 1000;
  const struct {
    const char *payload;
    bool good;
  } cases[] = {
      {arena_printf(arena, "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"exp\":%lld}", now + 1).data, true},
      {arena_printf(arena, "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"exp\":%lld}", now - 29).data, true},
      {arena_printf(arena, "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"exp\":%lld}", now - 30).data, false},
      {"{\"sub\":\"ada\",\"scope\":\"orders:read\"}", false},
      {arena_printf(arena, "{\"scope\":\"orders:read\",\"exp\":%lld}", now + 9).data, false},
      {arena_printf(arena, "{\"sub\":\"\",\"scope\":\"orders:read\",\"exp\":%lld}", now + 9).data, false},
      {arena_printf(arena, "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"exp\":%lld,\"nbf\":%lld}", now + 99,
                    now + 31)
           .data,
       false},
      {arena_printf(arena, "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"exp\":%lld,\"nbf\":%lld}", now + 99,
                    now + 30)
           .data,
       true},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = with_header(fake, fake_bearer_of(fake, cases[i].payload));
    if (cases[i].good)
      assert_let_in(exchange);
    else
      assert_problem(exchange, 401, "unauthenticated");
    if (!cases[i].good)
      assert_holds(http_response_header(&exchange->response, "WWW-Authenticate"), "invalid_token");
  }
}

static void test_signatures(void **state) {
  struct fake_gateway *fake = *state;
  struct arena *arena = &fake->world.arena;
  struct bytes token = jwt_sign_hs256(BYTES("another secret of thirty-two bytes"),
                                      BYTES("{\"sub\":\"ada\",\"exp\":99999999999}"), arena);
  struct exchange *forged = with_header(fake, arena_printf(arena, "Bearer %.*s", BYTES_PRINTF(token)));
  assert_problem(forged, 401, "unauthenticated");
  assert_holds(forged->response.body, "signature is not valid");
  struct exchange *none =
      with_header(fake, BYTES("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTk5fQ.AA"));
  assert_problem(none, 401, "unauthenticated");
  char *large = arena_allocate(arena, 9001);
  memset(large, 'a', 9000);
  memcpy(large, "Bearer ", 7);
  assert_problem(with_header(fake, bytes_from(large, 9000)), 401, "unauthenticated");
}

static void test_scopes(void **state) {
  struct fake_gateway *fake = *state;
  static const struct {
    const char *scope, *method, *target;
    bool enough;
    const char *needed;
  } cases[] = {
      {"orders:read", "GET", "/v1/orders", true, ""},
      {"orders:operate", "GET", "/v1/orders", true, ""},
      {"orders:write", "GET", "/v1/orders", false, "orders:read"},
      {"", "GET", "/v1/orders", false, "orders:read"},
      {"orders:reader xorders:read", "GET", "/v1/orders", false, "orders:read"},
      {"orders:read", "GET", "/v1/attention", false, "orders:operate"},
      {"x  orders:operate", "GET", "/v1/attention", true, ""},
      {"orders:read orders:operate", "POST", TARGET "/cancel", false, "orders:write"},
      {"orders:write orders:read", "POST", TARGET "/steps/ship/retry", false, "orders:operate"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = fake_request(fake, cases[i].method, cases[i].target, "ada", cases[i].scope);
    fake_send(fake, exchange);
    if (cases[i].enough) {
      assert_int_equal(exchange->response.status, 200);
      continue;
    }
    assert_problem(exchange, 403, "insufficient-scope");
    struct bytes challenge = http_response_header(&exchange->response, "WWW-Authenticate");
    assert_holds(challenge, "error=\"insufficient_scope\"");
    assert_holds(challenge, arena_printf(&fake->world.arena, "scope=\"%s\"", cases[i].needed).data);
  }
}

/* A remembered token is as good as it was, but not longer, and not under other keys. */
static void test_remembered_tokens(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes bearer = fake_bearer(fake, "ada", "orders:read");
  assert_let_in(with_header(fake, bearer));
  struct exchange *again = with_header(fake, bearer);
  assert_let_in(again);
  assert_text(again->customer, "ada");
  assert_true(again->may_read && !again->may_write && !again->may_operate);
  fake->world.clock.now_ms += 3600 * 1000 + JWT_LEEWAY_MS; /* past exp */
  assert_problem(with_header(fake, bearer), 401, "unauthenticated");
  fake->world.clock.now_ms = FAKE_NOW_MS;
  assert_let_in(with_header(fake, bearer));
  /* The keys change: what the old ones have verified no longer counts. */
  struct jwt_keys *other;
  struct failure failure;
  assert_true(jwt_keys_from_secret(BYTES("a newer secret of thirty-two bytes"), &other, &failure));
  fake->token_keys.keys = other;
  fake->token_keys.generation++;
  assert_problem(with_header(fake, bearer), 401, "unauthenticated");
  jwt_keys_free(other);
}

/* Two sources whose generations count alike are told apart. */
static void test_two_sources(void **state) {
  struct fake_gateway *fake = *state;
  struct jwt_keys *other;
  struct failure failure;
  assert_true(jwt_keys_from_secret(BYTES("the second source's secret, 32 bytes"), &other, &failure));
  struct fake_keys second = {.keys = other, .generation = 1};
  fake->config.token_keys[1] = fake_keys_source(&second, false);
  fake->config.token_keys_count = 2;
  struct arena *arena = &fake->world.arena;
  struct bytes token =
      jwt_sign_hs256(BYTES("the second source's secret, 32 bytes"),
                     BYTES("{\"sub\":\"bob\",\"scope\":\"orders:read\",\"exp\":99999999999}"), arena);
  struct bytes bearer = arena_printf(arena, "Bearer %.*s", BYTES_PRINTF(token));
  assert_let_in(with_header(fake, bearer));
  assert_let_in(with_header(fake, bearer));
  assert_let_in(with_header(fake, fake_bearer(fake, "ada", "orders:read")));
  /* The second source loses its key; the first one's is as good as before. */
  second.keys = fake->owned;
  second.generation = 2;
  assert_problem(with_header(fake, bearer), 401, "unauthenticated");
  assert_int_equal(second.held, 0);
  jwt_keys_free(other);
}

/* No keys yet, or a key that is not known: the server is asked to fetch, and only then it's a 401. */
static void test_keys_are_fetched(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.token_keys[0] = fake_keys_source(&fake->token_keys, true);
  fake->token_keys.keys = NULL;
  struct gateway *gateway = fake_gateway_get(fake);
  struct exchange *exchange = fake_request(fake, "GET", TARGET, "ada", "orders:read");
  assert_int_equal(gateway_open(gateway, exchange), GATEWAY_NEEDS_KEYS);
  assert_problem(exchange, 401, "unauthenticated");
  gateway_refresh_keys(gateway); /* brings nothing */
  assert_int_equal(fake->token_keys.refreshed, 1);
  assert_int_equal(gateway_open(gateway, exchange), GATEWAY_NEEDS_KEYS);
  assert_problem(exchange, 401, "unauthenticated");
  assert_int_equal(fake_header_count(exchange, "traceparent"), 1);
  fake->token_keys.next = fake->owned;
  gateway_refresh_keys(gateway);
  assert_int_equal(gateway_open(gateway, exchange), GATEWAY_ANSWERED);
  assert_let_in(exchange);
  /* A bad signature under a known key is no reason to fetch. */
  struct bytes bearer = fake_bearer(fake, "ada", "orders:read");
  char *changed = arena_string(&fake->world.arena, bearer);
  changed[bearer.size - 5] = changed[bearer.size - 5] == 'A' ? 'B' : 'A';
  struct exchange *forged = fake_request(fake, "GET", TARGET, NULL, NULL);
  fake_header(forged, "Authorization", bytes_from(changed, bearer.size));
  assert_int_equal(gateway_open(gateway, forged), GATEWAY_ANSWERED);
  assert_problem(forged, 401, "unauthenticated");
}

static void test_issuer_and_audience(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.token_policy = (struct jwt_policy){.issuer = BYTES("shop"), .audience = BYTES("orders")};
  assert_problem(with_header(fake, fake_bearer(fake, "ada", "orders:read")), 401, "unauthenticated");
  assert_let_in(with_header(fake, fake_bearer_of(fake,
                                                 "{\"sub\":\"ada\",\"scope\":\"orders:read\",\"iss\":\"shop\","
                                                 "\"aud\":[\"x\",\"orders\"],\"exp\":99999999999}")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_gateway_set_up, fake_gateway_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_forms_of_the_header), TEST(test_claims),
      TEST(test_signatures),          TEST(test_scopes),
      TEST(test_remembered_tokens),   TEST(test_two_sources),
      TEST(test_keys_are_fetched),    TEST(test_issuer_and_audience),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
