/* Query strings and cursors: the input is the query of every reading route, for a customer and an operator. A
 * customer's list asks the store for no one else's orders, and the next page's cursor is good. */
#include "fuzz.h"
#include "gateway_world.h"

static struct exchange *get(struct gateway_world *world, const char *path, struct bytes query, const char *who,
                            struct arena *arena) {
  struct exchange *exchange = ARENA_NEW(arena, struct exchange);
  bool is_operator = strcmp(who, "operator") == 0;
  exchange_init(exchange);
  exchange->request = (struct http_request){.method = HTTP_GET, .path = bytes_of(path), .query = query};
  fake_header(exchange, "Authorization",
              fake_bearer(world->fake, who, is_operator ? "orders:operate" : "orders:read"));
  if (gateway_open(world->gateway, exchange) == GATEWAY_SERVE) gateway_serve(world->gateway, &exchange, 1);
  gateway_world_check_answer(&exchange->response, arena);
  return exchange;
}

static void follow(struct gateway_world *world, const char *path, const struct exchange *page, const char *who,
                   struct arena *arena) {
  const struct json *cursor = json_member(fuzz_json(page->response.body, arena), "next_cursor");
  ensure(cursor != NULL);
  if (cursor->type == JSON_NULL) return;
  struct bytes query = arena_printf(arena, "cursor=%.*s", BYTES_PRINTF(cursor->text));
  struct exchange *next = get(world, path, query, who, arena);
  ensure(next->response.status == 200);
  exchange_release(next);
}

static void check(struct gateway_world *world, const char *path, struct bytes query, const char *who,
                  struct arena *arena) {
  struct fake_store *store = &world->fake->world.store;
  bool is_ada = strcmp(who, "ada") == 0;
  size_t lists = store->list_calls;
  struct exchange *first = get(world, path, query, who, arena);
  if (is_ada && store->list_calls > lists) ensure(bytes_equal_string(store->last_query.customer, "ada"));
  if (is_ada && first->response.status < 400) ensure(!fuzz_holds(first->response.body, BYTES("bob")));
  struct exchange *second = get(world, path, query, who, arena);
  ensure(first->response.status == second->response.status);
  ensure(bytes_equal(first->response.body, second->response.body));
  if (first->response.status == 200)
    follow(world, path, first, who, arena);
  else
    ensure(first->response.status == 400 || (first->response.status == 403 && is_ada));
  exchange_release(first);
  exchange_release(second);
}

FUZZ_TARGET(input, arena) {
  struct gateway_world *world = gateway_world_get();
  gateway_world_reset(world);
  for (int i = 0; i < 3; i++)
    (void)fake_accept(&world->fake->world, i ? "ada" : "bob", i == 1 ? "pay-1" : i ? "pay-2" : "pay-3");
  check(world, "/v1/orders", input, "ada", arena);
  check(world, "/v1/orders", input, "operator", arena);
  check(world, "/v1/attention", input, "operator", arena);
}
