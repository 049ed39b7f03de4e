#include <stdlib.h>

#include "base/panic.h"
#include "platform/local/http_server_parts.h"

/* Where a request goes: http_call_begin at its first line, http_call_continue at its header's end (NEW),
 * at each piece of its body and at its end (READING), and again once it was resumed (WAITING, READY).
 * http_call_completed comes last, or http_call_abandon where nothing but the first line was taken in. */

enum { KEPT_ARENA_BYTES_MAX = 16 * 1024, CALLS_BETWEEN_GATHERS = 100 };

static struct http_call *take_call(struct http_server *server) {
  struct http_call *call = server->pool;
  if (!call) {
    call = calloc(1, sizeof *call);
    if (!call) panic("out of memory");
    exchange_init(&call->exchange);
    return call;
  }
  server->pool = call->next;
  server->pool_count--;
  struct arena arena = call->exchange.arena; /* it brings its first block along */
  memset(call, 0, sizeof *call);
  exchange_init(&call->exchange);
  call->exchange.arena = arena;
  return call;
}

static void return_call(struct http_server *server, struct http_call *call) {
  server->body_bytes -= (int64_t)call->body.capacity;
  text_release(&call->body);
  struct arena arena = call->exchange.arena;
  arena_init(&call->exchange.arena);
  exchange_release(&call->exchange);
  arena_reset(&arena);
  if (server->pool_count == CALL_POOL_MAX || arena.left_bytes > KEPT_ARENA_BYTES_MAX) {
    arena_release(&arena);
    free(call);
    return;
  }
  call->exchange.arena = arena;
  call->next = server->pool;
  server->pool = call;
  server->pool_count++;
}

void http_call_pool_free(struct http_server *server) {
  struct http_call *next;
  for (struct http_call *call = server->pool; call; call = next) {
    next = call->next;
    arena_release(&call->exchange.arena);
    free(call);
  }
  server->pool = NULL;
}

/* Without "http://host", which a client may send too (RFC 9112 section 3.2.2). */
static struct bytes origin_form(struct bytes target) {
  if (!bytes_starts_with(target, BYTES("http://")) && !bytes_starts_with(target, BYTES("https://")))
    return target;
  size_t slash = bytes_find(target, '/', bytes_find(target, ':', 0) + 3);
  return slash < target.size ? bytes_slice(target, slash, target.size) : BYTES("/");
}

void *http_call_begin(void *server, const char *uri, struct MHD_Connection *mhd) {
  struct http_connection *connection = http_connection_of(mhd);
  struct http_call *call = take_call(server);
  struct bytes target = arena_copy(&call->exchange.arena, origin_form(bytes_of(uri)));
  size_t mark = bytes_find(target, '?', 0);
  call->exchange.request.path = bytes_slice(target, 0, mark);
  call->exchange.request.query = bytes_slice(target, mark + 1, target.size);
  call->connection = connection;
  connection->call = call;
  http_connection_stays(connection);
  http_connection_set_deadline(connection, HTTP_DEADLINE_HEADER);
  return call;
}

void http_call_completed(void *server, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode reason) {
  (void)mhd;
  (void)reason;
  struct http_call *call = *context;
  if (!call) return;
  *context = NULL;
  call->connection->call = NULL;
  http_connection_set_deadline(call->connection, HTTP_DEADLINE_IDLE);
  return_call(server, call);
}

void http_call_abandon(struct http_server *server, struct http_connection *connection) {
  if (!connection->call || connection->call->state != CALL_NEW) return; /* anything later is completed */
  return_call(server, connection->call);
  connection->call = NULL;
}

static enum MHD_Result add_field(struct MHD_Response *response, struct bytes name, struct bytes value,
                                 struct arena *arena) {
  return MHD_add_response_header(response, arena_string(arena, name), arena_string(arena, value));
}

/* Hands the answer over; its body stays in the exchange until http_call_completed. */
static enum MHD_Result send_answer(struct http_server *server, struct http_call *call) {
  struct exchange *exchange = &call->exchange;
  struct http_response *answer = &exchange->response;
  gateway_account(server->gateway, exchange);
  struct MHD_Response *response = MHD_create_response_from_buffer(
      answer->body.size, (void *)(uintptr_t)answer->body.data, MHD_RESPMEM_PERSISTENT);
  if (!response) panic("out of memory");
  bool good = true;
  for (size_t i = 0; i < answer->header_count; i++)
    good =
        add_field(response, answer->headers[i].name, answer->headers[i].value, &exchange->arena) == MHD_YES &&
        good;
  if (answer->close || http_server_is_stopping(server))
    good = MHD_add_response_header(response, "Connection", "close") == MHD_YES && good;
  ensure(good); /* a field of ours that HTTP does not allow */
  call->state = CALL_SENT;
  http_connection_set_deadline(call->connection, HTTP_DEADLINE_ANSWER);
  enum MHD_Result result = MHD_queue_response(call->connection->mhd, (unsigned)answer->status, response);
  MHD_destroy_response(response);
  return result;
}

static void wait_with(struct http_call *call, struct http_calls *list) {
  call->state = CALL_WAITING;
  http_calls_push(list, call);
}

/* The gateway's first step. True where the answer is complete, else the call waits on some list. */
static bool open_call(struct http_server *server, struct http_call *call) {
  struct exchange *exchange = &call->exchange;
  enum gateway_verdict verdict = gateway_open(server->gateway, exchange);
  call->opened_status = exchange->response.status;
  call->opened_header_count = exchange->response.header_count;
  call->opened_close = exchange->response.close;
  if (verdict == GATEWAY_SERVE) {
    if (http_work_is_full(server, server->opened.count, call->waited_us, exchange->started_us)) {
      gateway_refuse_overload(server->gateway, exchange, "accept_queue");
      return true;
    }
    wait_with(call, &server->opened);
    if (server->opened.count == HTTP_BATCH_MAX) http_queue_push(&server->work, &server->opened);
    return false;
  }
  if (verdict == GATEWAY_NEEDS_KEYS) {
    if (call->keys_fetched) return true; /* the newest are here, and the key is still unknown */
    if (server->work_ended || atomic_load(&server->keys.count) >= server->settings.waiting_for_keys_max) {
      gateway_refuse_overload(server->gateway, exchange, "keys_queue");
      return true;
    }
    struct http_calls one = {0};
    wait_with(call, &one);
    http_queue_push(&server->keys, &one);
    return false;
  }
  return true;
}

/* The request is complete, or is to be refused without its body. */
static enum MHD_Result finish(struct http_server *server, struct http_call *call) {
  call->exchange.started_us = http_now_us();
  if (server->calls_until_gather-- == 0) { /* a turn may be long */
    server->calls_until_gather = CALLS_BETWEEN_GATHERS;
    http_listener_gather(server);
  }
  call->waited_us = call->connection->gathered_wait_us;
  call->connection->gathered_wait_us = 0;
  call->exchange.stopping = http_server_is_stopping(server);
  http_connection_set_deadline(call->connection, HTTP_DEADLINE_NONE);
  if (call->body_refused) {
    gateway_refuse_overload(server->gateway, &call->exchange, "body_memory");
    return send_answer(server, call);
  }
  if (open_call(server, call)) return send_answer(server, call);
  /* Suspended after it was put on the keys' list: only this thread resumes it, later. */
  MHD_suspend_connection(call->connection->mhd);
  return MHD_YES;
}

bool http_call_reopen(struct http_server *server, struct http_call *call) {
  call->reopen = false;
  call->keys_fetched = true;
  return open_call(server, call);
}

struct header_reader {
  struct http_header *headers;
  size_t count, most;
};

static enum MHD_Result read_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size) {
  (void)kind;
  struct header_reader *reader = context;
  if (reader->count == reader->most) return MHD_NO;
  reader->headers[reader->count++] =
      (struct http_header){bytes_from(name, name_size), bytes_from(value, value ? value_size : 0)};
  return MHD_YES;
}

/* Names and values stay where libmicrohttpd has them, until the request is completed. */
static void read_header(struct http_call *call, const char *method) {
  struct MHD_Connection *mhd = call->connection->mhd;
  int count = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
  struct header_reader reader = {.most = count > 0 ? (size_t)count : 0};
  reader.headers = ARENA_ARRAY(&call->exchange.arena, reader.most, struct http_header);
  MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, read_field, &reader);
  call->exchange.request.method = http_method_from(bytes_of(method));
  call->exchange.request.headers = reader.headers;
  call->exchange.request.header_count = reader.count;
}

static enum MHD_Result refuse_header(struct http_server *server, struct http_call *call, enum problem problem,
                                     const char *detail) {
  struct exchange *exchange = &call->exchange;
  exchange->started_us = http_now_us();
  gateway_refuse_framing(server->gateway, exchange, problem, detail);
  exchange->response.close = true;
  call->connection->linger = true;
  return send_answer(server, call);
}

/* Whether the client waits for a sign before it sends its body, so that there is no need to read it. */
static bool expects_continue(const struct http_request *request) {
  return bytes_equal_ignoring_case(http_header_value(request, "Expect"), BYTES("100-continue"));
}

/* At the header's end. What is far too large, or is held back until it is asked for, is answered
 * without being read; libmicrohttpd closes the connection after such an answer. */
static enum MHD_Result begin_reading(struct http_server *server, struct http_call *call, const char *method,
                                     const char *version) {
  struct http_framing framing;
  enum problem problem;
  const char *detail;
  struct http_request *request = &call->exchange.request;
  read_header(call, method);
  bool is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
  if (!http_check_header(request, is_http_1_0, server->settings.header_bytes_max, &framing, &problem, &detail))
    return refuse_header(server, call, problem, detail);
  call->state = CALL_READING;
  text_init(&call->body, NULL);
  if (framing.kind == HTTP_BODY_NONE) {
    http_connection_set_deadline(call->connection, HTTP_DEADLINE_NONE);
    return MHD_YES;
  }
  http_connection_set_deadline(call->connection, HTTP_DEADLINE_BODY);
  if (framing.kind == HTTP_BODY_KNOWN && framing.length_bytes > GATEWAY_BODY_BYTES_MAX) {
    call->body_overflow = request->body_too_large = true;
    bool read_it = framing.length_bytes <= (unsigned long long)server->settings.body_bytes_discarded;
    if (!read_it || expects_continue(request)) {
      call->connection->linger = true;
      call->exchange.response.close = true;
      return finish(server, call);
    }
  }
  return MHD_YES;
}

static void drop_body(struct http_server *server, struct http_call *call) {
  server->body_bytes -= (int64_t)call->body.capacity;
  text_release(&call->body);
  text_init(&call->body, NULL);
}

/* One piece of the body. False where the client has sent so much in vain that it is cut off. */
static bool take_body(struct http_server *server, struct http_call *call, struct bytes piece) {
  if (!call->body_overflow && call->body.size + piece.size > GATEWAY_BODY_BYTES_MAX) {
    call->body_overflow = call->exchange.request.body_too_large = true;
    drop_body(server, call);
  }
  if (!call->body_overflow && !call->body_refused &&
      server->body_bytes + (int64_t)piece.size > server->settings.body_bytes_max) {
    call->body_refused = true;
    drop_body(server, call);
  }
  if (call->body_overflow || call->body_refused) {
    call->discarded_bytes += piece.size;
    return call->discarded_bytes <= (size_t)server->settings.body_bytes_discarded;
  }
  size_t before = call->body.capacity;
  text_append(&call->body, piece);
  server->body_bytes += (int64_t)(call->body.capacity - before);
  return true;
}

enum MHD_Result http_call_continue(void *context_server, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **context) {
  (void)mhd;
  (void)url;
  struct http_server *server = context_server;
  struct http_call *call = *context;
  switch (call->state) {
    case CALL_NEW:
      return begin_reading(server, call, method, version);
    case CALL_READING:
      if (*upload_size > 0) {
        struct bytes piece = bytes_from(upload, *upload_size);
        *upload_size = 0;
        return take_body(server, call, piece) ? MHD_YES : MHD_NO;
      }
      call->exchange.request.body = text_view(&call->body);
      return finish(server, call);
    case CALL_READY:
      return send_answer(server, call);
    case CALL_WAITING:
    case CALL_SENT:
      break;
  }
  return MHD_YES;
}
