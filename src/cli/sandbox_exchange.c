#include "cli/sandbox_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"

static int64_t wall_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum MHD_Result queue(struct MHD_Connection *connection, int status, struct MHD_Response *response,
                             const char *type) {
  if (!response) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result queue_json(struct MHD_Connection *connection, int status, struct bytes body) {
  return queue(connection, status,
               MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY),
               "application/json");
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *detail) {
  char body[200];
  int size = snprintf(body, sizeof body, "{\"detail\":\"%s\"}", detail);
  return queue_json(connection, status, bytes_from(body, (size_t)size));
}

static enum MHD_Result queue_answer(struct exchange *exchange) {
  const struct sandbox_answer *answer = &exchange->answer;
  if (answer->status == 0) return MHD_NO; /* closes the connection */
  struct MHD_Response *response = MHD_create_response_from_buffer(
      answer->body_size, (void *)(uintptr_t)answer->body, MHD_RESPMEM_MUST_COPY);
  if (response && answer->retry_after) MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
  return queue(exchange->connection, answer->status, response, "application/json");
}

static struct bytes header(struct MHD_Connection *connection, const char *name) {
  return bytes_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static bool service_parse(struct bytes name, enum service *ret_service) {
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    if (!bytes_equal_string(name, service_names[i])) continue;
    *ret_service = (enum service)i;
    return true;
  }
  return false;
}

static enum MHD_Result handle_command(struct sandbox_server *server, struct exchange *exchange,
                                      enum order_command command) {
  struct sandbox_call call = {
      .command = command,
      .key = header(exchange->connection, "Idempotency-Key"),
      .callback_url = header(exchange->connection, "Callback-URL"),
      .body = text_view(&exchange->body),
      .now_ms = wall_clock_ms(),
  };
  if (exchange->body_too_large) return refuse(exchange->connection, 413, "the body is too large");
  sandbox_decide(server->sandbox, &call, &exchange->answer);
  arena_reset(&server->sandbox->scratch);
  exchange->decided = true;
  if (exchange->answer.wait_ms == 0 || server->stopping) return queue_answer(exchange);
  sandbox_server_hold(server, exchange, exchange->answer.wait_ms);
  return MHD_YES;
}

static enum MHD_Result handle_service(struct sandbox_server *server, struct exchange *exchange,
                                      enum service service, struct bytes rest, bool is_post) {
  enum order_command command;
  if (!is_post && bytes_starts_with(rest, BYTES("commands/"))) {
    sandbox_look_up(server->sandbox, service, bytes_slice(rest, strlen("commands/"), rest.size),
                    &exchange->answer);
    return queue_answer(exchange);
  }
  if (!order_command_parse(rest, &command) || command_service(command) != service)
    return refuse(exchange->connection, 404, "no such command of this service");
  if (!is_post) return refuse(exchange->connection, 405, "commands are sent by POST");
  return handle_command(server, exchange, command);
}

static enum MHD_Result handle_faults(struct sandbox_server *server, struct exchange *exchange) {
  struct json *change = NULL;
  struct bytes detail;
  const char *complaint;
  struct arena *scratch = &server->sandbox->scratch;
  bool good = json_parse(text_view(&exchange->body), scratch, &change, &detail);
  good = faults_change(&server->sandbox->faults, good ? change : NULL, &complaint);
  arena_reset(scratch);
  return good ? queue_json(exchange->connection, 200, BYTES("{}"))
              : refuse(exchange->connection, 422, complaint);
}

static enum MHD_Result handle_health(struct sandbox_server *server, struct exchange *exchange) {
  struct callback_counts callbacks = callbacks_count(server->sandbox->callbacks);
  char body[300];
  int size = snprintf(body, sizeof body,
                      "{\"status\":\"ok\",\"calls\":%llu,\"effects\":%llu,\"callbacks\":{\"waiting\":%llu,"
                      "\"delivered\":%llu,\"refused\":%llu,\"failed\":%llu}}",
                      (unsigned long long)server->sandbox->calls,
                      (unsigned long long)sandbox_core_effect_count(server->sandbox->core),
                      (unsigned long long)callbacks.waiting, (unsigned long long)callbacks.delivered,
                      (unsigned long long)callbacks.refused, (unsigned long long)callbacks.failed);
  return queue_json(exchange->connection, 200, bytes_from(body, (size_t)size));
}

static enum MHD_Result route(struct sandbox_server *server, struct exchange *exchange, const char *url,
                             const char *method) {
  bool is_post = strcmp(method, "POST") == 0;
  struct MHD_Connection *connection = exchange->connection;
  if (!is_post && strcmp(method, "GET") != 0) return refuse(connection, 405, "GET and POST only");
  if (strcmp(url, "/healthz") == 0) return handle_health(server, exchange);
  if (strcmp(url, "/ledger") == 0)
    return queue(connection, 200, sandbox_ledger_response(server->sandbox->core), "application/x-ndjson");
  if (strcmp(url, "/faults") == 0 && is_post) return handle_faults(server, exchange);
  enum service service;
  struct bytes path = bytes_of(url);
  size_t slash = bytes_find(path, '/', 1);
  if (!service_parse(bytes_slice(path, 1, slash), &service)) return refuse(connection, 404, "no such service");
  return handle_service(server, exchange, service, bytes_slice(path, slash + 1, path.size), is_post);
}

static enum MHD_Result begin(struct MHD_Connection *connection, void **request) {
  struct exchange *exchange = calloc(1, sizeof *exchange);
  if (!exchange) return MHD_NO;
  exchange->connection = connection;
  text_init(&exchange->body, NULL);
  *request = exchange;
  return MHD_YES;
}

static void take_upload(struct exchange *exchange, const char *upload, size_t size) {
  if (exchange->body.size + size > SANDBOX_BODY_BYTES_MAX)
    exchange->body_too_large = true;
  else
    text_append(&exchange->body, bytes_from(upload, size));
}

enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **request) {
  (void)version;
  if (!*request) return begin(connection, request);
  struct exchange *exchange = *request;
  if (*upload_size > 0) {
    take_upload(exchange, upload, *upload_size);
    *upload_size = 0;
    return MHD_YES;
  }
  return exchange->decided ? queue_answer(exchange) : route(context, exchange, url, method);
}

void exchange_end(void *context, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode how) {
  (void)context;
  (void)connection;
  (void)how;
  struct exchange *exchange = *request;
  if (!exchange) return;
  text_release(&exchange->body);
  free(exchange);
  *request = NULL;
}
