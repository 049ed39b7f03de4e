#include <stdarg.h>
#include <stdio.h>

#include "cli/audit.h"

struct judge {
  struct audit_world *world;
  struct audit_verdict *verdict;
};

__attribute__((format(printf, 4, 5))) static void convict(struct judge *judge, enum audit_violation violation,
                                                          struct bytes who, const char *format, ...) {
  struct audit_verdict *verdict = judge->verdict;
  char why[300];
  if (++verdict->violations[violation] > AUDIT_EXAMPLES_EACH) return;
  va_list values;
  va_start(values, format);
  vsnprintf(why, sizeof why, format, values);
  va_end(values);
  verdict->examples[verdict->example_count].violation = violation;
  verdict->examples[verdict->example_count++].text =
      arena_printf(&judge->world->arena, "%.*s: %s", BYTES_PRINTF(who), why);
}

static void count_code(struct audit_verdict *verdict, struct bytes code) {
  for (size_t i = 0; i < verdict->code_count; i++) {
    if (!bytes_equal(verdict->codes[i].code, code)) continue;
    verdict->codes[i].count++;
    return;
  }
  if (verdict->code_count == AUDIT_CODES_MAX) {
    verdict->codes[AUDIT_CODES_MAX - 1].count++;
    return;
  }
  verdict->codes[verdict->code_count].code = code;
  verdict->codes[verdict->code_count++].count = 1;
}

static void judge_acknowledged(struct judge *judge, const struct audit_attempt *attempt) {
  struct audit_world *world = judge->world;
  int64_t number = key_index_find(&world->by_id, attempt->id);
  const struct audit_order *order = number == KEY_INDEX_NONE ? NULL : &world->orders[number];
  if (!order || !order->found)
    convict(judge, AUDIT_LOST, attempt->id, "acknowledged for key %.*s, but not in the store",
            BYTES_PRINTF(attempt->key));
  else if (order->attempt < 0 || &world->attempts[order->attempt] != attempt)
    convict(judge, AUDIT_LOST, attempt->id,
            "acknowledged for key %.*s, but stored with another payment or purchase order",
            BYTES_PRINTF(attempt->key));
  else if (order->difference.size)
    convict(judge, AUDIT_LOST, attempt->id, "stored with other content than was sent, at %.*s",
            BYTES_PRINTF(order->difference));
}

static void judge_attempt(struct judge *judge, const struct audit_attempt *attempt) {
  struct audit_verdict *verdict = judge->verdict;
  verdict->attempted++;
  switch (attempt->outcome) {
    case AUDIT_ACKNOWLEDGED:
      verdict->acknowledged++;
      judge_acknowledged(judge, attempt);
      break;
    case AUDIT_REFUSED:
      verdict->refused++;
      count_code(verdict, attempt->code);
      break;
    case AUDIT_UNANSWERED:
      verdict->unanswered++;
      break;
  }
  if (attempt->other_id.size)
    convict(judge, AUDIT_DUPLICATED, attempt->id, "key %.*s was also acknowledged as %.*s",
            BYTES_PRINTF(attempt->key), BYTES_PRINTF(attempt->other_id));
}

/* The sandbox's references are three letters, a dash and digits; others were given by a person who
 * did the step by hand, so that no effect belongs to it. */
static bool is_by_hand(struct bytes reference) {
  unsigned long long number;
  if (reference.size == 0) return false;
  return !(reference.size > 4 && reference.data[3] == '-' &&
           bytes_to_uint64(bytes_slice(reference, 4, reference.size), &number));
}

static bool is_skipped(const struct audit_step *step) { return bytes_equal_string(step->state, "skipped"); }

static const char *judge_completed(const struct audit_order *order) {
  for (size_t i = 0; i < STEP_COUNT; i++) {
    const struct audit_step *step = &order->steps[i];
    const struct audit_tally *done = &order->effects[step_rules[i].command];
    if (order->effects[step_rules[i].undo].count) return "completed, but a step was undone";
    if (is_skipped(step) || is_by_hand(step->reference)) continue;
    if (done->count == 0) return "completed, but the effect of a step is missing";
    if (done->count == 1 && !bytes_equal(done->reference, step->reference))
      return "completed, but a step's reference is not that of its effect";
  }
  return NULL;
}

static const char *judge_refund(const struct audit_order *order) {
  const struct audit_step *step = &order->steps[STEP_RECORD];
  const struct audit_tally *record = &order->effects[COMMAND_RECORD], *refund = &order->effects[COMMAND_REFUND];
  bool by_hand = is_skipped(step) || is_by_hand(step->reference) || is_by_hand(order->refund_reference) ||
                 is_by_hand(step->undo_reference);
  if (by_hand) return NULL;
  if (order->has_payment && refund->count == 0) return "money was taken and not refunded";
  if (record->count && refund->count == 0) return "recorded and not refunded";
  if (!order->has_payment && record->count == 0 && refund->count) return "refunded, but no money was taken";
  if (refund->count && refund->recorded != SAID_NOTHING &&
      (refund->recorded == SAID_RECORDED) != (record->count > 0))
    return "the refund says otherwise than the books whether the order was recorded";
  return NULL;
}

/* Rejected or cancelled: every effect undone, and nothing undone that was not done. */
static const char *judge_reversed(const struct audit_order *order) {
  for (size_t i = 0; i < STEP_COUNT; i++) {
    const struct audit_step *step = &order->steps[i];
    if (step_rules[i].undo_returns_money || is_skipped(step) || is_by_hand(step->reference) ||
        is_by_hand(step->undo_reference))
      continue;
    uint32_t done = order->effects[step_rules[i].command].count,
             undone = order->effects[step_rules[i].undo].count;
    if (done && !undone)
      return i == STEP_RESERVE ? "keeps its stock: reserved, not released" : "shipped, not recalled";
    if (!done && undone) return "a step was undone that was never done";
  }
  return judge_refund(order);
}

static void judge_effects(struct judge *judge, const struct audit_order *order) {
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (order->effects[i].count > 1)
      convict(judge, AUDIT_DUPLICATED, order->id, "%s was applied %u times", command_rules[i].name,
              order->effects[i].count);
  const char *why = NULL;
  if (!order->readable)
    why = "the server's answer about it is not an order";
  else if (order->status == ORDER_COMPLETED)
    why = judge_completed(order);
  else if (order->status == ORDER_REJECTED || order->status == ORDER_CANCELLED)
    why = judge_reversed(order);
  else if (order->status != ORDER_ATTENTION)
    why = "not final, and not in attention";
  if (why)
    convict(judge, AUDIT_HALF_FINISHED, order->id, "%s (%s)", why,
            order->readable ? order_status_name(order->status) : "?");
}

static void judge_order(struct judge *judge, const struct audit_order *order) {
  if (!order->found) return; /* an acknowledged id that is not there: lost, said above */
  judge_effects(judge, order);
  if (order->attempt < 0) {
    convict(judge, AUDIT_FOREIGN, order->id, "stored, but never attempted");
    return;
  }
  const struct audit_attempt *attempt = &judge->world->attempts[order->attempt];
  if (order->second)
    convict(judge, AUDIT_DUPLICATED, order->id, "a second order for key %.*s", BYTES_PRINTF(attempt->key));
  if (attempt->outcome == AUDIT_REFUSED)
    convict(judge, AUDIT_FOREIGN, order->id, "stored, but key %.*s was refused", BYTES_PRINTF(attempt->key));
  /* Without an answer the content was compared by nobody yet. */
  if (attempt->outcome == AUDIT_UNANSWERED && order->difference.size)
    convict(judge, AUDIT_FOREIGN, order->id, "stored with other content than was sent, at %.*s",
            BYTES_PRINTF(order->difference));
}

void audit_judge(struct audit_world *world, struct audit_verdict *ret_verdict) {
  *ret_verdict = (struct audit_verdict){0};
  struct judge judge = {world, ret_verdict};
  for (size_t i = 0; i < world->attempt_count; i++) judge_attempt(&judge, &world->attempts[i]);
  for (size_t i = 0; i < world->order_count; i++) judge_order(&judge, &world->orders[i]);
  if (world->strange_effects) {
    convict(&judge, AUDIT_FOREIGN, world->strange_example, "%llu effects of orders that are not in the store",
            (unsigned long long)world->strange_effects);
    ret_verdict->violations[AUDIT_FOREIGN] += world->strange_effects - 1;
  }
}

bool audit_is_clean(const struct audit_verdict *verdict) {
  for (size_t i = 0; i < AUDIT_VIOLATION_COUNT; i++)
    if (verdict->violations[i]) return false;
  return true;
}
