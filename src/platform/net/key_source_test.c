/* Keys from files and from a small HTTP server that answers as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "platform/net/key_source.h"

/* The key and the token of RFC 7515 appendix A.3, and the key of RFC 8037 appendix A.2. */
#define KEY_A                                                                                              \
  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define KEY_B "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define TOKEN_A                                                                                             \
  "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2" \
  "90Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static void pause_ms(int64_t ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static struct key_source *open_source(const char *location) {
  struct key_source_settings settings;
  struct key_source *source = NULL;
  struct failure failure = {""};
  key_source_settings_init(&settings, location);
  settings.timeout_ms = 500;
  settings.refresh_pause_ms = 0;
  if (!key_source_open(&settings, &source, &failure)) fail_msg("%s", failure.text);
  return source;
}

static bool knows_a(struct key_source *source) {
  struct key_reference *reference = key_source_acquire(source);
  if (!reference) return false;
  struct arena arena;
  struct json *payload;
  arena_init(&arena);
  bool known = jwt_verify(key_reference_keys(reference), BYTES(TOKEN_A), &arena, &payload) == JWT_VALID;
  arena_release(&arena);
  key_reference_release(reference);
  return known;
}

static void expect_failure(struct key_source *source, const char *words) {
  struct failure failure = {""};
  assert_false(key_source_refresh(source, &failure));
  if (!strstr(failure.text, words)) fail_msg("\"%s\" does not say \"%s\"", failure.text, words);
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void test_file(void **state) {
  (void)state;
  char path[] = "/tmp/key_source_test.XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  struct failure failure = {""};
  struct key_source *source = open_source(path);
  assert_false(key_source_is_url(source));
  assert_null(key_source_acquire(source));
  expect_failure(source, path); /* empty */
  write_file(path, "{\"keys\":[" KEY_A "]}");
  assert_true(key_source_refresh(source, &failure));
  assert_true(knows_a(source));
  struct key_reference *held = key_source_acquire(source);
  write_file(path, "{\"keys\":[" KEY_B "]}");
  assert_true(key_source_refresh(source, &failure));
  assert_false(knows_a(source));
  assert_ptr_not_equal(key_reference_keys(held), NULL); /* the old ones live on while they are held */
  write_file(path, "{\"keys\":[" KEY_A "]}");
  assert_true(key_source_refresh(source, &failure));
  write_file(path, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}");
  expect_failure(source, "shared secret");
  assert_true(knows_a(source)); /* a bad refresh keeps the old keys */
  assert_int_equal(truncate(path, KEY_SOURCE_BYTES_MAX + 1), 0);
  expect_failure(source, "larger than");
  assert_int_equal(unlink(path), 0);
  expect_failure(source, "No such file");
  assert_true(knows_a(source));
  key_source_free(source);
  key_reference_release(held);
  source = open_source("/tmp");
  expect_failure(source, "not a regular file");
  key_source_free(source);
}

static void test_bounded_rate(void **state) {
  (void)state;
  struct key_source_settings settings;
  struct key_source *source = NULL;
  struct failure failure = {""};
  key_source_settings_init(&settings, "/nonexistent/jwks.json");
  assert_int_equal(settings.refresh_pause_ms, 10000);
  assert_int_equal(settings.refresh_age_ms, 600000);
  settings.refresh_pause_ms = 100;
  settings.refresh_age_ms = 300;
  assert_true(key_source_open(&settings, &source, &failure));
  assert_false(key_source_refresh(source, &failure)); /* tried, and failed */
  assert_true(key_source_refresh(source, &failure));  /* not tried */
  assert_true(key_source_refresh_if_old(source, &failure));
  pause_ms(150);
  assert_true(key_source_refresh_if_old(source, &failure)); /* not old enough */
  assert_false(key_source_refresh(source, &failure));
  pause_ms(350);
  assert_false(key_source_refresh_if_old(source, &failure));
  key_source_free(source);
}

static void test_urls_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"http://example.com/jwks",
                                    "http://127.0.0.1@example.com/",
                                    "ftp://127.0.0.1/",
                                    "http://localhost.example.com/",
                                    "file:///etc/passwd",
                                    "https://",
                                    "http://[::2]/",
                                    "http://128.0.0.1/",
                                    "https://u:p@example.com/",
                                    "gopher://127.0.0.1/"};
  static const char *const good[] = {"https://example.com/jwks", "http://127.0.0.1:1/", "http://localhost/x",
                                     "http://[::1]:8080/", "http://127.9.9.9/"};
  struct key_source_settings settings;
  struct key_source *source = NULL;
  struct failure failure;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    key_source_settings_init(&settings, bad[i]);
    if (key_source_open(&settings, &source, &failure)) fail_msg("%s", bad[i]);
    assert_null(strstr(failure.text, "u:p"));
  }
  for (size_t i = 0; i < COUNT_OF(good); i++) key_source_free(open_source(good[i]));
}

/* A server for one answer after the other. */
struct web {
  int listen_fd;
  int port;
  char url[64];
  pthread_t thread;
  _Atomic(const char *) answer; /* all of it; NULL: accept and say nothing */
  atomic_int asked;
};

static void *run_web(void *context) {
  struct web *web = context;
  int fd;
  while ((fd = accept(web->listen_fd, NULL, NULL)) >= 0) {
    char request[2048];
    ssize_t size = recv(fd, request, sizeof request, 0);
    const char *answer = atomic_load(&web->answer);
    atomic_fetch_add(&web->asked, 1);
    if (size > 0 && answer) {
      (void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
      shutdown(fd, SHUT_WR);
      while (recv(fd, request, sizeof request, 0) > 0) continue;
    } else {
      pause_ms(700);
    }
    close(fd);
  }
  return NULL;
}

static void start_web(struct web *web) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  web->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(web->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(web->listen_fd, 16), 0);
  assert_int_equal(getsockname(web->listen_fd, (struct sockaddr *)&address, &size), 0);
  snprintf(web->url, sizeof web->url, "http://127.0.0.1:%d/jwks.json", ntohs(address.sin_port));
  assert_int_equal(pthread_create(&web->thread, NULL, run_web, web), 0);
}

static void stop_web(struct web *web) {
  shutdown(web->listen_fd, SHUT_RDWR);
  pthread_join(web->thread, NULL);
  close(web->listen_fd);
}

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static void test_url(void **state) {
  (void)state;
  struct web web = {0};
  struct failure failure = {""};
  start_web(&web);
  struct key_source *source = open_source(web.url);
  assert_true(key_source_is_url(source));
  atomic_store(&web.answer, OK "{\"keys\":[" KEY_A "]}");
  if (!key_source_refresh(source, &failure)) fail_msg("%s", failure.text);
  assert_true(knows_a(source));
  atomic_store(&web.answer, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
  expect_failure(source, "status 302");
  assert_int_equal(atomic_load(&web.asked), 2);
  atomic_store(&web.answer, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  expect_failure(source, "status 500");
  atomic_store(&web.answer, OK "<html>");
  expect_failure(source, "not good JSON");
  atomic_store(&web.answer, "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
  expect_failure(source, "larger than");
  atomic_store(&web.answer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[");
  expect_failure(source, web.url);
  char *huge = malloc(2000000);
  assert_non_null(huge);
  memset(huge, ' ', 2000000);
  memcpy(huge, OK, sizeof OK - 1);
  huge[1999999] = '\0';
  atomic_store(&web.answer, huge);
  expect_failure(source, "larger than");
  atomic_store(&web.answer, NULL);
  expect_failure(source, "imed out");
  assert_true(knows_a(source));
  stop_web(&web);
  free(huge);
  expect_failure(source, "cannot fetch");
  key_source_free(source);
}

static void *verify_often(void *source) {
  uintptr_t known = 0;
  for (int i = 0; i < 300; i++) known += knows_a(source);
  return (void *)known;
}

static void test_refresh_while_others_verify(void **state) {
  (void)state;
  struct web web = {.answer = OK "{\"keys\":[" KEY_A "]}"};
  struct failure failure = {""};
  start_web(&web);
  struct key_source *source = open_source(web.url);
  assert_true(key_source_refresh(source, &failure));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, verify_often, source), 0);
  for (int i = 0; i < 20; i++) assert_true(key_source_refresh(source, &failure));
  for (int i = 0; i < 3; i++) {
    void *known;
    pthread_join(threads[i], &known);
    assert_int_equal((uintptr_t)known, 300);
  }
  stop_web(&web);
  key_source_free(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_file), cmocka_unit_test(test_bounded_rate),
                                     cmocka_unit_test(test_urls_refused), cmocka_unit_test(test_url),
                                     cmocka_unit_test(test_refresh_while_others_verify)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
