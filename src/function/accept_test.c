/* Accepting orders: what is stored, what is answered for each result of the store, and who learns what. */
#include "fake/world.h"
#include "order/step.h"
#include "wire/id.h"

static void test_accepted(void **state) {
  struct fake_world *w = *state;
  struct accept_reply reply = fake_accept_body(w, "ada", "key", fake_retail(w, "pay_1", ""));
  assert_int_equal(reply.problem, PROBLEM_NONE);
  assert_false(reply.replayed);
  assert_views_equal(reply.order->id, fake_id(w, "ada", "key"));
  assert_int_equal(reply.order->status, ORDER_ACCEPTED);
  assert_true(reply.order->created_ms == FAKE_NOW_MS);
  /* Order, claim, event and message went to the store in one commit. */
  assert_int_equal(w->store.commits, 1);
  const struct fake_row *row = fake_store_row(&w->store, reply.order->id);
  assert_text(row->order.customer, "ada");
  assert_int_equal(row->claim_count, 1);
  assert_text(row->claims[0], "payment:pay_1");
  assert_int_equal(row->event_count, 1);
  assert_text(row->events[0].type, "order.accepted");
  assert_int_equal(w->store.message_count, 1);
  const struct message *message = fake_store_message(&w->store, reply.order->id, MESSAGE_CALL, COMMAND_RESERVE);
  assert_non_null(message);
  assert_true(message->due_ms == FAKE_NOW_MS && message->deadline_ms == FAKE_NOW_MS + FAKE_DEADLINE_MS);
  assert_int_equal(message->queue, queue_index(SERVICE_INVENTORY, CHANNEL_RETAIL));
}

static void test_claims_of_wholesale(void **state) {
  struct fake_world *w = *state;
  fake_accept_body(w, "ada:b", "1", fake_wholesale(w, "c", ",\"payment\":{\"reference\":\"p\"}"));
  fake_accept_body(w, "ada", "2", fake_wholesale(w, "b:c", ""));
  const struct fake_row *both = fake_store_row(&w->store, fake_id(w, "ada:b", "1"));
  const struct fake_row *other = fake_store_row(&w->store, fake_id(w, "ada", "2"));
  assert_int_equal(both->claim_count, 2);
  assert_text(both->claims[0], "payment:p");
  assert_int_equal(other->claim_count, 1);
  /* A customer's name and number can't be told to be another pair. */
  assert_false(bytes_equal(both->claims[1], other->claims[0]));
}

static void test_replay_and_reuse(void **state) {
  struct fake_world *w = *state;
  fake_accept_body(w, "ada", "key", fake_retail(w, "pay_1", ""));
  w->clock.now_ms += 5000;
  struct accept_reply again = fake_accept_body(w, "ada", "key", fake_retail(w, "pay_1", ",\"coupon\":null"));
  assert_int_equal(again.problem, PROBLEM_NONE);
  assert_true(again.replayed);
  assert_true(again.order->created_ms == FAKE_NOW_MS);
  struct accept_reply other = fake_accept_body(w, "ada", "key", fake_retail(w, "pay_2", ""));
  assert_int_equal(other.problem, PROBLEM_IDEMPOTENCY_KEY_REUSED);
  assert_null(other.order);
  assert_int_equal(w->store.count, 1);
  assert_int_equal(w->store.message_count, 1); /* nothing is sent twice */
}

static void test_a_payment_makes_one_order(void **state) {
  struct fake_world *w = *state;
  struct bytes first = fake_accept(w, "ada", "pay_1");
  struct accept_reply own = fake_accept_body(w, "ada", "other", fake_retail(w, "pay_1", ""));
  assert_int_equal(own.problem, PROBLEM_PAYMENT_ALREADY_USED);
  assert_views_equal(own.holder_id, first);
  assert_holds(own.detail, arena_string(&w->arena, first));
  struct accept_reply foreign = fake_accept_body(w, "bob", "key", fake_retail(w, "pay_1", ""));
  assert_int_equal(foreign.problem, PROBLEM_PAYMENT_ALREADY_USED);
  assert_int_equal(foreign.holder_id.size, 0);
  assert_lacks(foreign.detail, "ord_");
  assert_int_equal(w->store.count, 1);
}

static void test_what_the_store_could_not_do(void **state) {
  struct fake_world *w = *state;
  static const enum commit_status failures[] = {COMMIT_THROTTLED, COMMIT_FAILED, COMMIT_CONFLICT};
  for (size_t i = 0; i < COUNT_OF(failures); i++) {
    fake_store_script(&w->store, failures[i]);
    struct accept_reply reply = fake_accept_body(w, "ada", "key", fake_retail(w, "pay_1", ""));
    assert_int_equal(reply.problem, PROBLEM_OVERLOADED);
    assert_null(reply.order);
  }
  /* It may have been written: the same request again is accepted, or is a replay. */
  assert_int_equal(fake_accept_body(w, "ada", "key", fake_retail(w, "pay_1", "")).problem, PROBLEM_NONE);
}

static void test_refused_before_the_store(void **state) {
  struct fake_world *w = *state;
  const struct {
    struct bytes body;
    bool may_write_wholesale;
    enum problem problem;
  } cases[] = {
      {BYTES("{"), true, PROBLEM_MALFORMED_JSON},
      {BYTES("{\"total\":1,\"total\":1}"), true, PROBLEM_MALFORMED_JSON},
      {BYTES("[]"), true, PROBLEM_INVALID_ORDER},
      {BYTES("{\"channel\":\"wholesale\"}"), false, PROBLEM_INSUFFICIENT_SCOPE}, /* before the rest of it */
      {BYTES("{\"channel\":\"wholesale\"}"), true, PROBLEM_INVALID_ORDER},
      {fake_retail(w, "p", ",\"x\":1"), true, PROBLEM_INVALID_ORDER},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const struct accept_request request = {.customer = BYTES("ada"),
                                           .idempotency_key = BYTES("k"),
                                           .body = cases[i].body,
                                           .may_write_wholesale = cases[i].may_write_wholesale,
                                           .arena = &w->arena};
    struct accept_reply reply;
    accept_run(&w->context, &request, 1, &reply);
    assert_int_equal(reply.problem, cases[i].problem);
    assert_int_equal(reply.errors.count > 0, cases[i].problem == PROBLEM_INVALID_ORDER);
    assert_null(reply.order);
  }
  assert_int_equal(fake_store_accesses(&w->store), 0);
}

/* Each of a batch stands for itself, and what can be stored is one call. */
static void test_a_batch(void **state) {
  struct fake_world *w = *state;
  const struct bytes bodies[] = {fake_retail(w, "a", ""), BYTES("nonsense"),       fake_retail(w, "b", ""),
                                 fake_retail(w, "a", ""), fake_retail(w, "c", ""), fake_retail(w, "a", "")};
  static const char *const keys[] = {"1", "2", "3", "4", "5", "1"};
  struct accept_request requests[COUNT_OF(bodies)];
  struct accept_reply replies[COUNT_OF(bodies)];
  for (size_t i = 0; i < COUNT_OF(bodies); i++)
    requests[i] = (struct accept_request){
        .customer = BYTES("ada"), .idempotency_key = bytes_of(keys[i]), .body = bodies[i], .arena = &w->arena};
  accept_run(&w->context, requests, COUNT_OF(bodies), replies);
  static const enum problem expected[] = {PROBLEM_NONE, PROBLEM_MALFORMED_JSON,
                                          PROBLEM_NONE, PROBLEM_PAYMENT_ALREADY_USED,
                                          PROBLEM_NONE, PROBLEM_NONE};
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    assert_int_equal(replies[i].problem, expected[i]);
    assert_int_equal(replies[i].replayed, i == 5);
    if (expected[i] == PROBLEM_NONE) assert_views_equal(replies[i].order->id, fake_id(w, "ada", keys[i]));
  }
  assert_int_equal(w->store.commit_calls, 1);
  assert_int_equal(w->store.last_batch, 5);
  assert_int_equal(w->store.count, 3);
}

/* --- payment receipts ------------------------------------------------------------------------------ */

static const struct bytes gateway_secret = {"the payment gateway's secret ....", 33};

static struct accept_reply with_receipt(struct fake_world *w, struct bytes secret, const char *claims,
                                        bool keys_known) {
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_true(jwt_keys_from_secret(gateway_secret, &keys, &failure));
  struct bytes receipt = jwt_sign_hs256(secret, bytes_of(claims), &w->arena);
  struct bytes body = fake_retail(w, "pay_1", "");
  /* "receipt" goes into the payment, which is the last member. */
  body = arena_printf(&w->arena, "%.*s,\"receipt\":\"%.*s\"}}", (int)body.size - 2, body.data,
                      BYTES_PRINTF(receipt));
  const struct accept_request request = {.customer = BYTES("ada"),
                                         .idempotency_key = BYTES("k"),
                                         .body = body,
                                         .receipts_expected = true,
                                         .receipt_keys = keys_known ? keys : NULL,
                                         .arena = &w->arena};
  struct accept_reply reply;
  accept_run(&w->context, &request, 1, &reply);
  jwt_keys_free(keys);
  return reply;
}

static void test_receipts_that_prove_nothing(void **state) {
  struct fake_world *w = *state;
  static const struct {
    const char *claims, *says;
  } cases[] = {
      {"{\"sub\":\"bob\",\"reference\":\"pay_1\",\"amount\":1530,\"currency\":\"GBP\"}", "customer"},
      {"{\"reference\":\"pay_1\",\"amount\":1530,\"currency\":\"GBP\"}", "customer"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_2\",\"amount\":1530,\"currency\":\"GBP\"}", "reference"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":1529,\"currency\":\"GBP\"}", "amount"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":\"1530\",\"currency\":\"GBP\"}", "amount"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":1530.0,\"currency\":\"GBP\"}", "amount"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":1530,\"currency\":\"EUR\"}", "currency"},
      {"{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":1530}", "currency"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct accept_reply reply = with_receipt(w, gateway_secret, cases[i].claims, true);
    assert_int_equal(reply.problem, PROBLEM_PAYMENT_NOT_PROVEN);
    assert_holds(reply.detail, cases[i].says);
  }
  static const char good[] =
      "{\"sub\":\"ada\",\"reference\":\"pay_1\",\"amount\":1530,\"currency\":\"GBP\",\"iat\":1}";
  struct accept_reply forged = with_receipt(w, BYTES("somebody else's secret of 32 bytes"), good, true);
  assert_int_equal(forged.problem, PROBLEM_PAYMENT_NOT_PROVEN);
  assert_int_equal(with_receipt(w, gateway_secret, good, false).problem, PROBLEM_OVERLOADED);
  assert_int_equal(fake_store_accesses(&w->store), 0);
  assert_int_equal(with_receipt(w, gateway_secret, good, true).problem, PROBLEM_NONE);
  assert_int_equal(w->store.count, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_accepted),
      TEST(test_claims_of_wholesale),
      TEST(test_replay_and_reuse),
      TEST(test_a_payment_makes_one_order),
      TEST(test_what_the_store_could_not_do),
      TEST(test_refused_before_the_store),
      TEST(test_a_batch),
      TEST(test_receipts_that_prove_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
