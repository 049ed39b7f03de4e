/* The step table: everything that the rest of the program knows about steps, services and commands.
 * A new step is a new row here (and its enum values in order.h); nothing else names one. */
#ifndef ORDER_STEP_H
#define ORDER_STEP_H

#include "order/order.h"

struct step_rule {
  const char *name;
  enum service service;
  enum order_command command; /* what does it */
  enum order_command undo;    /* what undoes it */
  unsigned after;             /* bits of the steps that must be done before it starts */
  unsigned undo_after;        /* bits of the steps that must be closed before it is undone */
  bool undo_returns_money;    /* its undo is due for a payment taken, whether the step was applied or not */
};

struct command_rule {
  const char *name; /* also the last part of its URL */
  enum step step;
  bool is_undo;
};

#define STEP_BIT(step) (1U << (step))

extern const struct step_rule step_rules[STEP_COUNT];
extern const struct command_rule command_rules[COMMAND_COUNT];
extern const char *const service_names[SERVICE_COUNT];

static inline enum service command_service(enum order_command command) {
  return step_rules[command_rules[command].step].service;
}
bool step_parse(struct bytes name, enum step *ret_step);
bool order_command_parse(struct bytes name, enum order_command *ret_command);

#endif
