/* GET /v1/orders, /v1/orders/{id}/events and /v1/attention: one exchange at a time, reads only. */
#include "gateway/internal.h"

#include "base/encode.h"
#include "base/time.h"
#include "gateway/view.h"
#include "order/step.h"
#include "wire/id.h"

enum { LIMIT_DEFAULT = 50 };

static bool refuse(struct exchange *exchange, const char *detail, struct bytes name) {
  answer_problem_with(exchange, PROBLEM_MALFORMED_REQUEST,
                      arena_printf(&exchange->arena, "%s: %.*s", detail, BYTES_PRINTF(name)), NULL);
  return false;
}

static void unavailable(struct exchange *exchange) {
  answer_problem(exchange, PROBLEM_OVERLOADED, "the store could not be read; try again");
  http_response_add(&exchange->response, "Retry-After", BYTES("1"));
}

/* A cursor is base64url of "<creation time>.<order id>" with a further ".<command>" for attention. */
static struct bytes write_cursor(struct arena *arena, int64_t ms, struct bytes id, int command) {
  struct bytes plain = arena_printf(arena, "%lld.%.*s.%d", (long long)ms, BYTES_PRINTF(id), command);
  return base64url_encode(plain, arena);
}

static bool read_cursor(struct bytes text, struct arena *arena, int64_t *ret_ms, struct bytes *ret_id,
                        int *ret_command) {
  struct bytes rest, ms, id, command;
  unsigned long long number, index;
  if (!base64url_decode(text, arena, &rest) || !bytes_next_part(&rest, '.', &ms) ||
      !bytes_next_part(&rest, '.', &id) || !bytes_next_part(&rest, '.', &command) || rest.data)
    return false;
  if (!bytes_to_uint64(ms, &number) || number > INT64_MAX || !id_is_well_formed(id) ||
      !bytes_to_uint64(command, &index) || index >= COMMAND_COUNT)
    return false;
  *ret_ms = (int64_t)number;
  *ret_id = id;
  *ret_command = (int)index;
  return true;
}

static bool read_limit(struct bytes value, size_t *ret_limit) {
  unsigned long long limit;
  if (!bytes_to_uint64(value, &limit) || limit < 1 || limit > STORE_PAGE_MAX) return false;
  *ret_limit = (size_t)limit;
  return true;
}

static bool read_channel(struct bytes value, enum order_channel *ret_channel) {
  for (int i = 0; i < CHANNEL_COUNT; i++) {
    if (!bytes_equal_string(value, order_channel_name(i))) continue;
    *ret_channel = (enum order_channel)i;
    return true;
  }
  return false;
}

static bool set_parameter(struct exchange *exchange, const struct http_parameter *parameter,
                          struct store_query *query) {
  struct bytes name = parameter->name, value = parameter->value, id;
  int command;
  if (bytes_equal_string(name, "status")) {
    query->has_status = true;
    return order_status_parse(value, &query->status) || refuse(exchange, "not a status", name);
  }
  if (bytes_equal_string(name, "channel")) {
    query->has_channel = true;
    return read_channel(value, &query->channel) || refuse(exchange, "must be retail or wholesale", name);
  }
  if (bytes_equal_string(name, "from"))
    return time_parse(value, &query->from_ms) || refuse(exchange, "must be a time of RFC 3339", name);
  if (bytes_equal_string(name, "to"))
    return time_parse(value, &query->to_ms) || refuse(exchange, "must be a time of RFC 3339", name);
  if (bytes_equal_string(name, "limit"))
    return read_limit(value, &query->limit) || refuse(exchange, "must be 1 to 200", name);
  if (bytes_equal_string(name, "cursor")) {
    query->has_cursor = true;
    if (!read_cursor(value, &exchange->arena, &query->cursor_ms, &id, &command))
      return refuse(exchange, "not a cursor of this list", name);
    memcpy(query->cursor_id, id.data, ORDER_ID_CHARACTERS);
    return true;
  }
  if (!bytes_equal_string(name, "customer")) return refuse(exchange, "unknown query parameter", name);
  if (!exchange->may_operate) {
    answer_missing_scope(exchange, "orders:operate", "the filter customer needs the scope orders:operate");
    return false;
  }
  query->customer = value;
  return true;
}

/* Splits the query; unknown, repeated and empty parameters are refused (contract section 5, "HTTP"). */
static bool read_parameters(struct exchange *exchange, struct http_parameter **ret_parameters,
                            size_t *ret_count) {
  if (!http_query_parse(exchange->request.query, &exchange->arena, ret_parameters, ret_count))
    return refuse(exchange, "a broken percent escape", BYTES("query"));
  for (size_t i = 0; i < *ret_count; i++) {
    const struct http_parameter *parameter = &(*ret_parameters)[i];
    size_t code_points;
    if (!bytes_count_code_points(parameter->name, &code_points) ||
        !bytes_count_code_points(parameter->value, &code_points))
      return refuse(exchange, "not UTF-8", BYTES("query"));
    if (parameter->value.size == 0) return refuse(exchange, "empty query parameter", parameter->name);
    for (size_t j = 0; j < i; j++)
      if (bytes_equal(parameter->name, (*ret_parameters)[j].name))
        return refuse(exchange, "repeated query parameter", parameter->name);
  }
  return true;
}

void serve_list(struct gateway *gateway, struct exchange *exchange) {
  struct http_parameter *parameters;
  struct failure failure;
  struct store_page page;
  size_t count;
  struct store_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = LIMIT_DEFAULT};
  if (!exchange->may_operate) query.customer = exchange->customer;
  if (!read_parameters(exchange, &parameters, &count)) return;
  for (size_t i = 0; i < count; i++)
    if (!set_parameter(exchange, &parameters[i], &query)) return;
  if (!store_list(gateway->config.functions->store, &query, &exchange->arena, &page, &failure)) {
    unavailable(exchange);
    return;
  }
  struct bytes cursor = {NULL, 0};
  if (page.more)
    cursor = write_cursor(&exchange->arena, page.cursor_ms, bytes_from(page.cursor_id, ORDER_ID_CHARACTERS), 0);
  answer_json(exchange, 200, view_orders(page.orders, page.count, cursor, &exchange->arena));
}

void serve_events(struct gateway *gateway, struct exchange *exchange) {
  struct order_event *events;
  struct failure failure;
  size_t count;
  if (!store_events(gateway->config.functions->store, exchange->parameters[0], &exchange->arena, &events,
                    &count, &failure))
    unavailable(exchange);
  else if (count == 0 && waits_in_intake(gateway, exchange))
    unavailable(exchange);
  else if (count == 0)
    answer_problem(exchange, PROBLEM_NOT_FOUND, "there is no such order");
  else
    answer_json(exchange, 200, view_events(events, count, &exchange->arena));
}

void serve_attention(struct gateway *gateway, struct exchange *exchange) {
  struct http_parameter *parameters;
  struct failure failure;
  struct store_attention_page page;
  struct store_attention after;
  bool has_after = false;
  size_t count, limit = LIMIT_DEFAULT;
  int command = 0;
  if (!read_parameters(exchange, &parameters, &count)) return;
  for (size_t i = 0; i < count; i++) {
    struct bytes name = parameters[i].name;
    if (bytes_equal_string(name, "limit")) {
      if (read_limit(parameters[i].value, &limit)) continue;
      refuse(exchange, "must be 1 to 200", name);
    } else if (bytes_equal_string(name, "cursor")) {
      after = (struct store_attention){.command = COMMAND_RESERVE};
      has_after =
          read_cursor(parameters[i].value, &exchange->arena, &after.since_ms, &after.order_id, &command);
      after.command = (enum order_command)command;
      if (has_after) continue;
      refuse(exchange, "not a cursor of this list", name);
    } else {
      refuse(exchange, "unknown query parameter", name);
    }
    return;
  }
  if (!store_list_attention(gateway->config.functions->store, has_after ? &after : NULL, limit,
                            &exchange->arena, &page, &failure)) {
    unavailable(exchange);
    return;
  }
  struct bytes cursor = {NULL, 0};
  if (page.more && page.count > 0) {
    const struct store_attention *last = &page.entries[page.count - 1];
    cursor = write_cursor(&exchange->arena, last->since_ms, last->order_id, (int)last->command);
  }
  answer_json(exchange, 200, view_attention(page.entries, page.count, cursor, &exchange->arena));
}
