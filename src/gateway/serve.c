/* gateway_serve: the functions behind the routes, in batches of one route each. */
#include "gateway/internal.h"

#include "base/log.h"
#include "function/accept.h"
#include "gateway/view.h"
#include "wire/id.h"
#include "wire/trace.h"

enum { WAIT_SECONDS_MAX = 30 };

static void log_served(const struct exchange *exchange, const char *event, struct bytes order_id,
                       const char *code) {
  log_event(exchange->response.status >= 500 ? LOG_WARN : LOG_INFO, event, LOG_TEXT("order", order_id),
            LOG_INT("status", exchange->response.status), LOG_STRING("code", code),
            LOG_TEXT("trace", trace_id(bytes_of(exchange->traceparent))));
}

static void answer_accepted(struct exchange *exchange, const struct accept_reply *reply) {
  struct arena *arena = &exchange->arena;
  answer_json(exchange, 202, view_accepted(reply->order, arena));
  http_response_add(&exchange->response, "Location",
                    arena_printf(arena, "/v1/orders/%.*s", BYTES_PRINTF(reply->order->id)));
  if (reply->replayed) http_response_add(&exchange->response, "Idempotent-Replayed", BYTES("true"));
  log_served(exchange, reply->replayed ? "order_replayed" : "order_accepted", reply->order->id, NULL);
}

static void answer_refused(struct exchange *exchange, const struct accept_reply *reply) {
  if (reply->problem == PROBLEM_INSUFFICIENT_SCOPE)
    answer_missing_scope(exchange, "orders:wholesale", "a wholesale order needs the scope orders:wholesale");
  else
    answer_problem_with(exchange, reply->problem, reply->detail, &reply->errors);
  if (reply->problem == PROBLEM_OVERLOADED) http_response_add(&exchange->response, "Retry-After", BYTES("1"));
  log_served(exchange, "order_refused", (struct bytes){NULL, 0}, problem_code(reply->problem));
}

static void accept_with_receipt_keys(struct gateway *gateway, struct accept_request *requests, size_t count,
                                     struct accept_reply *ret_replies) {
  const struct gateway_keys *receipts = &gateway->config.receipt_keys;
  uint64_t generation;
  void *hold = NULL;
  const struct jwt_keys *keys =
      receipts->context ? receipts->acquire(receipts->context, &generation, &hold) : NULL;
  for (size_t i = 0; i < count; i++) requests[i].receipt_keys = keys;
  accept_run(gateway->config.functions, requests, count, ret_replies);
  if (keys) receipts->release(hold);
}

/* Receipts signed with a key that is not known yet are judged once more with newer keys, which are
 * fetched at a bounded rate (that is the source's concern). */
static void accept_again_with_newer_keys(struct gateway *gateway, struct accept_request *requests, size_t count,
                                         struct accept_reply *replies) {
  const struct gateway_keys *receipts = &gateway->config.receipt_keys;
  bool refreshed = false;
  for (size_t i = 0; i < count; i++) {
    if (!replies[i].receipt_key_unknown || !receipts->refresh) continue;
    if (!refreshed) receipts->refresh(receipts->context);
    refreshed = true;
    accept_with_receipt_keys(gateway, &requests[i], 1, &replies[i]);
  }
}

void serve_create(struct gateway *gateway, struct exchange **exchanges, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct accept_request *requests = ARENA_ARRAY(&arena, count, struct accept_request);
  struct accept_reply *replies = ARENA_ARRAY(&arena, count, struct accept_reply);
  for (size_t i = 0; i < count; i++)
    requests[i] = (struct accept_request){.customer = exchanges[i]->customer,
                                          .idempotency_key = exchanges[i]->idempotency_key,
                                          .body = exchanges[i]->request.body,
                                          .traceparent = bytes_of(exchanges[i]->traceparent),
                                          .may_write_wholesale = exchanges[i]->may_write_wholesale,
                                          .receipts_expected = gateway->config.receipt_keys.context != NULL,
                                          .arena = &exchanges[i]->arena};
  accept_with_receipt_keys(gateway, requests, count, replies);
  accept_again_with_newer_keys(gateway, requests, count, replies);
  for (size_t i = 0; i < count; i++) {
    if (replies[i].problem == PROBLEM_NONE)
      answer_accepted(exchanges[i], &replies[i]);
    else
      answer_refused(exchanges[i], &replies[i]);
  }
  arena_release(&arena);
}

/* "wait=N" of a Prefer header (RFC 7240 section 4.3), in ms; 0 where there is none. */
static int64_t preferred_wait_ms(const struct exchange *exchange) {
  struct bytes list = http_header_value(&exchange->request, "Prefer"), item;
  unsigned long long seconds;
  while (bytes_next_part(&list, ',', &item)) {
    size_t equals = bytes_find(item, '=', 0);
    if (!bytes_equal_ignoring_case(bytes_trim(bytes_slice(item, 0, equals)), BYTES("wait"))) continue;
    struct bytes value = bytes_slice(item, equals + 1, bytes_find(item, ';', 0));
    if (!bytes_to_uint64(bytes_trim(value), &seconds)) return 0;
    return (int64_t)(seconds > WAIT_SECONDS_MAX ? WAIT_SECONDS_MAX : seconds) * 1000;
  }
  return 0;
}

/* Weak comparison (RFC 9110 section 13.1.2). */
static bool none_match_has(struct bytes list, struct bytes etag) {
  struct bytes item;
  while (bytes_next_part(&list, ',', &item)) {
    item = bytes_trim(item);
    if (bytes_starts_with(item, BYTES("W/"))) item = bytes_slice(item, 2, item.size);
    if (bytes_equal(item, etag) || bytes_equal_string(item, "*")) return true;
  }
  return false;
}

/* `body` is the order as it is now, `etag` names that state. */
static void answer_state(struct exchange *exchange, struct bytes body, struct bytes etag, bool is_final) {
  int64_t wait_ms = preferred_wait_ms(exchange);
  exchange->hold_ms = is_final || exchange->stopping ? 0 : wait_ms;
  memcpy(exchange->hold_id, exchange->parameters[0].data, ORDER_ID_CHARACTERS);
  bool unchanged = none_match_has(http_header_value(&exchange->request, "If-None-Match"), etag);
  /* A 304 has the header of the 200, its Content-Length too; the server leaves the body out. */
  answer_json(exchange, unchanged ? 304 : 200, body);
  http_response_add(&exchange->response, "ETag", etag);
  http_response_add(&exchange->response, "Cache-Control", BYTES("private, no-cache"));
  if (wait_ms > 0)
    http_response_add(&exchange->response, "Preference-Applied",
                      arena_printf(&exchange->arena, "wait=%lld", (long long)wait_ms / 1000));
}

static void answer_order(struct exchange *exchange, const struct order *order) {
  struct bytes etag = arena_printf(&exchange->arena, "\"%lld\"", (long long)order->version);
  answer_state(exchange, view_order(order, &exchange->arena), etag, order_status_is_final(order->status));
}

/* What gateway_open put into the answer (trace, rate limit, CORS) stays; a request that is served a
 * second time after waiting must not carry the first answer's headers as well. */
static void forget_answer(struct exchange *exchange, size_t opened_headers) {
  exchange->response.status = 0;
  exchange->response.body = (struct bytes){NULL, 0};
  exchange->response.header_count = opened_headers;
}

static size_t opened_headers(const struct exchange *exchange) {
  size_t count = 0;
  while (count < exchange->response.header_count &&
         !bytes_equal_string(exchange->response.headers[count].name, "Content-Type") &&
         !bytes_equal_string(exchange->response.headers[count].name, "ETag"))
    count++;
  return count;
}

bool waits_in_intake(const struct gateway *gateway, const struct exchange *exchange) {
  const struct function_context *functions = gateway->config.functions;
  return functions->intake && id_belongs_to(functions->id_secret, exchange->parameters[0], exchange->customer);
}

static void answer_missing(struct gateway *gateway, struct exchange *exchange) {
  if (!waits_in_intake(gateway, exchange)) {
    answer_problem(exchange, PROBLEM_NOT_FOUND, "there is no such order");
    return;
  }
  /* Its first version in the table says more, so it has an entity tag of its own. */
  answer_state(exchange, view_waiting(exchange->parameters[0], exchange->customer, &exchange->arena),
               BYTES("\"waiting\""), false);
  http_response_add(&exchange->response, "Retry-After", BYTES("1"));
}

void serve_get(struct gateway *gateway, struct exchange **exchanges, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct bytes *ids = ARENA_ARRAY(&arena, count, struct bytes);
  struct store_loaded *loaded = ARENA_ARRAY(&arena, count, struct store_loaded);
  for (size_t i = 0; i < count; i++) ids[i] = exchanges[i]->parameters[0];
  store_load(gateway->config.functions->store, ids, count, STORE_LOAD_WHOLE, &arena, loaded);
  for (size_t i = 0; i < count; i++) {
    struct exchange *exchange = exchanges[i];
    exchange->hold_ms = 0;
    forget_answer(exchange, opened_headers(exchange));
    if (loaded[i].status == LOAD_FOUND) {
      answer_order(exchange, loaded[i].order);
    } else if (loaded[i].status == LOAD_MISSING) {
      answer_missing(gateway, exchange);
    } else {
      answer_problem(exchange, PROBLEM_OVERLOADED, "the store could not be read; try again");
      http_response_add(&exchange->response, "Retry-After", BYTES("1"));
    }
  }
  arena_release(&arena);
}

typedef void one_handler(struct gateway *gateway, struct exchange *exchange);

static void serve_each(struct gateway *gateway, struct exchange **exchanges, size_t count,
                       one_handler *handler) {
  for (size_t i = 0; i < count; i++) handler(gateway, exchanges[i]);
}

static void serve_route(struct gateway *gateway, enum route_id id, struct exchange **exchanges, size_t count) {
  switch (id) {
    case ROUTE_CREATE:
      serve_create(gateway, exchanges, count);
      return;
    case ROUTE_GET:
      serve_get(gateway, exchanges, count);
      return;
    case ROUTE_LIST:
      serve_each(gateway, exchanges, count, serve_list);
      return;
    case ROUTE_EVENTS:
      serve_each(gateway, exchanges, count, serve_events);
      return;
    case ROUTE_ATTENTION:
      serve_each(gateway, exchanges, count, serve_attention);
      return;
    default:
      serve_changes(gateway, exchanges, count);
  }
}

/* Changes of any kind go to the store as one batch; so do the exchanges of each other route. */
static enum route_id group_of(const struct exchange *exchange) {
  enum route_id id = exchange->route->id;
  return id == ROUTE_RETRY || id == ROUTE_SKIP || id == ROUTE_CALLBACK ? ROUTE_CANCEL : id;
}

void gateway_serve(struct gateway *gateway, struct exchange **exchanges, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct exchange **group = ARENA_ARRAY(&arena, count, struct exchange *);
  for (size_t id = 0; id < ROUTE_COUNT; id++) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
      if (group_of(exchanges[i]) == id) group[size++] = exchanges[i];
    if (size == 0) continue;
    serve_route(gateway, (enum route_id)id, group, size);
    for (size_t i = 0; i < size; i++) cors_mark(gateway, group[i]);
  }
  arena_release(&arena);
}
