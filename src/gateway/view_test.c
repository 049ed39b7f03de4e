/* The JSON that the API shows, whole: contract section 5, "Shapes". */
#include "gateway/view.h"
#include "fake/world.h"
#include "order/step.h"

static const struct json *step_of(const struct json *order, size_t index) {
  const struct json *step = json_member(order, "steps")->first;
  while (index-- > 0) step = step->next;
  return step;
}

static const struct json *shown(struct fake_world *w, const struct order *order) {
  struct json *root;
  struct bytes detail;
  assert_true(json_parse(view_order(order, &w->arena), &w->arena, &root, &detail));
  return root;
}

static void test_whole_order(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  fake_call(w, id, COMMAND_RESERVE);
  w->clock.now_ms += 1234;
  fake_services_answer(&w->services, 202, "");
  fake_call(w, id, COMMAND_RECORD);
  assert_views_equal(
      view_order(fake_order(w, id), &w->arena),
      arena_printf(
          &w->arena,
          "{\"id\":\"%.*s\",\"customer\":\"ada\",\"status\":\"processing\",\"version\":6,\"reason\":null,"
          "\"channel\":\"retail\",\"currency\":\"GBP\","
          "\"lines\":[{\"sku\":\"85123A\",\"quantity\":6,\"unit_price\":255}],\"discount\":0,\"coupon\":\"\","
          "\"shipping\":0,\"tax\":0,\"total\":1530,\"payment\":{\"reference\":\"pay_1\"},"
          "\"ship_to\":{\"name\":\"A. Hart\",\"line1\":\"1 High St\",\"line2\":\"\",\"city\":\"Leeds\","
          "\"region\":\"\",\"postcode\":\"LS1 4AP\",\"country\":\"GB\"},\"subtotal\":1530,\"steps\":["
          "{\"name\":\"reserve\",\"service\":\"inventory\",\"state\":\"done\",\"attempts\":1,"
          "\"reference\":\"ref\",\"undo_reference\":null,\"reason\":null},"
          "{\"name\":\"record\",\"service\":\"accounting\",\"state\":\"pending\",\"attempts\":1,"
          "\"reference\":null,\"undo_reference\":null,\"reason\":null},"
          "{\"name\":\"ship\",\"service\":\"fulfilment\",\"state\":\"waiting\",\"attempts\":0,"
          "\"reference\":null,\"undo_reference\":null,\"reason\":null}],\"refund\":null,"
          "\"created_at\":\"2026-11-23T18:53:20.000Z\",\"updated_at\":\"2026-11-23T18:53:21.234Z\"}",
          BYTES_PRINTF(id)));
}

/* A step shows its undo once that is under way, and each state the contract knows. */
static void test_step_states(void **state) {
  struct fake_world *w = *state;
  struct order order = *fake_order(w, fake_accept(w, "ada", "pay_1"));
  static const struct {
    enum slot_state forth, back;
    const char *state;
  } cases[] = {
      {SLOT_WAITING, SLOT_IDLE, "waiting"},     {SLOT_RUNNING, SLOT_IDLE, "running"},
      {SLOT_PENDING, SLOT_IDLE, "pending"},     {SLOT_DONE, SLOT_IDLE, "done"},
      {SLOT_REFUSED, SLOT_IDLE, "refused"},     {SLOT_SKIPPED, SLOT_IDLE, "skipped"},
      {SLOT_ATTENTION, SLOT_IDLE, "attention"}, {SLOT_DONE, SLOT_WAITING, "done"},
      {SLOT_DONE, SLOT_RUNNING, "undoing"},     {SLOT_DONE, SLOT_PENDING, "undoing"},
      {SLOT_DONE, SLOT_DONE, "undone"},         {SLOT_DONE, SLOT_SKIPPED, "skipped"},
      {SLOT_DONE, SLOT_ATTENTION, "attention"}, {SLOT_REFUSED, SLOT_DONE, "refused"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    order.slots[COMMAND_SHIP] = (struct order_slot){
        .state = cases[i].forth, .attempts = 2, .reference = BYTES("out"), .reason = BYTES("forth")};
    order.slots[COMMAND_RECALL] = (struct order_slot){
        .state = cases[i].back, .attempts = 3, .reference = BYTES("back"), .reason = BYTES("back")};
    const struct json *step = step_of(shown(w, &order), 2);
    assert_text(json_member_text(step, "state"), cases[i].state);
    bool undoing = cases[i].forth == SLOT_DONE && cases[i].back != SLOT_IDLE;
    assert_int_equal(json_member_int64(step, "attempts", 0), undoing ? 3 : 2);
    assert_text(json_member_text(step, "reason"), undoing ? "back" : "forth");
    assert_text(json_member_text(step, "reference"), "out");
    assert_text(json_member_text(step, "undo_reference"), "back");
  }
}

static void test_refund(void **state) {
  struct fake_world *w = *state;
  struct order order = *fake_order(w, fake_accept(w, "ada", "pay_1"));
  assert_int_equal(json_member(shown(w, &order), "refund")->type, JSON_NULL);
  order.target = ORDER_REJECTED;
  static const struct {
    enum slot_state state;
    const char *shown;
  } cases[] = {{SLOT_IDLE, "waiting"},       {SLOT_WAITING, "waiting"}, {SLOT_RUNNING, "running"},
               {SLOT_PENDING, "pending"},    {SLOT_DONE, "done"},       {SLOT_SKIPPED, "done"},
               {SLOT_ATTENTION, "attention"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    order.slots[COMMAND_REFUND].state = cases[i].state;
    order.slots[COMMAND_REFUND].reference =
        cases[i].state == SLOT_DONE ? BYTES("r-1") : (struct bytes){NULL, 0};
    const struct json *refund = json_member(shown(w, &order), "refund");
    assert_text(json_member_text(refund, "state"), cases[i].shown);
    assert_text(json_member_text(refund, "reference"), cases[i].state == SLOT_DONE ? "r-1" : "");
    /* record is undone only if it was done. */
    assert_text(json_member_text(step_of(shown(w, &order), 1), "state"), "waiting");
  }
  /* On terms, and never recorded: nothing to refund. */
  order.content.payment = NULL;
  assert_int_equal(json_member(shown(w, &order), "refund")->type, JSON_NULL);
}

static void test_accepted_is_the_first_state(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct bytes first = view_accepted(fake_order(w, id), &w->arena);
  assert_views_equal(view_summary(fake_order(w, id), &w->arena), first);
  fake_call(w, id, COMMAND_RESERVE);
  assert_views_equal(view_accepted(fake_order(w, id), &w->arena), first);
  assert_false(bytes_equal(view_summary(fake_order(w, id), &w->arena), first));
}

static void test_lists(void **state) {
  struct fake_world *w = *state;
  assert_text(view_orders(NULL, 0, (struct bytes){NULL, 0}, &w->arena), "{\"orders\":[],\"next_cursor\":null}");
  struct store_attention entry = {.order_id = BYTES("ord_1"),
                                  .customer = BYTES("ada"),
                                  .command = COMMAND_RECALL,
                                  .detail = BYTES("why \"so\""),
                                  .since_ms = 0};
  assert_text(
      view_attention(&entry, 1, BYTES("next"), &w->arena),
      "{\"orders\":[{\"id\":\"ord_1\",\"customer\":\"ada\",\"step\":\"ship\",\"command\":\"recall\","
      "\"detail\":\"why \\\"so\\\"\",\"since\":\"1970-01-01T00:00:00.000Z\"}],\"next_cursor\":\"next\"}");
  const struct order_event event = {
      .sequence = 3, .type = BYTES("ship.done"), .at_ms = 1, .status = ORDER_COMPLETED, .step = BYTES("ship")};
  assert_text(view_events(&event, 1, &w->arena),
              "{\"events\":[{\"sequence\":3,\"type\":\"ship.done\",\"at\":\"1970-01-01T00:00:00.001Z\","
              "\"status\":\"completed\",\"step\":\"ship\",\"detail\":null}]}");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {TEST(test_whole_order), TEST(test_step_states), TEST(test_refund),
                                     TEST(test_accepted_is_the_first_state), TEST(test_lists)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
