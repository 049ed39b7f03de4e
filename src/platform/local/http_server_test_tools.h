/* For the tests of the HTTP server: a gateway that only plays one, and a client on raw sockets.
 *
 *   /now          answered by gateway_open: the method, the target, the body's size
 *   /large        the same, followed by LARGE_BYTES of zeros
 *   /serve        answered by gateway_serve: the same
 *   /status/<n>   answered with that status; 304 with the body that is not to be sent
 *   /slow         the same, while fake.blocked is set it waits
 *   /stall        the same as /now, but the loop stands still while fake.blocked is set, and 300 ms more
 *   /keys         needs keys until gateway_refresh_keys was called fake.keys_needed times
 *   /hold/<name>  held until fake.final_ids has it (a name is filled up to an id) */
#ifndef PLATFORM_LOCAL_HTTP_SERVER_TEST_TOOLS_H
#define PLATFORM_LOCAL_HTTP_SERVER_TEST_TOOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "platform/local/http_server.h"
#include "wire/problem.h"

struct fake_gateway {
  atomic_bool blocked;
  atomic_int opened, served, accounted, refused, batches, refreshes, keys_needed;
  atomic_int final_count; /* how many of final_ids are valid */
  char final_ids[8][ORDER_ID_CHARACTERS];
};

static struct fake_gateway fake;

static inline void pause_ms(int64_t ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static inline int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void make_id(const char *name, char ret_id[ORDER_ID_CHARACTERS]) {
  memset(ret_id, '.', ORDER_ID_CHARACTERS);
  memcpy(ret_id, name, strlen(name));
}

void exchange_init(struct exchange *exchange) { *exchange = (struct exchange){0}; }
void exchange_release(struct exchange *exchange) { arena_release(&exchange->arena); }

static void fake_answer(struct exchange *exchange, const char *more) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS", "OTHER"};
  const struct http_request *request = &exchange->request;
  exchange->response.status = request->body_too_large ? 413 : 200;
  exchange->response.body =
      arena_printf(&exchange->arena, "%s %.*s?%.*s %zu%s\n", methods[request->method],
                   BYTES_PRINTF(request->path), BYTES_PRINTF(request->query), request->body.size, more);
  http_response_add(&exchange->response, "Content-Type", BYTES("text/plain"));
}

enum { LARGE_BYTES = 16 * 1024 * 1024 }; /* more than the kernel takes in for one connection */

static void add_zeros(struct exchange *exchange) {
  struct bytes start = exchange->response.body;
  char *body = arena_allocate(&exchange->arena, start.size + LARGE_BYTES);
  memcpy(body, start.data, start.size);
  exchange->response.body = bytes_from(body, start.size + LARGE_BYTES);
}

enum gateway_verdict gateway_open(struct gateway *gateway, struct exchange *exchange) {
  (void)gateway;
  atomic_fetch_add(&fake.opened, 1);
  struct bytes path = exchange->request.path;
  http_response_add(&exchange->response, "Trace", BYTES("kept"));
  bool stalls = bytes_equal(path, BYTES("/stall"));
  while (stalls && atomic_load(&fake.blocked)) pause_ms(1);
  if (stalls) pause_ms(300);
  bool is_large = bytes_equal(path, BYTES("/large"));
  if (exchange->request.body_too_large || stalls || is_large || bytes_equal(path, BYTES("/now"))) {
    fake_answer(exchange, "");
    if (is_large) add_zeros(exchange);
    return GATEWAY_ANSWERED;
  }
  if (bytes_equal(path, BYTES("/keys")) && atomic_load(&fake.refreshes) < atomic_load(&fake.keys_needed)) {
    exchange->response = (struct http_response){.status = 401};
    http_response_add(&exchange->response, "WWW-Authenticate", BYTES("Bearer"));
    return GATEWAY_NEEDS_KEYS;
  }
  return GATEWAY_SERVE;
}

static void fake_status(struct exchange *exchange) {
  unsigned long long status = 0;
  (void)bytes_to_uint64(bytes_slice(exchange->request.path, 8, exchange->request.path.size), &status);
  exchange->response.status = (int)status;
  if (status == 304) exchange->response.body = BYTES("of the 200");
}

static bool is_final(const char *id) {
  for (int i = 0; i < atomic_load(&fake.final_count); i++)
    if (memcmp(fake.final_ids[i], id, ORDER_ID_CHARACTERS) == 0) return true;
  return false;
}

static void fake_serve(struct exchange *exchange) {
  struct bytes path = exchange->request.path;
  while (bytes_equal(path, BYTES("/slow")) && atomic_load(&fake.blocked)) pause_ms(1);
  if (bytes_starts_with(path, BYTES("/status/"))) {
    fake_status(exchange);
    return;
  }
  if (!bytes_starts_with(path, BYTES("/hold/"))) {
    fake_answer(exchange, "");
    return;
  }
  char name[ORDER_ID_CHARACTERS] = "", id[ORDER_ID_CHARACTERS];
  snprintf(name, sizeof name, "%.*s", (int)path.size - 6, path.data + 6);
  make_id(name, id);
  bool final = is_final(id);
  fake_answer(exchange, final ? " final" : " open");
  if (final || exchange->stopping) return;
  exchange->hold_ms = bytes_equal(exchange->request.query, BYTES("short")) ? 200 : 20000;
  memcpy(exchange->hold_id, id, sizeof id);
}

void gateway_serve(struct gateway *gateway, struct exchange **exchanges, size_t count) {
  (void)gateway;
  atomic_fetch_add(&fake.batches, 1);
  for (size_t i = 0; i < count; i++) fake_serve(exchanges[i]);
  atomic_fetch_add(&fake.served, (int)count);
}

void gateway_refresh_keys(struct gateway *gateway) {
  (void)gateway;
  pause_ms(20);
  atomic_fetch_add(&fake.refreshes, 1);
}

void gateway_refuse_framing(struct gateway *gateway, struct exchange *exchange, enum problem problem,
                            const char *detail) {
  (void)gateway;
  problem_respond(problem, bytes_of(detail), NULL, &exchange->arena, &exchange->response);
}

void gateway_refuse_overload(struct gateway *gateway, struct exchange *exchange, const char *cause) {
  (void)gateway;
  (void)cause;
  atomic_fetch_add(&fake.refused, 1);
  bool close = exchange->response.close;
  exchange->response = (struct http_response){.close = close};
  problem_respond(PROBLEM_OVERLOADED, bytes_of(cause), NULL, &exchange->arena, &exchange->response);
  http_response_add(&exchange->response, "Retry-After", BYTES("1"));
}

void gateway_account(struct gateway *gateway, const struct exchange *exchange) {
  (void)gateway;
  assert_true(exchange->response.status >= 200 && exchange->started_us > 0);
  atomic_fetch_add(&fake.accounted, 1);
}

/* A server with the defaults, changed by `change` where it is given. */
static inline struct http_server *start_server(void (*change)(struct http_server_settings *settings)) {
  struct http_server_settings settings;
  struct http_server *server = NULL;
  struct failure failure = {""};
  signal(SIGPIPE, SIG_IGN);
  memset(&fake, 0, sizeof fake);
  http_server_settings_init(&settings);
  settings.address = "127.0.0.1:0";
  if (change) change(&settings);
  if (!http_server_start(&settings, NULL, &server, &failure)) fail_msg("%s", failure.text);
  return server;
}

static inline int client_connect(const struct http_server *server) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)http_server_port(server)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  struct timeval limit = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

static inline bool client_send(int fd, const void *data, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t step = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
    if (step <= 0) return false;
    sent += (size_t)step;
  }
  return true;
}

static inline void client_send_text(int fd, const char *text) { (void)client_send(fd, text, strlen(text)); }

struct client_answer {
  int status; /* 0: the connection ended or timed out before a whole answer */
  char text[8192];
  const char *body; /* in text */
};

/* Reads one answer, byte for byte so that a following one stays in the socket. */
static inline struct client_answer *client_read(int fd, bool has_body) {
  static struct client_answer answer;
  size_t size = 0, wanted = SIZE_MAX;
  answer = (struct client_answer){0};
  while (size < sizeof answer.text - 1 && size < wanted) {
    if (recv(fd, answer.text + size, 1, 0) != 1) return &answer;
    answer.text[++size] = '\0';
    if (wanted != SIZE_MAX || size < 4 || memcmp(answer.text + size - 4, "\r\n\r\n", 4) != 0) continue;
    const char *length = strcasestr(answer.text, "\r\nContent-Length: ");
    wanted = size + (has_body && length ? strtoul(length + 18, NULL, 10) : 0);
    answer.body = answer.text + size;
  }
  if (size == wanted) answer.status = atoi(answer.text + 9);
  return &answer;
}

/* True where the server ends the connection, with nothing more sent, within five seconds. */
static inline bool client_sees_end(int fd) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  char byte;
  if (poll(&poll_fd, 1, 5000) <= 0) return false;
  ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno == ECONNRESET);
}

static inline struct client_answer *client_ask(int fd, const char *request) {
  client_send_text(fd, request);
  return client_read(fd, strncmp(request, "HEAD", 4) != 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

#endif
