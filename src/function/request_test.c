/* The requests that carry commands: who is told what, and what stays the same on every attempt. */
#include "function/request.h"
#include "fake/world.h"
#include "wire/id.h"
#include "wire/json.h"

static const char *const names[COMMAND_COUNT] = {"reserve", "release", "record", "refund", "ship", "recall"};

static struct service_call request(struct fake_world *w, const struct order *order,
                                   enum order_command command) {
  struct service_call call;
  request_make(&w->context, order, command, &w->arena, &call);
  return call;
}

/* An order of which everything was done and is being undone. */
static struct order undone_order(struct fake_world *w, struct bytes id) {
  struct order order = *fake_order(w, id);
  order.target = ORDER_CANCELLED;
  order.reason = BYTES("changed my mind");
  for (int i = 0; i < COMMAND_COUNT; i++)
    order.slots[i] = (struct order_slot){.state = i % 2 ? SLOT_WAITING : SLOT_DONE,
                                         .deadline_ms = FAKE_NOW_MS + 1000 + i,
                                         .reference = i % 2 ? (struct bytes){NULL, 0} : BYTES("ref-\"1\"")};
  return order;
}

static void test_head(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct order order = undone_order(w, id);
  for (int i = 0; i < COMMAND_COUNT; i++) {
    struct service_call call = request(w, &order, (enum order_command)i);
    assert_int_equal(call.service, (enum service)(i / 2));
    assert_false(call.is_lookup);
    assert_views_equal(call.path, arena_printf(&w->arena, "/%s", names[i]));
    assert_views_equal(call.key, arena_printf(&w->arena, "%.*s.%s", BYTES_PRINTF(id), names[i]));
    struct bytes start =
        arena_printf(&w->arena, "https://shop.example/v1/callbacks/%.*s/%s?token=", BYTES_PRINTF(id), names[i]);
    assert_true(bytes_starts_with(call.callback_url, start));
    struct bytes token = bytes_slice(call.callback_url, start.size, call.callback_url.size);
    int64_t expires_ms = FAKE_NOW_MS + 1000 + i;
    assert_true(
        callback_token_check(w->context.id_secret, id, bytes_of(names[i]), token, expires_ms - 1, &w->arena));
    assert_false(
        callback_token_check(w->context.id_secret, id, bytes_of(names[i]), token, expires_ms, &w->arena));
    /* The order's trace, a span of its own. */
    assert_holds(call.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-");
    assert_lacks(call.traceparent, "00f067aa0ba902b7");
    assert_int_equal(call.traceparent.size, 55);
    /* On another attempt all but the span is the same. */
    struct service_call again = request(w, &order, (enum order_command)i);
    assert_views_equal(again.key, call.key);
    assert_views_equal(again.body, call.body);
    assert_views_equal(again.callback_url, call.callback_url);
    assert_false(bytes_equal(again.traceparent, call.traceparent));
  }
}

#define COMMON(customer, channel)                                                                            \
  ",\"customer\":\"" customer "\",\"channel\":\"" channel                                                    \
  "\",\"currency\":\"GBP\",\"lines\":[{\"sku\":\"85123A\",\"quantity\":6,\"unit_price\":255}],\"subtotal\":" \
  "1530,"                                                                                                    \
  "\"discount\":0,\"coupon\":\"\",\"shipping\":0,\"tax\":0,\"total\":1530"
#define SHIP_TO                                             \
  ",\"ship_to\":{\"name\":\"A. Hart\",\"line1\":\"1 High "  \
  "St\",\"line2\":\"\",\"city\":\"Leeds\",\"region\":\"\"," \
  "\"postcode\":\"LS1 4AP\",\"country\":\"GB\"}"
#define UNDO ",\"reference\":\"ref-\\\"1\\\"\",\"reason\":\"changed my mind\""

static void test_bodies(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct order order = undone_order(w, id);
  static const char *const rest[COMMAND_COUNT] = {
      COMMON("ada", "retail") "}",
      COMMON("ada", "retail") UNDO "}",
      COMMON("ada", "retail") ",\"payment\":{\"reference\":\"pay_1\"}}",
      COMMON("ada", "retail") ",\"payment\":{\"reference\":\"pay_1\"}" UNDO ",\"recorded\":true}",
      COMMON("ada", "retail") SHIP_TO "}",
      COMMON("ada", "retail") SHIP_TO UNDO "}",
  };
  for (int i = 0; i < COMMAND_COUNT; i++)
    assert_views_equal(request(w, &order, (enum order_command)i).body,
                       arena_printf(&w->arena, "{\"id\":\"%.*s\"%s", BYTES_PRINTF(id), rest[i]));
  /* What was never recorded, or was passed over by hand, is refunded as such. */
  static const enum slot_state unrecorded[] = {SLOT_WAITING, SLOT_REFUSED, SLOT_SKIPPED};
  for (size_t i = 0; i < COUNT_OF(unrecorded); i++) {
    order.slots[COMMAND_RECORD].state = unrecorded[i];
    assert_holds(request(w, &order, COMMAND_REFUND).body, "\"recorded\":false}");
  }
}

static void test_wholesale_on_terms(void **state) {
  struct fake_world *w = *state;
  fake_accept_body(w, "acme", "k", fake_wholesale(w, "po-7", ",\"terms_days\":30"));
  const struct order *order = fake_order(w, fake_id(w, "acme", "k"));
  assert_holds(request(w, order, COMMAND_RECORD).body, ",\"purchase_order\":\"po-7\",\"terms_days\":30}");
  assert_lacks(request(w, order, COMMAND_RECORD).body, "payment");
  assert_lacks(request(w, order, COMMAND_RESERVE).body, "po-7");
  assert_lacks(request(w, order, COMMAND_RESERVE).body, "ship_to");
}

static void test_lookup(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct service_call call;
  request_make_lookup(&w->context, fake_order(w, id), COMMAND_SHIP, &w->arena, &call);
  assert_true(call.is_lookup);
  assert_int_equal(call.service, SERVICE_FULFILMENT);
  assert_views_equal(call.path, arena_printf(&w->arena, "/commands/%.*s.ship", BYTES_PRINTF(id)));
  assert_int_equal(call.body.size + call.key.size + call.callback_url.size, 0);
  assert_holds(call.traceparent, "4bf92f3577b34da6a3ce929d0e0e4736");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {TEST(test_head), TEST(test_bodies), TEST(test_wholesale_on_terms),
                                     TEST(test_lookup)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
