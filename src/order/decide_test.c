/* Tests of the core: the stories of contract section 2 as tables, and every combination of status,
 * slot states and command, held against the rules that must hold for all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "order/decide.h"
#include "order/step.h"

enum { NOW = 1000000, DEADLINE = 60000 };

static struct arena arena;
static struct order_rules rules;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  rules.attempts_unstored = false;
  for (int i = 0; i < SERVICE_COUNT; i++) {
    rules.idempotency[i] = IDEMPOTENCY_KEY;
    rules.deadline_ms[i] = DEADLINE;
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

/* --- an order that is told a story --- */

static struct order_line a_line;
static const struct order_payment a_payment = {.reference = {"pay_1", 5}};

static struct order new_order(bool paid) {
  a_line = (struct order_line){.sku = BYTES("A"), .quantity = 2, .unit_price = 100};
  return (struct order){.id = BYTES("ord_1"),
                        .customer = BYTES("ada"),
                        .content = {.channel = paid ? CHANNEL_RETAIL : CHANNEL_WHOLESALE,
                                    .currency = BYTES("GBP"),
                                    .lines = {&a_line, 1},
                                    .total = 200,
                                    .payment = paid ? &a_payment : NULL,
                                    .purchase_order = paid ? (struct bytes){NULL, 0} : BYTES("po-1")}};
}

struct story {
  struct order order;
  struct decision decision;
  enum verdict verdict;
  int64_t now_ms;
};

static enum verdict tell(struct story *story, struct command command) {
  struct order *before = ARENA_NEW(&arena, struct order);
  *before = story->order;
  story->verdict =
      order_decide(before->version ? before : NULL, &command, &rules, story->now_ms, &arena, &story->decision);
  if (story->verdict == VERDICT_DECIDED) story->order = story->decision.next;
  return story->verdict;
}

static struct story created(bool paid) {
  struct order *order = ARENA_NEW(&arena, struct order);
  *order = new_order(paid);
  struct story story = {.now_ms = NOW};
  assert_int_equal(tell(&story, (struct command){.kind = COMMAND_KIND_CREATE, .create = order}),
                   VERDICT_DECIDED);
  return story;
}

static enum verdict begin(struct story *story, enum order_command slot) {
  return tell(story, (struct command){.kind = COMMAND_KIND_BEGIN,
                                      .slot = slot,
                                      .attempts = 1,
                                      .dispatch_version = story->order.slots[slot].dispatch_version});
}

static enum verdict outcome(struct story *story, enum order_command slot, enum outcome outcome) {
  return tell(story, (struct command){
                         .kind = COMMAND_KIND_OUTCOME,
                         .slot = slot,
                         .outcome = outcome,
                         .attempts = 1,
                         .dispatch_version = story->order.slots[slot].dispatch_version,
                         .begun_ms = story->order.slots[slot].since_ms,
                         .reference = outcome == OUTCOME_DONE ? BYTES("ref") : (struct bytes){NULL, 0},
                         .reason = outcome == OUTCOME_REFUSED ? BYTES("out_of_stock") : BYTES("answered 500")});
}

static enum verdict callback(struct story *story, enum order_command slot, enum outcome outcome) {
  return tell(story, (struct command){.kind = COMMAND_KIND_OUTCOME,
                                      .slot = slot,
                                      .outcome = outcome,
                                      .is_callback = true,
                                      .reference = BYTES("late")});
}

static void goes_through(struct story *story, enum order_command slot, enum outcome with) {
  assert_int_equal(begin(story, slot), VERDICT_DECIDED);
  assert_true(story->decision.send);
  assert_int_equal(outcome(story, slot, with), VERDICT_DECIDED);
}

static enum verdict cancel(struct story *story) {
  return tell(story, (struct command){.kind = COMMAND_KIND_CANCEL, .reason = BYTES("changed my mind")});
}

static bool sends(const struct story *story, enum order_command slot) {
  for (size_t i = 0; i < story->decision.message_count; i++)
    if (story->decision.messages[i].kind == MESSAGE_CALL && story->decision.messages[i].slot == slot)
      return true;
  return false;
}

#define STATUS(story) order_status_name((story).order.status)

/* --- stories --- */

static void test_completes(void **state) {
  (void)state;
  struct story s = created(true);
  assert_string_equal(STATUS(s), "accepted");
  assert_int_equal(s.order.version, 1);
  assert_true(sends(&s, COMMAND_RESERVE));
  assert_false(sends(&s, COMMAND_RECORD));
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_string_equal(STATUS(s), "processing");
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_RECORD) && sends(&s, COMMAND_SHIP));
  goes_through(&s, COMMAND_SHIP, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "processing");
  goes_through(&s, COMMAND_RECORD, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "completed");
  assert_int_equal(cancel(&s), VERDICT_FINAL);
  assert_null(order_refund_state(&s.order));
}

static void test_first_refusal_refunds_only(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "reversing");
  assert_true(sends(&s, COMMAND_REFUND));
  assert_false(sends(&s, COMMAND_RELEASE));
  assert_string_equal(order_refund_state(&s.order), "waiting");
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_refund_state(&s.order), "done");
  assert_string_equal(order_step_state(&s.order, STEP_RESERVE), "refused");
  assert_string_equal(order_step_state(&s.order, STEP_RECORD), "waiting");
}

static void test_refusal_on_terms_has_nothing_to_refund(void **state) {
  (void)state;
  struct story s = created(false);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "rejected");
  assert_null(order_refund_state(&s.order));
}

static void test_late_refusal_undoes_in_order(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_SHIP, OUTCOME_DONE);
  goes_through(&s, COMMAND_RECORD, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "reversing");
  assert_true(sends(&s, COMMAND_RECALL));
  assert_false(sends(&s, COMMAND_RELEASE) || sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_RECALL, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RELEASE));
  assert_false(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_step_state(&s.order, STEP_SHIP), "undone");
}

static void test_reversal_waits_for_what_is_unsettled(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  begin(&s, COMMAND_RECORD);
  goes_through(&s, COMMAND_SHIP, OUTCOME_REFUSED);
  assert_true(sends(&s, COMMAND_RELEASE));
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_false(sends(&s, COMMAND_REFUND)); /* record is still out */
  assert_int_equal(outcome(&s, COMMAND_RECORD, OUTCOME_DONE), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND));
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
  assert_string_equal(order_step_state(&s.order, STEP_RECORD), "undone");
}

static void test_cancel_before_anything_was_sent(void **state) {
  (void)state;
  struct story s = created(true);
  int64_t message = s.order.slots[COMMAND_RESERVE].dispatch_version;
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND));
  assert_int_equal(tell(&s, (struct command){.kind = COMMAND_KIND_BEGIN,
                                             .slot = COMMAND_RESERVE,
                                             .attempts = 1,
                                             .dispatch_version = message}),
                   VERDICT_STALE);
  assert_int_equal(cancel(&s), VERDICT_UNCHANGED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "cancelled");
}

static void test_cancel_while_an_attempt_is_out(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_int_equal(s.decision.message_count, 0); /* first it must be known whether it was applied */
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_SEND);
  outcome(&s, COMMAND_RESERVE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RELEASE));
}

static void test_cancel_while_backing_off_after_a_429(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_NOT_APPLIED), VERDICT_DECIDED);
  assert_int_equal(s.decision.event_count, 0);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_REFUND)); /* surely never applied: nothing to settle, nothing to undo */
}

static void test_a_429_after_a_500_proves_nothing(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN), VERDICT_UNCHANGED);
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_SEND);
  assert_int_equal(
      tell(&s, (struct command){.kind = COMMAND_KIND_OUTCOME,
                                .slot = COMMAND_RESERVE,
                                .outcome = OUTCOME_NOT_APPLIED,
                                .in_doubt = true,
                                .attempts = 2,
                                .dispatch_version = s.order.slots[COMMAND_RESERVE].dispatch_version}),
      VERDICT_UNCHANGED);
  assert_true(s.order.slots[COMMAND_RESERVE].unsettled);
}

static void test_refusal_and_cancel_meet(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  cancel(&s);
  outcome(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "cancelled"); /* decided first */
}

static void test_unknown_outcome_by_idempotency(void **state) {
  (void)state;
  static const struct {
    enum idempotency idempotency;
    enum verdict ended, begun_again;
    const char *status;
  } cases[] = {{IDEMPOTENCY_KEY, VERDICT_UNCHANGED, VERDICT_SEND, "processing"},
               {IDEMPOTENCY_LOOKUP, VERDICT_UNCHANGED, VERDICT_LOOK_UP, "processing"},
               {IDEMPOTENCY_NONE, VERDICT_DECIDED, VERDICT_STALE, "attention"}};
  for (size_t i = 0; i < 3; i++) {
    rules.idempotency[SERVICE_INVENTORY] = cases[i].idempotency;
    struct story s = created(true);
    begin(&s, COMMAND_RESERVE);
    assert_int_equal(outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN), cases[i].ended);
    assert_string_equal(STATUS(s), cases[i].status);
    assert_int_equal(begin(&s, COMMAND_RESERVE), cases[i].begun_again);
  }
}

static void test_crash_in_an_attempt_of_a_service_without_keys(void **state) {
  (void)state;
  rules.idempotency[SERVICE_INVENTORY] = IDEMPOTENCY_NONE;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE); /* … and the process dies */
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_false(s.decision.send);
  assert_string_equal(STATUS(s), "attention");
  assert_int_equal(cancel(&s), VERDICT_STEP_UNSETTLED);
}

static void test_pending_callback_and_deadline(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_PENDING);
  assert_string_equal(order_step_state(&s.order, STEP_RESERVE), "pending");
  assert_int_equal(s.decision.messages[0].kind, MESSAGE_EXPIRE);
  assert_int_equal(s.decision.messages[0].due_ms, NOW + DEADLINE);
  struct story late = s;
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_DECIDED);
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_UNCHANGED);
  assert_int_equal(callback(&s, COMMAND_RESERVE, OUTCOME_REFUSED), VERDICT_CONFLICT);
  late.now_ms = NOW + DEADLINE;
  assert_int_equal(
      tell(&late, (struct command){.kind = COMMAND_KIND_EXPIRE,
                                   .slot = COMMAND_RESERVE,
                                   .dispatch_version = late.order.slots[COMMAND_RESERVE].dispatch_version}),
      VERDICT_DECIDED);
  assert_string_equal(STATUS(late), "attention");
}

static void test_deadline_of_retries(void **state) {
  (void)state;
  struct story s = created(true);
  begin(&s, COMMAND_RESERVE);
  outcome(&s, COMMAND_RESERVE, OUTCOME_UNKNOWN);
  s.now_ms = NOW + DEADLINE;
  assert_int_equal(begin(&s, COMMAND_RESERVE), VERDICT_DECIDED);
  assert_false(s.decision.send);
  assert_string_equal(STATUS(s), "attention");
}

static void test_retry_and_skip(void **state) {
  (void)state;
  struct story s = created(true);
  const struct command retry = {.kind = COMMAND_KIND_RETRY, .step = STEP_RESERVE};
  assert_int_equal(tell(&s, retry), VERDICT_STEP_NOT_WAITING);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_INVALID);
  assert_string_equal(STATUS(s), "attention");
  struct story skipped = s;
  int64_t old = s.order.slots[COMMAND_RESERVE].dispatch_version;
  assert_int_equal(tell(&s, retry), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_RESERVE));
  assert_int_not_equal(s.order.slots[COMMAND_RESERVE].dispatch_version, old);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  const struct command skip = {
      .kind = COMMAND_KIND_SKIP, .step = STEP_RESERVE, .reason = BYTES("by hand"), .applied = true};
  assert_int_equal(tell(&skipped, skip), VERDICT_DECIDED);
  assert_string_equal(order_step_state(&skipped.order, STEP_RESERVE), "done");
  assert_int_equal(callback(&skipped, COMMAND_RESERVE, OUTCOME_DONE), VERDICT_CONFLICT);
}

static void test_skipped_without_effect_is_not_undone(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_RECORD, OUTCOME_INVALID);
  tell(&s, (struct command){.kind = COMMAND_KIND_SKIP, .step = STEP_RECORD, .reason = BYTES("gone")});
  goes_through(&s, COMMAND_SHIP, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_RELEASE, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_REFUND)); /* for the payment; record was not applied */
  assert_int_not_equal(s.order.slots[COMMAND_RECORD].state, SLOT_DONE);
}

static void test_undo_refused_needs_a_person(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_REFUSED);
  goes_through(&s, COMMAND_REFUND, OUTCOME_REFUSED);
  assert_string_equal(STATUS(s), "attention");
  assert_string_equal(order_refund_state(&s.order), "attention");
  tell(&s, (struct command){.kind = COMMAND_KIND_RETRY, .step = STEP_RECORD});
  assert_string_equal(STATUS(s), "reversing");
  goes_through(&s, COMMAND_REFUND, OUTCOME_DONE);
  assert_string_equal(STATUS(s), "rejected");
}

static void test_cancel_from_attention_settles_first(void **state) {
  (void)state;
  struct story s = created(true);
  goes_through(&s, COMMAND_RESERVE, OUTCOME_DONE);
  goes_through(&s, COMMAND_SHIP, OUTCOME_GARBAGE);
  assert_int_equal(cancel(&s), VERDICT_DECIDED);
  assert_true(sends(&s, COMMAND_SHIP)); /* the same key again tells */
  assert_false(sends(&s, COMMAND_RELEASE));
  assert_int_equal(begin(&s, COMMAND_SHIP), VERDICT_SEND);
  outcome(&s, COMMAND_SHIP, OUTCOME_DONE);
  assert_true(sends(&s, COMMAND_RECALL));
}

/* --- every combination --- */

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

static void test_missing_order(void **state) {
  (void)state;
  struct decision decision;
  for (int kind = 1; kind < COMMAND_KIND_COUNT; kind++) {
    const struct command command = {.kind = (enum command_kind)kind};
    assert_int_equal(order_decide(NULL, &command, &rules, NOW, &arena, &decision), VERDICT_MISSING);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_completes),
      TEST(test_first_refusal_refunds_only),
      TEST(test_refusal_on_terms_has_nothing_to_refund),
      TEST(test_late_refusal_undoes_in_order),
      TEST(test_reversal_waits_for_what_is_unsettled),
      TEST(test_cancel_before_anything_was_sent),
      TEST(test_cancel_while_an_attempt_is_out),
      TEST(test_cancel_while_backing_off_after_a_429),
      TEST(test_a_429_after_a_500_proves_nothing),
      TEST(test_refusal_and_cancel_meet),
      TEST(test_unknown_outcome_by_idempotency),
      TEST(test_crash_in_an_attempt_of_a_service_without_keys),
      TEST(test_pending_callback_and_deadline),
      TEST(test_deadline_of_retries),
      TEST(test_retry_and_skip),
      TEST(test_skipped_without_effect_is_not_undone),
      TEST(test_undo_refused_needs_a_person),
      TEST(test_cancel_from_attention_settles_first),
      TEST(test_every_combination),
      TEST(test_random_histories),
      TEST(test_missing_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
