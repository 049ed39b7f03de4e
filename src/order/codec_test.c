#include "order/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "order/step.h"

static struct arena arena;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

static struct bytes written(const struct order *order) {
  struct text text;
  text_init(&text, &arena);
  order_state_write(order, &text);
  return text_view(&text);
}

static void assert_bytes_equal(struct bytes a, struct bytes b) {
  if (!bytes_equal(a, b)) fail_msg("\"%.*s\" is not \"%.*s\"", BYTES_PRINTF(a), BYTES_PRINTF(b));
}

static void assert_slots_equal(const struct order_slot *a, const struct order_slot *b) {
  assert_int_equal(a->state, b->state);
  assert_int_equal(a->unsettled, b->unsettled);
  assert_int_equal(a->by_hand, b->by_hand);
  assert_int_equal(a->refused, b->refused);
  assert_int_equal(a->attempts, b->attempts);
  assert_int_equal(a->dispatch_version, b->dispatch_version);
  assert_int_equal(a->since_ms, b->since_ms);
  assert_int_equal(a->deadline_ms, b->deadline_ms);
  assert_bytes_equal(a->reference, b->reference);
  assert_bytes_equal(a->reason, b->reason);
}

static void assert_round_trip(const struct order *order) {
  struct order read = {.id = BYTES("kept"), .revision = 77, .created_ms = 5, .reason = BYTES("old")};
  read.slots[0].attempts = 9;
  assert_true(order_state_read(written(order), &arena, &read));
  assert_int_equal(read.status, order->status);
  assert_int_equal(read.target, order->target);
  assert_int_equal(read.version, order->version);
  assert_int_equal(read.updated_ms, order->updated_ms);
  assert_bytes_equal(read.reason, order->reason);
  for (size_t i = 0; i < COMMAND_COUNT; i++) assert_slots_equal(&read.slots[i], &order->slots[i]);
  assert_bytes_equal(read.id, BYTES("kept"));
  assert_int_equal(read.revision, 77);
  assert_int_equal(read.created_ms, 5);
}

static struct order usual_order(void) {
  struct order order = {.status = ORDER_REVERSING,
                        .target = ORDER_REJECTED,
                        .version = 14,
                        .reason = BYTES("out_of_stock"),
                        .updated_ms = 1795460000123};
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    order.slots[i] = (struct order_slot){.state = SLOT_DONE,
                                         .attempts = 2,
                                         .dispatch_version = 9,
                                         .since_ms = 1795460000123,
                                         .deadline_ms = 1795460000123 + 86400000,
                                         .reference = BYTES("ref_0123456789abcdef")};
  return order;
}

static void states_come_back(void **state) {
  (void)state;
  assert_round_trip(&(struct order){.version = 1});
  struct order order = usual_order();
  assert_round_trip(&order);
  for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
    order.status = (enum order_status)status;
    order.target = (enum order_status)(ORDER_STATUS_COUNT - 1 - status);
    assert_round_trip(&order);
  }
  for (int slot_state = 0; slot_state < SLOT_STATE_COUNT; slot_state++) {
    order.slots[slot_state % COMMAND_COUNT] = (struct order_slot){.state = (enum slot_state)slot_state};
    assert_round_trip(&order);
  }
}

static void odd_values_come_back(void **state) {
  (void)state;
  struct order order = usual_order();
  order.version = INT64_MAX;
  order.updated_ms = INT64_MIN;
  order.reason = BYTES("a\0\"\\\n\x1F\xC3\xA9\xF0\x9F\x9A\x80");
  order.slots[COMMAND_REFUND].unsettled = true;
  order.slots[COMMAND_SHIP].by_hand = true;
  order.slots[COMMAND_RECALL] = (struct order_slot){.refused = true}; /* idle, and yet not the default */
  assert_round_trip(&order);
}

static void a_usual_state_is_small(void **state) {
  (void)state;
  struct order order = usual_order();
  assert_true(written(&order).size <= 1024);
  assert_true(written(&(struct order){.version = 1}).size <= 32);
}

/* The stored form is a promise to the data that exists: this text may not change. */
static void the_stored_form_stays(void **state) {
  (void)state;
  struct order order = {.status = ORDER_ATTENTION,
                        .target = ORDER_CANCELLED,
                        .version = 3,
                        .updated_ms = 7,
                        .reason = BYTES("why")};
  order.slots[COMMAND_RESERVE] =
      (struct order_slot){SLOT_ATTENTION, true, true, true, 1, 2, 3, 4, BYTES("r"), BYTES("w")};
  assert_bytes_equal(
      written(&order),
      BYTES("{\"s\":\"attention\",\"t\":\"cancelled\",\"v\":3,\"u\":7,\"r\":\"why\",\"c\":{\"reserve\":"
            "{\"s\":\"attention\",\"n\":1,\"d\":2,\"at\":3,\"by\":4,\"ref\":\"r\",\"why\":\"w\","
            "\"open\":true,\"hand\":true,\"no\":true}}}"));
}

static void garbage_is_no_state(void **state) {
  (void)state;
  const char *const texts[] = {
      "",
      "null",
      "[]",
      "{}",
      "x",
      "{\"s\":\"accepted\",\"v\":1}",
      "{\"s\":\"accepted\",\"c\":{}}",
      "{\"s\":\"accepted\",\"v\":0,\"c\":{}}",
      "{\"v\":1,\"c\":{}}",
      "{\"s\":\"lost\",\"v\":1,\"c\":{}}",
      "{\"s\":1,\"v\":1,\"c\":{}}",
      "{\"s\":\"accepted\",\"v\":\"1\",\"c\":{}}",
      "{\"s\":\"accepted\",\"v\":1.0,\"c\":{}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":[]}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{},\"z\":1}",
      "{\"s\":\"accepted\",\"v\":1,\"t\":\"x\",\"c\":{}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"pay\":{\"s\":\"done\"}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":{}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":1}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":{\"s\":\"gone\"}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":{\"s\":\"done\",\"ref\":1}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":{\"s\":\"done\",\"open\":1}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{\"ship\":{\"s\":\"done\",\"q\":1}}}",
      "{\"s\":\"accepted\",\"v\":1,\"c\":{}} x",
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct order order = {.version = 42};
    if (order_state_read(bytes_of(texts[i]), &arena, &order)) fail_msg("taken: %s", texts[i]);
    assert_int_equal(order.version, 42);
  }
}

/* Cut short or with any byte changed, it is refused or read, and never more than that. */
static void damaged_states_do_no_harm(void **state) {
  (void)state;
  struct order order = usual_order(), read;
  struct bytes whole = written(&order);
  for (size_t i = 0; i < whole.size; i++) {
    assert_false(order_state_read(bytes_slice(whole, 0, i), &arena, &read));
    char *damaged = arena_string(&arena, whole);
    damaged[i] = (char)(damaged[i] ^ (1 << i % 8));
    (void)!order_state_read(bytes_from(damaged, whole.size), &arena, &read);
  }
}

static void events_come_back(void **state) {
  (void)state;
  const struct order_event events[] = {{.sequence = 1, .type = BYTES("order.accepted"), .at_ms = 1795460000123},
                                       {.sequence = 2,
                                        .type = BYTES("reserve.refused"),
                                        .at_ms = -5,
                                        .status = ORDER_REVERSING,
                                        .step = BYTES("reserve"),
                                        .detail = BYTES("out of \"stock\"\n")}};
  for (size_t count = 0; count <= 2; count++) {
    struct text text;
    text_init(&text, &arena);
    order_events_write(events, count, &text);
    struct order_event *read;
    size_t read_count = 9;
    assert_true(order_events_read(text_view(&text), &arena, &read, &read_count));
    assert_int_equal(read_count, count);
    for (size_t i = 0; i < count; i++) {
      assert_int_equal(read[i].sequence, events[i].sequence);
      assert_int_equal(read[i].at_ms, events[i].at_ms);
      assert_int_equal(read[i].status, events[i].status);
      assert_bytes_equal(read[i].type, events[i].type);
      assert_bytes_equal(read[i].step, events[i].step);
      assert_bytes_equal(read[i].detail, events[i].detail);
    }
  }
}

static void garbage_is_no_events(void **state) {
  (void)state;
  const char *const texts[] = {"",
                               "{}",
                               "[1]",
                               "[{}]",
                               "[{\"n\":1,\"t\":\"x\"}]",
                               "[{\"n\":1,\"s\":\"accepted\"}]",
                               "[{\"n\":0,\"t\":\"x\",\"s\":\"accepted\"}]",
                               "[{\"n\":1,\"t\":\"x\",\"s\":\"accepted\",\"y\":1}]"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct order_event *events;
    size_t count;
    if (order_events_read(bytes_of(texts[i]), &arena, &events, &count)) fail_msg("taken: %s", texts[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(states_come_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(odd_values_come_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_usual_state_is_small, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_stored_form_stays, set_up, tear_down),
      cmocka_unit_test_setup_teardown(garbage_is_no_state, set_up, tear_down),
      cmocka_unit_test_setup_teardown(damaged_states_do_no_harm, set_up, tear_down),
      cmocka_unit_test_setup_teardown(events_come_back, set_up, tear_down),
      cmocka_unit_test_setup_teardown(garbage_is_no_events, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
