/* gateway_open: everything that is decided before a store is touched, in the order in which refusals
 * take precedence (contract section 5, "HTTP"). */
#include "gateway/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "wire/id.h"
#include "wire/trace.h"

enum { TOKEN_CACHE_ENTRIES = 16384 };

struct gateway *gateway_make(const struct gateway_config *config) {
  struct gateway *gateway = calloc(1, sizeof *gateway);
  if (!gateway) panic("out of memory");
  gateway->config = *config;
  gateway->tokens = token_cache_make(TOKEN_CACHE_ENTRIES);
  if (config->customer_rate > 0)
    gateway->limiter = rate_limiter_make(config->customer_rate, config->customer_burst);
  return gateway;
}

void gateway_free(struct gateway *gateway) {
  token_cache_free(gateway->tokens);
  rate_limiter_free(gateway->limiter);
  free(gateway);
}

void exchange_init(struct exchange *exchange) {
  memset(exchange, 0, sizeof *exchange);
  arena_init(&exchange->arena);
}

void exchange_release(struct exchange *exchange) { arena_release(&exchange->arena); }

void answer_problem_with(struct exchange *exchange, enum problem problem, struct bytes detail,
                         const struct problem_errors *errors) {
  problem_respond(problem, detail, errors, &exchange->arena, &exchange->response);
}

void answer_problem(struct exchange *exchange, enum problem problem, const char *detail) {
  answer_problem_with(exchange, problem, bytes_of(detail), NULL);
}

void answer_missing_scope(struct exchange *exchange, const char *scope, const char *detail) {
  answer_problem(exchange, PROBLEM_INSUFFICIENT_SCOPE, detail);
  http_response_add(
      &exchange->response, "WWW-Authenticate",
      arena_printf(&exchange->arena, "Bearer realm=\"spillway\", error=\"insufficient_scope\", scope=\"%s\"",
                   scope));
}

void answer_json(struct exchange *exchange, int status, struct bytes body) {
  exchange->response.status = status;
  exchange->response.body = body;
  http_response_add(&exchange->response, "Content-Type", BYTES("application/json"));
}

/* Continues the caller's trace, or begins one; the answer carries it. */
static void open_trace(struct gateway *gateway, struct exchange *exchange) {
  uint8_t random[24];
  struct bytes incoming = http_header_count(&exchange->request, "traceparent") == 1
                              ? http_header_value(&exchange->request, "traceparent")
                              : (struct bytes){NULL, 0};
  entropy_fill(gateway->config.functions->entropy, random, sizeof random);
  trace_continue(incoming, random, exchange->traceparent);
  http_response_add(&exchange->response, "traceparent", bytes_of(exchange->traceparent));
}

static void answer_readiness(struct gateway *gateway, struct exchange *exchange) {
  const char *why = gateway->config.unready ? gateway->config.unready(gateway->config.platform) : NULL;
  if (!why) {
    answer_json(exchange, 200, BYTES("{\"status\":\"ready\"}"));
    return;
  }
  answer_problem(exchange, PROBLEM_OVERLOADED, why);
  http_response_add(&exchange->response, "Retry-After", BYTES("1"));
}

static void answer_at_once(struct gateway *gateway, struct exchange *exchange) {
  struct text text;
  switch (exchange->route->id) {
    case ROUTE_HEALTHZ:
      answer_json(exchange, 200, BYTES("{\"status\":\"ok\"}"));
      return;
    case ROUTE_READYZ:
      answer_readiness(gateway, exchange);
      return;
    case ROUTE_OPENAPI:
      answer_json(exchange, 200, gateway->config.openapi);
      return;
    default:
      text_init(&text, &exchange->arena);
      if (gateway->config.write_metrics) gateway->config.write_metrics(gateway->config.platform, &text);
      exchange->response.status = 200;
      exchange->response.body = text_view(&text);
      http_response_add(&exchange->response, "Content-Type", BYTES("text/plain; version=0.0.4; charset=utf-8"));
  }
}

static bool within_rate(struct gateway *gateway, struct exchange *exchange) {
  const struct gateway_config *config = &gateway->config;
  if (!gateway->limiter || exchange->may_operate) return true;
  struct arena *arena = &exchange->arena;
  struct rate_state state =
      rate_limiter_take(gateway->limiter, exchange->customer, clock_monotonic_us(config->functions->clock));
  int64_t window = (config->customer_burst + config->customer_rate - 1) / config->customer_rate;
  http_response_add(
      &exchange->response, "RateLimit-Policy",
      arena_printf(arena, "\"customer\";q=%lld;w=%lld", (long long)config->customer_burst, (long long)window));
  http_response_add(&exchange->response, "RateLimit",
                    arena_printf(arena, "\"customer\";r=%lld;t=%lld", (long long)state.remaining,
                                 (long long)state.wait_seconds));
  if (state.allowed) return true;
  answer_problem(exchange, PROBLEM_RATE_LIMITED,
                 "too many requests of this customer; wait as Retry-After says");
  http_response_add(&exchange->response, "Retry-After",
                    arena_printf(arena, "%lld", (long long)state.wait_seconds));
  return false;
}

static bool within_scope(struct exchange *exchange) {
  static const char *const needed[] = {"", "orders:read", "orders:write", "orders:operate"};
  enum route_scope scope = exchange->route->scope;
  bool allowed = scope == SCOPE_READ      ? exchange->may_read || exchange->may_operate
                 : scope == SCOPE_WRITE   ? exchange->may_write
                 : scope == SCOPE_OPERATE ? exchange->may_operate
                                          : true;
  if (allowed) return true;
  answer_missing_scope(exchange, needed[scope],
                       arena_printf(&exchange->arena, "the scope %s is needed", needed[scope]).data);
  return false;
}

/* An id that was not derived for this customer does not exist for them, whatever the store holds. */
static bool may_see(struct gateway *gateway, struct exchange *exchange) {
  if (!exchange->route->names_order) return true;
  struct bytes id = exchange->parameters[0];
  bool own = id_belongs_to(gateway->config.functions->id_secret, id, exchange->customer);
  if (own || (exchange->may_operate && id_is_well_formed(id))) return true;
  answer_problem(exchange, PROBLEM_NOT_FOUND, "there is no such order");
  return false;
}

/* application/json, with no parameter but charset=utf-8. */
static bool is_json(struct bytes type) {
  size_t semicolon = bytes_find(type, ';', 0);
  struct bytes parameters = bytes_trim(bytes_slice(type, semicolon + 1, type.size));
  if (!bytes_equal_ignoring_case(bytes_trim(bytes_slice(type, 0, semicolon)), BYTES("application/json")))
    return false;
  return parameters.size == 0 || bytes_equal_ignoring_case(parameters, BYTES("charset=utf-8")) ||
         bytes_equal_ignoring_case(parameters, BYTES("charset=\"utf-8\""));
}

static bool body_is_acceptable(struct exchange *exchange) {
  const struct http_request *request = &exchange->request;
  if (request->body_too_large) {
    answer_problem(exchange, PROBLEM_BODY_TOO_LARGE, "the body must be at most 256 KiB");
    return false;
  }
  bool expected = exchange->route->body == BODY_REQUIRED ||
                  (exchange->route->body == BODY_OPTIONAL && request->body.size > 0);
  if (!expected ||
      (http_header_count(request, "Content-Type") == 1 && is_json(http_header_value(request, "Content-Type"))))
    return true;
  answer_problem(exchange, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "send the body with Content-Type: application/json");
  return false;
}

/* The token in a callback's URL is its only credential: no store is asked before it is checked. */
static bool callback_is_genuine(struct gateway *gateway, struct exchange *exchange) {
  struct http_parameter *parameters;
  size_t count = 0;
  struct bytes token = {NULL, 0};
  if (exchange->route->id != ROUTE_CALLBACK) return true;
  if (!http_query_parse(exchange->request.query, &exchange->arena, &parameters, &count)) count = 0;
  for (size_t i = 0; i < count && token.size == 0; i++)
    if (bytes_equal_string(parameters[i].name, "token")) token = parameters[i].value;
  const struct function_context *functions = gateway->config.functions;
  if (callback_token_check(functions->id_secret, exchange->parameters[0], exchange->parameters[1], token,
                           clock_now_ms(functions->clock), &exchange->arena))
    return true;
  answer_problem(exchange, PROBLEM_CALLBACK_REFUSED, "the token is not valid for this command, or has expired");
  return false;
}

static bool query_is_acceptable(struct exchange *exchange) {
  enum route_id id = exchange->route->id;
  if (id == ROUTE_LIST || id == ROUTE_ATTENTION || exchange->request.query.size == 0) return true;
  /* A callback has its token, and nothing else. */
  bool one = bytes_find(exchange->request.query, '&', 0) == exchange->request.query.size;
  if (id == ROUTE_CALLBACK && one) return true;
  answer_problem(exchange, PROBLEM_MALFORMED_REQUEST,
                 id == ROUTE_CALLBACK ? "a callback takes one query parameter, token"
                                      : "this resource takes no query parameters");
  return false;
}

static enum gateway_verdict answered(struct gateway *gateway, struct exchange *exchange) {
  cors_mark(gateway, exchange);
  return GATEWAY_ANSWERED;
}

static enum gateway_verdict open_unknown(struct gateway *gateway, struct exchange *exchange,
                                         struct bytes allow) {
  if (allow.size == 0) {
    answer_problem(exchange, PROBLEM_NOT_FOUND, "there is nothing at this path");
  } else if (!cors_preflight(gateway, exchange, allow)) {
    answer_problem(exchange, PROBLEM_METHOD_NOT_ALLOWED, "the methods allowed here are in the Allow header");
    http_response_add(&exchange->response, "Allow", allow);
  }
  return answered(gateway, exchange);
}

enum gateway_verdict gateway_open(struct gateway *gateway, struct exchange *exchange) {
  struct bytes allow;
  exchange->response = (struct http_response){.close = exchange->response.close};
  open_trace(gateway, exchange);
  exchange->route = route_find(exchange->request.method, exchange->request.path, gateway->config.serves_api,
                               gateway->config.serves_admin, &exchange->arena, exchange->parameters, &allow);
  if (!exchange->route) return open_unknown(gateway, exchange, allow);
  bool public = exchange->route->scope == SCOPE_NONE && exchange->route->id != ROUTE_CALLBACK;
  if (!public && exchange->route->id != ROUTE_CALLBACK) {
    enum gateway_verdict verdict = authenticate(gateway, exchange);
    if (verdict == GATEWAY_ANSWERED) return answered(gateway, exchange);
    if (verdict == GATEWAY_NEEDS_KEYS) {
      cors_mark(gateway, exchange);
      return verdict;
    }
    if (!within_rate(gateway, exchange)) return answered(gateway, exchange);
  }
  if (!within_scope(exchange) || !callback_is_genuine(gateway, exchange) || !may_see(gateway, exchange) ||
      !body_is_acceptable(exchange) || !query_is_acceptable(exchange) ||
      (exchange->route->id == ROUTE_CREATE && !read_idempotency_key(exchange)))
    return answered(gateway, exchange);
  if (!public) return GATEWAY_SERVE;
  answer_at_once(gateway, exchange);
  return answered(gateway, exchange);
}

void gateway_refresh_keys(struct gateway *gateway) {
  for (size_t i = 0; i < gateway->config.token_keys_count; i++) {
    const struct gateway_keys *source = &gateway->config.token_keys[i];
    if (source->refresh) source->refresh(source->context);
  }
}

void gateway_refuse_overload(struct gateway *gateway, struct exchange *exchange, const char *cause) {
  exchange->response = (struct http_response){.close = exchange->response.close};
  if (!exchange->traceparent[0])
    open_trace(gateway, exchange);
  else
    http_response_add(&exchange->response, "traceparent", bytes_of(exchange->traceparent));
  answer_problem(exchange, PROBLEM_OVERLOADED,
                 "too much is waiting; send the same request again after Retry-After");
  http_response_add(&exchange->response, "Retry-After", BYTES("1"));
  cors_mark(gateway, exchange);
  telemetry_count(gateway->config.functions->telemetry, METRIC_OVERLOADS, cause, NULL, 1);
}

void gateway_refuse_framing(struct gateway *gateway, struct exchange *exchange, enum problem problem,
                            const char *detail) {
  exchange->response = (struct http_response){.close = exchange->response.close};
  open_trace(gateway, exchange);
  answer_problem(exchange, problem, detail);
}

static const char *status_label(int status) {
  static const struct {
    int status;
    const char *label;
  } labels[] = {{200, "200"}, {202, "202"}, {204, "204"}, {304, "304"}, {400, "400"}, {401, "401"},
                {403, "403"}, {404, "404"}, {405, "405"}, {409, "409"}, {413, "413"}, {415, "415"},
                {422, "422"}, {429, "429"}, {431, "431"}, {500, "500"}, {503, "503"}};
  for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
    if (labels[i].status == status) return labels[i].label;
  return "other";
}

void gateway_account(struct gateway *gateway, const struct exchange *exchange) {
  const struct function_context *functions = gateway->config.functions;
  const char *route = exchange->route ? exchange->route->label : "unknown";
  telemetry_count(functions->telemetry, METRIC_REQUESTS, route, status_label(exchange->response.status), 1);
  if (exchange->route && exchange->route->id == ROUTE_CREATE)
    telemetry_observe(functions->telemetry, METRIC_ACCEPT_SECONDS,
                      exchange->response.status == 202 ? "accepted" : "refused",
                      (double)(clock_monotonic_us(functions->clock) - exchange->started_us) / 1e6);
}
