/* The sandbox over HTTP, asked through the client that surge and audit use: many connections at
 * once, answers that wait, connections that are closed, callbacks, the ledger as a stream. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/client.h"
#include "cli/sandbox_server.h"

struct fixture {
  struct sandbox sandbox;
  pthread_t thread;
  int stop;
  char listen[64], url[80];
  struct client *client;
};

static void *serve(void *context) {
  struct fixture *fixture = context;
  struct failure failure;
  if (!sandbox_serve(&fixture->sandbox, fixture->stop, &failure)) fprintf(stderr, "%s\n", failure.text);
  return NULL;
}

/* A port that was free a moment ago. */
static unsigned free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(descriptor, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
  close(descriptor);
  return ntohs(address.sin_port);
}

static void start(struct fixture *fixture, struct fault_rates rates, size_t connections) {
  *fixture = (struct fixture){.stop = eventfd(0, EFD_CLOEXEC)};
  snprintf(fixture->listen, sizeof fixture->listen, "127.0.0.1:%u", free_port());
  snprintf(fixture->url, sizeof fixture->url, "http://%s", fixture->listen);
  struct failure failure;
  struct sandbox *sandbox = &fixture->sandbox;
  sandbox->settings = (struct sandbox_settings){.listen = fixture->listen,
                                                .connections_max = 4096,
                                                .slow_ms = 200,
                                                .hang_ms = 300,
                                                .callback_delay_ms = 10};
  sandbox->core = sandbox_core_new(1000000, 0);
  sandbox->faults = (struct faults){.rates = rates, .services = 7, .state = 1};
  arena_init(&sandbox->scratch);
  assert_true(callbacks_start(&sandbox->callbacks, &failure));
  assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
  struct client_settings settings = {.url = fixture->url,
                                     .connections_max = connections,
                                     .timeout_ms = 20000,
                                     .body_bytes_max = 64 * 1024 * 1024};
  if (!client_new(&settings, &fixture->client, &failure)) fail_msg("%s", failure.text);
}

static void stop(struct fixture *fixture) {
  client_free(fixture->client);
  assert_int_equal(eventfd_write(fixture->stop, 1), 0);
  pthread_join(fixture->thread, NULL);
  callbacks_stop(fixture->sandbox.callbacks);
  sandbox_core_free(fixture->sandbox.core);
  arena_release(&fixture->sandbox.scratch);
  close(fixture->stop);
}

struct tally {
  size_t told, good, pending, unanswered;
  struct text last;
};

static void count(void *context, const struct client_answer *answer) {
  struct tally *tally = context;
  tally->told++;
  tally->good += answer->status == 200;
  tally->pending += answer->status == 202;
  tally->unanswered += answer->status == 0;
  tally->last.size = 0;
  text_append(&tally->last, answer->body);
}

static void await(struct fixture *fixture, const struct tally *tally, size_t wanted) {
  while (tally->told < wanted) client_poll(fixture->client, 10000);
}

/* One answer to a GET, asked again until the server is there. */
static void get(struct fixture *fixture, const char *path, struct tally *tally) {
  char message[200];
  int size = snprintf(message, sizeof message, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
  do {
    tally->told = tally->good = 0;
    client_send(fixture->client, bytes_from(message, (size_t)size), count, tally);
    await(fixture, tally, 1);
    if (!tally->good) usleep(10000);
  } while (!tally->good);
  *tally = (struct tally){.last = tally->last};
}

/* That many ship commands, all under way at once. */
static void ship(struct fixture *fixture, size_t first, size_t commands, struct tally *tally) {
  char(*messages)[300] = calloc(commands, sizeof *messages);
  assert_non_null(messages);
  for (size_t i = 0; i < commands; i++) {
    int size = snprintf(messages[i], sizeof messages[i],
                        "POST /fulfilment/ship HTTP/1.1\r\nHost: a\r\nIdempotency-Key: ord_%zu.ship\r\n"
                        "Callback-URL: %s/healthz\r\nContent-Length: 2\r\n\r\n{}",
                        first + i, fixture->url);
    client_send(fixture->client, bytes_from(messages[i], (size_t)size), count, tally);
  }
  await(fixture, tally, commands);
  free(messages);
}

/* 128 events at once are where libmicrohttpd's own thread would stop. */
static void many_connections_are_all_answered(void **state) {
  (void)state;
  static const size_t connections[] = {64, 128, 129, 1000};
  for (size_t i = 0; i < COUNT_OF(connections); i++) {
    struct fixture fixture;
    struct tally tally = {0};
    start(&fixture, (struct fault_rates){0}, connections[i]);
    get(&fixture, "/healthz", &tally);
    for (size_t round = 0; round < 5; round++) {
      tally.told = 0;
      ship(&fixture, round * connections[i], connections[i], &tally);
    }
    assert_int_equal(tally.good, 5 * connections[i]);
    assert_int_equal(client_count(fixture.client).open, connections[i]);
    get(&fixture, "/ledger", &tally);
    size_t lines = 0;
    for (size_t at = 0; at < tally.last.size; at++) lines += tally.last.data[at] == '\n';
    assert_int_equal(lines, 5 * connections[i]);
    text_release(&tally.last);
    stop(&fixture);
  }
}

static void slow_answers_hold_nobody_back(void **state) {
  (void)state;
  struct fixture fixture;
  struct tally tally = {0};
  start(&fixture, (struct fault_rates){.slow = 1}, 200);
  get(&fixture, "/healthz", &tally);
  time_t before = time(NULL);
  ship(&fixture, 0, 200, &tally); /* 200 ms each, side by side */
  assert_true(time(NULL) - before < 10);
  assert_int_equal(tally.good, 200);
  text_release(&tally.last);
  stop(&fixture);
}

static void lost_and_hanging_answers_are_none(void **state) {
  (void)state;
  static const struct fault_rates rates[] = {{.lost = 1}, {.timeout = 1}};
  for (size_t i = 0; i < COUNT_OF(rates); i++) {
    struct fixture fixture;
    struct tally tally = {0};
    start(&fixture, rates[i], 50);
    get(&fixture, "/healthz", &tally);
    ship(&fixture, 0, 50, &tally);
    assert_int_equal(tally.unanswered, 50);
    get(&fixture, "/healthz", &tally);
    text_release(&tally.last);
    stop(&fixture);
  }
}

static void pending_outcomes_are_called_back(void **state) {
  (void)state;
  struct fixture fixture;
  struct tally tally = {0};
  start(&fixture, (struct fault_rates){.pending = 1}, 20);
  get(&fixture, "/healthz", &tally);
  ship(&fixture, 0, 20, &tally);
  assert_int_equal(tally.pending, 20);
  struct callback_counts counts = callbacks_count(fixture.sandbox.callbacks);
  for (int i = 0; i < 1000 && counts.waiting; i++) {
    usleep(10000);
    counts = callbacks_count(fixture.sandbox.callbacks);
  }
  assert_int_equal(counts.waiting, 0);
  assert_true(counts.delivered >= 20);
  /* Told already: the same key is answered at once. */
  tally.told = 0;
  ship(&fixture, 0, 20, &tally);
  assert_int_equal(tally.good, 20);
  text_release(&tally.last);
  stop(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(many_connections_are_all_answered),
      cmocka_unit_test(slow_answers_hold_nobody_back),
      cmocka_unit_test(lost_and_hanging_answers_are_none),
      cmocka_unit_test(pending_outcomes_are_called_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
