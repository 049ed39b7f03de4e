#include "fake/gateway.h"

#include <stdlib.h>

#include "base/log.h"

static const struct jwt_keys *acquire(void *context, uint64_t *ret_generation, void **ret_hold) {
  struct fake_keys *keys = context;
  *ret_generation = keys->generation;
  *ret_hold = keys->keys ? keys : NULL;
  keys->held += keys->keys != NULL;
  keys->acquired++;
  return keys->keys;
}

static void release(void *hold) { ((struct fake_keys *)hold)->held--; }

static void refresh(void *context) {
  struct fake_keys *keys = context;
  keys->refreshed++;
  if (!keys->next) return;
  keys->keys = keys->next;
  keys->generation++;
}

struct gateway_keys fake_keys_source(struct fake_keys *keys, bool can_refresh) {
  return (struct gateway_keys){
      .context = keys, .acquire = acquire, .release = release, .refresh = can_refresh ? refresh : NULL};
}

static const char *unready(void *platform) { return ((struct fake_gateway *)platform)->unready; }
static void write_metrics(void *platform, struct text *text) {
  (void)platform;
  text_append(text, BYTES("spillway_up 1\n"));
}

int fake_gateway_set_up(void **state) {
  struct fake_gateway *fake = calloc(1, sizeof *fake);
  struct failure failure;
  if (!fake) return -1;
  log_set_level(LOG_ERROR); /* the lines of each refusal are no use here */
  fake_world_init(&fake->world);
  if (!jwt_keys_from_secret(BYTES(FAKE_SECRET), &fake->owned, &failure)) return -1;
  fake->token_keys = (struct fake_keys){.keys = fake->owned, .generation = 1};
  fake->config = (struct gateway_config){
      .functions = &fake->world.context,
      .token_keys = {fake_keys_source(&fake->token_keys, false)},
      .token_keys_count = 1,
      .openapi = BYTES("{\"openapi\":\"3.1.0\"}"),
      .serves_api = true,
      .serves_admin = true,
      .platform = fake,
      .write_metrics = write_metrics,
      .unready = unready,
  };
  *state = fake;
  return 0;
}

int fake_gateway_tear_down(void **state) {
  struct fake_gateway *fake = *state;
  int held = fake->token_keys.held;
  for (size_t i = 0; i < fake->exchange_count; i++) {
    exchange_release(fake->exchanges[i]);
    free(fake->exchanges[i]);
  }
  if (fake->gateway) gateway_free(fake->gateway);
  jwt_keys_free(fake->owned);
  fake_world_release(&fake->world);
  free(fake);
  return held; /* every key set taken was given back */
}

struct gateway *fake_gateway_get(struct fake_gateway *fake) {
  if (!fake->gateway) fake->gateway = gateway_make(&fake->config);
  return fake->gateway;
}

struct bytes fake_bearer_of(struct fake_gateway *fake, const char *payload_json) {
  struct bytes token = jwt_sign_hs256(BYTES(FAKE_SECRET), bytes_of(payload_json), &fake->world.arena);
  return arena_printf(&fake->world.arena, "Bearer %.*s", BYTES_PRINTF(token));
}

struct bytes fake_bearer(struct fake_gateway *fake, const char *subject, const char *scope) {
  long long expires = fake->world.clock.now_ms / 1000 + 3600;
  return fake_bearer_of(fake, arena_printf(&fake->world.arena, "{\"sub\":\"%s\",\"scope\":\"%s\",\"exp\":%lld}",
                                           subject, scope, expires)
                                  .data);
}

struct exchange *fake_request(struct fake_gateway *fake, const char *method, const char *target,
                              const char *subject, const char *scope) {
  struct exchange *exchange = calloc(1, sizeof *exchange);
  assert_true(exchange && fake->exchange_count < COUNT_OF(fake->exchanges));
  exchange_init(exchange);
  fake->exchanges[fake->exchange_count++] = exchange;
  struct bytes whole = arena_copy(&fake->world.arena, bytes_of(target));
  size_t question = bytes_find(whole, '?', 0);
  exchange->request.method = http_method_from(bytes_of(method));
  exchange->request.path = bytes_slice(whole, 0, question);
  exchange->request.query = bytes_slice(whole, question + 1, whole.size);
  exchange->started_us = fake->world.clock.monotonic_us;
  if (subject) fake_header(exchange, "Authorization", fake_bearer(fake, subject, scope));
  return exchange;
}

void fake_header(struct exchange *exchange, const char *name, struct bytes value) {
  struct http_request *request = &exchange->request;
  struct http_header *headers = ARENA_ARRAY(&exchange->arena, request->header_count + 1, struct http_header);
  if (request->header_count) memcpy(headers, request->headers, request->header_count * sizeof *headers);
  headers[request->header_count++] = (struct http_header){bytes_of(name), value};
  request->headers = headers;
}

void fake_body(struct exchange *exchange, struct bytes body) {
  fake_header(exchange, "Content-Type", BYTES("application/json"));
  exchange->request.body = body;
}

void fake_send(struct fake_gateway *fake, struct exchange *exchange) {
  struct gateway *gateway = fake_gateway_get(fake);
  if (gateway_open(gateway, exchange) == GATEWAY_SERVE) gateway_serve(gateway, &exchange, 1);
}

struct exchange *fake_get(struct fake_gateway *fake, const char *target, const char *subject) {
  struct exchange *exchange = fake_request(fake, "GET", target, subject, FAKE_ALL_SCOPES);
  fake_send(fake, exchange);
  return exchange;
}

struct exchange *fake_post(struct fake_gateway *fake, const char *target, const char *subject,
                           struct bytes body) {
  struct exchange *exchange = fake_request(fake, "POST", target, subject, FAKE_ALL_SCOPES);
  if (body.size) fake_body(exchange, body);
  fake_send(fake, exchange);
  return exchange;
}

struct exchange *fake_create(struct fake_gateway *fake, const char *subject, const char *key,
                             struct bytes body) {
  struct exchange *exchange = fake_request(fake, "POST", "/v1/orders", subject, FAKE_ALL_SCOPES);
  fake_header(exchange, "Idempotency-Key", bytes_of(key));
  fake_body(exchange, body);
  fake_send(fake, exchange);
  return exchange;
}

void check_problem(const struct exchange *exchange, int status, const char *code, const char *file, int line) {
  struct json *root = NULL;
  struct bytes detail;
  struct arena arena;
  const struct http_response *response = &exchange->response;
  arena_init(&arena);
  bool good = response->status == status && json_parse(response->body, &arena, &root, &detail) &&
              bytes_equal_string(json_member_text(root, "code"), code) &&
              json_member_int64(root, "status", 0) == status && json_member_text(root, "detail").size > 0 &&
              bytes_equal_string(http_response_header(response, "Content-Type"), "application/problem+json");
  arena_release(&arena);
  if (good) return;
  print_error("%d %.*s\n  is not %d %s\n", response->status, BYTES_PRINTF(response->body), status, code);
  _fail(file, line);
}

size_t fake_header_count(const struct exchange *exchange, const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < exchange->response.header_count; i++)
    count += bytes_equal_ignoring_case(exchange->response.headers[i].name, bytes_of(name));
  return count;
}

struct bytes fake_member(struct fake_gateway *fake, const struct exchange *exchange, const char *name) {
  struct json *root;
  struct bytes detail;
  assert_true(json_parse(exchange->response.body, &fake->world.arena, &root, &detail));
  const struct json *member = json_member(root, name);
  return member ? member->text : (struct bytes){NULL, 0};
}
