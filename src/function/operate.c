#include "function/operate.h"

static const struct {
  enum problem problem;
  const char *detail;
} answers[VERDICT_COUNT] = {
    [VERDICT_DECIDED] = {PROBLEM_NONE, ""},
    [VERDICT_UNCHANGED] = {PROBLEM_NONE, ""},
    [VERDICT_SEND] = {PROBLEM_NONE, ""},
    [VERDICT_LOOK_UP] = {PROBLEM_NONE, ""},
    [VERDICT_WAIT] = {PROBLEM_NONE, ""},
    [VERDICT_STALE] = {PROBLEM_CALLBACK_CONFLICT, "the command is not waiting for an answer"},
    [VERDICT_MISSING] = {PROBLEM_NOT_FOUND, "there is no such order"},
    [VERDICT_FINAL] = {PROBLEM_ORDER_FINAL, "the order has reached its final status and stays as it is"},
    [VERDICT_STEP_UNSETTLED] =
        {PROBLEM_STEP_UNSETTLED,
         "the outcome of a step is unknown and its service cannot tell: retry or skip it first"},
    [VERDICT_STEP_NOT_WAITING] = {PROBLEM_STEP_NOT_WAITING, "the step does not wait for a person's decision"},
    [VERDICT_CONFLICT] = {PROBLEM_CALLBACK_CONFLICT, "the command has ended otherwise, and that stands"},
};

void operate_run(const struct function_context *context, struct change *const *changes, size_t count,
                 struct arena *arena, struct operate_reply *ret_replies) {
  change_run(context, changes, count, arena);
  for (size_t i = 0; i < count; i++) {
    ret_replies[i] = (struct operate_reply){
        .problem = PROBLEM_OVERLOADED, .detail = BYTES("the order could not be read or stored; try again")};
    if (changes[i]->unavailable) continue;
    ret_replies[i].problem = answers[changes[i]->verdict].problem;
    ret_replies[i].detail = bytes_of(answers[changes[i]->verdict].detail);
    if (ret_replies[i].problem == PROBLEM_NONE) ret_replies[i].order = changes[i]->order;
  }
}
