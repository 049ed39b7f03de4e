/* Load, decide, commit: other writers who come first, stores that fail, batches; and what operate makes
 * of each verdict. */
#include <stdlib.h>

#include "fake/world.h"
#include "function/operate.h"

static struct change cancel_of(struct bytes id) {
  return (struct change){.id = id, .command = {.kind = COMMAND_KIND_CANCEL, .reason = BYTES("why")}};
}

static void run(struct fake_world *w, struct change *change) {
  struct change *all[] = {change};
  change_run(&w->context, all, 1, &w->arena);
}

static void test_stored(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct change change = cancel_of(id);
  run(w, &change);
  assert_false(change.unavailable);
  assert_int_equal(change.verdict, VERDICT_DECIDED);
  assert_int_equal(change.order->revision, 2);
  assert_int_equal(fake_order(w, id)->status, change.order->status);
  assert_int_equal(fake_order(w, id)->target, ORDER_CANCELLED);
  assert_non_null(fake_store_message(&w->store, id, MESSAGE_CALL, COMMAND_REFUND));
  /* A second one changes nothing, and is not written. */
  size_t commits = w->store.commits;
  struct change again = cancel_of(id);
  run(w, &again);
  assert_int_equal(again.verdict, VERDICT_UNCHANGED);
  assert_int_equal(w->store.commits, commits);
  struct change missing = cancel_of(fake_id(w, "ada", "nothing"));
  run(w, &missing);
  assert_int_equal(missing.verdict, VERDICT_MISSING);
  assert_null(missing.order);
  assert_false(missing.unavailable);
}

struct rival {
  struct fake_world *world;
  struct bytes id;
  int left; /* how often it comes first */
};

/* Changes the order just before a commit: its reason, so that its mark is seen afterwards. */
static void come_first(struct fake_store *store, void *context) {
  struct rival *rival = context;
  if (rival->left == 0) return;
  rival->left--;
  struct order order = fake_store_row(store, rival->id)->order;
  order.revision++;
  order.slots[COMMAND_RESERVE].attempts++;
  fake_store_overwrite(store, &order);
}

static void test_another_writer_comes_first(void **state) {
  struct fake_world *w = *state;
  struct rival rival = {w, fake_accept(w, "ada", "pay_1"), 3};
  w->store.before_commit = come_first;
  w->store.context = &rival;
  struct change change = cancel_of(rival.id);
  size_t loads = w->store.load_calls;
  run(w, &change);
  assert_false(change.unavailable);
  assert_int_equal(w->store.load_calls - loads, 4); /* loaded and decided again each time */
  const struct order *stored = fake_order(w, rival.id);
  assert_int_equal(stored->target, ORDER_CANCELLED);
  assert_int_equal(stored->slots[COMMAND_RESERVE].attempts, 3); /* and nothing of the other's is lost */
}

static void test_tries_are_bounded(void **state) {
  struct fake_world *w = *state;
  struct rival rival = {w, fake_accept(w, "ada", "pay_1"), 1000};
  w->store.before_commit = come_first;
  w->store.context = &rival;
  struct change change = cancel_of(rival.id);
  run(w, &change);
  assert_true(change.unavailable);
  assert_true(rival.left >= 1000 - 20 && rival.left < 1000 - 1);
  assert_int_equal(fake_order(w, rival.id)->target, ORDER_ACCEPTED);
}

static void test_failing_store(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  static const enum commit_status failures[] = {COMMIT_THROTTLED, COMMIT_FAILED};
  for (size_t i = 0; i < COUNT_OF(failures); i++) {
    struct change change = cancel_of(id);
    size_t commits = w->store.commits;
    fake_store_script(&w->store, failures[i]);
    run(w, &change);
    assert_true(change.unavailable);
    assert_int_equal(w->store.commits - commits, 1); /* more load would not help */
  }
  w->store.fails_loads = true;
  struct change change = cancel_of(id);
  run(w, &change);
  assert_true(change.unavailable);
  w->store.fails_loads = false;
  run(w, &change);
  assert_false(change.unavailable);
}

/* Two changes of one order in one batch: the second is decided upon the first's result. */
static void test_one_order_twice_in_a_batch(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1"), other = fake_accept(w, "ada", "pay_2");
  struct change changes[] = {cancel_of(id), cancel_of(other), cancel_of(id)};
  struct change *all[] = {&changes[0], &changes[1], &changes[2]};
  change_run(&w->context, all, 3, &w->arena);
  assert_int_equal(changes[0].verdict, VERDICT_DECIDED);
  assert_int_equal(changes[1].verdict, VERDICT_DECIDED);
  assert_int_equal(changes[2].verdict, VERDICT_UNCHANGED);
  for (int i = 0; i < 3; i++) assert_false(changes[i].unavailable);
  assert_int_equal(fake_order(w, id)->revision, 2);
}

static void test_large_batches_are_split(void **state) {
  struct fake_world *w = *state;
  enum { COUNT = 600 };
  struct change *changes = calloc(COUNT, sizeof *changes), **all = calloc(COUNT, sizeof *all);
  struct bytes id = fake_accept(w, "ada", "pay_1");
  for (size_t i = 0; i < COUNT; i++) {
    changes[i] = cancel_of(i == COUNT - 1 ? id : fake_id(w, "ada", "nothing"));
    all[i] = &changes[i];
  }
  change_run(&w->context, all, COUNT, &w->arena);
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(changes[i].verdict, i == COUNT - 1 ? VERDICT_DECIDED : VERDICT_MISSING);
  free(changes);
  free(all);
}

/* --- operate --------------------------------------------------------------------------------------- */

static struct operate_reply operate(struct fake_world *w, struct bytes id, struct command command) {
  struct change change = {.id = id, .command = command}, *all[] = {&change};
  struct operate_reply reply;
  operate_run(&w->context, all, 1, &w->arena, &reply);
  assert_int_equal(reply.order != NULL, reply.problem == PROBLEM_NONE);
  if (reply.problem != PROBLEM_NONE) assert_true(reply.detail.size > 0);
  return reply;
}

static const struct command cancel = {.kind = COMMAND_KIND_CANCEL, .reason = {"why", 3}};
static const struct command retry = {.kind = COMMAND_KIND_RETRY, .step = STEP_RESERVE};

static void test_operate(void **state) {
  struct fake_world *w = *state;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  assert_int_equal(operate(w, fake_id(w, "x", "y"), cancel).problem, PROBLEM_NOT_FOUND);
  assert_int_equal(operate(w, id, retry).problem, PROBLEM_STEP_NOT_WAITING);
  const struct command callback = {.kind = COMMAND_KIND_OUTCOME,
                                   .slot = COMMAND_RESERVE,
                                   .outcome = OUTCOME_DONE,
                                   .is_callback = true,
                                   .reference = BYTES("r")};
  assert_int_equal(operate(w, id, callback).problem, PROBLEM_CALLBACK_CONFLICT); /* never sent */
  w->store.fails_loads = true;
  assert_int_equal(operate(w, id, cancel).problem, PROBLEM_OVERLOADED);
  w->store.fails_loads = false;
  assert_int_equal(operate(w, id, cancel).problem, PROBLEM_NONE);
  struct operate_reply again = operate(w, id, cancel);
  assert_int_equal(again.problem, PROBLEM_NONE);
  assert_int_equal(again.order->target, ORDER_CANCELLED);
  assert_int_equal(fake_call(w, id, COMMAND_REFUND).settlement, SETTLE_ACK);
  assert_int_equal(operate(w, id, cancel).problem, PROBLEM_ORDER_FINAL);
}

static void test_operate_on_an_unsettled_step(void **state) {
  struct fake_world *w = *state;
  w->context.rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_NONE;
  struct bytes id = fake_accept(w, "ada", "pay_1");
  fake_services_answer(&w->services, 500, "");
  fake_call(w, id, COMMAND_RESERVE);
  assert_int_equal(fake_order(w, id)->status, ORDER_ATTENTION);
  assert_int_equal(operate(w, id, cancel).problem, PROBLEM_STEP_UNSETTLED);
  assert_int_equal(operate(w, id, retry).problem, PROBLEM_NONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_stored),        TEST(test_another_writer_comes_first),   TEST(test_tries_are_bounded),
      TEST(test_failing_store), TEST(test_one_order_twice_in_a_batch),   TEST(test_large_batches_are_split),
      TEST(test_operate),       TEST(test_operate_on_an_unsettled_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
