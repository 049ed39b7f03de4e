#include "order/step.h"

const struct step_rule step_rules[STEP_COUNT] = {
    [STEP_RESERVE] = {.name = "reserve",
                      .service = SERVICE_INVENTORY,
                      .command = COMMAND_RESERVE,
                      .undo = COMMAND_RELEASE,
                      .after = 0,
                      .undo_after = STEP_BIT(STEP_SHIP)},
    [STEP_RECORD] = {.name = "record",
                     .service = SERVICE_ACCOUNTING,
                     .command = COMMAND_RECORD,
                     .undo = COMMAND_REFUND,
                     .after = STEP_BIT(STEP_RESERVE),
                     .undo_after = STEP_BIT(STEP_RESERVE) | STEP_BIT(STEP_SHIP),
                     .undo_returns_money = true},
    [STEP_SHIP] = {.name = "ship",
                   .service = SERVICE_FULFILMENT,
                   .command = COMMAND_SHIP,
                   .undo = COMMAND_RECALL,
                   .after = STEP_BIT(STEP_RESERVE),
                   .undo_after = 0},
};

const struct command_rule command_rules[COMMAND_COUNT] = {
    [COMMAND_RESERVE] = {"reserve", STEP_RESERVE, false}, [COMMAND_RELEASE] = {"release", STEP_RESERVE, true},
    [COMMAND_RECORD] = {"record", STEP_RECORD, false},    [COMMAND_REFUND] = {"refund", STEP_RECORD, true},
    [COMMAND_SHIP] = {"ship", STEP_SHIP, false},          [COMMAND_RECALL] = {"recall", STEP_SHIP, true},
};

const char *const service_names[SERVICE_COUNT] = {[SERVICE_INVENTORY] = "inventory",
                                                  [SERVICE_ACCOUNTING] = "accounting",
                                                  [SERVICE_FULFILMENT] = "fulfilment"};

bool step_parse(struct bytes name, enum step *ret_step) {
  for (size_t i = 0; i < STEP_COUNT; i++) {
    if (!bytes_equal_string(name, step_rules[i].name)) continue;
    *ret_step = (enum step)i;
    return true;
  }
  return false;
}

bool order_command_parse(struct bytes name, enum order_command *ret_command) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (!bytes_equal_string(name, command_rules[i].name)) continue;
    *ret_command = (enum order_command)i;
    return true;
  }
  return false;
}
