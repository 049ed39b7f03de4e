/* The core where attempts are not stored before they are made (order_rules.attempts_unstored). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "order/decide.h"
#include "order/step.h"

enum { MESSAGES_MAX = 64 };

static struct arena arena;
static struct order_rules rules = {.attempts_unstored = true, .deadline_ms = {60000, 60000, 60000}};

/* One order, the messages that are out, and what the services have done: they honour keys. */
struct world {
  struct order order;
  struct decision decision;
  struct order_message messages[MESSAGES_MAX];
  size_t message_count;
  enum { FRESH, APPLIED, REFUSED } service[COMMAND_COUNT];
};

static enum verdict tell(struct world *world, struct command command) {
  struct order *before = ARENA_NEW(&arena, struct order);
  *before = world->order;
  enum verdict verdict =
      order_decide(before->version ? before : NULL, &command, &rules, 1000, &arena, &world->decision);
  if (verdict != VERDICT_DECIDED) return verdict;
  world->order = world->decision.next;
  for (size_t i = 0; i < world->decision.message_count; i++) {
    assert_true(world->message_count < MESSAGES_MAX);
    world->messages[world->message_count++] = world->decision.messages[i];
  }
  return verdict;
}

static void create(struct world *world, bool paid, struct bytes reason) {
  static const struct order_payment payment = {.reference = {"pay_1", 5}};
  static struct order order;
  order = (struct order){.id = BYTES("ord_1"), .content = {.payment = paid ? &payment : NULL}};
  *world = (struct world){.message_count = 0};
  const struct command command = {.kind = COMMAND_KIND_CREATE, .create = &order, .reason = reason};
  assert_int_equal(tell(world, command), VERDICT_DECIDED);
}

static struct command about(const struct world *world, enum command_kind kind, enum order_command slot) {
  return (struct command){.kind = kind,
                          .slot = slot,
                          .attempts = 1,
                          .dispatch_version = world->order.slots[slot].dispatch_version,
                          .in_doubt = kind == COMMAND_KIND_OUTCOME};
}

static enum verdict outcome(struct world *world, enum order_command slot, enum outcome outcome) {
  struct command command = about(world, COMMAND_KIND_OUTCOME, slot);
  command.outcome = outcome;
  command.reference = BYTES("ref");
  return tell(world, command);
}

static void test_completes_with_a_write_an_outcome(void **state) {
  (void)state;
  struct world world;
  create(&world, true, (struct bytes){NULL, 0});
  const enum order_command slots[] = {COMMAND_RESERVE, COMMAND_RECORD, COMMAND_SHIP};
  for (size_t i = 0; i < 3; i++) {
    int64_t revision = world.order.revision;
    assert_int_equal(tell(&world, about(&world, COMMAND_KIND_BEGIN, slots[i])), VERDICT_SEND);
    assert_int_equal(outcome(&world, slots[i], OUTCOME_UNKNOWN), VERDICT_UNCHANGED);
    assert_int_equal(outcome(&world, slots[i], OUTCOME_NOT_APPLIED), VERDICT_UNCHANGED);
    assert_int_equal(outcome(&world, slots[i], OUTCOME_DONE), VERDICT_DECIDED);
    assert_int_equal(world.order.revision, revision + 1);
  }
  assert_int_equal(world.order.status, ORDER_COMPLETED);
}

static void test_services_without_keys_are_still_stored_first(void **state) {
  (void)state;
  struct world world;
  rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_NONE;
  create(&world, true, (struct bytes){NULL, 0});
  assert_int_equal(tell(&world, about(&world, COMMAND_KIND_BEGIN, COMMAND_RESERVE)), VERDICT_DECIDED);
  assert_int_equal(world.order.slots[COMMAND_RESERVE].state, SLOT_RUNNING);
  rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_KEY;
}

/* It may have been sent: a cancel has to settle it before it can undo or refund. */
static void test_cancel_settles_what_is_out(void **state) {
  (void)state;
  struct world world;
  create(&world, true, (struct bytes){NULL, 0});
  assert_int_equal(tell(&world, (struct command){.kind = COMMAND_KIND_CANCEL}), VERDICT_DECIDED);
  assert_int_equal(world.order.status, ORDER_REVERSING);
  assert_int_equal(world.order.slots[COMMAND_RESERVE].state, SLOT_RUNNING);
  assert_int_equal(world.order.slots[COMMAND_REFUND].state, SLOT_IDLE);
  assert_int_equal(outcome(&world, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_DECIDED);
  assert_int_equal(world.order.slots[COMMAND_RELEASE].state, SLOT_WAITING);
}

static void test_callback_before_the_202_is_stored(void **state) {
  (void)state;
  struct world world;
  create(&world, true, (struct bytes){NULL, 0});
  struct command callback = about(&world, COMMAND_KIND_OUTCOME, COMMAND_RESERVE);
  callback.is_callback = true;
  callback.outcome = OUTCOME_DONE;
  assert_int_equal(tell(&world, callback), VERDICT_DECIDED);
  callback.slot = COMMAND_RELEASE;
  assert_int_equal(tell(&world, callback), VERDICT_CONFLICT);
}

static void test_abandoned_and_contested_wait_for_a_person(void **state) {
  (void)state;
  struct world world;
  create(&world, true, (struct bytes){NULL, 0});
  struct command abandon = about(&world, COMMAND_KIND_ABANDON, COMMAND_RESERVE);
  abandon.reason = BYTES("delivered 100 times");
  assert_int_equal(tell(&world, abandon), VERDICT_DECIDED);
  assert_int_equal(world.order.status, ORDER_ATTENTION);
  assert_true(world.order.slots[COMMAND_RESERVE].unsettled);
  assert_int_equal(tell(&world, abandon), VERDICT_STALE);

  create(&world, true, BYTES("the payment has made another order"));
  assert_int_equal(world.order.status, ORDER_ATTENTION);
  assert_int_equal(world.message_count, 0);
  assert_int_equal(world.decision.event_count, 3); /* accepted; reserve and the order in attention */
  assert_int_equal(tell(&world, (struct command){.kind = COMMAND_KIND_RETRY, .step = STEP_RESERVE}),
                   VERDICT_DECIDED);
  assert_int_equal(world.message_count, 1);
}

/* A delivery of one message: a crash before the call, a lost answer, an answer. Messages stay out and are
 * delivered again whenever it pleases, so that old ones come late. */
static void deliver(struct world *world, const struct order_message *message) {
  struct command begin = {.kind = COMMAND_KIND_BEGIN,
                          .slot = message->slot,
                          .attempts = 1,
                          .dispatch_version = message->dispatch_version};
  enum verdict verdict = tell(world, begin);
  if (verdict != VERDICT_SEND || rand() % 8 == 0) return;
  enum order_command slot = message->slot;
  if (world->service[slot] == FRESH && rand() % 4 == 0)
    world->service[slot] = rand() % 8 == 0 && !command_rules[slot].is_undo ? REFUSED : FRESH;
  else if (world->service[slot] == FRESH)
    world->service[slot] = APPLIED;
  if (rand() % 4 == 0) { /* something else happens while the call is under way */
    if (rand() % 8 == 0) tell(world, (struct command){.kind = COMMAND_KIND_CANCEL});
  }
  struct command told = begin;
  told.kind = COMMAND_KIND_OUTCOME;
  told.in_doubt = true;
  told.reference = BYTES("ref");
  told.outcome = world->service[slot] == APPLIED   ? OUTCOME_DONE
                 : world->service[slot] == REFUSED ? OUTCOME_REFUSED
                                                   : OUTCOME_NOT_APPLIED;
  if (rand() % 6 != 0) tell(world, told);
}

static void check_final(const struct world *world, bool paid) {
  bool completed = world->order.status == ORDER_COMPLETED;
  for (int step = 0; step < STEP_COUNT; step++) {
    bool applied = world->service[step_rules[step].command] == APPLIED;
    bool undone = world->service[step_rules[step].undo] == APPLIED;
    if (completed)
      assert_true(applied && !undone);
    else if (step_rules[step].undo_returns_money)
      assert_true(undone == (paid || applied));
    else
      assert_true(undone == applied);
  }
}

static void test_no_effect_is_forgotten(void **state) {
  (void)state;
  size_t ends[ORDER_STATUS_COUNT] = {0};
  srand(11);
  for (int round = 0; round < 20000; round++) {
    struct world world;
    bool paid = rand() % 2;
    create(&world, paid, (struct bytes){NULL, 0});
    for (int i = 0; i < 2000 && !order_status_is_final(world.order.status); i++) {
      struct order_message message = world.messages[(size_t)rand() % world.message_count];
      deliver(&world, &message);
      if (rand() % 64 == 0) tell(&world, (struct command){.kind = COMMAND_KIND_CANCEL});
    }
    assert_true(order_status_is_final(world.order.status));
    check_final(&world, paid);
    /* What still comes late changes nothing. */
    struct order end = world.order;
    for (size_t i = 0; i < world.message_count; i++) deliver(&world, &world.messages[i]);
    assert_int_equal(world.order.revision, end.revision);
    check_final(&world, paid);
    ends[world.order.status]++;
    arena_reset(&arena);
  }
  assert_true(ends[ORDER_COMPLETED] > 1000 && ends[ORDER_REJECTED] > 1000 && ends[ORDER_CANCELLED] > 1000);
}

int main(void) {
  arena_init(&arena);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_completes_with_a_write_an_outcome),
      cmocka_unit_test(test_services_without_keys_are_still_stored_first),
      cmocka_unit_test(test_cancel_settles_what_is_out),
      cmocka_unit_test(test_callback_before_the_202_is_stored),
      cmocka_unit_test(test_abandoned_and_contested_wait_for_a_person),
      cmocka_unit_test(test_no_effect_is_forgotten),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  arena_release(&arena);
  return failed;
}
