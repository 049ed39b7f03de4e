/* What a service answers: faults, the core's result, and their JSON. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/sandbox_server.h"
#include "wire/json_write.h"

__attribute__((format(printf, 3, 4))) static void say(struct sandbox_answer *answer, int status,
                                                      const char *format, ...) {
  va_list values;
  va_start(values, format);
  int size = vsnprintf(answer->body, sizeof answer->body, format, values);
  va_end(values);
  answer->status = status;
  answer->body_size = size < 0                             ? 0
                      : (size_t)size < sizeof answer->body ? (size_t)size
                                                           : sizeof answer->body - 1;
}

static const char *detail_of(const char *reason) {
  return strcmp(reason, "out_of_stock") == 0 ? "not enough in stock; nothing was reserved"
                                             : "declined on request";
}

static void say_result(struct sandbox_answer *answer, enum order_command command,
                       const struct sandbox_result *result) {
  char reference[SANDBOX_REFERENCE_BYTES];
  if (result->refused) {
    say(answer, 409, "{\"reason\":\"%s\",\"detail\":\"%s\"}", result->reason, detail_of(result->reason));
    return;
  }
  sandbox_reference(command, result->sequence, reference);
  say(answer, 200, "{\"reference\":\"%s\"}", reference);
}

/* The form of callbacks and look-ups. */
static void say_outcome(struct sandbox_answer *answer, enum order_command command,
                        const struct sandbox_result *result) {
  char reference[SANDBOX_REFERENCE_BYTES];
  if (result->refused) {
    say(answer, 200, "{\"outcome\":\"refused\",\"reason\":\"%s\",\"detail\":\"%s\"}", result->reason,
        detail_of(result->reason));
    return;
  }
  sandbox_reference(command, result->sequence, reference);
  say(answer, 200, "{\"outcome\":\"done\",\"reference\":\"%s\"}", reference);
}

static void tell_later(struct sandbox *sandbox, const struct sandbox_call *call, const struct fault_plan *plan,
                       const struct sandbox_result *result, struct sandbox_answer *ret_answer) {
  struct sandbox_answer outcome;
  say_outcome(&outcome, call->command, result);
  result->record->pending = true;
  callbacks_add(sandbox->callbacks, call->callback_url, bytes_from(outcome.body, outcome.body_size),
                sandbox->settings.callback_delay_ms, plan->callback_twice ? 2 : 1, &result->record->told);
  say(ret_answer, 202, "{}");
}

static void apply(struct sandbox *sandbox, const struct sandbox_call *call, const struct fault_plan *plan,
                  const struct json *body, struct sandbox_answer *ret_answer) {
  struct sandbox_command command = {call->command, call->key, body, call->now_ms, plan->refuse};
  struct sandbox_result result = sandbox_core_apply(sandbox->core, &command);
  if (plan->slow) ret_answer->wait_ms = sandbox->settings.slow_ms;
  if (plan->lost || plan->hang) {
    ret_answer->status = 0;
    if (plan->hang) ret_answer->wait_ms = sandbox->settings.hang_ms;
  } else if (!result.repeated && plan->pending && call->callback_url.size) {
    tell_later(sandbox, call, plan, &result, ret_answer);
  } else if (result.repeated && result.record->pending && !atomic_load(&result.record->told)) {
    say(ret_answer, 202, "{}");
  } else {
    say_result(ret_answer, call->command, &result);
  }
}

void sandbox_decide(struct sandbox *sandbox, const struct sandbox_call *call,
                    struct sandbox_answer *ret_answer) {
  struct fault_plan plan = faults_draw(&sandbox->faults, command_service(call->command));
  struct json *body;
  struct bytes detail;
  *ret_answer = (struct sandbox_answer){0};
  sandbox->calls++;
  if (call->key.size == 0) {
    say(ret_answer, 400, "{\"detail\":\"Idempotency-Key is missing\"}");
  } else if (!json_parse(call->body, &sandbox->scratch, &body, &detail) || body->type != JSON_OBJECT) {
    say(ret_answer, 400, "{\"detail\":\"the body is not a JSON object\"}");
  } else if (plan.hang && !plan.hang_applies) {
    ret_answer->wait_ms = sandbox->settings.hang_ms;
  } else if (plan.fail) {
    say(ret_answer, 503, "{\"detail\":\"failing on request\"}");
    ret_answer->retry_after = plan.retry_after;
    if (plan.slow) ret_answer->wait_ms = sandbox->settings.slow_ms;
  } else {
    apply(sandbox, call, &plan, body, ret_answer);
  }
}

void sandbox_look_up(struct sandbox *sandbox, enum service service, struct bytes key,
                     struct sandbox_answer *ret_answer) {
  *ret_answer = (struct sandbox_answer){0};
  const struct sandbox_record *record = sandbox_core_find(sandbox->core, service, key);
  if (!record) {
    say(ret_answer, 404, "{\"detail\":\"never applied\"}");
    return;
  }
  struct sandbox_result result = {
      .refused = record->refused, .reason = record->reason, .sequence = record->sequence};
  say_outcome(ret_answer, record->command, &result);
}

void sandbox_ledger_line(const struct sandbox_effect *effect, uint64_t sequence, struct text *text) {
  const struct sandbox_record *record = effect->record;
  char reference[SANDBOX_REFERENCE_BYTES];
  struct json_writer writer;
  sandbox_reference(record->command, sequence, reference);
  json_writer_init(&writer, text);
  json_open_object(&writer, NULL);
  json_write_int64(&writer, "sequence", (int64_t)sequence);
  json_write_time(&writer, "at", effect->at_ms);
  json_write_string(&writer, "service", service_names[command_service(record->command)]);
  json_write_string(&writer, "command", command_rules[record->command].name);
  json_write_text(&writer, "order", record->order);
  json_write_text(&writer, "key", record->key);
  json_write_string(&writer, "reference", reference);
  json_write_int64(&writer, "attempts", record->attempts);
  if (effect->recorded) json_write_boolean(&writer, "recorded", effect->recorded == RECORDED_YES);
  json_close_object(&writer);
  text_append_char(text, '\n');
}
