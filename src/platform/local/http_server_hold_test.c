/* Requests that wait for an order, and the server's end. */
#include "platform/local/http_server_test_tools.h"

static void assert_body(const struct client_answer *answer, const char *body) {
  if (answer->status != 200 || strcmp(answer->body, body) != 0)
    fail_msg("%d: %s", answer->status, answer->text);
}

/* As the store does: readers see it first, then the server is told. */
static void make_final(struct http_server *server, const char *name) {
  int count = atomic_load(&fake.final_count);
  make_id(name, fake.final_ids[count]);
  atomic_store(&fake.final_count, count + 1);
  struct bytes ids[2] = {BYTES("ord_of somebody who waits for nothing"),
                         bytes_from(fake.final_ids[count], ORDER_ID_CHARACTERS)};
  ids[0].size = ORDER_ID_CHARACTERS;
  http_server_order_final(server, ids, 2);
}

static bool is_readable(int fd, int timeout_ms) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void test_woken_when_final(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int a = client_connect(server), b = client_connect(server), c = client_connect(server);
  client_send_text(a, GET("/hold/one"));
  client_send_text(b, GET("/hold/two"));
  client_send_text(c, GET("/hold/one"));
  assert_false(is_readable(a, 300));
  int64_t from_ms = now_ms();
  make_final(server, "one");
  assert_body(client_read(a, true), "GET /hold/one? 0 final\n");
  assert_body(client_read(c, true), "GET /hold/one? 0 final\n");
  assert_in_range(now_ms() - from_ms, 0, 200);
  assert_false(is_readable(b, 50));
  make_final(server, "two");
  struct client_answer *answer = client_read(b, true);
  assert_body(answer, "GET /hold/two? 0 final\n");
  const char *trace = strstr(answer->text, "Trace: kept"); /* once, however often it was served */
  assert_non_null(trace);
  assert_null(strstr(trace + 1, "Trace: kept"));
  assert_body(client_ask(a, GET("/hold/one")), "GET /hold/one? 0 final\n");
  assert_int_equal(atomic_load(&fake.accounted), 4);
  close(a);
  close(b);
  close(c);
  http_server_free(server);
}

static void test_answered_when_time_is_over(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  int64_t from_ms = now_ms();
  assert_body(client_ask(fd, GET("/hold/one?short")), "GET /hold/one?short 0 open\n");
  assert_in_range(now_ms() - from_ms, 190, 400);
  close(fd);
  http_server_free(server);
}

static void hold_two(struct http_server_settings *settings) { settings->held_max = 2; }

static void test_too_many_held(void **state) {
  (void)state;
  struct http_server *server = start_server(hold_two);
  int fds[3];
  for (int i = 0; i < 3; i++) {
    fds[i] = client_connect(server);
    client_send_text(fds[i], GET("/hold/one"));
    pause_ms(50);
  }
  assert_body(client_read(fds[2], true), "GET /hold/one? 0 open\n");
  make_final(server, "one");
  for (int i = 0; i < 2; i++) assert_body(client_read(fds[i], true), "GET /hold/one? 0 final\n");
  for (int i = 0; i < 3; i++) close(fds[i]);
  http_server_free(server);
}

/* The wake-up comes at every possible moment around the registration, and none is lost: a lost one would
 * take 20 seconds. */
static void test_no_wake_up_is_lost(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int fd = client_connect(server);
  int64_t from_ms = now_ms();
  for (int round = 0; round < 1500; round++) {
    atomic_store(&fake.final_count, 0);
    client_send_text(fd, GET("/hold/race"));
    for (volatile int spin = 0; spin < round * 100; spin = spin + 1) continue;
    make_final(server, "race");
    assert_body(client_read(fd, true), "GET /hold/race? 0 final\n");
  }
  assert_true(now_ms() - from_ms < 15000);
  close(fd);
  http_server_free(server);
}

struct stopper {
  struct http_server *server;
  int64_t grace_ms, took_ms;
};

static void *stop_server(void *context) {
  struct stopper *stopper = context;
  int64_t from_ms = now_ms();
  http_server_stop(stopper->server, stopper->grace_ms);
  stopper->took_ms = now_ms() - from_ms;
  return NULL;
}

static void test_stop_answers_what_waits(void **state) {
  (void)state;
  struct stopper stopper = {.server = start_server(NULL), .grace_ms = 5000};
  int held = client_connect(stopper.server), slow = client_connect(stopper.server);
  int idle = client_connect(stopper.server), silent = client_connect(stopper.server);
  int half = client_connect(stopper.server);
  atomic_store(&fake.blocked, true);
  client_send_text(held, GET("/hold/one"));
  pause_ms(100);
  client_send_text(slow, GET("/slow"));
  pause_ms(100); /* it has a worker to itself now, not a batch with the held one */
  client_send_text(half, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  assert_body(client_ask(idle, GET("/now")), "GET /now? 0\n");
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, stop_server, &stopper), 0);
  assert_true(client_sees_end(idle));
  assert_true(client_sees_end(silent));
  struct client_answer *answer = client_read(held, true);
  assert_body(answer, "GET /hold/one? 0 open\n");
  assert_non_null(strstr(answer->text, "Connection: close"));
  assert_true(client_sees_end(held));
  int late = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)http_server_port(stopper.server)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof address), -1); /* nobody listens */
  close(late);
  client_send_text(half, "llo"); /* begun before the stop: still served */
  assert_body(client_read(half, true), "POST /serve? 5\n");
  atomic_store(&fake.blocked, false);
  answer = client_read(slow, true);
  assert_body(answer, "GET /slow? 0\n");
  assert_non_null(strstr(answer->text, "Connection: close"));
  close(slow);
  pthread_join(thread, NULL);
  assert_in_range(stopper.took_ms, 0, 1000);
  assert_int_equal(atomic_load(&fake.accounted), 4);
  close(held);
  close(idle);
  close(silent);
  close(half);
  http_server_free(stopper.server);
}

/* A client that neither finishes nor leaves does not hold up the end for longer than the grace. */
static void test_stop_cuts_after_the_grace(void **state) {
  (void)state;
  struct http_server *server = start_server(NULL);
  int half = client_connect(server), pipelined = client_connect(server), held = client_connect(server);
  client_send_text(half, "POST /serve HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  client_send_text(held, GET("/hold/one"));
  client_send_text(pipelined, GET("/now") "GET /serve HTTP/1.1\r\nHo");
  assert_body(client_read(pipelined, true), "GET /now? 0\n");
  pause_ms(50);
  int64_t from_ms = now_ms();
  http_server_stop(server, 300);
  assert_in_range(now_ms() - from_ms, 250, 600);
  assert_body(client_read(held, true), "GET /hold/one? 0 open\n");
  assert_int_equal(client_read(half, true)->status, 408);
  close(half);
  close(pipelined);
  close(held);
  struct bytes id = BYTES("ord_00000000000000000000000000000000");
  http_server_order_final(server, &id, 1); /* harmless */
  http_server_free(server);
}

static void *ask_all_the_time(void *context) {
  struct http_server *server = context;
  intptr_t answered = 0;
  for (;;) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
      close(fd);
      return (void *)answered;
    }
    for (int i = 0; i < 20; i++) {
      char data[1024];
      client_send_text(fd, i % 2 == 0 ? GET("/serve") : GET("/hold/x?short"));
      if (recv(fd, data, sizeof data, 0) <= 0) break;
      answered++;
    }
    close(fd);
  }
}

static void test_stop_under_load(void **state) {
  (void)state;
  for (int64_t grace_ms = 0; grace_ms <= 2000; grace_ms += 500) {
    struct http_server *server = start_server(NULL);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, ask_all_the_time, server), 0);
    pause_ms(150);
    http_server_stop(server, grace_ms);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    http_server_free(server);
  }
}

static void test_two_servers(void **state) {
  (void)state;
  struct http_server *first = start_server(NULL), *second = start_server(NULL);
  int a = client_connect(first), b = client_connect(second);
  assert_true(http_server_port(first) != http_server_port(second));
  assert_body(client_ask(a, GET("/serve")), "GET /serve? 0\n");
  assert_body(client_ask(b, GET("/serve")), "GET /serve? 0\n");
  http_server_free(first);
  assert_body(client_ask(b, GET("/serve")), "GET /serve? 0\n");
  http_server_free(second);
  close(a);
  close(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_woken_when_final),        cmocka_unit_test(test_answered_when_time_is_over),
      cmocka_unit_test(test_too_many_held),           cmocka_unit_test(test_no_wake_up_is_lost),
      cmocka_unit_test(test_stop_answers_what_waits), cmocka_unit_test(test_stop_cuts_after_the_grace),
      cmocka_unit_test(test_stop_under_load),         cmocka_unit_test(test_two_servers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
