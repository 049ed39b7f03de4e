#include "function/call.h"

#include <stdio.h>

#include "function/answer.h"
#include "function/change.h"
#include "function/request.h"
#include "order/step.h"

enum { STORE_RETRY_MS = 1000, NOTE_BYTES_MAX = 160 };

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_DONE] = "done",       [OUTCOME_REFUSED] = "refused",
    [OUTCOME_PENDING] = "pending", [OUTCOME_NOT_APPLIED] = "not_applied",
    [OUTCOME_UNKNOWN] = "unknown", [OUTCOME_INVALID] = "invalid",
    [OUTCOME_GARBAGE] = "garbage"};

/* Full jitter: anywhere between nothing and a bound that doubles with each attempt. */
static int64_t back_off_ms(const struct function_context *context, int64_t attempts) {
  int64_t bound_ms = context->retry_first_ms;
  for (int64_t i = 1; i < attempts && bound_ms < context->retry_max_ms; i++) bound_ms *= 2;
  if (bound_ms > context->retry_max_ms) bound_ms = context->retry_max_ms;
  return 1 + (int64_t)entropy_below(context->entropy, (uint64_t)(bound_ms > 0 ? bound_ms : 1));
}

static void set_note(struct message_result *result, struct bytes note) {
  /* Cut between characters: the note goes into the order's state, which is UTF-8 or unreadable. */
  struct bytes kept = bytes_cut(note, NOTE_BYTES_MAX);
  snprintf(result->note, sizeof result->note, "%.*s", BYTES_PRINTF(kept));
}

static void retry_later(struct message_result *result, int64_t delay_ms, int64_t attempts, struct bytes note) {
  *result = (struct message_result){.settlement = SETTLE_RETRY, .delay_ms = delay_ms, .attempts = attempts};
  set_note(result, note);
}

static struct change change_for(const struct message *message, enum command_kind kind) {
  return (struct change){
      .id = bytes_from(message->order_id, ORDER_ID_CHARACTERS),
      .command = {.kind = kind, .slot = message->slot, .dispatch_version = message->dispatch_version}};
}

/* What BEGIN decided, made into a request or a result. */
static void begin_one(const struct function_context *context, const struct change *change,
                      struct call_attempt *attempt) {
  const struct message *message = &attempt->message;
  attempt->result = (struct message_result){.settlement = SETTLE_ACK};
  attempt->stored = true;
  if (change->unavailable) {
    attempt->stored = false;
    retry_later(&attempt->result, STORE_RETRY_MS, message->attempts, bytes_of(message->note));
    return;
  }
  /* Where attempts are not stored first, the first of a dispatch finds the command waiting. */
  bool is_first =
      message->attempts == 0 && change->order && change->order->slots[message->slot].state == SLOT_WAITING;
  attempt->in_doubt = change->verdict == VERDICT_SEND && !is_first;
  attempt->send = change->verdict == VERDICT_SEND || change->verdict == VERDICT_LOOK_UP ||
                  (change->verdict == VERDICT_DECIDED && change->decision->send);
  if (change->verdict == VERDICT_WAIT) {
    int64_t until_ms = change->order->slots[message->slot].since_ms + context->rules.attempt_ms;
    retry_later(&attempt->result, until_ms - clock_now_ms(context->clock) + 1, message->attempts,
                bytes_of(message->note));
  }
  if (!attempt->send) return;
  attempt->order = order_copy_state(change->order, &attempt->arena);
  if (change->verdict == VERDICT_LOOK_UP)
    request_make_lookup(context, change->order, message->slot, &attempt->arena, &attempt->request);
  else
    request_make(context, change->order, message->slot, &attempt->arena, &attempt->request);
}

void call_begin(const struct function_context *context, const struct message *messages, size_t count,
                struct call_attempt *ret_attempts) {
  struct arena arena;
  arena_init(&arena);
  struct change *changes = ARENA_ARRAY(&arena, count, struct change);
  struct change **all = ARENA_ARRAY(&arena, count, struct change *);
  for (size_t i = 0; i < count; i++) {
    bool expires = messages[i].kind == MESSAGE_EXPIRE;
    ret_attempts[i] = (struct call_attempt){.message = messages[i]};
    arena_init(&ret_attempts[i].arena);
    changes[i] = change_for(&messages[i], expires ? COMMAND_KIND_EXPIRE : COMMAND_KIND_BEGIN);
    changes[i].command.attempts = messages[i].attempts + 1;
    changes[i].how = expires ? STORE_LOAD_STATE : STORE_LOAD_TEXT;
    if (context->rules.attempts_unstored && !expires) changes[i].how |= STORE_LOAD_RECENT;
    changes[i].command.reason = bytes_of(ret_attempts[i].message.note);
    all[i] = &changes[i];
  }
  change_run(context, all, count, &arena);
  for (size_t i = 0; i < count; i++) begin_one(context, &changes[i], &ret_attempts[i]);
  arena_release(&arena);
}

/* Another command of the order has a message out, and may have moved the order on since. */
static bool is_contended(const struct order *order, enum order_command slot) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    enum slot_state state = order->slots[i].state;
    if (i != slot && order->slots[i].dispatch_version > 0 &&
        (state == SLOT_WAITING || state == SLOT_RUNNING || state == SLOT_PENDING))
      return true;
  }
  return false;
}

/* The command that an answer makes for the core. */
static struct change outcome_of(const struct function_context *context, struct call_attempt *attempt,
                                const struct service_answer *answer) {
  struct change change = change_for(&attempt->message, COMMAND_KIND_OUTCOME);
  struct answer_meaning meaning;
  if (attempt->request.is_lookup)
    answer_read_lookup(answer, &attempt->arena, &meaning);
  else
    answer_read(answer, &attempt->arena, &meaning);
  change.command.attempts = attempt->message.attempts + (attempt->request.is_lookup ? 0 : 1);
  change.command.outcome = meaning.outcome;
  change.command.reference = meaning.reference;
  change.command.reason = meaning.reason;
  change.command.in_doubt = attempt->in_doubt;
  change.command.begun_ms = attempt->order->slots[attempt->message.slot].since_ms;
  attempt->outcome = outcome_names[meaning.outcome];
  change.how = STORE_LOAD_STATE | (context->rules.attempts_unstored ? STORE_LOAD_RECENT : 0U);
  if (!is_contended(attempt->order, attempt->message.slot)) change.known = attempt->order;
  return change;
}

static bool ends_the_dispatch(enum outcome outcome) {
  return outcome != OUTCOME_NOT_APPLIED && outcome != OUTCOME_UNKNOWN;
}

static void finish_one(const struct function_context *context, const struct change *change,
                       const struct service_answer *answer, struct call_attempt *attempt) {
  const struct command *command = &change->command;
  attempt->result = (struct message_result){.settlement = SETTLE_ACK};
  attempt->stored = !change->unavailable;
  if (change->unavailable) {
    retry_later(&attempt->result, STORE_RETRY_MS, command->attempts, command->reason);
    return;
  }
  if (ends_the_dispatch(command->outcome) || change->verdict == VERDICT_STALE) return;
  if (!change->order || !order_slot_is_open(change->order, command->slot, &context->rules))
    return; /* dropped, or a person must decide */
  const struct order_slot *slot = &change->order->slots[command->slot];
  int64_t delay_ms = back_off_ms(context, command->attempts);
  if (attempt->request.is_lookup && command->outcome == OUTCOME_NOT_APPLIED) delay_ms = 0;
  if (answer->has_retry_after && answer->retry_after_ms > delay_ms) delay_ms = answer->retry_after_ms;
  /* At the deadline it comes once more, to be brought to attention. */
  int64_t left_ms = slot->deadline_ms - clock_now_ms(context->clock);
  if (delay_ms > left_ms) delay_ms = left_ms > 0 ? left_ms : 0;
  retry_later(&attempt->result, delay_ms, command->attempts, command->reason);
  telemetry_count(context->telemetry, METRIC_RETRIES, service_names[command_service(command->slot)], NULL, 1);
}

void call_finish(const struct function_context *context, struct call_attempt *const *attempts,
                 const struct service_answer *const *answers, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct change *changes = ARENA_ARRAY(&arena, count, struct change);
  struct change **all = ARENA_ARRAY(&arena, count, struct change *);
  for (size_t i = 0; i < count; i++) {
    changes[i] = outcome_of(context, attempts[i], answers[i]);
    all[i] = &changes[i];
  }
  change_run(context, all, count, &arena);
  for (size_t i = 0; i < count; i++) {
    finish_one(context, &changes[i], answers[i], attempts[i]);
    telemetry_count(context->telemetry, METRIC_CALLS, command_rules[attempts[i]->message.slot].name,
                    attempts[i]->outcome, 1);
    telemetry_observe(context->telemetry, METRIC_CALL_SECONDS, command_rules[attempts[i]->message.slot].name,
                      (double)answers[i]->elapsed_us / 1e6);
  }
  arena_release(&arena);
}

void call_attempt_release(struct call_attempt *attempt) { arena_release(&attempt->arena); }

void call_run(const struct function_context *context, struct services *services, const struct message *messages,
              size_t count, call_observer *on_answer, struct message_result *ret_results) {
  struct arena arena;
  arena_init(&arena);
  struct call_attempt *attempts = ARENA_ARRAY(&arena, count, struct call_attempt);
  struct call_attempt **sent = ARENA_ARRAY(&arena, count, struct call_attempt *);
  struct service_call *calls = ARENA_ARRAY(&arena, count, struct service_call);
  struct service_answer *answers = ARENA_ARRAY(&arena, count, struct service_answer);
  const struct service_answer **each = ARENA_ARRAY(&arena, count, const struct service_answer *);
  size_t sent_count = 0;
  call_begin(context, messages, count, attempts);
  for (size_t i = 0; i < count; i++) {
    if (!attempts[i].send) continue;
    calls[sent_count] = attempts[i].request;
    each[sent_count] = &answers[sent_count];
    sent[sent_count++] = &attempts[i];
  }
  if (sent_count > 0) {
    services_call(services, calls, sent_count, &arena, answers);
    call_finish(context, sent, each, sent_count);
    for (size_t i = 0; i < sent_count && on_answer; i++) on_answer(sent[i], &answers[i]);
  }
  for (size_t i = 0; i < count; i++) {
    ret_results[i] = attempts[i].result;
    call_attempt_release(&attempts[i]);
  }
  arena_release(&arena);
}
