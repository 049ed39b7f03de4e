/* gateway_serve: creating and reading orders, replays, waiting, conditional requests, mixed batches. */
#include "fake/gateway.h"
#include "function/call.h"
#include "wire/jwt_test_tools.h"

static struct bytes target_of(struct fake_gateway *fake, struct bytes id, const char *rest) {
  return arena_printf(&fake->world.arena, "/v1/orders/%.*s%s", BYTES_PRINTF(id), rest);
}

static struct exchange *get_order(struct fake_gateway *fake, struct bytes id) {
  return fake_get(fake, target_of(fake, id, "").data, "ada");
}

/* --- creating ------------------------------------------------------------------------------------------ */

static void test_created(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *exchange = fake_create(fake, "ada", "k", fake_retail(&fake->world, "pay_1", ""));
  struct bytes id = fake_id(&fake->world, "ada", "k");
  assert_int_equal(exchange->response.status, 202);
  assert_header(exchange, "Content-Type", "application/json");
  assert_views_equal(http_response_header(&exchange->response, "Location"), target_of(fake, id, ""));
  assert_int_equal(fake_header_count(exchange, "Idempotent-Replayed"), 0);
  assert_views_equal(
      exchange->response.body,
      arena_printf(&fake->world.arena,
                   "{\"id\":\"%.*s\",\"status\":\"accepted\",\"version\":1,\"channel\":\"retail\","
                   "\"currency\":\"GBP\",\"total\":1530,\"created_at\":\"2026-11-23T18:53:20.000Z\"}",
                   BYTES_PRINTF(id)));
  /* The order continues the request's trace. */
  assert_views_equal(fake_order(&fake->world, id)->traceparent, bytes_of(exchange->traceparent));
}

/* The same bytes again, however far the order has come meanwhile. */
static void test_replayed(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *first = fake_create(fake, "ada", "k", fake_retail(&fake->world, "pay_1", ""));
  fake->world.clock.now_ms += 60000;
  fake_call(&fake->world, fake_id(&fake->world, "ada", "k"), COMMAND_RESERVE);
  struct exchange *again = fake_create(fake, "ada", "\"k\"", fake_retail(&fake->world, "pay_1", ",\"tax\":0"));
  assert_int_equal(again->response.status, 202);
  assert_header(again, "Idempotent-Replayed", "true");
  assert_views_equal(again->response.body, first->response.body);
  assert_views_equal(http_response_header(&again->response, "Location"),
                     http_response_header(&first->response, "Location"));
  assert_problem(fake_create(fake, "ada", "k", fake_retail(&fake->world, "pay_2", "")), 422,
                 "idempotency-key-reused");
  assert_problem(fake_create(fake, "bob", "k", fake_retail(&fake->world, "pay_1", "")), 409,
                 "payment-already-used");
  assert_int_equal(fake->world.store.count, 1);
}

static void test_errors_of_a_body(void **state) {
  struct fake_gateway *fake = *state;
  struct exchange *exchange = fake_create(fake, "ada", "k", fake_retail(&fake->world, "p", ",\"a/b\":1"));
  assert_problem(exchange, 422, "invalid-order");
  assert_holds(exchange->response.body,
               "\"errors\":[{\"pointer\":\"/a~1b\",\"detail\":\"is not a known member\"}]");
  assert_problem(fake_create(fake, "ada", "k", BYTES("\xEF\xBB\xBF{}")), 400, "malformed-json");
}

static void test_store_that_refuses(void **state) {
  struct fake_gateway *fake = *state;
  fake_store_script(&fake->world.store, COMMIT_THROTTLED);
  struct exchange *exchange = fake_create(fake, "ada", "k", fake_retail(&fake->world, "p", ""));
  assert_problem(exchange, 503, "overloaded");
  assert_header(exchange, "Retry-After", "1");
}

static void test_receipt_keys_are_given_back(void **state) {
  struct fake_gateway *fake = *state;
  struct fake_keys receipts = {.keys = NULL};
  fake->config.receipt_keys = fake_keys_source(&receipts, true);
  assert_problem(fake_create(fake, "ada", "k", fake_retail(&fake->world, "p", "")), 503, "overloaded");
  receipts.keys = fake->owned;
  struct exchange *unproven = fake_create(fake, "ada", "k", fake_retail(&fake->world, "p", ""));
  assert_problem(unproven, 422, "invalid-order");
  assert_holds(unproven->response.body, "/payment/receipt");
  assert_int_equal(receipts.acquired, 2);
  assert_int_equal(receipts.held, 0);
}

static struct jwt_keys *keys_with(struct fake_gateway *fake, EVP_PKEY *key, const char *kid) {
  struct arena *arena = &fake->world.arena;
  struct bytes jwk = tool_jwk(key, arena_printf(arena, ",\"kid\":\"%s\"", kid).data, arena);
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_true(jwt_keys_from_jwks(arena_printf(arena, "{\"keys\":[%.*s]}", BYTES_PRINTF(jwk)), &keys, &failure));
  return keys;
}

static struct exchange *create_with_receipt(struct fake_gateway *fake, EVP_PKEY *key, const char *reference) {
  struct arena *arena = &fake->world.arena;
  struct bytes receipt = tool_token(
      arena, key, -2, "{\"alg\":\"ES256\",\"kid\":\"new\"}",
      arena_printf(arena, "{\"sub\":\"ada\",\"reference\":\"%s\",\"amount\":1530,\"currency\":\"GBP\"}",
                   reference)
          .data);
  struct bytes body = fake_retail(&fake->world, reference, ""); /* the payment is its last member */
  struct exchange *exchange = fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES);
  fake_header(exchange, "Idempotency-Key", bytes_of(reference));
  fake_body(exchange, arena_printf(arena, "%.*s,\"receipt\":\"%.*s\"}}", (int)body.size - 2, body.data,
                                   BYTES_PRINTF(receipt)));
  assert_int_equal(gateway_open(fake_gateway_get(fake), exchange), GATEWAY_SERVE);
  return exchange;
}

/* Receipts under a key that is not known yet: the keys are fetched once for the whole batch. */
static void test_receipts_under_a_newer_key(void **state) {
  struct fake_gateway *fake = *state;
  EVP_PKEY *old_key = EVP_EC_gen("P-256"), *new_key = EVP_EC_gen("P-256");
  struct jwt_keys *old_keys = keys_with(fake, old_key, "old"), *new_keys = keys_with(fake, new_key, "new");
  struct fake_keys receipts = {.keys = old_keys, .generation = 1};
  fake->config.receipt_keys = fake_keys_source(&receipts, true);
  struct exchange *first = create_with_receipt(fake, new_key, "pay_0");
  gateway_serve(fake_gateway_get(fake), &first, 1);
  assert_problem(first, 422, "payment-not-proven"); /* the fetch brought nothing new */
  assert_int_equal(receipts.refreshed, 1);
  receipts.next = new_keys;
  struct exchange *batch[] = {create_with_receipt(fake, new_key, "pay_1"),
                              create_with_receipt(fake, old_key, "pay_2"),
                              create_with_receipt(fake, new_key, "pay_3")};
  gateway_serve(fake_gateway_get(fake), batch, 3);
  assert_int_equal(batch[0]->response.status, 202);
  assert_problem(batch[1], 422, "payment-not-proven"); /* not signed by the key it names */
  assert_int_equal(batch[2]->response.status, 202);
  assert_int_equal(receipts.refreshed, 2);
  assert_int_equal(receipts.held, 0);
  jwt_keys_free(old_keys);
  jwt_keys_free(new_keys);
  EVP_PKEY_free(old_key);
  EVP_PKEY_free(new_key);
}

/* --- reading -------------------------------------------------------------------------------------------- */

static void test_read(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  struct exchange *exchange = get_order(fake, id);
  assert_int_equal(exchange->response.status, 200);
  assert_header(exchange, "ETag", "\"1\"");
  assert_header(exchange, "Cache-Control", "private, no-cache");
  assert_int_equal(exchange->hold_ms, 0);
  assert_text(fake_member(fake, exchange, "status"), "accepted");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  struct bytes etag = http_response_header(&get_order(fake, id)->response, "ETag");
  assert_views_equal(
      etag, arena_printf(&fake->world.arena, "\"%lld\"", (long long)fake_order(&fake->world, id)->version));
  fake->world.store.fails_loads = true;
  struct exchange *failed = get_order(fake, id);
  assert_problem(failed, 503, "overloaded");
  assert_header(failed, "Retry-After", "1");
}

static void test_conditional_requests(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  static const struct {
    const char *condition;
    int status;
  } cases[] = {
      {"\"1\"", 304}, {"W/\"1\"", 304}, {"\"0\", \"1\"", 304}, {"*", 304},       {" \"2\" ,W/\"1\" ", 304},
      {"\"2\"", 200}, {"1", 200},       {"\"11\"", 200},       {"w/\"1\"", 200}, {"\"1", 200},
      {"", 200}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = fake_request(fake, "GET", target_of(fake, id, "").data, "ada", FAKE_ALL_SCOPES);
    fake_header(exchange, "If-None-Match", bytes_of(cases[i].condition));
    fake_send(fake, exchange);
    assert_int_equal(exchange->response.status, cases[i].status);
    assert_header(exchange, "ETag", "\"1\"");
  }
}

/* --- waiting --------------------------------------------------------------------------------------------- */

static struct exchange *prefer(struct fake_gateway *fake, struct bytes id, const char *preference,
                               bool stopping) {
  struct exchange *exchange = fake_request(fake, "GET", target_of(fake, id, "").data, "ada", FAKE_ALL_SCOPES);
  fake_header(exchange, "Prefer", bytes_of(preference));
  exchange->stopping = stopping;
  fake_send(fake, exchange);
  assert_int_equal(exchange->response.status, 200);
  return exchange;
}

static void test_preferences(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  static const struct {
    const char *preference;
    int64_t hold_ms;
    const char *applied;
  } cases[] = {{"wait=5", 5000, "wait=5"},
               {"wait=6; x", 6000, "wait=6"},
               {"respond-async, Wait = 30 , x", 30000, "wait=30"},
               {"wait=31", 30000, "wait=30"},
               {"wait=18446744073709551615", 30000, "wait=30"},
               {"wait=0", 0, ""},
               {"wait=-1", 0, ""},
               {"wait=x", 0, ""},
               {"wait", 0, ""},
               {"waiting=5", 0, ""},
               {"return=minimal", 0, ""}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct exchange *exchange = prefer(fake, id, cases[i].preference, false);
    assert_int_equal(exchange->hold_ms, cases[i].hold_ms);
    assert_header(exchange, "Preference-Applied", cases[i].applied);
    if (cases[i].hold_ms > 0) assert_views_equal(bytes_from(exchange->hold_id, ORDER_ID_CHARACTERS), id);
  }
  /* A server that stops holds nothing. */
  assert_int_equal(prefer(fake, id, "wait=5", true)->hold_ms, 0);
}

/* The second answer stands alone, and is that of the order as it is then. */
static void test_held_and_served_again(void **state) {
  struct fake_gateway *fake = *state;
  fake->config.cors_origins = BYTES("https://shop.example");
  fake->config.customer_rate = fake->config.customer_burst = 100;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  struct exchange *exchange = fake_request(fake, "GET", target_of(fake, id, "").data, "ada", FAKE_ALL_SCOPES);
  fake_header(exchange, "Prefer", BYTES("wait=9"));
  fake_header(exchange, "Origin", BYTES("https://shop.example"));
  fake_send(fake, exchange);
  assert_int_equal(exchange->hold_ms, 9000);
  struct bytes trace = http_response_header(&exchange->response, "traceparent");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  gateway_serve(fake_gateway_get(fake), &exchange, 1);
  assert_int_equal(exchange->hold_ms, 9000); /* not final yet */
  fake_call(&fake->world, id, COMMAND_RECORD);
  fake_call(&fake->world, id, COMMAND_SHIP);
  gateway_serve(fake_gateway_get(fake), &exchange, 1);
  assert_int_equal(exchange->hold_ms, 0);
  assert_text(fake_member(fake, exchange, "status"), "completed");
  assert_views_equal(http_response_header(&exchange->response, "traceparent"), trace);
  static const char *const once[] = {"traceparent",
                                     "Content-Type",
                                     "ETag",
                                     "Cache-Control",
                                     "Vary",
                                     "Preference-Applied",
                                     "RateLimit",
                                     "RateLimit-Policy",
                                     "Access-Control-Allow-Origin"};
  for (size_t i = 0; i < COUNT_OF(once); i++) assert_int_equal(fake_header_count(exchange, once[i]), 1);
  /* Served again over a store that fails: a problem, whole, without the order's headers. */
  fake->world.store.fails_loads = true;
  gateway_serve(fake_gateway_get(fake), &exchange, 1);
  assert_problem(exchange, 503, "overloaded");
  assert_int_equal(fake_header_count(exchange, "ETag"), 0);
  assert_int_equal(fake_header_count(exchange, "Content-Type"), 1);
}

/* --- batches -----------------------------------------------------------------------------------------------
 */

/* All routes at once: each is answered for itself, and each kind asks the store once. */
static void test_mixed_batch(void **state) {
  struct fake_gateway *fake = *state;
  struct fake_world *w = &fake->world;
  struct gateway *gateway = fake_gateway_get(fake);
  struct bytes a = fake_accept(w, "ada", "pay_a"), b = fake_accept(w, "bob", "pay_b");
  struct exchange *all[] = {
      fake_request(fake, "GET", target_of(fake, a, "").data, "ada", FAKE_ALL_SCOPES),
      fake_request(fake, "POST", "/v1/orders", "ada", FAKE_ALL_SCOPES),
      fake_request(fake, "GET", target_of(fake, a, "/events").data, "ada", FAKE_ALL_SCOPES),
      fake_request(fake, "POST", target_of(fake, b, "/cancel").data, "bob", FAKE_ALL_SCOPES),
      fake_request(fake, "GET", "/v1/orders", "bob", FAKE_ALL_SCOPES),
      fake_request(fake, "POST", "/v1/orders", "bob", FAKE_ALL_SCOPES),
      fake_request(fake, "GET", target_of(fake, b, "").data, "bob", FAKE_ALL_SCOPES),
      fake_request(fake, "POST", target_of(fake, a, "/steps/ship/retry").data, "op", "orders:operate"),
      fake_request(fake, "GET", "/v1/attention", "op", "orders:operate"),
      fake_request(fake, "POST", "/v1/orders", "bob", FAKE_ALL_SCOPES),
  };
  static const int creates[] = {1, 5, 9};
  for (size_t i = 0; i < COUNT_OF(creates); i++) {
    fake_header(all[creates[i]], "Idempotency-Key", BYTES("new"));
    fake_body(all[creates[i]], i == 2 ? BYTES("{") : fake_retail(w, i ? "pay_d" : "pay_c", ""));
  }
  for (size_t i = 0; i < COUNT_OF(all); i++) assert_int_equal(gateway_open(gateway, all[i]), GATEWAY_SERVE);
  size_t commit_calls = w->store.commit_calls, load_calls = w->store.load_calls;
  gateway_serve(gateway, all, COUNT_OF(all));
  static const int statuses[] = {200, 202, 200, 202, 200, 202, 200, 409, 200, 400};
  for (size_t i = 0; i < COUNT_OF(all); i++) assert_int_equal(all[i]->response.status, statuses[i]);
  assert_views_equal(fake_member(fake, all[0], "id"), a);
  assert_views_equal(fake_member(fake, all[1], "id"), fake_id(w, "ada", "new"));
  assert_views_equal(fake_member(fake, all[3], "id"), b);
  assert_views_equal(fake_member(fake, all[5], "id"), fake_id(w, "bob", "new"));
  assert_text(fake_member(fake, all[3], "status"), "reversing");
  assert_int_equal(w->store.commit_calls - commit_calls, 2); /* creates; changes */
  assert_int_equal(w->store.load_calls - load_calls, 2);     /* reads; changes */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_gateway_set_up, fake_gateway_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_created),
      TEST(test_replayed),
      TEST(test_errors_of_a_body),
      TEST(test_store_that_refuses),
      TEST(test_receipt_keys_are_given_back),
      TEST(test_receipts_under_a_newer_key),
      TEST(test_read),
      TEST(test_conditional_requests),
      TEST(test_preferences),
      TEST(test_held_and_served_again),
      TEST(test_mixed_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
