/* Whole requests (gateway/gateway.h). The input is a request line, header lines, an empty line and a body; the
 * token "ada", "bob", "reader" or "operator" stands for a good one of theirs. The store has two orders of
 * ada's. The answer is well formed, the same in the same world, and tells nobody else of ada's orders. */
#include "fuzz.h"
#include "gateway_world.h"

enum { HEADERS_MAX = 64 };

static struct bytes authorization(struct gateway_world *world, struct bytes value) {
  static const struct {
    const char *name, *scope;
  } people[] = {{"ada", FAKE_ALL_SCOPES},
                {"bob", FAKE_ALL_SCOPES},
                {"reader", "orders:read"},
                {"operator", "orders:operate orders:read orders:write"}};
  for (size_t i = 0; i < COUNT_OF(people); i++)
    if (bytes_equal_string(value, people[i].name))
      return fake_bearer(world->fake, people[i].name, people[i].scope);
  return value;
}

static void read_request(struct gateway_world *world, struct bytes input, struct exchange *exchange) {
  struct http_request *request = &exchange->request;
  struct bytes rest = input, line = {NULL, 0};
  (void)bytes_next_part(&rest, '\n', &line);
  size_t space = bytes_find(line, ' ', 0);
  struct bytes target = bytes_slice(line, space + 1, line.size);
  size_t question = bytes_find(target, '?', 0);
  request->method = http_method_from(bytes_slice(line, 0, space));
  request->path = bytes_slice(target, 0, question);
  request->query = bytes_slice(target, question + 1, target.size);
  while (bytes_next_part(&rest, '\n', &line) && line.size > 0 && request->header_count < HEADERS_MAX) {
    size_t colon = bytes_find(line, ':', 0);
    char *name = arena_string(&exchange->arena, bytes_slice(line, 0, colon));
    struct bytes value = bytes_trim(bytes_slice(line, colon + 1, line.size));
    if (bytes_equal_ignoring_case(bytes_of(name), BYTES("authorization"))) value = authorization(world, value);
    fake_header(exchange, name, value);
  }
  request->body_too_large = rest.size > GATEWAY_BODY_BYTES_MAX;
  if (!request->body_too_large) request->body = rest;
}

/* What ada has is for ada and for operators. */
static void check_privacy(const struct exchange *exchange, struct bytes id) {
  const struct http_response *response = &exchange->response;
  if (exchange->may_operate || bytes_equal_string(exchange->customer, "ada")) return;
  if (response->status == 404 || response->status == 409 || response->status < 400)
    ensure(!fuzz_holds(response->body, id) && !fuzz_holds(http_response_header(response, "Location"), id));
}

/* The answer as one text, in a world of its own. */
static struct bytes answer_of(struct gateway_world *world, struct bytes input, struct arena *arena) {
  struct exchange exchange, *batch = &exchange;
  struct text text;
  gateway_world_reset(world);
  struct bytes first = fake_accept(&world->fake->world, "ada", "pay-1");
  struct bytes second = fake_accept(&world->fake->world, "ada", "pay-2");
  exchange_init(&exchange);
  read_request(world, input, &exchange);
  if (gateway_open(world->gateway, &exchange) == GATEWAY_SERVE) {
    ensure(exchange.route != NULL);
    gateway_serve(world->gateway, &batch, 1);
  }
  gateway_world_check_answer(&exchange.response, arena);
  check_privacy(&exchange, first);
  check_privacy(&exchange, second);
  text_init(&text, arena);
  text_printf(&text, "%d\n", exchange.response.status);
  for (size_t i = 0; i < exchange.response.header_count; i++) {
    text_append(&text, exchange.response.headers[i].value);
    text_append_char(&text, '\n');
  }
  text_append(&text, exchange.response.body);
  exchange_release(&exchange);
  return text_view(&text);
}

FUZZ_TARGET(input, arena) {
  struct gateway_world *world = gateway_world_get();
  struct bytes answer = answer_of(world, input, arena);
  ensure(bytes_equal(answer, answer_of(world, input, arena)));
}
