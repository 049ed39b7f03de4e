/* What must hold, by name. On each commit for the order concerned, on each effect for its order, and at the end
 * for all. A new step in the step table needs no line here. */
#include <string.h>

#include "order/decide.h"
#include "order/step.h"
#include "simulator/world.h"

#define ID(stored) ORDER_ID_CHARACTERS, (stored)->order.id.data

/* --- on each effect -------------------------------------------------------------------------------- */

/* Undoing follows the table's order: the money comes back last, when everything else is closed. */
static void check_undo_order(struct world *world, const struct record *record, enum order_command command) {
  const struct step_rule *rule = &step_rules[command_rules[command].step];
  const struct stored *stored = store_sim_find(world->store, bytes_from(record->id, ORDER_ID_CHARACTERS));
  for (size_t step = 0; stored && command_rules[command].is_undo && step < STEP_COUNT; step++) {
    const struct order_slot *forth = &stored->order.slots[step_rules[step].command];
    const struct order_slot *back = &stored->order.slots[step_rules[step].undo];
    bool by_hand = forth->by_hand || back->by_hand;
    if (!(rule->undo_after & STEP_BIT(step)) || by_hand) continue;
    if (record->commands[step_rules[step].command].applied != record->commands[step_rules[step].undo].applied)
      world_violate(world, "undone-in-order", "%.*s: %s before %s was undone", ORDER_ID_CHARACTERS, record->id,
                    command_rules[command].name, step_rules[step].name);
  }
}

void invariants_on_applied(struct world *world, struct record *record, enum order_command command) {
  enum order_command forth = step_rules[command_rules[command].step].command;
  bool needs_it = command_rules[command].is_undo && !step_rules[command_rules[command].step].undo_returns_money;
  if (record->commands[command].applied > 1)
    world_violate(world, "applied-once", "%.*s: %s was applied %d times", ORDER_ID_CHARACTERS, record->id,
                  command_rules[command].name, record->commands[command].applied);
  if (needs_it && record->commands[forth].applied == 0)
    world_violate(world, "undone-only-if-applied", "%.*s: %s without %s", ORDER_ID_CHARACTERS, record->id,
                  command_rules[command].name, command_rules[forth].name);
  check_undo_order(world, record, command);
}

void invariants_on_callback(struct world *world, const struct record *record, int64_t deadline_ms) {
  if (!world->options.jumps && deadline_ms > 0 && clock_now_ms(&world->sim.clock) > deadline_ms + 60000)
    world_violate(world, "late-callbacks-are-refused", "%.*s", ORDER_ID_CHARACTERS, record->id);
}

/* --- on each commit -------------------------------------------------------------------------------- */

static void check_attempted(struct world *world, const struct stored *stored) {
  const struct record *record = record_find(world, stored->order.id);
  if (!record) {
    /* An order that was contested in the intake has an id of its own (function/admit). */
    if (stored->order.slots[step_rules[0].command].state == SLOT_ATTENTION &&
        world->options.shape == SHAPE_AWS) {
      world_mark(world, MARK_CONTESTED);
      return;
    }
    world_violate(world, "stored-was-attempted", "%.*s was stored, and nobody sent it", ID(stored));
    return;
  }
  for (size_t i = 0; i < record->body_count; i++)
    if (bytes_equal(record->bodies[i], stored->order.content_json)) return;
  world_violate(world, "stored-was-attempted", "%.*s has a content that nobody sent", ID(stored));
}

/* Made for a person to decide (function/admit): in attention from its first version on. */
static bool is_contested(const struct stored *stored) {
  return stored->order.slots[step_rules[0].command].state == SLOT_ATTENTION;
}

static void check_history(struct world *world, const struct stored *stored, const struct decision *decision) {
  int64_t before = stored->previous.revision ? stored->previous.version : 0;
  for (size_t i = 0; i < decision->event_count; i++)
    if (decision->events[i].sequence != before + (int64_t)i + 1)
      world_violate(world, "versions-by-one", "%.*s: event %lld after version %lld", ID(stored),
                    (long long)decision->events[i].sequence, (long long)before);
  if ((int64_t)stored->event_count != stored->order.version)
    world_violate(world, "history-is-complete", "%.*s: %zu events at version %lld", ID(stored),
                  stored->event_count, (long long)stored->order.version);
}

static void check_transition(struct world *world, const struct stored *stored) {
  const struct order *before = &stored->previous, *after = &stored->order;
  if (before->revision == 0) return;
  if (order_status_is_final(before->status) && after->status != before->status)
    world_violate(world, "final-is-final", "%.*s: %s after %s", ID(stored), order_status_name(after->status),
                  order_status_name(before->status));
  if (before->target != ORDER_ACCEPTED && after->target != before->target)
    world_violate(world, "decided-first-stands", "%.*s turned twice", ID(stored));
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (before->slots[i].state == SLOT_DONE && after->slots[i].state != SLOT_DONE)
      world_violate(world, "done-stays-done", "%.*s: %s", ID(stored), command_rules[i].name);
}

/* A final order's effects match its status, as far as no person said otherwise. */
static void check_effects(struct world *world, const struct stored *stored, const struct record *record) {
  const struct order *order = &stored->order;
  bool completed = order->status == ORDER_COMPLETED;
  for (size_t step = 0; step < STEP_COUNT; step++) {
    const struct step_rule *rule = &step_rules[step];
    const struct order_slot *forth = &order->slots[rule->command], *back = &order->slots[rule->undo];
    int applied = record->commands[rule->command].applied, undone = record->commands[rule->undo].applied;
    bool by_hand = forth->by_hand || back->by_hand;
    bool due = rule->undo_returns_money ? applied > 0 || order->content.payment != NULL : applied > 0;
    if (completed && !by_hand && applied != 1)
      world_violate(world, "completed-is-applied", "%.*s: %s was applied %d times", ID(stored), rule->name,
                    applied);
    if (completed && undone != 0)
      world_violate(world, "completed-is-applied", "%.*s: %s was undone", ID(stored), rule->name);
    if (!completed && !by_hand && undone != (due ? 1 : 0))
      world_violate(world, rule->undo_returns_money ? "refunded-once" : "undone-iff-applied",
                    "%.*s is %s: %s was applied %d times, and undone %d times", ID(stored),
                    order_status_name(order->status), rule->name, applied, undone);
  }
}

static void note_status(struct world *world, struct stored *stored) {
  static const enum world_mark marks[ORDER_STATUS_COUNT] = {[ORDER_COMPLETED] = MARK_COMPLETED,
                                                            [ORDER_REJECTED] = MARK_REJECTED,
                                                            [ORDER_CANCELLED] = MARK_CANCELLED,
                                                            [ORDER_ATTENTION] = MARK_ATTENTION};
  if (stored->previous.revision && stored->previous.status == stored->order.status) return;
  stored->status_changed = ++world->status_changes;
  if (!stored->order.content.payment && stored->order.status == ORDER_COMPLETED)
    world_mark(world, MARK_ON_TERMS_COMPLETED);
  if (!stored->order.content.payment &&
      (stored->order.status == ORDER_REJECTED || stored->order.status == ORDER_CANCELLED))
    world_mark(world, MARK_ON_TERMS_UNDONE);
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (stored->order.slots[i].state == SLOT_ATTENTION && stored->order.slots[i].unsettled &&
        world->options.idempotency[command_service((enum order_command)i)] == IDEMPOTENCY_NONE)
      world_mark(world, MARK_UNKNOWN_WITHOUT_KEYS);
  if (marks[stored->order.status]) world_mark(world, marks[stored->order.status]);
  if (stored->order.status == ORDER_REJECTED && stored->order.slots[COMMAND_RELEASE].state == SLOT_DONE)
    world_mark(world, MARK_UNDONE_AFTER_REFUSAL);
}

void invariants_on_commit(struct world *world, struct stored *stored, const struct store_commit *commit) {
  const struct record *record = record_find(world, stored->order.id);
  if (world->options.story)
    for (size_t i = 0; i < commit->decision->event_count; i++)
      world_tell(world, stored->order.id.data, "stored %lld: %.*s %.*s",
                 (long long)commit->decision->events[i].sequence,
                 BYTES_PRINTF(commit->decision->events[i].type),
                 BYTES_PRINTF(commit->decision->events[i].detail));
  if (commit->decision->next.revision == 1) {
    stored->contested = is_contested(stored);
    check_attempted(world, stored);
  }
  check_history(world, stored, commit->decision);
  check_transition(world, stored);
  note_status(world, stored);
  if (record && order_status_is_final(stored->order.status)) check_effects(world, stored, record);
}

/* --- at the end ------------------------------------------------------------------------------------ */

static void check_acknowledged(struct world *world, const struct record *record) {
  struct stored *stored = store_sim_find(world->store, bytes_from(record->id, ORDER_ID_CHARACTERS));
  if (!record->acknowledged) return;
  if (!stored) {
    world_violate(world, "acknowledged-is-stored", "%.*s is gone", ORDER_ID_CHARACTERS, record->id);
  } else if (!bytes_equal(stored->order.content_json, record->content_json)) {
    /* Two contents under one key, one of them through the intake: the other has an order of its own. */
    for (size_t i = 0; i < store_sim_count(world->store); i++)
      if (bytes_equal(store_sim_at(world->store, i)->order.content_json, record->content_json)) return;
    world_violate(world, "acknowledged-is-stored", "%.*s has another content", ORDER_ID_CHARACTERS, record->id);
  }
}

static void check_ended(struct world *world, const struct stored *stored) {
  const struct record *record = record_find(world, stored->order.id);
  if (!order_status_is_final(stored->order.status) && stored->order.status != ORDER_ATTENTION)
    world_violate(world, "liveness", "%.*s is still %s", ID(stored), order_status_name(stored->order.status));
  if (record && order_status_is_final(stored->order.status)) check_effects(world, stored, record);
}

/* One payment makes one order, but for those that were acknowledged from the intake, which a person is told of.
 */
static void check_payments(struct world *world) {
  for (size_t i = 0; i < store_sim_count(world->store); i++) {
    const struct stored *a = store_sim_at(world->store, i);
    if (!a->order.content.payment) continue;
    for (size_t k = i + 1; k < store_sim_count(world->store); k++) {
      const struct stored *b = store_sim_at(world->store, k);
      bool same = b->order.content.payment &&
                  bytes_equal(a->order.content.payment->reference, b->order.content.payment->reference);
      if (same && a->claim_count + b->claim_count > 1 && !a->contested && !b->contested)
        world_violate(world, "one-payment-one-order", "%.*s and %.*s", ID(a), ID(b));
      if (same && a->claim_count == 0 && b->claim_count == 0 && !a->contested && !b->contested)
        world_violate(world, "one-payment-one-order", "%.*s and %.*s, without a claim", ID(a), ID(b));
    }
  }
}

static void check_sums(struct world *world) {
  int64_t taken[SKUS] = {0}, recorded = 0, refunded = 0;
  for (size_t i = 0; i < world->record_count; i++) {
    const struct record *record = world->all[i];
    for (size_t j = 0; j < SKUS; j++)
      taken[j] += record->units[j] *
                  (record->commands[COMMAND_RESERVE].applied - record->commands[COMMAND_RELEASE].applied);
    recorded += record->total * record->commands[COMMAND_RECORD].applied;
    refunded += record->total * record->commands[COMMAND_REFUND].applied;
  }
  for (size_t i = 0; i < SKUS; i++)
    if (world->stock[i] != world->stock_at_first - taken[i] || world->stock[i] < 0)
      world_violate(world, "stock-is-conserved", "S%zu: %lld", i, (long long)world->stock[i]);
  if (recorded != world->money_recorded || refunded != world->money_refunded)
    world_violate(world, "money-is-conserved", "recorded %lld, refunded %lld", (long long)recorded,
                  (long long)refunded);
}

void invariants_at_end(struct world *world) {
  for (size_t i = 0; i < world->record_count; i++) check_acknowledged(world, world->all[i]);
  for (size_t i = 0; i < store_sim_count(world->store); i++) check_ended(world, store_sim_at(world->store, i));
  check_payments(world);
  check_sums(world);
  if (queue_sim_waiting(world->queue) > 0)
    world_violate(world, "queues-are-bounded", "%zu messages are left", queue_sim_waiting(world->queue));
}
