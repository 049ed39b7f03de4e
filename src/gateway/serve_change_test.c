/* Cancel, retry, skip and callbacks through the gateway: bodies, refusals, what is stored. */
#include "fake/gateway.h"
#include "function/call.h"
#include "wire/id.h"

static const char *target_of(struct fake_gateway *fake, struct bytes id, const char *rest) {
  return arena_printf(&fake->world.arena, "/v1/orders/%.*s%s", BYTES_PRINTF(id), rest).data;
}

static struct exchange *operate(struct fake_gateway *fake, struct bytes id, const char *rest,
                                const char *body) {
  struct exchange *exchange = fake_request(fake, "POST", target_of(fake, id, rest), "op", "orders:operate");
  if (body) fake_body(exchange, bytes_of(body));
  fake_send(fake, exchange);
  return exchange;
}

static struct exchange *call_back(struct fake_gateway *fake, struct bytes id, const char *command,
                                  const char *body) {
  struct fake_world *w = &fake->world;
  struct bytes token =
      callback_token_make(w->context.id_secret, id, bytes_of(command), w->clock.now_ms + 1000, &w->arena);
  const char *target = arena_printf(&w->arena, "/v1/callbacks/%.*s/%s?token=%.*s", BYTES_PRINTF(id), command,
                                    BYTES_PRINTF(token))
                           .data;
  struct exchange *exchange = fake_request(fake, "POST", target, NULL, NULL);
  fake_body(exchange, bytes_of(body));
  fake_send(fake, exchange);
  return exchange;
}

/* An order whose reserve waits for a person. */
static struct bytes in_attention(struct fake_gateway *fake, const char *reference) {
  struct bytes id = fake_accept(&fake->world, "ada", reference);
  fake_services_answer(&fake->world.services, 400, "{\"reason\":\"what\"}");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  assert_int_equal(fake_order(&fake->world, id)->status, ORDER_ATTENTION);
  return id;
}

static void test_cancel(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  const char *target = target_of(fake, id, "/cancel");
  assert_problem(fake_post(fake, target, "ada", BYTES("{\"reason\":1,\"x\":2}")), 422, "invalid-request");
  assert_problem(fake_post(fake, target, "ada", BYTES("{\"applied\":true}")), 422, "invalid-request");
  assert_problem(fake_post(fake, target, "ada", BYTES("[]")), 422, "invalid-request");
  assert_problem(fake_post(fake, target, "ada", BYTES("{\"reason\"")), 400, "malformed-json");
  assert_int_equal(fake_order(&fake->world, id)->target, ORDER_ACCEPTED);
  struct exchange *done = fake_post(fake, target, "ada", BYTES("{\"reason\":\"too late\"}"));
  assert_int_equal(done->response.status, 202);
  assert_text(fake_member(fake, done, "status"), "reversing");
  assert_text(fake_order(&fake->world, id)->reason, "too late");
  int64_t revision = fake_order(&fake->world, id)->revision;
  assert_int_equal(fake_post(fake, target, "ada", BYTES("{}"))->response.status, 202);
  assert_int_equal(fake_order(&fake->world, id)->revision, revision);
  fake_call(&fake->world, id, COMMAND_REFUND);
  assert_problem(fake_post(fake, target, "ada", BYTES("{}")), 409, "order-final");
  struct bytes other = fake_accept(&fake->world, "ada", "pay_2");
  fake_post(fake, target_of(fake, other, "/cancel"), "ada", BYTES("{\"reason\":null}"));
  assert_text(fake_order(&fake->world, other)->reason, "cancelled");
}

static void test_retry(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = in_attention(fake, "pay_1");
  assert_problem(operate(fake, id, "/steps/nothing/retry", NULL), 404, "not-found");
  assert_problem(operate(fake, id, "/steps/release/retry", NULL), 404, "not-found");
  assert_problem(operate(fake, id, "/steps/ship/retry", NULL), 409, "step-not-waiting");
  assert_problem(operate(fake, fake_id(&fake->world, "x", "y"), "/steps/ship/retry", NULL), 404, "not-found");
  struct exchange *done = operate(fake, id, "/steps/reserve/retry", NULL);
  assert_int_equal(done->response.status, 202);
  assert_text(fake_member(fake, done, "status"), "processing");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  assert_int_equal(fake_order(&fake->world, id)->slots[COMMAND_RESERVE].state, SLOT_DONE);
}

static void test_skip(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = in_attention(fake, "pay_1"), without = in_attention(fake, "pay_2");
  static const struct {
    const char *body;
    int status;
    const char *code, *says;
  } bad[] = {
      {"{}", 422, "invalid-request", "/reason"},
      {"{\"reason\":\"\"}", 422, "invalid-request", "/reason"},
      {"{\"reason\":null}", 422, "invalid-request", "/reason"},
      {"{\"reason\":\"x\",\"applied\":\"yes\"}", 422, "invalid-request", "/applied"},
      {"{\"reason\":\"x\",\"reference\":7}", 422, "invalid-request", "/reference"},
      {"null", 422, "invalid-request", "must be an object"},
      {"{\"reason\":\"x\",\"reason\":\"y\"}", 400, "malformed-json", "twice"},
      {"", 400, "malformed-json", ""},
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct exchange *exchange = operate(fake, id, "/steps/reserve/skip", bad[i].body);
    assert_problem(exchange, bad[i].status, bad[i].code);
    assert_holds(exchange->response.body, bad[i].says);
  }
  struct exchange *done = operate(fake, id, "/steps/reserve/skip",
                                  "{\"reason\":\"by hand\",\"applied\":true,\"reference\":\"note 7\"}");
  assert_int_equal(done->response.status, 202);
  const struct order_slot *slot = &fake_order(&fake->world, id)->slots[COMMAND_RESERVE];
  assert_int_equal(slot->state, SLOT_DONE);
  assert_true(slot->by_hand);
  assert_text(slot->reference, "note 7");
  operate(fake, without, "/steps/reserve/skip", "{\"reason\":\"gone\",\"applied\":false,\"reference\":\"no\"}");
  slot = &fake_order(&fake->world, without)->slots[COMMAND_RESERVE];
  assert_int_equal(slot->state, SLOT_SKIPPED);
  assert_text(slot->reference, "");
}

static void test_callback(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  static const char done[] = "{\"outcome\":\"done\",\"reference\":\"late\"}";
  assert_problem(call_back(fake, id, "reserve", done), 409, "callback-conflict"); /* never sent */
  fake_services_answer(&fake->world.services, 202, "");
  fake_call(&fake->world, id, COMMAND_RESERVE);
  assert_problem(call_back(fake, id, "reserve", "{"), 400, "malformed-json");
  assert_problem(call_back(fake, id, "reserve", "{\"outcome\":\"maybe\"}"), 422, "invalid-callback");
  struct exchange *applied = call_back(fake, id, "reserve", done);
  assert_int_equal(applied->response.status, 204);
  assert_int_equal(applied->response.body.size, 0);
  assert_text(fake_order(&fake->world, id)->slots[COMMAND_RESERVE].reference, "late");
  int64_t revision = fake_order(&fake->world, id)->revision;
  assert_int_equal(call_back(fake, id, "reserve", done)->response.status, 204);
  assert_int_equal(fake_order(&fake->world, id)->revision, revision);
  assert_problem(call_back(fake, id, "reserve", "{\"outcome\":\"refused\"}"), 409, "callback-conflict");
  assert_problem(call_back(fake, fake_id(&fake->world, "x", "y"), "ship", done), 404, "not-found");
}

static void test_store_that_fails(void **state) {
  struct fake_gateway *fake = *state;
  struct bytes id = fake_accept(&fake->world, "ada", "pay_1");
  fake_store_script(&fake->world.store, COMMIT_FAILED);
  struct exchange *exchange = fake_post(fake, target_of(fake, id, "/cancel"), "ada", (struct bytes){NULL, 0});
  assert_problem(exchange, 503, "overloaded");
  assert_header(exchange, "Retry-After", "1");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_gateway_set_up, fake_gateway_tear_down)
  const struct CMUnitTest tests[] = {TEST(test_cancel), TEST(test_retry), TEST(test_skip), TEST(test_callback),
                                     TEST(test_store_that_fails)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
