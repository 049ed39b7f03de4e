/* What the API shows of an order, derived from its slots. */
#include "order/decide_internal.h"

const char *order_step_state(const struct order *order, enum step step) {
  const struct order_slot *forth = do_slot(order, step), *back = undo_slot(order, step);
  bool applied = forth->state == SLOT_DONE;
  if (applied && (back->state == SLOT_RUNNING || back->state == SLOT_PENDING)) return "undoing";
  if (applied && back->state == SLOT_DONE) return "undone";
  if (applied && (back->state == SLOT_SKIPPED || back->state == SLOT_ATTENTION))
    return order_slot_state_name(back->state);
  return order_slot_state_name(forth->state);
}

const char *order_refund_state(const struct order *order) {
  for (size_t step = 0; step < STEP_COUNT; step++) {
    if (!step_rules[step].undo_returns_money || !is_reversing(order) || !undo_is_due(order, step)) continue;
    enum slot_state state = undo_slot(order, step)->state;
    if (state == SLOT_IDLE) return order_slot_state_name(SLOT_WAITING);
    return order_slot_state_name(state == SLOT_SKIPPED ? SLOT_DONE : state);
  }
  return NULL;
}

bool order_step_attention(const struct order *order, enum step step, enum order_command *ret_command) {
  const enum order_command commands[] = {step_rules[step].command, step_rules[step].undo};
  for (size_t i = 0; i < 2; i++) {
    if (order->slots[commands[i]].state != SLOT_ATTENTION) continue;
    *ret_command = commands[i];
    return true;
  }
  return false;
}
