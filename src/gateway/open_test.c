/* gateway_open: the order of refusals, whose orders exist for whom, and everything that is answered
 * without a store. */
#include "fake/gateway.h"
#include "gateway/route.h"
#include "wire/id.h"

/* --- precedence -------------------------------------------------------------------------------------- */

/* Everything that can be wrong with one request, from what is told first to what is told last. Mending
 * the first leaves the next. */
static void test_order_of_refusals(void **state) {
  struct fake_gateway *fake = *state;
  static const struct {
    int status;
    const char *code;
  } told[] = {{404, "not-found"},          {405, "method-not-allowed"},      {401, "unauthenticated"},
              {403, "insufficient-scope"}, {413, "body-too-large"},          {415, "unsupported-media-type"},
              {400, "malformed-request"},  {400, "missing-idempotency-key"}, {400, "malformed-json"},
              {403, "insufficient-scope"}, {422, "invalid-order"},           {202, NULL}};
  for (size_t mended = 0; mended < COUNT_OF(told); mended++) {
    struct exchange *exchange =
        fake_request(fake, mended > 1 ? "POST" : "PUT", mended > 0 ? "/v1/orders?x=1" : "/v2?x=1",
                     mended > 2 ? "ada" : NULL, mended > 3 ? "orders:write" : "orders:read");
    exchange->request.body_too_large = mended <= 4;
    fake_header(exchange, "Content-Type", mended > 5 ? BYTES("application/json") : BYTES("text/plain"));
    if (mended > 6) exchange->request.query = (struct bytes){NULL, 0};
    if (mended > 7) fake_header(exchange, "Idempotency-Key", BYTES("k"));
    exchange->request.body = mended <= 8    ? BYTES("{")
                             : mended == 9  ? BYTES("{\"channel\":\"wholesale\"}")
                             : mended == 10 ? BYTES("{\"channel\":\"retail\"}")
                                            : fake_retail(&fake->world, "pay_1", "");
    fake_send(fake, exchange);
    if (told[mended].code) assert_problem(exchange, told[mended].status, told[mended].code);
    assert_int_equal(exchange->response.status, told[mended].status);
    assert_int_equal(fake->world.store.commits, mended + 1 == COUNT_OF(told));
  }
}

/* --- orders of others --------------------------------------------------------------------------------- */

/* What must not differ: everything but the trace. */
static struct bytes told(struct fake_gateway *fake, const struct exchange *exchange) {
  struct text text;
  text_init(&text, &fake->world.arena);
  text_printf(&text, "%d %.*s", exchange->response.status, BYTES_PRINTF(exchange->response.body));
  for (size_t i = 0; i < exchange->response.header_count; i++) {
    const struct http_header *header = &exchange->response.headers[i];
    if (bytes_equal_string(header->name, "traceparent")) continue;
    text_printf(&text, "\n%.*s: %.*s", BYTES_PRINTF(header->name), BYTES_PRINTF(header->value));
  }
  return text_view(&text);
}

static void test_orders_of_others_do_not_exist(void **state) {
  struct fake_gateway *fake = *state;
  struct arena *arena = &fake->world.arena;
  struct bytes foreign = fake_accept(&fake->world, "bob", "pay_1");
  struct bytes absent = fake_id(&fake->world, "ada", "never sent"),
               nobodys = fake_id(&fake->world, "eve", "none");
  static const struct {
    const char *method, *rest;
  } routes_of_orders[] = {{"GET", ""}, {"HEAD", ""}, {"GET", "/events"}, {"POST", "/cancel"}};
  for (size_t i = 0; i < COUNT_OF(routes_of_orders); i++) {
    const struct bytes ids[] = {foreign, nobodys, BYTES("ord_"), BYTES("no-id"), absent};
    struct bytes first = {NULL, 0};
    for (size_t j = 0; j < COUNT_OF(ids); j++) {
      const char *target =
          arena_printf(arena, "/v1/orders/%.*s%s", BYTES_PRINTF(ids[j]), routes_of_orders[i].rest).data;
      size_t before = fake_store_accesses(&fake->world.store), loaded = fake->world.store.ids_loaded;
      struct exchange *exchange =
          fake_request(fake, routes_of_orders[i].method, target, "ada", FAKE_ALL_SCOPES);
      fake_send(fake, exchange);
      assert_problem(exchange, 404, "not-found");
      if (first.size == 0) first = told(fake, exchange);
      assert_views_equal(told(fake, exchange), first);
      bool own = bytes_equal(ids[j], absent);
      assert_int_equal(fake_store_accesses(&fake->world.store) > before, own);
      if (!own) assert_int_equal(fake->world.store.ids_loaded, loaded);
    }
  }
  assert_int_equal(fake_order(&fake->world, foreign)->target, ORDER_ACCEPTED); /* nor was it cancelled */
}

static void test_operators_see_all_that_is_spelled_right(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "bob", "pay_1");
  struct exchange *seen =
      fake_request(fake, "GET", arena_printf(&fake->world.arena, "/v1/orders/%.*s", BYTES_PRINTF(id)).data,
                   "op", "orders:operate");
  fake_send(fake, seen);
  assert_int_equal(seen->response.status, 200);
  assert_text(fake_member(fake, seen, "customer"), "bob");
  size_t before = fake_store_accesses(&fake->world.store);
  struct exchange *misspelled =
      fake_request(fake, "GET", "/v1/orders/ORD_00000000000000000000000000000000", "op", "orders:operate");
  fake_send(fake, misspelled);
  assert_problem(misspelled, 404, "not-found");
  assert_int_equal(fake_store_accesses(&fake->world.store), before);
}

/* --- bodies and keys ------------------------------------------------------------------------------------ */

static void test_media_types(void **state) {
  struct fake_gateway *fake = *state;
  static const struct {
    const char *type;
    bool good;
  } cases[] = {{"application/json", true},
               {"Application/JSON ; Charset=UTF-8", true},
               {"application/json;charset=\"utf-8\"", true},
               {"application/json;", true},
               {"application/json; charset=latin1", false},
               {"application/json; v=1", false},
               {"application/jsonx", false},
               {"text/json", false},
               {"", false},
               {NULL, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
    fake_header(exchange, "Idempotency-Key", BYTES("k"));
    exchange->request.body = fake_retail(&fake->world, "pay_1", "");
    if (cases[i].type) fake_header(exchange, "Content-Type", bytes_of(cases[i].type));
    fake_send(fake, exchange);
    if (cases[i].good)
      assert_int_equal(exchange->response.status, 202);
    else
      assert_problem(exchange, 415, "unsupported-media-type");
  }
  struct exchange *two = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  fake_header(two, "Idempotency-Key", BYTES("k"));
  fake_body(two, fake_retail(&fake->world, "pay_1", ""));
  fake_header(two, "Content-Type", BYTES("application/json"));
  fake_send(fake, two);
  assert_problem(two, 415, "unsupported-media-type");
}

/* An optional body may be absent; where it is there, it must say what it is. */
static void test_optional_bodies(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  const char *target = arena_printf(&fake->world.arena, "/v1/orders/%.*s/cancel", BYTES_PRINTF(id)).data;
  struct exchange *untyped = fake_request(fake, "POST", target, "ada", FAKE_ALL_SCOPES);
  untyped->request.body = BYTES("{}");
  fake_send(fake, untyped);
  assert_problem(untyped, 415, "unsupported-media-type");
  assert_int_equal(fake_post(fake, target, "ada", (struct bytes){NULL, 0})->response.status, 202);
}

static void test_idempotency_keys(void **state) {
  struct fake_gateway *fake = *state;
  char *long_key = arena_allocate(&fake->world.arena, 300);
  memset(long_key, 'k', 299);
  struct bytes longest = bytes_from(long_key, 255), too_long = bytes_from(long_key, 256);
  struct arena *arena = &fake->world.arena;
  const struct {
    struct bytes value, key; /* key empty: refused */
    const char *code;
  } cases[] = {
      {BYTES("abc"), BYTES("abc"), NULL},
      {BYTES("  abc "), BYTES("abc"), NULL},
      {BYTES("\"abc\""), BYTES("abc"), NULL},
      {BYTES("\"a \\\"b\\\\\""), BYTES("a \"b\\"), NULL},
      {longest, longest, NULL},
      {arena_printf(arena, "\"%.*s\"", BYTES_PRINTF(longest)), longest, NULL},
      {too_long, {NULL, 0}, "malformed-request"},
      {arena_printf(arena, "\"%.*s\"", BYTES_PRINTF(too_long)), {NULL, 0}, "malformed-request"},
      {{NULL, 0}, {NULL, 0}, "missing-idempotency-key"},
      {BYTES("   "), {NULL, 0}, "missing-idempotency-key"},
      {BYTES("\"\""), {NULL, 0}, "malformed-request"},
      {BYTES("\""), {NULL, 0}, "malformed-request"},
      {BYTES("\"abc"), {NULL, 0}, "malformed-request"},
      {BYTES("\"abc\\"), {NULL, 0}, "malformed-request"},
      {BYTES("\"a\\n\""), {NULL, 0}, "malformed-request"},
      {BYTES("\"abc\";p=1"), {NULL, 0}, "malformed-request"},
      {BYTES("\"a\" \"b\""), {NULL, 0}, "malformed-request"},
      {BYTES("\"\xC3\xA9\""), {NULL, 0}, "malformed-request"},
      {BYTES("\"a\x7F\""), {NULL, 0}, "malformed-request"},
      {BYTES("a b"), {NULL, 0}, "malformed-request"},
      {BYTES("a\"b"), {NULL, 0}, "malformed-request"},
      {BYTES("a\\b"), {NULL, 0}, "malformed-request"},
      {BYTES("\xC3\xA9"), {NULL, 0}, "malformed-request"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
    fake_header(exchange, "idempotency-KEY", cases[i].value);
    fake_body(exchange, BYTES("{}"));
    enum gateway_verdict verdict = gateway_open(fake_gateway_get(fake), exchange);
    assert_int_equal(verdict, cases[i].code ? GATEWAY_ANSWERED : GATEWAY_SERVE);
    if (cases[i].code)
      assert_problem(exchange, 400, cases[i].code);
    else
      assert_views_equal(exchange->idempotency_key, cases[i].key);
  }
  struct exchange *two = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  fake_header(two, "Idempotency-Key", BYTES("a"));
  fake_header(two, "Idempotency-Key", BYTES("a"));
  fake_body(two, BYTES("{}"));
  fake_send(fake, two);
  assert_problem(two, 400, "malformed-request");
}

/* --- callbacks ------------------------------------------------------------------------------------------ */

static void test_callbacks_need_their_token(void **state) {
  struct fake_gateway *fake = *state;
  struct fake_world *w = &fake->world;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct bytes token =
      callback_token_make(w->context.id_secret, id, BYTES("reserve"), FAKE_NOW_MS + 1, &w->arena);
  struct bytes other = callback_token_make(w->context.id_secret, id, BYTES("ship"), FAKE_NOW_MS + 1, &w->arena);
  struct bytes late = callback_token_make(w->context.id_secret, id, BYTES("reserve"), FAKE_NOW_MS, &w->arena);
  const char *const queries[] = {
      "",
      "?token=",
      arena_printf(&w->arena, "?token=%.*s", BYTES_PRINTF(other)).data,
      arena_printf(&w->arena, "?token=%.*s", BYTES_PRINTF(late)).data,
      arena_printf(&w->arena, "?Token=%.*s", BYTES_PRINTF(token)).data,
      arena_printf(&w->arena, "?token=%.*s%%", BYTES_PRINTF(token)).data,
  };
  size_t before = fake_store_accesses(&w->store);
  for (size_t i = 0; i < COUNT_OF(queries); i++) {
    const char *target =
        arena_printf(&w->arena, "/v1/callbacks/%.*s/reserve%s", BYTES_PRINTF(id), queries[i]).data;
    struct exchange *exchange = fake_request(fake, "POST", target, NULL, NULL);
    fake_body(exchange, BYTES("{\"outcome\":\"done\",\"reference\":\"r\"}"));
    fake_send(fake, exchange);
    assert_problem(exchange, 403, "callback-refused");
  }
  assert_int_equal(fake_store_accesses(&w->store), before);
  /* With it, no access token is needed, and none helps. */
  const char *target =
      arena_printf(&w->arena, "/v1/callbacks/%.*s/reserve?token=%.*s", BYTES_PRINTF(id), BYTES_PRINTF(token))
          .data;
  struct exchange *genuine = fake_request(fake, "POST", target, NULL, NULL);
  fake_body(genuine, BYTES("{\"outcome\":\"done\",\"reference\":\"r\"}"));
  assert_int_equal(gateway_open(fake_gateway_get(fake), genuine), GATEWAY_SERVE);
  struct exchange *more =
      fake_request(fake, "POST", arena_printf(&w->arena, "%s&x=1", target).data, NULL, NULL);
  fake_body(more, BYTES("{\"outcome\":\"done\",\"reference\":\"r\"}"));
  fake_send(fake, more);
  assert_problem(more, 400, "malformed-request");
  assert_int_equal(fake_store_accesses(&w->store), before);
}

/* --- limits, traces, CORS ------------------------------------------------------------------------------- */

static void test_rate_limit(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.customer_rate = 2;
  fake->config.customer_burst = 3;
  for (int left = 2; left >= 0; left--) {
    struct exchange *exchange = fake_get(fake, "/v1/orders", "ada");
    assert_int_equal(exchange->response.status, 200);
    assert_header(exchange, "RateLimit-Policy", "\"customer\";q=3;w=2");
    assert_holds(http_response_header(&exchange->response, "RateLimit"),
                 arena_printf(&fake->world.arena, "\"customer\";r=%d;t=", left).data);
  }
  size_t before = fake_store_accesses(&fake->world.store);
  struct exchange *refused = fake_get(fake, "/v1/orders", "ada");
  assert_problem(refused, 429, "rate-limited");
  assert_header(refused, "Retry-After", "1");
  assert_int_equal(fake_store_accesses(&fake->world.store), before);
  assert_int_equal(fake_get(fake, "/v1/orders", "bob")->response.status, 200);
  /* Operators, and those who are not let in at all, take nothing from it. */
  struct exchange *operator= fake_request(fake, "GET", "/v1/orders", "ada", "orders:operate");
  fake_send(fake, operator);
  assert_int_equal(operator->response.status, 200);
  assert_problem(fake_get(fake, "/v1/orders", NULL), 401, "unauthenticated");
  fake->world.clock.monotonic_us += 500000;
  assert_int_equal(fake_get(fake, "/v1/orders", "ada")->response.status, 200);
}

static void test_traces(void **state) {
  struct fake_gateway *fake = *state;
  static const char given[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  struct exchange *continued = fake_request(fake, "GET", "/nowhere", NULL, NULL);
  fake_header(continued, "Traceparent", BYTES(given));
  fake_send(fake, continued);
  struct bytes trace = http_response_header(&continued->response, "traceparent");
  assert_true(bytes_starts_with(trace, BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-")));
  assert_false(bytes_equal_string(trace, given));
  struct exchange *twice = fake_request(fake, "GET", "/nowhere", NULL, NULL);
  fake_header(twice, "traceparent", BYTES(given));
  fake_header(twice, "traceparent", BYTES(given));
  fake_send(fake, twice);
  assert_lacks(http_response_header(&twice->response, "traceparent"), "4bf92f3577b34da6a3ce929d0e0e4736");
  assert_int_equal(http_response_header(&twice->response, "traceparent").size, 55);
}

static struct exchange *from_origin(struct fake_gateway *fake, const char *method, const char *target,
                                    const char *origin, bool preflight) {
  struct exchange *exchange = fake_request(fake, method, target, NULL, NULL);
  if (origin) fake_header(exchange, "Origin", bytes_of(origin));
  if (preflight) fake_header(exchange, "Access-Control-Request-Method", BYTES("POST"));
  fake_send(fake, exchange);
  return exchange;
}

static void test_cors(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.cors_origins = BYTES("https://shop.example, https://b.example");
  struct exchange *preflight = from_origin(fake, "OPTIONS", "/v1/orders", "https://b.example", true);
  assert_int_equal(preflight->response.status, 204);
  assert_header(preflight, "Access-Control-Allow-Origin", "https://b.example");
  assert_header(preflight, "Access-Control-Allow-Methods", "POST, GET, HEAD");
  assert_holds(http_response_header(&preflight->response, "Access-Control-Allow-Headers"), "Idempotency-Key");
  assert_header(preflight, "Vary", "Origin");
  /* Other answers are marked, whatever they are; other origins are not. */
  struct exchange *refused = from_origin(fake, "GET", "/v1/orders", "https://shop.example", false);
  assert_problem(refused, 401, "unauthenticated");
  assert_header(refused, "Access-Control-Allow-Origin", "https://shop.example");
  assert_holds(http_response_header(&refused->response, "Access-Control-Expose-Headers"), "Location");
  static const char *const others[] = {"https://evil.example",  "https://shop.example.evil",
                                       "https://shop.exampl",   "null",
                                       "https://shop.example,", NULL};
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    struct exchange *other = from_origin(fake, "OPTIONS", "/v1/orders", others[i], true);
    assert_problem(other, 405, "method-not-allowed");
    assert_int_equal(fake_header_count(other, "Access-Control-Allow-Origin"), 0);
    assert_header(other, "Vary", "Origin");
  }
  assert_problem(from_origin(fake, "OPTIONS", "/v1/orders", "https://b.example", false), 405,
                 "method-not-allowed");
  assert_problem(from_origin(fake, "OPTIONS", "/nothing", "https://b.example", true), 404, "not-found");
  struct exchange *served = fake_request(fake, "GET", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  fake_header(served, "Origin", BYTES("https://b.example"));
  fake_send(fake, served);
  assert_int_equal(served->response.status, 200);
  assert_int_equal(fake_header_count(served, "Access-Control-Allow-Origin"), 1);
}

static void test_without_cors(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *exchange = from_origin(fake, "OPTIONS", "/v1/orders", "https://b.example", true);
  assert_problem(exchange, 405, "method-not-allowed");
  assert_header(exchange, "Allow", "POST, GET, HEAD");
  assert_int_equal(fake_header_count(exchange, "Vary"), 0);
}

/* --- what is answered at once ----------------------------------------------------------------------------- */

static void test_public_routes(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *health = fake_get(fake, "/healthz", NULL);
  assert_int_equal(health->response.status, 200);
  assert_text(health->response.body, "{\"status\":\"ok\"}");
  assert_int_equal(fake_get(fake, "/readyz", NULL)->response.status, 200);
  fake->unready = "the store is broken";
  struct exchange *unready = fake_get(fake, "/readyz", NULL);
  assert_problem(unready, 503, "overloaded");
  assert_header(unready, "Retry-After", "1");
  assert_holds(unready->response.body, "the store is broken");
  struct exchange *metrics = fake_get(fake, "/metrics", NULL);
  assert_text(metrics->response.body, "spillway_up 1\n");
  assert_header(metrics, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  assert_text(fake_get(fake, "/openapi.json", NULL)->response.body, "{\"openapi\":\"3.1.0\"}");
  assert_problem(fake_get(fake, "/healthz?x=1", NULL), 400, "malformed-request");
  assert_int_equal(fake_store_accesses(&fake->world.store), 0);
}

static void test_overload(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.cors_origins = BYTES("https://b.example");
  struct gateway *gateway = fake_gateway_get(fake);
  struct exchange *fresh = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  gateway_refuse_overload(gateway, fresh, "connections");
  assert_problem(fresh, 503, "overloaded");
  assert_header(fresh, "Retry-After", "1");
  assert_int_equal(fake_header_count(fresh, "traceparent"), 1);
  assert_string_equal(fake->world.telemetry.label_a[METRIC_OVERLOADS], "connections");
  struct exchange *opened = fake_request(fake, "GET", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  assert_int_equal(gateway_open(gateway, opened), GATEWAY_SERVE);
  gateway_refuse_overload(gateway, opened, "queue");
  assert_problem(opened, 503, "overloaded");
  assert_header(opened, "traceparent", opened->traceparent);
  assert_int_equal(fake_header_count(opened, "traceparent"), 1);
  assert_int_equal(fake_header_count(opened, "Content-Type"), 1);
  assert_int_equal(fake->world.telemetry.counts[METRIC_OVERLOADS], 2);
}

/* What the server itself cannot read is refused with a trace all the same, and the connection ends. */
static void test_broken_framing(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *exchange = fake_request(fake, "POST", "/v1/orders", NULL, NULL);
  exchange->response.close = true;
  gateway_refuse_framing(fake_gateway_get(fake), exchange, PROBLEM_MALFORMED_REQUEST, "two lengths");
  assert_problem(exchange, 400, "malformed-request");
  assert_int_equal(http_response_header(&exchange->response, "traceparent").size, 55);
  assert_true(exchange->response.close);
  assert_holds(exchange->response.body, "two lengths");
}

static void test_account(void **state) {
  struct fake_gateway *fake = *state;
  struct fake_telemetry *telemetry = &fake->world.telemetry;
  struct exchange *created = fake_create(fake, "ada", "k", fake_retail(&fake->world, "pay_1", ""));
  fake->world.clock.monotonic_us += 2500;
  gateway_account(fake_gateway_get(fake), created);
  assert_string_equal(telemetry->label_a[METRIC_REQUESTS], "POST /v1/orders");
  assert_string_equal(telemetry->label_b[METRIC_REQUESTS], "202");
  assert_string_equal(telemetry->label_a[METRIC_ACCEPT_SECONDS], "accepted");
  assert_true(telemetry->value[METRIC_ACCEPT_SECONDS] == 0.0025);
  gateway_account(fake_gateway_get(fake), fake_create(fake, "ada", "k", BYTES("{}")));
  assert_string_equal(telemetry->label_a[METRIC_ACCEPT_SECONDS], "refused");
  struct exchange *nowhere = fake_get(fake, "/nowhere", NULL);
  gateway_account(fake_gateway_get(fake), nowhere);
  assert_string_equal(telemetry->label_a[METRIC_REQUESTS], "unknown");
  assert_string_equal(telemetry->label_b[METRIC_REQUESTS], "404");
  nowhere->response.status = 299;
  gateway_account(fake_gateway_get(fake), nowhere);
  assert_string_equal(telemetry->label_b[METRIC_REQUESTS], "other");
  assert_int_equal(telemetry->counts[METRIC_REQUESTS], 4);
  assert_int_equal(telemetry->observations[METRIC_ACCEPT_SECONDS], 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_gateway_set_up, fake_gateway_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_order_of_refusals),
      TEST(test_orders_of_others_do_not_exist),
      TEST(test_operators_see_all_that_is_spelled_right),
      TEST(test_media_types),
      TEST(test_optional_bodies),
      TEST(test_idempotency_keys),
      TEST(test_callbacks_need_their_token),
      TEST(test_rate_limit),
      TEST(test_traces),
      TEST(test_cors),
      TEST(test_without_cors),
      TEST(test_public_routes),
      TEST(test_overload),
      TEST(test_broken_framing),
      TEST(test_account),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
