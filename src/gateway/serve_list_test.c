/* Lists, events and attention: filters, cursors that lose and repeat nothing, what is refused. */
#include "base/encode.h"
#include "fake/gateway.h"
#include "function/call.h"
#include "wire/id.h"

static struct exchange *list_as(struct fake_gateway *fake, const char *query, const char *subject,
                                const char *scope) {
  const char *target = arena_printf(&fake->world.arena, "/v1/orders%s", query).data;
  struct exchange *exchange = fake_request(fake, "GET", target, subject, scope);
  fake_send(fake, exchange);
  return exchange;
}

static const struct json *body_of(struct fake_gateway *fake, const struct exchange *exchange) {
  struct json *root;
  struct bytes detail;
  assert_int_equal(exchange->response.status, 200);
  assert_true(json_parse(exchange->response.body, &fake->world.arena, &root, &detail));
  return root;
}

static size_t count_of(struct fake_gateway *fake, const char *query) {
  return json_member(body_of(fake, list_as(fake, query, "ada", "orders:read")), "orders")->count;
}

static void test_own_orders_only(void **state) {
  struct fake_gateway *fake = *state;
  fake_accept(&fake->world, "ada", "pay_1");
  fake_accept(&fake->world, "bob", "pay_2");
  const struct json *own = body_of(fake, list_as(fake, "", "ada", "orders:read"));
  assert_int_equal(json_member(own, "orders")->count, 1);
  assert_int_equal(json_member(own, "next_cursor")->type, JSON_NULL);
  assert_text(fake->world.store.last_query.customer, "ada");
  assert_int_equal(fake->world.store.last_query.limit, 50);
  assert_int_equal(json_member(body_of(fake, list_as(fake, "", "op", "orders:operate")), "orders")->count, 2);
  const struct json *filtered = body_of(fake, list_as(fake, "?customer=bob", "op", "orders:operate"));
  assert_int_equal(json_member(filtered, "orders")->count, 1);
  assert_problem(list_as(fake, "?customer=ada", "ada", "orders:read"), 403, "insufficient-scope");
}

static void test_filters(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  fake->world.clock.now_ms += 1000;
  fake_accept_body(&fake->world, "ada", "w", fake_wholesale(&fake->world, "po", ""));
  fake_call(&fake->world, id, COMMAND_RESERVE);
  assert_int_equal(count_of(fake, "?status=processing"), 1);
  assert_int_equal(count_of(fake, "?status=accepted&channel=wholesale"), 1);
  assert_int_equal(count_of(fake, "?status=accepted&channel=retail"), 0);
  assert_int_equal(count_of(fake, "?channel=retail"), 1);
  assert_int_equal(count_of(fake, "?from=2026-11-23T18:53:21Z"), 1);
  assert_int_equal(count_of(fake, "?to=2026-11-23T18:53:21Z"), 1); /* `to` is exclusive */
  assert_int_equal(count_of(fake, "?from=2026-11-23T19:53:20%2B01:00&to=2026-11-23T18:53:21.001Z"), 2);
}

static void test_refused_queries(void **state) {
  struct fake_gateway *fake = *state;
  static const char *const bad[] = {
      "?x=1",         "?limit=0", "?limit=201",   "?limit=",     "?limit=-1",      "?limit=1&limit=1",
      "?status=done", "?status=", "?channel=web", "?from=today", "?to=2026-11-23", "?cursor=x",
      "?cursor=AAAA", "?from",    "?limit=%zz",   "?&limit=1",   "?limit=5%00",    "?status=%ff",
      "?%ff",         "?%ff=1",   "?Limit=1"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct exchange *exchange = list_as(fake, bad[i], "ada", "orders:read");
    if (exchange->response.status != 400) fail_msg("%s", bad[i]);
    assert_problem(exchange, 400, "malformed-request");
  }
  assert_int_equal(fake->world.store.list_calls, 0);
}

/* Page by page, with more orders than pages at the same millisecond: each comes once, newest first. */
static void test_cursors_of_orders(void **state) {
  struct fake_gateway *fake = *state;
  enum { COUNT = 17 };
  for (int i = 0; i < COUNT; i++) {
    if (i % 6 == 5) fake->world.clock.now_ms++;
    fake_accept(&fake->world, "ada", arena_printf(&fake->world.arena, "pay_%d", i).data);
  }
  for (int limit = 1; limit <= COUNT + 1; limit++) {
    struct bytes seen[COUNT], cursor = {NULL, 0};
    size_t count = 0, pages = 0;
    do {
      struct bytes query =
          cursor.size ? arena_printf(&fake->world.arena, "?limit=%d&cursor=%.*s", limit, BYTES_PRINTF(cursor))
                      : arena_printf(&fake->world.arena, "?limit=%d", limit);
      const struct json *page = body_of(fake, list_as(fake, query.data, "ada", "orders:read"));
      for (const struct json *one = json_member(page, "orders")->first; one; one = one->next) {
        struct bytes id = json_member_text(one, "id");
        for (size_t i = 0; i < count; i++) assert_false(bytes_equal(seen[i], id));
        if (count > 0) {
          const struct order *before = fake_order(&fake->world, seen[count - 1]);
          assert_true(fake_order(&fake->world, id)->created_ms <= before->created_ms);
        }
        assert_true(count < COUNT);
        seen[count++] = id;
      }
      cursor = json_member_text(page, "next_cursor");
      pages++;
    } while (cursor.size > 0);
    assert_int_equal(count, COUNT);
    assert_int_equal(pages, (COUNT + limit - 1) / limit);
  }
}

/* A cursor is only text to whoever gets it: one that was made up is refused, never followed. */
static void test_cursors_made_up(void **state) {
  struct fake_gateway *fake = *state;
  struct arena *arena = &fake->world.arena;
  struct bytes id = fake_id(&fake->world, "ada", "k");
  const struct bytes plain[] = {
      arena_printf(arena, "%.*s.5.0", BYTES_PRINTF(id)),
      arena_printf(arena, "9223372036854775808.%.*s.0", BYTES_PRINTF(id)),
      arena_printf(arena, "-5.%.*s.0", BYTES_PRINTF(id)),
      arena_printf(arena, "5.%.*s", BYTES_PRINTF(id)),
      arena_printf(arena, "5.%.*s.6", BYTES_PRINTF(id)),
      arena_printf(arena, "5.%.*s.0.0", BYTES_PRINTF(id)),
      BYTES("5.ord_1.0"),
  };
  for (size_t i = 0; i < COUNT_OF(plain); i++) {
    struct bytes cursor = base64url_encode(plain[i], arena);
    const char *query = arena_printf(arena, "?cursor=%.*s", BYTES_PRINTF(cursor)).data;
    assert_problem(list_as(fake, query, "ada", "orders:read"), 400, "malformed-request");
  }
  struct bytes good = base64url_encode(arena_printf(arena, "5.%.*s.5", BYTES_PRINTF(id)), arena);
  assert_int_equal(count_of(fake, arena_printf(arena, "?cursor=%.*s", BYTES_PRINTF(good)).data), 0);
}

static void test_attention(void **state) {
  struct fake_gateway *fake = *state;
  enum { COUNT = 5 };
  for (int i = 0; i < COUNT; i++) {
    struct bytes id =
        fake_accept(&fake->world, i % 2 ? "ada" : "bob", arena_printf(&fake->world.arena, "p%d", i).data);
    fake_services_answer(&fake->world.services, 400, "{\"reason\":\"what\"}");
    if (i == 3) fake->world.clock.now_ms += 1500;
    fake_call(&fake->world, id, COMMAND_RESERVE);
  }
  struct bytes seen[COUNT], cursor = {NULL, 0};
  size_t count = 0;
  do {
    const char *target =
        cursor.size
            ? arena_printf(&fake->world.arena, "/v1/attention?limit=2&cursor=%.*s", BYTES_PRINTF(cursor)).data
            : "/v1/attention?limit=2";
    struct exchange *exchange = fake_request(fake, "GET", target, "op", "orders:operate");
    fake_send(fake, exchange);
    const struct json *page = body_of(fake, exchange);
    for (const struct json *one = json_member(page, "orders")->first; one; one = one->next) {
      assert_true(count < COUNT);
      seen[count] = json_member_text(one, "id");
      for (size_t i = 0; i < count; i++) assert_false(bytes_equal(seen[i], seen[count]));
      count++;
      assert_text(json_member_text(one, "step"), "reserve");
      assert_text(json_member_text(one, "command"), "reserve");
      assert_text(json_member_text(one, "detail"), "answered 400 Bad Request: what");
      assert_views_equal(json_member_text(one, "customer"),
                         fake_order(&fake->world, seen[count - 1])->customer);
    }
    cursor = json_member_text(page, "next_cursor");
  } while (cursor.size > 0);
  assert_int_equal(count, COUNT);
  static const char *const bad[] = {"?limit=0", "?cursor=x", "?status=accepted", "?limit=", "?cursor=%zz"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    const char *target = arena_printf(&fake->world.arena, "/v1/attention%s", bad[i]).data;
    struct exchange *exchange = fake_request(fake, "GET", target, "op", "orders:operate");
    fake_send(fake, exchange);
    assert_problem(exchange, 400, "malformed-request");
  }
}

static void test_events(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  const char *target = arena_printf(&fake->world.arena, "/v1/orders/%.*s/events", BYTES_PRINTF(id)).data;
  const struct json *events = json_member(body_of(fake, fake_get(fake, target, "ada")), "events");
  assert_int_equal((int64_t)events->count, fake_order(&fake->world, id)->version);
  int64_t sequence = 0;
  for (const struct json *one = events->first; one; one = one->next) {
    assert_int_equal(json_member_int64(one, "sequence", 0), ++sequence);
    assert_true(json_member_text(one, "type").size > 0 && json_member_text(one, "at").size == 24);
  }
  assert_text(json_member_text(events->first, "type"), "order.accepted");
  assert_int_equal(json_member(events->first, "step")->type, JSON_NULL);
  assert_problem(fake_get(fake, arena_printf(&fake->world.arena, "%s?x=1", target).data, "ada"), 400,
                 "malformed-request");
}

static void test_reads_that_fail(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  fake->world.store.fails_reads = true;
  const char *const targets[] = {
      "/v1/orders", "/v1/attention",
      arena_printf(&fake->world.arena, "/v1/orders/%.*s/events", BYTES_PRINTF(id)).data};
  for (size_t i = 0; i < COUNT_OF(targets); i++) {
    struct exchange *exchange = fake_request(fake, "GET", targets[i], "op", "orders:operate");
    fake_send(fake, exchange);
    assert_problem(exchange, 503, "overloaded");
    assert_header(exchange, "Retry-After", "1");
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_gateway_set_up, fake_gateway_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_own_orders_only), TEST(test_filters),
      TEST(test_refused_queries), TEST(test_cursors_of_orders),
      TEST(test_cursors_made_up), TEST(test_attention),
      TEST(test_events),          TEST(test_reads_that_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
