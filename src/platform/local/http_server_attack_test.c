/* Clients that smuggle, crawl, flood: what must not be served, and what must be cut off. */
#include "platform/local/http_server_test_tools.h"

#define SMUGGLED GET("/now?smuggled")

struct attack {
  const char *name;
  const char *request; /* followed by SMUGGLED */
};

/* Each is refused, its connection closed, and the second request never seen. */
static const struct attack attacks[] = {
    {"length and coding",
     "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
     "0\r\n\r\n"},
    {"coding and length",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
     "0\r\n\r\n"},
    {"two lengths", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello"},
    {"lengths in one field", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"},
    {"length with a sign", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"},
    {"negative length", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nhello"},
    {"hexadecimal length", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"},
    {"empty length", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"},
    {"length too large for 64 bits",
     "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello"},
    {"unknown coding", "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"two codings", "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"identity", "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
    {"coding twice",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n"},
    {"coding twice, second other",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"},
    {"coding with a parameter",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"},
    {"coding with a vertical tab",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
    {"coding in HTTP/1.0", "POST /serve HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"space before the colon", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello"},
    {"space before the coding's colon",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {"name with a control character",
     "POST /serve HTTP/1.1\r\nHost: a\r\n\x01"
     "A: b\r\n\r\n"},
    {"folded length", "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nhello"},
    {"folded coding", "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
    {"length folded after its value",
     "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\t0\r\n\r\nhello"},
    {"length in a folded line", "POST /serve HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 5\r\n\r\nhello"},
    {"no host", "GET /serve HTTP/1.1\r\n\r\n"},
    {"two hosts", "GET /serve HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"line without a colon", "GET /serve HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"},
    {"chunk size that is none",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"},
    {"negative chunk size",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n"},
    {"chunk size too large for 64 bits",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nab\r\n0\r\n\r\n"},
    {"chunk longer than its size",
     "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
};

/* What the parser of libmicrohttpd 0.9.75 itself refuses has its header sent twice. */
static bool drain(int fd) {
  char data[4096];
  ssize_t size;
  while ((size = recv(fd, data, sizeof data, 0)) > 0) continue;
  return size == 0 || errno == ECONNRESET;
}

static void test_smuggling(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  for (size_t i = 0; i < COUNT_OF(attacks); i++) {
    char request[1024];
    snprintf(request, sizeof request, "%s%s", attacks[i].request, SMUGGLED);
    int fd = client_connect(server), opened = atomic_load(&fake.opened);
    struct client_answer *answer = client_ask(fd, request);
    bool refused = answer->status == 0 || answer->status == 400 || answer->status == 413 ||
                   answer->status == 501 || answer->status == 505;
    if (!refused) fail_msg("%s: %s", attacks[i].name, answer->text);
    if (!drain(fd)) fail_msg("%s: the connection stays open", attacks[i].name);
    if (atomic_load(&fake.opened) != opened) fail_msg("%s: a request was served", attacks[i].name);
    close(fd);
  }
  http_server_free(server);
}

static void test_same_length_twice_is_one(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  struct client_answer *answer =
      client_ask(fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
  assert_string_equal(answer->body, "POST /serve? 5\n");
  assert_int_equal(client_ask(fd, GET("/now"))->status, 200);
  close(fd);
  http_server_free(server);
}

static int ask_with_header(struct http_server *server, size_t size) {
  char *request = malloc(size + 200);
  assert_non_null(request);
  int fd = client_connect(server),
      at = sprintf(request, "GET /now HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ");
  memset(request + at, 'x', size);
  strcpy(request + (size_t)at + size, "\r\n\r\n");
  int status = client_ask(fd, request)->status;
  free(request);
  close(fd);
  return status;
}

static void test_header_sizes(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  assert_int_equal(ask_with_header(server, 8192), 200);
  assert_int_equal(ask_with_header(server, 12000), 200);
  /* Between, it depends on how well libmicrohttpd's version uses its memory. */
  for (size_t size = 12300; size < 18400; size += 300) {
    int status = ask_with_header(server, size);
    assert_true(status == 200 || status == 431);
  }
  for (size_t size = 18500; size < 24000; size += 300) assert_int_equal(ask_with_header(server, size), 431);
  assert_int_equal(ask_with_header(server, 60000), 431);
  http_server_free(server);
}

static void shorten_deadlines(struct http_server_settings *settings) {
  settings->header_timeout_ms = 300;
  settings->body_timeout_ms = 400;
  settings->idle_timeout_ms = 600;
  settings->answer_timeout_ms = 500;
}

/* Sends one byte each 50 ms; how long the server bore it. */
static int64_t crawl(struct http_server *server, const char *first, int *ret_status) {
  int fd = client_connect(server);
  int64_t from_ms = now_ms();
  client_send_text(fd, first);
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  while (poll(&poll_fd, 1, 50) == 0 && now_ms() - from_ms < 5000) client_send_text(fd, "x");
  int64_t elapsed_ms = now_ms() - from_ms;
  *ret_status = client_read(fd, true)->status;
  close(fd);
  return elapsed_ms;
}

static void test_slow_senders(void **state) {
  (void)state;
  struct http_server *server = start_server(shorten_deadlines);
  int status;
  assert_in_range(crawl(server, "", &status), 250, 600);
  assert_in_range(crawl(server, "GET /now HTTP/1.1\r\nA: ", &status), 250, 600);
  assert_int_equal(status, 408);
  assert_in_range(crawl(server, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", &status),
                  350, 700);
  assert_int_equal(status, 408);
  assert_in_range(
      crawl(server, "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", &status),
      350, 700);
  assert_int_equal(status, 408);
  int fd = client_connect(server); /* idle after a request */
  assert_int_equal(client_ask(fd, GET("/now"))->status, 200);
  int64_t from_ms = now_ms();
  assert_true(client_sees_end(fd));
  assert_in_range(now_ms() - from_ms, 500, 900);
  close(fd);
  atomic_store(&fake.blocked, true); /* who waits for an answer is not cut off */
  fd = client_connect(server);
  client_send_text(fd, GET("/slow"));
  pause_ms(900);
  atomic_store(&fake.blocked, false);
  assert_int_equal(client_read(fd, true)->status, 200);
  close(fd);
  http_server_free(server);
}

/* Although it reads nothing. The server may be slow on a machine that is busy. */
static void assert_reset(int fd) {
  struct pollfd ended = {.fd = fd, .events = 0};
  assert_int_equal(poll(&ended, 1, 60000), 1);
  assert_true(ended.revents & (POLLERR | POLLHUP));
}

/* A client that reads nothing is cut off, and what the kernel still has for it is gone: a part of a large
 * answer, or all of many small ones, when the server has nothing more to write. */
static void test_reader_of_nothing(void **state) {
  (void)state;
  struct http_server *server = start_server(shorten_deadlines);
  int fd = client_connect(server);
  client_send_text(fd, GET("/large"));
  assert_reset(fd);
  close(fd);
  fd = client_connect(server);
  for (int i = 0; i < 5000; i++) client_send_text(fd, GET("/now"));
  assert_reset(fd);
  close(fd);
  http_server_free(server);
}

/* A client that pipelines and reads nothing: the answers pile up, and it is cut off. */
static void test_slow_reader(void **state) {
  (void)state;
  struct http_server *server = start_server(shorten_deadlines);
  int fd = client_connect(server), small = 4096;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  char *requests = malloc(40 * 100000);
  assert_non_null(requests);
  for (size_t i = 0; i < 100000; i++)
    memcpy(requests + i * 40, "GET /now?xxxxx HTTP/1.1\r\nHost: aaaaa\r\n\r\n", 40);
  (void)client_send(fd, requests, 40 * 100000); /* the kernel may have room for all of it */
  assert_reset(fd);
  free(requests);
  close(fd);
  http_server_free(server);
}

static void allow_few(struct http_server_settings *settings) {
  settings->connections_max = 10;
  settings->waiting_max = 4;
  settings->workers = 1;
}

static void test_connections_beyond_the_limit(void **state) {
  (void)state;
  struct http_server *server = start_server(allow_few);
  int fds[15];
  for (int i = 0; i < 15; i++) fds[i] = client_connect(server);
  /* They are taken in the order in which they came. None of the first ten has asked anything, so none is idle
   * and makes room. */
  for (int i = 10; i < 15; i++) {
    struct client_answer *answer = client_read(fds[i], true);
    assert_int_equal(answer->status, 503);
    assert_non_null(strstr(answer->text, "Retry-After: 1"));
    assert_non_null(strstr(answer->body, "overloaded"));
  }
  for (int i = 0; i < 10; i++) assert_int_equal(client_ask(fds[i], GET("/now"))->status, 200);
  for (int i = 0; i < 15; i++) close(fds[i]);
  pause_ms(50);
  int fd = client_connect(server); /* room again */
  assert_int_equal(client_ask(fd, GET("/now"))->status, 200);
  close(fd);
  http_server_free(server);
}

static void test_queue_full(void **state) {
  (void)state;
  struct http_server *server = start_server(allow_few);
  int fds[10];
  atomic_store(&fake.blocked, true);
  for (int i = 0; i < 10; i++) {
    fds[i] = client_connect(server);
    client_send_text(fds[i], GET("/slow"));
    pause_ms(20); /* the first is with the worker, four wait, the rest are refused at once */
  }
  for (int i = 5; i < 10; i++) assert_int_equal(client_read(fds[i], true)->status, 503);
  assert_int_equal(client_ask(fds[9], GET("/now"))->status, 200); /* the connection lives on */
  atomic_store(&fake.blocked, false);
  for (int i = 0; i < 5; i++) assert_int_equal(client_read(fds[i], true)->status, 200);
  assert_int_equal(atomic_load(&fake.refused), 5);
  for (int i = 0; i < 10; i++) close(fds[i]);
  http_server_free(server);
}

static void wait_briefly(struct http_server_settings *settings) {
  settings->workers = 1;
  settings->waiting_age_max_ms = 100;
}

static void test_queue_too_old(void **state) {
  (void)state;
  struct http_server *server = start_server(wait_briefly);
  int fds[3];
  atomic_store(&fake.blocked, true);
  for (int i = 0; i < 3; i++) fds[i] = client_connect(server);
  client_send_text(fds[0], GET("/slow"));
  pause_ms(50);
  client_send_text(fds[1], GET("/slow"));
  pause_ms(200);
  assert_int_equal(client_ask(fds[2], GET("/slow"))->status, 503);
  atomic_store(&fake.blocked, false);
  assert_int_equal(client_read(fds[0], true)->status, 200);
  assert_int_equal(client_read(fds[1], true)->status, 200);
  assert_int_equal(client_ask(fds[2], GET("/slow"))->status, 200);
  for (int i = 0; i < 3; i++) close(fds[i]);
  http_server_free(server);
}

static void avoid_crowds(struct http_server_settings *settings) { settings->crowd_age_max_ms = 200; }

/* A spike on a loop that is busy: those of the first turns are served, those who have waited too long
 * behind a crowd are told to come again, nobody is dropped, and the next request is served again. */
static void test_crowd(void **state) {
  (void)state;
  enum { COUNT = 700 };
  struct http_server *server = start_server(avoid_crowds);
  int fds[COUNT], served = 0, refused = 0;
  atomic_store(&fake.blocked, true);
  for (int i = 0; i < COUNT; i++) {
    fds[i] = client_connect(server);
    client_send_text(fds[i], i == 0 || i == 200 ? GET("/stall") : GET("/serve"));
  }
  atomic_store(&fake.blocked, false);
  for (int i = 0; i < COUNT; i++) {
    int status = client_read(fds[i], true)->status;
    served += status == 200;
    refused += status == 503;
    if (i < HTTP_BATCH_MAX) assert_int_equal(status, 200);
  }
  assert_int_equal(served + refused, COUNT);
  assert_true(refused >= COUNT - 2 * HTTP_BATCH_MAX);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(client_ask(fds[i], GET("/serve"))->status, 200);
    close(fds[i]);
  }
  http_server_free(server);
}

static void little_memory(struct http_server_settings *settings) { settings->body_bytes_max = 500000; }

static void test_memory_of_bodies(void **state) {
  (void)state;
  struct http_server *server = start_server(little_memory);
  int fds[4], served = 0, refused = 0;
  static char body[200000];
  for (int i = 0; i < 4; i++) {
    fds[i] = client_connect(server);
    client_send_text(fds[i], "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n");
    (void)client_send(fds[i], body, sizeof body);
  }
  pause_ms(200);
  for (int i = 0; i < 4; i++) {
    client_send_text(fds[i], "x");
    int status = client_read(fds[i], true)->status;
    served += status == 200;
    refused += status == 503;
    close(fds[i]);
  }
  assert_int_equal(served + refused, 4);
  assert_in_range(served, 1, 2);
  pause_ms(50);
  int fd = client_connect(server); /* given back */
  client_send_text(fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  (void)client_send(fd, body, sizeof body);
  assert_int_equal(client_read(fd, true)->status, 200);
  close(fd);
  http_server_free(server);
}

/* Connections that break at any point leave nothing behind (the sanitizers look). */
static void test_broken_connections(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  static const char request[] = "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
  for (size_t cut = 0; cut < sizeof request; cut++) {
    int fd = client_connect(server);
    (void)client_send(fd, request, cut);
    struct linger reset = {.l_onoff = 1};
    if (cut % 2 == 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
  int fd = client_connect(server);
  assert_int_equal(client_ask(fd, request)->status, 200);
  close(fd);
  http_server_free(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_smuggling),
                                     cmocka_unit_test(test_same_length_twice_is_one),
                                     cmocka_unit_test(test_header_sizes),
                                     cmocka_unit_test(test_slow_senders),
                                     cmocka_unit_test(test_reader_of_nothing),
                                     cmocka_unit_test(test_slow_reader),
                                     cmocka_unit_test(test_connections_beyond_the_limit),
                                     cmocka_unit_test(test_queue_full),
                                     cmocka_unit_test(test_queue_too_old),
                                     cmocka_unit_test(test_memory_of_bodies),
                                     cmocka_unit_test(test_broken_connections),
                                     cmocka_unit_test(test_crowd)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
