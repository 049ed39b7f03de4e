/* The loop against a scripted runtime API in a thread: what tests/aws/test_runtime.py can't make a handler do.
 */
#include "platform/aws/runtime.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "base/text.h"
#include "fake/testing.h"

enum { HUGE_BYTES = 6 * 1024 * 1024 - 100, REQUESTS_MAX = 16 };

#define EVENT                                                                                               \
  "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\nLambda-Runtime-Deadline-Ms: 1795428930123\r\n" \
  "Lambda-Runtime-Trace-Id: Root=1-2\r\nLambda-Runtime-Invoked-Function-Arn: arn:f\r\nContent-Length: "     \
  "2\r\n\r\n{}"
#define TOLD "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define REFUSED "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define OVER "HTTP/1.1 500 Over\r\nContent-Length: 0\r\n\r\n" /* ends the loop, with exit code 1 */

struct api {
  char address[32];
  int listener;
  pthread_t thread;
  const char *const *replies; /* one for each request, in their order; NULL: no more */
  /* what was asked: the first lines, and how large the bodies were */
  char lines[REQUESTS_MAX][80];
  size_t body_sizes[REQUESTS_MAX];
  size_t count;
  struct text last_body;
};

/* Reads up to the end of the head, and gives the body's size; false at the end of the connection. */
static bool read_head(FILE *stream, char *ret_line, size_t line_size, size_t *ret_body_size) {
  char line[512];
  *ret_body_size = 0;
  if (!fgets(line, sizeof line, stream)) return false;
  snprintf(ret_line, line_size, "%.*s", (int)strcspn(line, "\r"), line);
  while (fgets(line, sizeof line, stream) && line[0] != '\r')
    if (strncmp(line, "Content-Length: ", 16) == 0) *ret_body_size = strtoul(line + 16, NULL, 10);
  return true;
}

static void *serve(void *context) {
  struct api *api = context;
  while (*api->replies) {
    int connection = accept(api->listener, NULL, NULL);
    ensure(connection >= 0);
    FILE *stream = fdopen(connection, "r");
    while (*api->replies &&
           read_head(stream, api->lines[api->count], sizeof api->lines[0], &api->body_sizes[api->count])) {
      const char *reply = *api->replies++;
      bool is_early = strcmp(reply, REFUSED) == 0; /* before the body was read */
      if (is_early) ensure(write(connection, reply, strlen(reply)) > 0);
      size_t size = api->body_sizes[api->count++];
      ensure(api->count < REQUESTS_MAX);
      api->last_body.size = 0;
      ensure(fread(text_reserve(&api->last_body, size), 1, size, stream) == size);
      api->last_body.size = size;
      if (is_early) break;
      ensure(write(connection, reply, strlen(reply)) > 0);
    }
    fclose(stream);
  }
  return NULL;
}

static void api_start(struct api *api, const char *const *replies) {
  *api = (struct api){.replies = replies};
  text_init(&api->last_body, NULL);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  api->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(api->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(api->listener, 8), 0);
  assert_int_equal(getsockname(api->listener, (struct sockaddr *)&address, &size), 0);
  snprintf(api->address, sizeof api->address, "127.0.0.1:%d", ntohs(address.sin_port));
  assert_int_equal(pthread_create(&api->thread, NULL, serve, api), 0);
}

static void api_stop(struct api *api) {
  pthread_join(api->thread, NULL);
  close(api->listener);
  text_release(&api->last_body);
}

static bool stopped;

static void handle_huge(void *context, const struct invocation *invocation,
                        struct invocation_result *ret_result) {
  (void)context;
  assert_text(invocation->event, "{}");
  assert_text(invocation->request_id, "id-1");
  assert_text(invocation->trace_id, "Root=1-2");
  assert_text(invocation->function_arn, "arn:f");
  assert_int_equal(invocation->deadline_ms, 1795428930123);
  ret_result->body = bytes_from(arena_allocate(invocation->arena, HUGE_BYTES), HUGE_BYTES);
}

static void handle_badly(void *context, const struct invocation *invocation,
                         struct invocation_result *ret_result) {
  (void)context, (void)invocation;
  ret_result->error_type = BYTES("Spillway.BadEvent");
  ret_result->error_message = BYTES("not \"UTF-8\": \xff");
}

static void note_stop(void *context) {
  (void)context;
  stopped = true;
}

static int run(struct api *api, runtime_handler *handler) {
  stopped = false;
  return runtime_run(&(struct runtime_options){.api = api->address, .handler = handler, .on_stop = note_stop});
}

static void a_huge_response_is_sent_whole(void **state) {
  (void)state;
  struct api api;
  api_start(&api, (const char *const[]){EVENT, TOLD, OVER, NULL});
  assert_int_equal(run(&api, handle_huge), 1);
  assert_true(stopped);
  api_stop(&api);
  assert_int_equal(api.count, 3);
  assert_string_equal(api.lines[0], "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
  assert_string_equal(api.lines[1], "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1");
  assert_int_equal(api.body_sizes[1], HUGE_BYTES);
  assert_string_equal(api.lines[2], "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
}

static void a_huge_response_may_be_refused_before_it_was_read(void **state) {
  (void)state;
  struct api api;
  api_start(&api, (const char *const[]){EVENT, REFUSED, EVENT, TOLD, OVER, NULL});
  assert_int_equal(run(&api, handle_huge), 1);
  api_stop(&api);
  assert_int_equal(api.count, 5);
  assert_string_equal(api.lines[2], "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
}

static void errors_are_always_json(void **state) {
  (void)state;
  struct api api;
  api_start(&api, (const char *const[]){EVENT, OVER, NULL});
  assert_int_equal(run(&api, handle_badly), 1);
  api_stop(&api);
  assert_string_equal(api.lines[1], "POST /2018-06-01/runtime/invocation/id-1/error HTTP/1.1");
}

static void failed_initialisation_is_told(void **state) {
  (void)state;
  struct api api;
  api_start(&api, (const char *const[]){TOLD, NULL});
  runtime_fail_init(api.address, BYTES("Runtime.InitFailed"), BYTES("say \"why\""));
  pthread_join(api.thread, NULL);
  assert_string_equal(api.lines[0], "POST /2018-06-01/runtime/init/error HTTP/1.1");
  assert_text(text_view(&api.last_body),
              "{\"errorMessage\":\"say \\\"why\\\"\",\"errorType\":\"Runtime.InitFailed\",\"stackTrace\":[]}");
  close(api.listener);
  text_release(&api.last_body);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_huge_response_is_sent_whole),
      cmocka_unit_test(a_huge_response_may_be_refused_before_it_was_read),
      cmocka_unit_test(errors_are_always_json),
      cmocka_unit_test(failed_initialisation_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
