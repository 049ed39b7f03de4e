/* api: an HTTP event in, an HTTP answer out, through the same gateway as on one machine. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/keys.h"
#include "bootstrap/ports.h"
#include "gateway/config.h"
#include "gateway/openapi.h"
#include "platform/aws/http_event.h"

enum {
  MARGIN_MS = 300,          /* kept for the answer itself */
  TABLE_PATIENCE_MS = 2500, /* for a table that does not answer */
  INTAKE_RESERVE_MS = 1500, /* of the invocation's time, for that */
  HOLD_LOOK_MS = 250,       /* Prefer: wait looks at the table so often */
};

struct api {
  struct ports ports;
  struct gateway *gateway;
  struct keys *secret, *jwks, *receipts;
  struct arena arena; /* of one exchange after the other: its memory is kept between them */
};

static void write_metrics(void *platform, struct text *text) {
  (void)platform;
  text_append_string(text, "# On AWS the metrics are in CloudWatch, namespace Spillway.\n");
}

static bool open_keys(struct api *api, struct gateway_config *config, struct failure *ret_failure) {
  const struct aws_settings *settings = &api->ports.settings;
  struct aws_client *client = api->ports.client;
  config->believes_claims = settings->authorizer == AUTHORIZER_GATEWAY;
  if (!config->believes_claims && !settings->jwt_secret_file && !settings->jwks)
    return failure_set(ret_failure,
                       "who may call? Set SPILLWAY_AUTHORIZER=gateway, SPILLWAY_JWKS or "
                       "SPILLWAY_JWT_SECRET_FILE");
  if (settings->jwt_secret_file) {
    if (!keys_from_secret(client, settings->jwt_secret_file, &api->secret, ret_failure)) return false;
    config->token_keys[config->token_keys_count++] = keys_for_gateway(api->secret);
  }
  if (settings->jwks) {
    if (!keys_from_jwks(client, settings->jwks, &api->jwks, ret_failure)) return false;
    config->token_keys[config->token_keys_count++] = keys_for_gateway(api->jwks);
  }
  if (settings->receipt_jwks) {
    if (!keys_from_jwks(client, settings->receipt_jwks, &api->receipts, ret_failure)) return false;
    config->receipt_keys = keys_for_gateway(api->receipts);
  }
  return true;
}

static void api_close(void *self) {
  struct api *api = self;
  if (api->gateway) gateway_free(api->gateway);
  keys_free(api->secret);
  keys_free(api->jwks);
  keys_free(api->receipts);
  ports_close(&api->ports);
  arena_release(&api->arena);
  free(api);
}

static bool api_open(void **ret_self, struct failure *ret_failure) {
  struct api *api = calloc(1, sizeof *api);
  if (!api) panic("out of memory");
  const struct aws_settings *settings = &api->ports.settings;
  struct gateway_config config = {.functions = &api->ports.functions,
                                  .openapi = openapi_document,
                                  .serves_api = true,
                                  .serves_admin = true,
                                  .write_metrics = write_metrics};
  if (!ports_open(&api->ports, NEEDS_TABLE | NEEDS_INTAKE | NEEDS_ID_SECRET, ret_failure) ||
      !open_keys(api, &config, ret_failure)) {
    api_close(api);
    return false;
  }
  config.token_policy.issuer = bytes_of(settings->jwt_issuer);
  config.token_policy.audience = bytes_of(settings->jwt_audience);
  config.cors_origins = bytes_of(settings->cors_origins);
  api->gateway = gateway_make(&config);
  *ret_self = api;
  return true;
}

/* The table gets its time, and the intake what is left of the invocation's. */
static void set_deadlines(struct api *api, const struct invocation *invocation,
                          const struct exchange *exchange) {
  bool may_spill =
      exchange->request.method == HTTP_POST && bytes_equal_string(exchange->request.path, "/v1/orders");
  int64_t patience_ms = may_spill ? api->ports.settings.spill_after_ms : TABLE_PATIENCE_MS;
  int64_t table_ms = clock_now_ms(api->ports.functions.clock) + patience_ms;
  ports_begin(&api->ports, invocation, MARGIN_MS);
  if (invocation->deadline_ms != INT64_MAX && table_ms > invocation->deadline_ms - INTAKE_RESERVE_MS)
    table_ms = invocation->deadline_ms - INTAKE_RESERVE_MS;
  aws_client_set_deadline(api->ports.client, AWS_DYNAMODB, table_ms);
}

/* Prefer: wait. Nobody tells this environment of changes, so it looks, for as long as the invocation lasts. */
static void hold(struct api *api, const struct invocation *invocation, struct exchange *exchange) {
  struct clock *clock = api->ports.functions.clock;
  while (exchange->hold_ms > 0) {
    int64_t waited_ms = (clock_monotonic_us(clock) - exchange->started_us) / 1000;
    if (waited_ms >= exchange->hold_ms) return;
    aws_client_set_deadline(api->ports.client, AWS_DYNAMODB, invocation->deadline_ms - 2 * INTAKE_RESERVE_MS);
    int64_t left_ms = exchange->hold_ms - waited_ms;
    if (!aws_client_pause(api->ports.client, AWS_DYNAMODB, left_ms < HOLD_LOOK_MS ? left_ms : HOLD_LOOK_MS))
      return;
    set_deadlines(api, invocation, exchange);
    gateway_serve(api->gateway, &exchange, 1);
  }
}

static void serve(struct api *api, const struct invocation *invocation, struct exchange *exchange) {
  enum gateway_verdict verdict = gateway_open(api->gateway, exchange);
  if (verdict == GATEWAY_NEEDS_KEYS) {
    gateway_refresh_keys(api->gateway);
    verdict = gateway_open(api->gateway, exchange);
  }
  if (verdict == GATEWAY_SERVE) {
    set_deadlines(api, invocation, exchange);
    gateway_serve(api->gateway, &exchange, 1);
    hold(api, invocation, exchange);
  }
  gateway_account(api->gateway, exchange);
}

static void api_handle(void *self, const struct invocation *invocation, struct invocation_result *ret_result) {
  struct api *api = self;
  struct exchange exchange;
  struct http_event event;
  struct failure failure;
  exchange_init(&exchange);
  exchange.arena = api->arena;
  exchange.started_us = clock_monotonic_us(api->ports.functions.clock);
  if (!http_event_read(invocation->event, &exchange.arena, &event, &failure)) {
    ports_refuse_event(invocation, &failure, ret_result);
  } else {
    exchange.request = event.request;
    exchange.claims.given = event.claims.present;
    exchange.claims.subject = event.claims.subject;
    exchange.claims.scope = event.claims.scope;
    serve(api, invocation, &exchange);
    ret_result->body = http_event_answer(&event, &exchange.response, invocation->arena);
  }
  ports_end(&api->ports);
  api->arena = exchange.arena;
  arena_reset(&api->arena);
}

const struct handler handler_api = {.name = "api", .open = api_open, .handle = api_handle, .close = api_close};
