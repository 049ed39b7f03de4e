/* The HTTP server serving: answers, keep-alive, bodies, many connections. */
#include "platform/local/http_server_test_tools.h"

static void assert_answer(const struct client_answer *answer, int status, const char *body) {
  if (answer->status != status) fail_msg("%d: %s", answer->status, answer->text);
  if (body) assert_string_equal(answer->body, body);
}

static void test_get_and_post(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  struct client_answer *answer = client_ask(fd, GET("/now?a=%20b"));
  assert_answer(answer, 200, "GET /now?a=%20b 0\n");
  assert_non_null(strstr(answer->text, "\r\nDate: "));
  assert_non_null(strstr(answer->text, "\r\nTrace: kept\r\n"));
  assert_answer(client_ask(fd, GET("/serve/%2F%zz?x")), 200, "GET /serve/%2F%zz?x 0\n");
  assert_answer(client_ask(fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"), 200,
                "POST /serve? 5\n");
  assert_answer(client_ask(fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), 200,
                "POST /serve? 0\n");
  assert_answer(client_ask(fd,
                           "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"),
                200, "POST /serve? 7\n");
  assert_answer(client_ask(fd, "PATCH /now HTTP/1.1\r\nHost: a\r\n\r\n"), 200, "OTHER /now? 0\n");
  assert_answer(client_ask(fd, "GET http://a/now?b HTTP/1.1\r\nHost: a\r\n\r\n"), 200, "GET /now?b 0\n");
  answer = client_ask(fd, "HEAD /serve HTTP/1.1\r\nHost: a\r\n\r\n");
  assert_answer(answer, 200, "");
  assert_non_null(strstr(answer->text, "Content-Length: 15\r\n"));
  assert_answer(client_ask(fd, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 200, NULL);
  assert_true(client_sees_end(fd));
  close(fd);
  http_server_stop(server, 1000);
  assert_int_equal(fake.opened, 9);
  assert_int_equal(fake.accounted, 9);
  http_server_free(server);
}

/* libmicrohttpd 1.0.1 takes the line feed after a chunk's extension for the chunk's first byte, and
 * refuses the chunk. Both are safe; what must not be is another body. */
static void test_chunk_extension(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  struct client_answer *answer = client_ask(
      fd, "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
  if (answer->status == 400)
    assert_true(client_sees_end(fd));
  else
    assert_answer(answer, 200, "POST /serve? 4\n");
  close(fd);
  http_server_free(server);
}

static void test_pipelining(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  client_send_text(
      fd, GET("/serve?1") GET("/now?2") "POST /serve?3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET(
              "/serve?4"));
  assert_answer(client_read(fd, true), 200, "GET /serve?1 0\n");
  assert_answer(client_read(fd, true), 200, "GET /now?2 0\n");
  assert_answer(client_read(fd, true), 200, "POST /serve?3 3\n");
  assert_answer(client_read(fd, true), 200, "GET /serve?4 0\n");
  close(fd);
  http_server_free(server);
}

/* RFC 9110 section 8.6: 204 has no Content-Length, and that of 304 would be the 200's. */
static void test_answers_without_body(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  struct client_answer *answer = client_ask(fd, GET("/status/204"));
  assert_answer(answer, 204, "");
  assert_null(strcasestr(answer->text, "Content-Length"));
  client_send_text(fd, GET("/status/304"));
  answer = client_read(fd, false);
  assert_answer(answer, 304, "");
  assert_non_null(strstr(answer->text, "Content-Length: 10\r\n"));
  assert_answer(client_ask(fd, GET("/now")), 200, "GET /now? 0\n");
  close(fd);
  http_server_free(server);
}

static void test_expect_continue(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  struct client_answer *answer =
      client_ask(fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  assert_answer(answer, 100, NULL);
  assert_answer(client_ask(fd, "hello"), 200, "POST /serve? 5\n");
  /* too large, and not even asked for */
  answer = client_ask(
      fd, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n");
  assert_answer(answer, 413, NULL);
  assert_true(client_sees_end(fd));
  close(fd);
  http_server_free(server);
}

/* Sends `size` bytes of body, known or chunked; the status of the answer. */
static int post_bytes(struct http_server *server, size_t size, bool chunked) {
  int fd = client_connect(server);
  char head[160], *body = calloc(1, size + 1);
  if (chunked)
    snprintf(head, sizeof head, "POST /serve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
             size);
  else
    snprintf(head, sizeof head, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
  assert_non_null(body);
  client_send_text(fd, head);
  (void)client_send(fd, body, size);
  if (chunked) client_send_text(fd, "\r\n0\r\n\r\n");
  free(body);
  int status = client_read(fd, true)->status;
  close(fd);
  return status;
}

static void test_body_sizes(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  for (int chunked = 0; chunked < 2; chunked++) {
    assert_int_equal(post_bytes(server, 100000, chunked), 200);
    assert_int_equal(post_bytes(server, GATEWAY_BODY_BYTES_MAX, chunked), 200);
    assert_int_equal(post_bytes(server, GATEWAY_BODY_BYTES_MAX + 1, chunked), 413);
    assert_int_equal(post_bytes(server, 4000000, chunked), 413);
  }
  assert_int_equal(post_bytes(server, 20000000, false), 413); /* answered before it was read */
  assert_int_equal(post_bytes(server, 20000000, true), 0);    /* cut off */
  http_server_free(server);
}

static void be_patient(struct http_server_settings *settings) { settings->crowd_age_max_ms = 20000; }

/* All connect first, then all send, then all read: twice, for keep-alive. */
static void ask_at_once(size_t count, bool post) {
  struct http_server *server = start_server(be_patient);
  static int fds[4000];
  for (size_t i = 0; i < count; i++) fds[i] = client_connect(server);
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < count; i++)
      client_send_text(
          fds[i], post ? "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" : GET("/now"));
    for (size_t i = 0; i < count; i++)
      assert_answer(client_read(fds[i], true), 200, post ? "POST /serve? 5\n" : "GET /now? 0\n");
  }
  for (size_t i = 0; i < count; i++) close(fds[i]);
  http_server_stop(server, 2000);
  assert_int_equal(fake.accounted, 2 * count);
  http_server_free(server);
}

/* 128 events at once stop libmicrohttpd 0.9.75's own thread for good. */
static void test_many_connections(void **state) {
  (void)state;
  static const size_t counts[] = {1, 64, 127, 128, 129, 256, 1000};
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    ask_at_once(counts[i], false);
    ask_at_once(counts[i], true);
  }
}

static void allow_four(struct http_server_settings *settings) { settings->connections_max = 4; }

/* At the limit, who has been idle longest makes room; who has a request under way stays, and if all have,
 * a newcomer is refused. */
static void test_idle_connections_make_room(void **state) {
  (void)state;
  struct http_server *server = start_server(allow_four);
  int fds[4];
  for (int i = 0; i < 4; i++) fds[i] = client_connect(server);
  for (int i = 0; i < 4; i++) assert_answer(client_ask(fds[i], GET("/now")), 200, NULL);
  assert_answer(client_ask(fds[0], GET("/now")), 200, NULL); /* so the second one is idle longest */
  int newcomer = client_connect(server);
  assert_answer(client_ask(newcomer, GET("/now")), 200, NULL);
  assert_true(client_sees_end(fds[1]));
  close(fds[1]);
  for (int i = 0; i < 4; i++)
    if (i != 1) assert_answer(client_ask(fds[i], GET("/now")), 200, NULL);
  /* With a request under way on each, nobody makes room. */
  atomic_store(&fake.blocked, 1);
  fds[1] = newcomer;
  for (int i = 0; i < 4; i++) client_send_text(fds[i], GET("/slow"));
  while (atomic_load(&fake.opened) < 13) pause_ms(1);
  newcomer = client_connect(server);
  assert_answer(client_read(newcomer, true), 503, NULL);
  close(newcomer);
  atomic_store(&fake.blocked, 0);
  for (int i = 0; i < 4; i++) assert_answer(client_read(fds[i], true), 200, NULL);
  /* Many newcomers one after the other, each of which stays open. */
  for (int i = 0; i < 40; i++) {
    newcomer = client_connect(server);
    assert_answer(client_ask(newcomer, GET("/now")), 200, NULL);
    close(fds[i % 4]);
    fds[i % 4] = newcomer;
  }
  for (int i = 0; i < 4; i++) close(fds[i]);
  http_server_free(server);
}

static void test_keys(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fds[3];
  for (int i = 0; i < 3; i++) fds[i] = client_connect(server);
  atomic_store(&fake.keys_needed, 1);
  for (int i = 0; i < 3; i++) client_send_text(fds[i], GET("/keys"));
  for (int i = 0; i < 3; i++) assert_answer(client_read(fds[i], true), 200, "GET /keys? 0\n");
  assert_true(atomic_load(&fake.refreshes) <= 2); /* one fetch for all that wait */
  atomic_store(&fake.keys_needed, 100);
  struct client_answer *answer = client_ask(fds[0], GET("/keys")); /* still unknown after a fetch */
  assert_answer(answer, 401, NULL);
  assert_non_null(strstr(answer->text, "WWW-Authenticate: Bearer"));
  assert_answer(client_ask(fds[0], GET("/now")), 200, NULL);
  for (int i = 0; i < 3; i++) close(fds[i]);
  http_server_free(server);
}

static void test_addresses(void **state) {
  (void)state;
  struct http_server_settings settings;
  struct http_server *first = start_server(NULL), *second = NULL;
  struct failure failure = {""};
  http_server_settings_init(&settings);
  settings.address = http_server_address(first);
  assert_false(http_server_start(&settings, NULL, &second, &failure));
  assert_non_null(strstr(failure.text, "another program uses it"));
  static const char *const bad[] = {"",       "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
                                    "::1:80", ":80",       "[]:80",      "192.0.2.1:0"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    settings.address = bad[i];
    assert_false(http_server_start(&settings, NULL, &second, &failure));
    assert_non_null(strstr(failure.text, "cannot listen on"));
  }
  settings.address = "[::1]:0";
  if (http_server_start(&settings, NULL, &second, &failure)) { /* not every machine has IPv6 */
    assert_memory_equal(http_server_address(second), "[::1]:", 6);
    assert_true(http_server_port(second) > 0);
    http_server_free(second);
  }
  settings.address = "127.0.0.1:0";
  settings.certificate_pem = BYTES("no certificate");
  assert_false(http_server_start(&settings, NULL, &second, &failure));
  assert_non_null(strstr(failure.text, "both"));
  settings.key_pem = BYTES("no key");
  assert_false(http_server_start(&settings, NULL, &second, &failure));
  print_message("%s\n", failure.text);
  http_server_free(first);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_get_and_post),
                                     cmocka_unit_test(test_chunk_extension),
                                     cmocka_unit_test(test_pipelining),
                                     cmocka_unit_test(test_answers_without_body),
                                     cmocka_unit_test(test_expect_continue),
                                     cmocka_unit_test(test_body_sizes),
                                     cmocka_unit_test(test_many_connections),
                                     cmocka_unit_test(test_idle_connections_make_room),
                                     cmocka_unit_test(test_keys),
                                     cmocka_unit_test(test_addresses)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
