/* What an order's slots mean; for order/decide.c and order/decide_shown.c only. */
#ifndef ORDER_DECIDE_INTERNAL_H
#define ORDER_DECIDE_INTERNAL_H

#include "order/decide.h"
#include "order/step.h"

static inline const struct order_slot *do_slot(const struct order *order, size_t step) {
  return &order->slots[step_rules[step].command];
}

static inline const struct order_slot *undo_slot(const struct order *order, size_t step) {
  return &order->slots[step_rules[step].undo];
}

static inline bool is_reversing(const struct order *order) { return order->target != ORDER_ACCEPTED; }

static inline bool undo_is_due(const struct order *order, size_t step) {
  if (do_slot(order, step)->state == SLOT_DONE) return true;
  return step_rules[step].undo_returns_money && order->content.payment != NULL;
}

#endif
