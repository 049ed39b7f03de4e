/* Tests of the core: every combination of status, slot states and command, and random histories, held against
 * the rules that must hold for all of them. */
#include "order/decide_test_tools.h"

static void check_events(const struct order *before, const struct decision *decision) {
  assert_int_equal(decision->next.version, before->version + (int64_t)decision->event_count);
  for (size_t i = 0; i < decision->event_count; i++)
    assert_int_equal(decision->events[i].sequence, before->version + 1 + (int64_t)i);
  if (decision->event_count)
    assert_int_equal(decision->events[decision->event_count - 1].status, decision->next.status);
  assert_int_equal(decision->next.revision, before->revision + 1);
}

static bool open_forward(const struct order *order) {
  for (int step = 0; step < STEP_COUNT; step++) {
    enum slot_state state = order->slots[step_rules[step].command].state;
    if (state == SLOT_RUNNING || state == SLOT_PENDING || state == SLOT_ATTENTION) return true;
  }
  return false;
}

/* What must hold after whatever was decided. */
static void check_decision(const struct order *before, const struct command *command,
                           const struct decision *decision) {
  const struct order *next = &decision->next;
  check_events(before, decision);
  assert_false(order_status_is_final(before->status) && before->status != next->status);
  if (before->target != ORDER_ACCEPTED) assert_int_equal(next->target, before->target);
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *message = &decision->messages[i];
    const struct order_slot *slot = &next->slots[message->slot];
    assert_int_equal(message->dispatch_version, slot->dispatch_version);
    bool is_undo = command_rules[message->slot].is_undo;
    if (message->kind == MESSAGE_EXPIRE) assert_int_equal(slot->state, SLOT_PENDING);
    /* Nothing that has ended is sent for again. */
    if (message->kind == MESSAGE_CALL) assert_true(slot->state == SLOT_WAITING || slot->state == SLOT_RUNNING);
    if (is_undo) assert_int_not_equal(next->target, ORDER_ACCEPTED);
    const struct step_rule *rule = &step_rules[command_rules[message->slot].step];
    if (is_undo && !rule->undo_returns_money) assert_int_equal(next->slots[rule->command].state, SLOT_DONE);
  }
  if (order_status_is_final(next->status)) assert_false(open_forward(next));
  if (next->status == ORDER_COMPLETED) assert_int_equal(next->target, ORDER_ACCEPTED);
  if (next->status == ORDER_REJECTED || next->status == ORDER_CANCELLED) {
    assert_int_equal(next->status, next->target);
    for (int step = 0; step < STEP_COUNT; step++) {
      enum slot_state back = next->slots[step_rules[step].undo].state;
      bool due = next->slots[step_rules[step].command].state == SLOT_DONE ||
                 (step_rules[step].undo_returns_money && next->content.payment);
      if (due) assert_true(back == SLOT_DONE || back == SLOT_SKIPPED);
    }
  }
  if (decision->send) assert_true(next->slots[command->slot].unsettled);
}

static size_t commands_for_all(struct command *commands) {
  size_t count = 0;
  for (int slot = 0; slot < COMMAND_COUNT; slot++) {
    struct command base = {.slot = (enum order_command)slot, .dispatch_version = 3, .attempts = 2};
    base.kind = COMMAND_KIND_BEGIN;
    commands[count++] = base;
    base.kind = COMMAND_KIND_EXPIRE;
    commands[count++] = base;
    base.kind = COMMAND_KIND_ABANDON;
    commands[count++] = base;
    for (int result = 0; result < OUTCOME_COUNT; result++) {
      base.kind = COMMAND_KIND_OUTCOME;
      base.outcome = (enum outcome)result;
      base.is_callback = false;
      commands[count++] = base;
      base.is_callback = true;
      if (result == OUTCOME_DONE || result == OUTCOME_REFUSED) commands[count++] = base;
    }
  }
  for (int step = 0; step < STEP_COUNT; step++) {
    commands[count++] = (struct command){.kind = COMMAND_KIND_RETRY, .step = (enum step)step};
    commands[count++] = (struct command){.kind = COMMAND_KIND_SKIP, .step = (enum step)step, .applied = true};
    commands[count++] = (struct command){.kind = COMMAND_KIND_SKIP, .step = (enum step)step};
  }
  commands[count++] = (struct command){.kind = COMMAND_KIND_CANCEL};
  return count;
}

static struct order combination(unsigned long code, bool paid, enum order_status status,
                                enum order_status target) {
  struct order order = new_order(paid);
  order.status = status;
  order.target = target;
  order.version = 9;
  order.revision = 7;
  for (int slot = 0; slot < COMMAND_COUNT; slot++) {
    order.slots[slot] = (struct order_slot){.state = (enum slot_state)(code % SLOT_STATE_COUNT),
                                            .dispatch_version = 3,
                                            .deadline_ms = NOW + DEADLINE,
                                            .unsettled = (code / 7 + (unsigned)slot) % 2};
    /* What a reversal drops has no message out. */
    if (target != ORDER_ACCEPTED && !command_rules[slot].is_undo && order.slots[slot].state == SLOT_WAITING)
      order.slots[slot].dispatch_version = 0;
    code /= SLOT_STATE_COUNT;
  }
  return order;
}

/* A state that some history can lead to: nothing is undone while the order goes forward, and only what
 * was applied, or paid for, is undone at all. */
static bool is_lawful(const struct order *order) {
  bool forward = order->target == ORDER_ACCEPTED, attention = false, open = false;
  for (int step = 0; step < STEP_COUNT; step++) {
    const struct step_rule *rule = &step_rules[step];
    enum slot_state forth = order->slots[rule->command].state, back = order->slots[rule->undo].state;
    bool due = forth == SLOT_DONE || (rule->undo_returns_money && order->content.payment);
    attention |= forth == SLOT_ATTENTION || back == SLOT_ATTENTION;
    open |=
        forth == SLOT_RUNNING || forth == SLOT_PENDING || (due && back != SLOT_DONE && back != SLOT_SKIPPED);
    if (forth == SLOT_IDLE || back == SLOT_REFUSED || (forward && (back != SLOT_IDLE || forth == SLOT_REFUSED)))
      return false;
    if (back != SLOT_IDLE && !due) return false;
  }
  if (attention) return order->status == ORDER_ATTENTION;
  return order->status == (forward ? ORDER_PROCESSING : open ? ORDER_REVERSING : order->target);
}

/* 8^6 slot states, statuses, targets, every command: each is answered, never with a crash, with events
 * in sequence; and from lawful states only lawful decisions follow. */
static void test_every_combination(void **state) {
  (void)state;
  static struct command commands[200];
  static struct decision decision;
  static const enum order_status targets[] = {ORDER_ACCEPTED, ORDER_REJECTED, ORDER_CANCELLED};
  size_t count = commands_for_all(commands), lawful_decided = 0;
  for (unsigned long code = 0; code < 262144; code++) {
    for (unsigned long variant = 0; variant < ORDER_STATUS_COUNT * 3; variant++) {
      enum order_status status = (enum order_status)(variant % ORDER_STATUS_COUNT);
      struct order order = combination(code, code % 2, status, targets[variant / ORDER_STATUS_COUNT]);
      bool lawful = is_lawful(&order);
      if (!lawful && (code + variant) % 41 != 0) continue;
      rules.attempts_unstored = (code + variant) % 2;
      for (int i = 0; i < SERVICE_COUNT; i++)
        rules.idempotency[i] = (enum idempotency)((code + variant + (unsigned)i) % 3);
      for (size_t i = lawful ? 0 : variant % 5; i < count; i += lawful ? 1 : 5) {
        enum verdict verdict = order_decide(&order, &commands[i], &rules, NOW, &arena, &decision);
        assert_true(verdict < VERDICT_COUNT);
        if (verdict != VERDICT_DECIDED) continue;
        check_events(&order, &decision);
        lawful_decided += lawful;
        if (lawful) check_decision(&order, &commands[i], &decision);
      }
    }
    arena_reset(&arena);
  }
  assert_true(lawful_decided > 10000);
}

/* Random histories: whatever comes in whatever order, only lawful states are reached. */
static void test_random_histories(void **state) {
  (void)state;
  static struct command commands[200];
  size_t count = commands_for_all(commands), finals = 0;
  srand(7);
  for (int round = 0; round < 20000; round++) {
    for (int i = 0; i < SERVICE_COUNT; i++) rules.idempotency[i] = (enum idempotency)(rand() % 3);
    rules.attempts_unstored = rand() % 2;
    struct story s = created(round % 2);
    for (int i = 0; i < 60 && !order_status_is_final(s.order.status); i++) {
      struct command command = commands[(size_t)rand() % count];
      if (rand() % 8 == 0) s.now_ms += DEADLINE / 4;
      command.dispatch_version = s.order.slots[command.slot].dispatch_version;
      struct order before = s.order;
      if (tell(&s, command) == VERDICT_DECIDED) check_decision(&before, &command, &s.decision);
    }
    finals += order_status_is_final(s.order.status);
    arena_reset(&arena);
  }
  assert_true(finals > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_every_combination), TEST(test_random_histories)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
