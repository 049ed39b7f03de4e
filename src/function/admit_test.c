/* The spillway: orders that the store could not take, and what becomes of them; dead letters. */
#include "function/admit.h"
#include "fake/world.h"
#include "function/sweep.h"
#include "wire/id.h"

struct fake_intake {
  struct intake port;
  struct fake_world *world;
  struct intake_order orders[8];
  size_t count;
  bool fails;
};

static struct bytes kept(struct fake_intake *intake, struct bytes text) {
  return arena_copy(&intake->world->arena, text);
}

static bool put(struct intake *port, const struct intake_order *order) {
  struct fake_intake *intake = (struct fake_intake *)port;
  if (intake->fails) return false;
  struct intake_order *copy = &intake->orders[intake->count++];
  *copy = *order;
  copy->id = kept(intake, order->id);
  copy->customer = kept(intake, order->customer);
  copy->content_json = kept(intake, order->content_json);
  copy->traceparent = kept(intake, order->traceparent);
  for (size_t i = 0; i < order->claim_count; i++) copy->claims[i] = kept(intake, order->claims[i]);
  return true;
}

static struct fake_intake *intake_of(struct fake_world *w) {
  struct fake_intake *intake = ARENA_NEW(&w->arena, struct fake_intake);
  *intake = (struct fake_intake){.port.put = put, .world = w};
  w->context.intake = &intake->port;
  return intake;
}

static struct message_result admit(struct fake_world *w, const struct intake_order *order) {
  struct message_result result;
  admit_run(&w->context, order, 1, &result);
  return result;
}

static void spill(struct fake_world *w, const char *key, const char *payment) {
  fake_store_script(&w->store, COMMIT_THROTTLED);
  struct accept_reply reply = fake_accept_body(w, "ada", key, fake_retail(w, payment, ""));
  assert_int_equal(reply.problem, PROBLEM_NONE);
  assert_views_equal(reply.order->id, fake_id(w, "ada", key));
}

static void test_throttled_is_spilled_and_admitted(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  spill(w, "k", "pay_1");
  assert_int_equal(w->store.count, 0);
  assert_int_equal(intake->count, 1);
  w->clock.now_ms += 60000;
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  const struct order *order = fake_order(w, fake_id(w, "ada", "k"));
  assert_int_equal(order->status, ORDER_ACCEPTED);
  assert_true(order->created_ms == FAKE_NOW_MS); /* when it was accepted, not when it was stored */
  assert_int_equal(w->store.message_count, 1);
  /* Delivered again: nothing happens twice. */
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  assert_int_equal(w->store.message_count, 1);
  /* Its payment is taken now. */
  struct accept_reply other = fake_accept_body(w, "ada", "k2", fake_retail(w, "pay_1", ""));
  assert_int_equal(other.problem, PROBLEM_PAYMENT_ALREADY_USED);
}

static void test_failed_is_spilled_too_unless_the_intake_fails(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  fake_store_script(&w->store, COMMIT_FAILED);
  assert_int_equal(fake_accept_body(w, "ada", "k", fake_retail(w, "pay_1", "")).problem, PROBLEM_NONE);
  intake->fails = true;
  fake_store_script(&w->store, COMMIT_FAILED);
  assert_int_equal(fake_accept_body(w, "ada", "l", fake_retail(w, "pay_2", "")).problem, PROBLEM_OVERLOADED);
  /* What the body or the payment forbids is refused as ever. */
  intake->fails = false;
  fake_store_script(&w->store, COMMIT_CLAIM_TAKEN);
  assert_int_equal(fake_accept_body(w, "ada", "m", fake_retail(w, "pay_3", "")).problem,
                   PROBLEM_PAYMENT_ALREADY_USED);
  assert_int_equal(intake->count, 1);
}

static void test_a_store_that_cannot_take_it_yet(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  spill(w, "k", "pay_1");
  const enum commit_status statuses[] = {COMMIT_THROTTLED, COMMIT_FAILED, COMMIT_CONFLICT};
  for (size_t i = 0; i < 3; i++) {
    fake_store_script(&w->store, statuses[i]);
    struct message_result result = admit(w, &intake->orders[0]);
    assert_int_equal(result.settlement, SETTLE_RETRY);
    assert_true(result.delay_ms >= 1000 && result.delay_ms <= 20000);
  }
  intake->orders[0].content_json = BYTES("{\"channel\":");
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_RETRY);
}

/* Its payment made another order while it waited: both were acknowledged, a person decides. */
static void test_a_payment_taken_meanwhile(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  spill(w, "k", "pay_1");
  struct accept_reply other = fake_accept_body(w, "bob", "b", fake_retail(w, "pay_1", ""));
  assert_int_equal(other.problem, PROBLEM_NONE);
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  const struct order *order = fake_order(w, fake_id(w, "ada", "k"));
  assert_int_equal(order->status, ORDER_ATTENTION);
  struct bytes reason = order->slots[COMMAND_RESERVE].reason;
  assert_true(memmem(reason.data, reason.size, other.order->id.data, other.order->id.size) != NULL);
  assert_null(fake_store_message(&w->store, order->id, MESSAGE_CALL, COMMAND_RESERVE));
}

/* The key came again with other content, while the first waited. */
static void test_an_id_taken_meanwhile(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  spill(w, "k", "pay_1");
  assert_int_equal(fake_accept_body(w, "ada", "k", fake_retail(w, "pay_2", "")).problem, PROBLEM_NONE);
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  assert_int_equal(w->store.count, 2);
  const struct order *contested = &w->store.rows[1]->order;
  assert_true(id_belongs_to(w->context.id_secret, contested->id, BYTES("ada")));
  assert_int_equal(contested->status, ORDER_ATTENTION);
  assert_views_equal(contested->content_json, intake->orders[0].content_json);
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  assert_int_equal(w->store.count, 2);
  fake_store_script(&w->store, COMMIT_EXISTS_OTHER);
  fake_store_script(&w->store, COMMIT_THROTTLED);
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_RETRY);
}

/* The same with an order of many lines: its content is larger than what an id can be derived from. */
static void test_an_id_taken_meanwhile_from_a_large_order(void **state) {
  struct fake_world *w = *state;
  struct fake_intake *intake = intake_of(w);
  struct text lines;
  text_init(&lines, &w->arena);
  for (int i = 0; i < 90; i++)
    text_append_string(&lines, ",{\"sku\":\"85123A\",\"quantity\":1,\"unit_price\":0}");
  struct bytes small = fake_retail(w, "pay_1", ""), end_of_lines = BYTES("}]");
  size_t at = (size_t)((const char *)memmem(small.data, small.size, end_of_lines.data, 2) - small.data) + 1;
  struct bytes large = arena_printf(&w->arena, "%.*s%.*s%s", (int)at, small.data,
                                    BYTES_PRINTF(text_view(&lines)), small.data + at);
  fake_store_script(&w->store, COMMIT_THROTTLED);
  assert_int_equal(fake_accept_body(w, "ada", "k", large).problem, PROBLEM_NONE);
  assert_true(intake->orders[0].content_json.size > 4096);
  assert_int_equal(fake_accept_body(w, "ada", "k", fake_retail(w, "pay_2", "")).problem, PROBLEM_NONE);
  assert_int_equal(admit(w, &intake->orders[0]).settlement, SETTLE_ACK);
  assert_int_equal(w->store.count, 2);
  assert_int_equal(w->store.rows[1]->order.status, ORDER_ATTENTION);
  assert_views_equal(w->store.rows[1]->order.content_json, intake->orders[0].content_json);
}

static void test_dead_letters_come_to_attention(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct message message = *fake_store_message(&w->store, id, MESSAGE_CALL, COMMAND_RESERVE);
  strcpy(message.note, "answered 500");
  struct message_result result;
  w->store.fails_loads = true;
  sweep_run(&w->context, &message, 1, &result);
  assert_int_equal(result.settlement, SETTLE_RETRY);
  w->store.fails_loads = false;
  sweep_run(&w->context, &message, 1, &result);
  assert_int_equal(result.settlement, SETTLE_ACK);
  const struct order *order = fake_order(w, id);
  assert_int_equal(order->status, ORDER_ATTENTION);
  assert_text(order->slots[COMMAND_RESERVE].reason,
              "its message was delivered too often; last answer: answered 500");
  int64_t revision = order->revision;
  sweep_run(&w->context, &message, 1, &result);
  assert_int_equal(result.settlement, SETTLE_ACK);
  assert_true(fake_order(w, id)->revision == revision);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_throttled_is_spilled_and_admitted),
      TEST(test_failed_is_spilled_too_unless_the_intake_fails),
      TEST(test_a_store_that_cannot_take_it_yet),
      TEST(test_a_payment_taken_meanwhile),
      TEST(test_an_id_taken_meanwhile),
      TEST(test_an_id_taken_meanwhile_from_a_large_order),
      TEST(test_dead_letters_come_to_attention),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
