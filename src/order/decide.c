#include "order/decide.h"

#include "base/panic.h"
#include "order/decide_internal.h"

struct deciding {
  struct decision *decision;
  struct order *next;
  const struct command *command;
  const struct order_rules *rules;
  struct arena *arena;
  int64_t now_ms;
};

/* --- what a state means --- */

static bool passed(const struct order_slot *slot) {
  return slot->state == SLOT_DONE || slot->state == SLOT_SKIPPED;
}

/* It is known whether the command was applied. */
static bool settled(const struct order_slot *slot) {
  return slot->state == SLOT_WAITING || slot->state == SLOT_REFUSED || passed(slot);
}

/* Its message is out, and whether it was sent is not stored before the outcome is. */
static bool may_be_sent(const struct order_slot *slot, enum order_command command,
                        const struct order_rules *rules) {
  return rules->attempts_unstored && slot->state == SLOT_WAITING && slot->dispatch_version > 0 &&
         rules->idempotency[command_service(command)] == IDEMPOTENCY_KEY;
}

bool order_slot_is_open(const struct order *order, enum order_command slot, const struct order_rules *rules) {
  return order->slots[slot].state == SLOT_RUNNING || may_be_sent(&order->slots[slot], slot, rules);
}

/* Another delivery of its message, for which nothing was stored, may still be sending it. */
static bool may_be_under_way(const struct order_slot *slot, enum order_command command,
                             const struct order_rules *rules, int64_t now_ms) {
  return rules->attempts_unstored && rules->idempotency[command_service(command)] == IDEMPOTENCY_KEY &&
         now_ms < slot->since_ms + rules->attempt_ms;
}

/* Nothing remains to be undone of a step. */
static bool closed(const struct order *order, size_t step) {
  return settled(do_slot(order, step)) && (!undo_is_due(order, step) || passed(undo_slot(order, step)));
}

static bool all_closed(const struct order *order, unsigned steps) {
  for (size_t step = 0; step < STEP_COUNT; step++)
    if ((steps & STEP_BIT(step)) && !closed(order, step)) return false;
  return true;
}

static bool all_passed(const struct order *order, unsigned steps) {
  for (size_t step = 0; step < STEP_COUNT; step++)
    if ((steps & STEP_BIT(step)) && !passed(do_slot(order, step))) return false;
  return true;
}

static const unsigned every_step = STEP_BIT(STEP_COUNT) - 1;

static enum order_status derived_status(const struct order *order) {
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (order->slots[i].state == SLOT_ATTENTION) return ORDER_ATTENTION;
  if (is_reversing(order)) return all_closed(order, every_step) ? order->target : ORDER_REVERSING;
  if (all_passed(order, every_step)) return ORDER_COMPLETED;
  for (size_t step = 0; step < STEP_COUNT; step++)
    if (do_slot(order, step)->state != SLOT_WAITING) return ORDER_PROCESSING;
  return order->status == ORDER_ACCEPTED ? ORDER_ACCEPTED : ORDER_PROCESSING;
}

/* --- transitions --- */

static void add_event(struct deciding *d, struct bytes type, const char *step, struct bytes detail) {
  ensure(d->decision->event_count < DECISION_EVENTS_MAX);
  d->next->version++;
  d->next->updated_ms = d->now_ms;
  d->decision->events[d->decision->event_count++] = (struct order_event){
      .sequence = d->next->version,
      .type = type,
      .at_ms = d->now_ms,
      .status = d->next->status,
      .step = bytes_of(step),
      .detail = detail,
  };
}

static void set_slot(struct deciding *d, enum order_command command, enum slot_state state,
                     struct bytes detail) {
  const struct command_rule *rule = &command_rules[command];
  struct order_slot *slot = &d->next->slots[command];
  slot->state = state;
  if (state == SLOT_ATTENTION) slot->since_ms = d->now_ms;
  add_event(d, arena_printf(d->arena, "%s.%s", rule->name, order_slot_state_name(state)),
            step_rules[rule->step].name, detail);
}

static void update_status(struct deciding *d) {
  enum order_status status = derived_status(d->next);
  if (status == d->next->status) return;
  d->next->status = status;
  add_event(d, arena_printf(d->arena, "order.%s", order_status_name(status)), NULL,
            is_reversing(d->next) ? d->next->reason : (struct bytes){NULL, 0});
}

static void add_message(struct deciding *d, enum message_kind kind, enum order_command command,
                        int64_t due_ms) {
  const struct order_slot *slot = &d->next->slots[command];
  ensure(d->decision->message_count < DECISION_MESSAGES_MAX);
  d->decision->messages[d->decision->message_count++] =
      (struct order_message){.kind = kind,
                             .slot = command,
                             .dispatch_version = slot->dispatch_version,
                             .due_ms = due_ms,
                             .deadline_ms = slot->deadline_ms};
}

/* Puts the command's message out; from now on only this dispatch counts. */
static void dispatch(struct deciding *d, enum order_command command) {
  struct order_slot *slot = &d->next->slots[command];
  if (slot->state == SLOT_IDLE) slot->state = SLOT_WAITING;
  slot->attempts = 0;
  slot->dispatch_version = d->next->version;
  slot->since_ms = d->now_ms;
  slot->deadline_ms = d->now_ms + d->rules->deadline_ms[command_service(command)];
  add_message(d, MESSAGE_CALL, command, d->now_ms);
}

/* Sends what has become due, in whichever direction the order goes. */
static void dispatch_due(struct deciding *d) {
  for (size_t step = 0; step < STEP_COUNT; step++) {
    const struct step_rule *rule = &step_rules[step];
    const struct order_slot *forth = do_slot(d->next, step), *back = undo_slot(d->next, step);
    if (is_reversing(d->next)) {
      if (back->state == SLOT_IDLE && settled(forth) && undo_is_due(d->next, step) &&
          all_closed(d->next, rule->undo_after))
        dispatch(d, rule->undo);
    } else if (forth->state == SLOT_WAITING && forth->dispatch_version == 0 &&
               all_passed(d->next, rule->after)) {
      dispatch(d, rule->command);
    }
  }
}

static enum verdict conclude(struct deciding *d) {
  dispatch_due(d);
  update_status(d);
  return VERDICT_DECIDED;
}

/* It was surely not applied, and the order has turned round: whatever message is out is out of date. */
static void drop(struct deciding *d, enum order_command command) {
  d->next->slots[command].dispatch_version = 0;
  set_slot(d, command, SLOT_WAITING, BYTES("not applied, no longer wanted"));
}

static void bring_to_attention(struct deciding *d, enum order_command command, bool unsettled,
                               struct bytes detail) {
  struct order_slot *slot = &d->next->slots[command];
  slot->unsettled = unsettled;
  slot->reason = detail;
  set_slot(d, command, SLOT_ATTENTION, detail);
}

/* Turns the order round. What surely was not applied is dropped, what is unsettled goes on until it
 * is settled; where the outcome can be asked for again (`settle_attention`), it is asked again. */
static void reverse(struct deciding *d, enum order_status target, struct bytes reason, bool settle_attention) {
  d->next->target = target;
  d->next->reason = reason;
  for (size_t step = 0; step < STEP_COUNT; step++) {
    enum order_command command = step_rules[step].command;
    struct order_slot *slot = &d->next->slots[command];
    bool held = slot->state == SLOT_ATTENTION;
    if (may_be_sent(slot, command, d->rules)) {
      slot->unsettled = true;
      slot->since_ms = d->now_ms; /* what was found before this is no longer the last word */
      set_slot(d, command, SLOT_RUNNING, BYTES("to be settled"));
    }
    if (slot->state != SLOT_RUNNING && !held) continue;
    if (held && may_be_under_way(slot, command, d->rules, d->now_ms)) slot->unsettled = true;
    if (!slot->unsettled) {
      drop(d, command);
    } else if (held && settle_attention) {
      set_slot(d, command, SLOT_RUNNING, BYTES("to be settled"));
      dispatch(d, command);
    }
  }
  if (derived_status(d->next) != ORDER_ATTENTION) {
    d->next->status = ORDER_REVERSING;
    add_event(d, BYTES("order.reversing"), NULL, reason);
  }
}

/* --- commands --- */

static enum verdict decide_create(struct deciding *d) {
  const struct order *create = d->command->create;
  *d->next = (struct order){.id = create->id,
                            .customer = create->customer,
                            .content = create->content,
                            .content_json = create->content_json,
                            .traceparent = create->traceparent,
                            .status = ORDER_ACCEPTED,
                            .target = ORDER_ACCEPTED,
                            .revision = 1,
                            .created_ms = d->now_ms};
  for (size_t step = 0; step < STEP_COUNT; step++)
    d->next->slots[step_rules[step].command].state = SLOT_WAITING;
  add_event(d, BYTES("order.accepted"), NULL, (struct bytes){NULL, 0});
  if (d->command->reason.size) bring_to_attention(d, step_rules[0].command, false, d->command->reason);
  return conclude(d);
}

static enum verdict decide_expired(struct deciding *d, const char *what) {
  const struct order_slot *slot = &d->next->slots[d->command->slot];
  struct bytes last = d->command->reason;
  bring_to_attention(
      d, d->command->slot, slot->unsettled,
      last.size ? arena_printf(d->arena, "%s; last answer: %.*s", what, BYTES_PRINTF(last)) : bytes_of(what));
  return conclude(d);
}

/* Under way, or to be sent in the direction in which the order goes now. */
static bool is_wanted(const struct deciding *d) {
  enum slot_state state = d->next->slots[d->command->slot].state;
  bool is_undo = command_rules[d->command->slot].is_undo;
  return state == SLOT_RUNNING || (state == SLOT_WAITING && (is_undo || !is_reversing(d->next)));
}

static enum verdict decide_begin(struct deciding *d) {
  const struct command *command = d->command;
  struct order_slot *slot = &d->next->slots[command->slot];
  bool open = is_wanted(d);
  if (!open || slot->dispatch_version == 0 || command->dispatch_version != slot->dispatch_version)
    return VERDICT_STALE;
  bool may_be = may_be_sent(slot, command->slot, d->rules);
  if (may_be) slot->unsettled = true;
  if (d->now_ms >= slot->deadline_ms) return decide_expired(d, "the deadline has passed");
  if (may_be) return VERDICT_SEND;
  if (slot->state == SLOT_RUNNING && slot->unsettled) {
    enum idempotency idempotency = d->rules->idempotency[command_service(command->slot)];
    if (idempotency == IDEMPOTENCY_KEY) return VERDICT_SEND;
    if (idempotency == IDEMPOTENCY_LOOKUP)
      return d->now_ms < slot->since_ms + d->rules->attempt_ms ? VERDICT_WAIT : VERDICT_LOOK_UP;
    return decide_expired(d, "the outcome of an attempt is unknown, and the service cannot tell");
  }
  slot->unsettled = true;
  slot->since_ms = d->now_ms;
  d->decision->send = true;
  if (slot->state == SLOT_RUNNING) return VERDICT_DECIDED;
  slot->attempts = command->attempts;
  if (d->next->status == ORDER_ACCEPTED) {
    d->next->status = ORDER_PROCESSING;
    add_event(d, BYTES("order.processing"), NULL, (struct bytes){NULL, 0});
  }
  set_slot(d, command->slot, SLOT_RUNNING, (struct bytes){NULL, 0});
  update_status(d);
  return VERDICT_DECIDED;
}

static enum verdict decide_refused(struct deciding *d) {
  enum order_command command = d->command->slot;
  struct order_slot *slot = &d->next->slots[command];
  struct bytes reason = d->command->reason.size ? d->command->reason : BYTES("unspecified");
  slot->refused = true;
  if (command_rules[command].is_undo) {
    bring_to_attention(d, command, false, arena_printf(d->arena, "refused: %.*s", BYTES_PRINTF(reason)));
    return conclude(d);
  }
  slot->unsettled = false;
  slot->reason = reason;
  set_slot(d, command, SLOT_REFUSED, reason);
  if (!is_reversing(d->next)) reverse(d, ORDER_REJECTED, reason, false);
  return conclude(d);
}

static bool is_open(const struct deciding *d) {
  return order_slot_is_open(d->next, d->command->slot, d->rules);
}

static enum verdict decide_not_applied(struct deciding *d) {
  enum order_command command = d->command->slot;
  struct order_slot *slot = &d->next->slots[command];
  if (!is_open(d)) return VERDICT_STALE;
  if (d->command->in_doubt || !slot->unsettled || slot->since_ms != d->command->begun_ms)
    return VERDICT_UNCHANGED;
  slot->unsettled = false;
  if (!is_reversing(d->next) || command_rules[command].is_undo) return VERDICT_DECIDED;
  drop(d, command);
  return conclude(d);
}

static enum verdict decide_pending(struct deciding *d) {
  enum order_command command = d->command->slot;
  struct order_slot *slot = &d->next->slots[command];
  if (!is_open(d)) return VERDICT_STALE;
  slot->unsettled = true;
  set_slot(d, command, SLOT_PENDING, (struct bytes){NULL, 0});
  add_message(d, MESSAGE_EXPIRE, command, slot->deadline_ms);
  return conclude(d);
}

static enum verdict decide_done(struct deciding *d) {
  struct order_slot *slot = &d->next->slots[d->command->slot];
  slot->reference = d->command->reference;
  slot->reason = (struct bytes){NULL, 0};
  slot->unsettled = false;
  set_slot(d, d->command->slot, SLOT_DONE, (struct bytes){NULL, 0});
  return conclude(d);
}

static enum verdict apply_outcome(struct deciding *d) {
  const struct command *command = d->command;
  struct order_slot *slot = &d->next->slots[command->slot];
  /* What makes no transition leaves the visible attempts as they were: the version stays, too. */
  bool moves = command->outcome != OUTCOME_NOT_APPLIED && command->attempts > 0;
  if (moves) slot->attempts = command->attempts;
  switch (command->outcome) {
    case OUTCOME_DONE:
      return decide_done(d);
    case OUTCOME_REFUSED:
      return decide_refused(d);
    case OUTCOME_PENDING:
      return decide_pending(d);
    case OUTCOME_NOT_APPLIED:
      return decide_not_applied(d);
    case OUTCOME_INVALID:
    case OUTCOME_GARBAGE:
      if (!is_open(d)) return VERDICT_STALE;
      bring_to_attention(d, command->slot, command->in_doubt || command->outcome == OUTCOME_GARBAGE,
                         command->reason);
      return conclude(d);
    case OUTCOME_UNKNOWN:
      if (!is_open(d)) return VERDICT_STALE;
      if (d->rules->idempotency[command_service(command->slot)] != IDEMPOTENCY_NONE) return VERDICT_UNCHANGED;
      bring_to_attention(d, command->slot, true, command->reason);
      return conclude(d);
    case OUTCOME_COUNT:
      break;
  }
  return VERDICT_STALE;
}

/* A service's late word. What is settled stands; what a person settled, too. */
static enum verdict decide_callback(struct deciding *d) {
  const struct order_slot *slot = &d->next->slots[d->command->slot];
  bool done = d->command->outcome == OUTCOME_DONE;
  if (slot->by_hand || slot->state == SLOT_SKIPPED) return VERDICT_CONFLICT;
  if (slot->state == SLOT_DONE) return done ? VERDICT_UNCHANGED : VERDICT_CONFLICT;
  if (slot->refused) return done ? VERDICT_CONFLICT : VERDICT_UNCHANGED;
  bool never_sent =
      slot->state == SLOT_IDLE || (slot->state == SLOT_WAITING && slot->attempts == 0 && !is_open(d));
  if (never_sent || order_status_is_final(d->next->status)) return VERDICT_CONFLICT;
  return apply_outcome(d);
}

static enum verdict decide_outcome(struct deciding *d) {
  const struct order_slot *slot = &d->next->slots[d->command->slot];
  if (d->command->is_callback) return decide_callback(d);
  if (slot->dispatch_version == 0 || slot->dispatch_version != d->command->dispatch_version)
    return VERDICT_STALE;
  bool tells = d->command->outcome == OUTCOME_DONE || d->command->outcome == OUTCOME_REFUSED;
  bool open = is_open(d) ||
              (tells && (slot->state == SLOT_PENDING || (slot->state == SLOT_ATTENTION && !slot->refused)));
  return open ? apply_outcome(d) : VERDICT_STALE;
}

static enum verdict decide_cancel(struct deciding *d) {
  if (order_status_is_final(d->next->status)) return VERDICT_FINAL;
  if (is_reversing(d->next)) return VERDICT_UNCHANGED;
  for (size_t step = 0; step < STEP_COUNT; step++) {
    const struct order_slot *slot = do_slot(d->next, step);
    if (slot->state == SLOT_ATTENTION && slot->unsettled &&
        d->rules->idempotency[step_rules[step].service] == IDEMPOTENCY_NONE)
      return VERDICT_STEP_UNSETTLED;
  }
  reverse(d, ORDER_CANCELLED, d->command->reason, true);
  return conclude(d);
}

static enum verdict decide_retry(struct deciding *d) {
  enum order_command command;
  if (!order_step_attention(d->next, d->command->step, &command)) return VERDICT_STEP_NOT_WAITING;
  struct order_slot *slot = &d->next->slots[command];
  slot->refused = false;
  slot->reason = (struct bytes){NULL, 0};
  if (d->rules->idempotency[command_service(command)] == IDEMPOTENCY_NONE) slot->unsettled = false;
  bool settles = is_reversing(d->next) && !command_rules[command].is_undo;
  struct bytes why = d->command->reason.size ? d->command->reason : BYTES("to be tried again");
  set_slot(d, command, slot->unsettled || settles ? SLOT_RUNNING : SLOT_WAITING, why);
  dispatch(d, command);
  return conclude(d);
}

static enum verdict decide_skip(struct deciding *d) {
  enum order_command command;
  if (!order_step_attention(d->next, d->command->step, &command)) return VERDICT_STEP_NOT_WAITING;
  struct order_slot *slot = &d->next->slots[command];
  slot->by_hand = true;
  slot->unsettled = false;
  slot->reference = d->command->applied ? d->command->reference : (struct bytes){NULL, 0};
  slot->reason = d->command->reason;
  set_slot(d, command, d->command->applied ? SLOT_DONE : SLOT_SKIPPED, d->command->reason);
  return conclude(d);
}

static enum verdict decide_expire(struct deciding *d) {
  const struct order_slot *slot = &d->next->slots[d->command->slot];
  if (slot->state != SLOT_PENDING || slot->dispatch_version != d->command->dispatch_version)
    return VERDICT_STALE;
  return decide_expired(d, "answered 202, and no callback came before the deadline");
}

static enum verdict decide_abandon(struct deciding *d) {
  const struct order_slot *slot = &d->next->slots[d->command->slot];
  bool open = is_wanted(d) || slot->state == SLOT_PENDING;
  if (!open || slot->dispatch_version == 0 || slot->dispatch_version != d->command->dispatch_version)
    return VERDICT_STALE;
  bring_to_attention(d, d->command->slot, slot->unsettled || is_open(d), d->command->reason);
  return conclude(d);
}

enum verdict order_decide(const struct order *order, const struct command *command,
                          const struct order_rules *rules, int64_t now_ms, struct arena *arena,
                          struct decision *ret_decision) {
  struct deciding d = {.decision = ret_decision,
                       .next = &ret_decision->next,
                       .command = command,
                       .rules = rules,
                       .arena = arena,
                       .now_ms = now_ms};
  ret_decision->previous = order;
  ret_decision->event_count = 0;
  ret_decision->message_count = 0;
  ret_decision->send = false;
  if (command->kind == COMMAND_KIND_CREATE) return order ? VERDICT_UNCHANGED : decide_create(&d);
  if (!order) return VERDICT_MISSING;
  ret_decision->next = *order;
  ret_decision->next.revision++;
  switch (command->kind) {
    case COMMAND_KIND_BEGIN:
      return decide_begin(&d);
    case COMMAND_KIND_OUTCOME:
      return decide_outcome(&d);
    case COMMAND_KIND_CANCEL:
      return decide_cancel(&d);
    case COMMAND_KIND_RETRY:
      return decide_retry(&d);
    case COMMAND_KIND_SKIP:
      return decide_skip(&d);
    case COMMAND_KIND_EXPIRE:
      return decide_expire(&d);
    case COMMAND_KIND_ABANDON:
      return decide_abandon(&d);
    case COMMAND_KIND_CREATE:
    case COMMAND_KIND_COUNT:
      break;
  }
  return VERDICT_STALE;
}
