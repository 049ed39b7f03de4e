#include "platform/aws/runtime.h"

#include "base/log.h"
#include "platform/aws/runtime_api.h"
#include "wire/json_write.h"

enum { ERROR_BODY_LOGGED_BYTES = 300 };

/* {"errorMessage": …, "errorType": …, "stackTrace": []} */
static struct bytes error_body(struct bytes type, struct bytes message, struct arena *arena) {
  size_t code_points;
  if (!bytes_count_code_points(message, &code_points)) message = BYTES("(the message is not UTF-8)");
  struct text text;
  text_init(&text, arena);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_text(&writer, "errorMessage", message);
  json_write_text(&writer, "errorType", type);
  json_open_array(&writer, "stackTrace");
  json_close_array(&writer);
  json_close_object(&writer);
  return text_view(&text);
}

static struct bytes answer_start(const struct runtime_api *api) {
  return bytes_slice(text_view(&api->reader.body), 0, ERROR_BODY_LOGGED_BYTES);
}

static const struct runtime_request next_request = {
    .method = "GET", .path_start = {"invocation/next", 15}, .interruptible = true};

/* True where there is an invocation; false where it is time to end, with the exit code. */
static bool take_next(struct runtime_api *api, int *ret_code) {
  struct failure failure;
  if (!runtime_api_exchange(api, &next_request, &failure)) {
    *ret_code = api->interrupted ? 0 : 1;
    if (!api->interrupted)
      log_event(LOG_ERROR, "runtime_failed", LOG_STRING("call", "next"), LOG_STRING("detail", failure.text));
    return false;
  }
  if (api->reader.status == 200 && api->request_id.size > 0) return true;
  log_event(LOG_ERROR, "runtime_failed", LOG_STRING("call", "next"), LOG_INT("status", api->reader.status),
            LOG_STRING("detail", api->reader.status == 200 ? "no Lambda-Runtime-Aws-Request-Id" : NULL),
            LOG_TEXT("answer", answer_start(api)));
  *ret_code = 1;
  return false;
}

/* False where the API is beyond help. */
static bool send_result(struct runtime_api *api, struct bytes request_id, struct arena *arena,
                        const struct invocation_result *result) {
  bool failed = result->error_type.size > 0;
  struct runtime_request request = {
      .method = "POST",
      .path_start = BYTES("invocation/"),
      .path_middle = request_id,
      .path_end = failed ? BYTES("/error") : BYTES("/response"),
      .error_type = result->error_type,
      .body = failed ? error_body(result->error_type, result->error_message, arena) : result->body,
      .followed_by = runtime_stop_wanted() ? NULL : &next_request};
  const char *call = failed ? "error" : "response";
  struct failure failure;
  if (!runtime_api_exchange(api, &request, &failure)) {
    log_event(LOG_ERROR, "runtime_failed", LOG_STRING("call", call), LOG_TEXT("request", request_id),
              LOG_STRING("detail", failure.text));
    return false;
  }
  int status = api->reader.status;
  if (status < 300) return true;
  log_event(LOG_ERROR, status < 500 ? "response_refused" : "runtime_failed", LOG_STRING("call", call),
            LOG_TEXT("request", request_id), LOG_INT("status", status), LOG_INT("bytes", request.body.size),
            LOG_TEXT("answer", answer_start(api)));
  return status < 500;
}

static bool serve_one(struct runtime_api *api, const struct runtime_options *options, struct arena *arena) {
  unsigned long long deadline_ms;
  bool has_deadline = bytes_to_uint64(text_view(&api->deadline), &deadline_ms) && deadline_ms < INT64_MAX;
  struct invocation invocation = {.request_id = arena_copy(arena, text_view(&api->request_id)),
                                  .event = text_view(&api->reader.body),
                                  .trace_id = text_view(&api->trace_id),
                                  .function_arn = text_view(&api->function_arn),
                                  .deadline_ms = has_deadline ? (int64_t)deadline_ms : INT64_MAX,
                                  .arena = arena};
  struct invocation_result result = {0};
  options->handler(options->context, &invocation, &result);
  bool good = send_result(api, invocation.request_id, arena, &result);
  arena_reset(arena);
  return good;
}

int runtime_run(const struct runtime_options *options) {
  runtime_stop_hold();
  struct runtime_api api;
  runtime_api_init(&api, options->api);
  struct arena arena;
  arena_init(&arena);
  int code = 0;
  /* What was asked for ahead may be on its way already, also when SIGTERM has come since. */
  while ((api.sent_ahead || !runtime_stop_wanted()) && take_next(&api, &code)) {
    if (serve_one(&api, options, &arena)) continue;
    code = 1;
    break;
  }
  arena_release(&arena);
  runtime_api_release(&api);
  if (options->on_stop) options->on_stop(options->context);
  return code;
}

void runtime_fail_init(const char *address, struct bytes error_type, struct bytes message) {
  struct runtime_api api;
  runtime_api_init(&api, address);
  struct arena arena;
  arena_init(&arena);
  struct runtime_request request = {.method = "POST",
                                    .path_start = BYTES("init/error"),
                                    .error_type = error_type,
                                    .body = error_body(error_type, message, &arena)};
  struct failure failure;
  if (!runtime_api_exchange(&api, &request, &failure))
    log_event(LOG_ERROR, "runtime_failed", LOG_STRING("call", "init error"),
              LOG_STRING("detail", failure.text));
  arena_release(&arena);
  runtime_api_release(&api);
}
