#include "wire/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/panic.h"
#include "wire/json_write.h"

static const struct {
  int status;
  const char *code, *title;
} problems[PROBLEM_COUNT] = {
    [PROBLEM_MALFORMED_JSON] = {400, "malformed-json", "The body is not well-formed JSON"},
    [PROBLEM_MISSING_IDEMPOTENCY_KEY] = {400, "missing-idempotency-key", "An Idempotency-Key is required"},
    [PROBLEM_MALFORMED_REQUEST] = {400, "malformed-request", "The request is malformed"},
    [PROBLEM_UNAUTHENTICATED] = {401, "unauthenticated", "A valid access token is required"},
    [PROBLEM_INSUFFICIENT_SCOPE] = {403, "insufficient-scope", "The access token does not allow this"},
    [PROBLEM_CALLBACK_REFUSED] = {403, "callback-refused", "The callback's token is not valid"},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is no such resource"},
    [PROBLEM_METHOD_NOT_ALLOWED] = {405, "method-not-allowed", "The method is not allowed here"},
    [PROBLEM_PAYMENT_ALREADY_USED] = {409, "payment-already-used", "The payment has made another order"},
    [PROBLEM_ORDER_FINAL] = {409, "order-final", "The order has reached its final status"},
    [PROBLEM_STEP_UNSETTLED] = {409, "step-unsettled", "A step's outcome is unknown"},
    [PROBLEM_STEP_NOT_WAITING] = {409, "step-not-waiting", "The step does not wait for a decision"},
    [PROBLEM_CALLBACK_CONFLICT] = {409, "callback-conflict", "The command has already ended otherwise"},
    [PROBLEM_BODY_TOO_LARGE] = {413, "body-too-large", "The body is larger than 256 KiB"},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported-media-type", "The body must be application/json"},
    [PROBLEM_INVALID_ORDER] = {422, "invalid-order", "The order is not valid"},
    [PROBLEM_INVALID_REQUEST] = {422, "invalid-request", "The body is not valid"},
    [PROBLEM_INVALID_CALLBACK] = {422, "invalid-callback", "The callback is not valid"},
    [PROBLEM_IDEMPOTENCY_KEY_REUSED] = {422, "idempotency-key-reused",
                                        "The Idempotency-Key was used for another order"},
    [PROBLEM_PAYMENT_NOT_PROVEN] = {422, "payment-not-proven", "The payment's receipt does not prove it"},
    [PROBLEM_RATE_LIMITED] = {429, "rate-limited", "Too many requests"},
    [PROBLEM_HEADERS_TOO_LARGE] = {431, "headers-too-large", "The request's header is too large"},
    [PROBLEM_INTERNAL] = {500, "internal", "The service has a defect"},
    [PROBLEM_OVERLOADED] = {503, "overloaded", "The service is overloaded"},
};

const char *problem_code(enum problem problem) { return problems[problem].code; }
const char *problem_title(enum problem problem) { return problems[problem].title; }
int problem_status(enum problem problem) { return problems[problem].status; }

void problem_errors_init(struct problem_errors *errors, struct arena *arena) {
  *errors = (struct problem_errors){.arena = arena};
}

void problem_errors_add(struct problem_errors *errors, struct bytes pointer, const char *format, ...) {
  errors->count++;
  if (errors->count > PROBLEM_ERRORS_MAX) return;
  char detail[300];
  va_list values;
  va_start(values, format);
  vsnprintf(detail, sizeof detail, format, values);
  va_end(values);
  struct problem_error *error = ARENA_NEW(errors->arena, struct problem_error);
  error->pointer = arena_copy(errors->arena, pointer);
  error->detail = arena_copy(errors->arena, bytes_of(detail));
  if (errors->last)
    errors->last->next = error;
  else
    errors->first = error;
  errors->last = error;
}

static void write_errors(struct json_writer *writer, const struct problem_errors *errors) {
  json_open_array(writer, "errors");
  for (const struct problem_error *error = errors->first; error; error = error->next) {
    json_open_object(writer, NULL);
    json_write_text(writer, "pointer", error->pointer);
    json_write_text(writer, "detail", error->detail);
    json_close_object(writer);
  }
  json_close_array(writer);
}

void problem_respond(enum problem problem, struct bytes detail, const struct problem_errors *errors,
                     struct arena *arena, struct http_response *ret_response) {
  ensure(problem > PROBLEM_NONE && problem < PROBLEM_COUNT);
  struct text body;
  struct json_writer writer;
  text_init(&body, arena);
  json_writer_init(&writer, &body);
  json_open_object(&writer, NULL);
  json_write_text(&writer, "type", arena_printf(arena, "/problems/%s", problems[problem].code));
  json_write_string(&writer, "title", problems[problem].title);
  json_write_int64(&writer, "status", problems[problem].status);
  json_write_text(&writer, "detail", detail);
  json_write_string(&writer, "code", problems[problem].code);
  if (errors && errors->count) write_errors(&writer, errors);
  json_close_object(&writer);
  ret_response->status = problems[problem].status;
  ret_response->body = text_view(&body);
  http_response_add(ret_response, "Content-Type", BYTES("application/problem+json"));
}
