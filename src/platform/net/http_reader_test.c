/* Answers as they arrive: whole, byte by byte, and broken. */
#include "platform/net/http_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/attributes.h"

enum { BODY_BYTES_MAX = 1000 };

static const struct {
  const char *text;
  int status;
  const char *body;
  bool close, broken, ends_by_close;
  int64_t retry_after_s;
} cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false, false, false, -1},
    {"HTTP/1.1 202 Accepted\r\ncontent-length:0\r\nConnection: close\r\n\r\n", 202, "", true, false, false, -1},
    {"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503, "", false, false, false, 7},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false, false, false, -1},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 201, "x", false, false,
     false, -1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: "
     "t\r\n\r\n",
     200, "abc0123456789", false, false, false, -1},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", true, false, true, -1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, false, false, -1},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", false, false, false, -1},
    {"HTTP/2 200 OK\r\n", 0, NULL, false, true, false, -1},
    {"hello\r\n", 0, NULL, false, true, false, -1},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, NULL, false, true, false, -1},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0, NULL, false, true, false, -1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0, NULL, false, true, false, -1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 0, NULL, false, true, false,
     -1},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", 0, NULL, false, true, false, -1},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0, NULL, false, true, true, -1},
};

static void feed(struct http_reader *reader, const char *text, size_t step) {
  size_t size = strlen(text);
  for (size_t at = 0; at < size && reader->state != READER_DONE && reader->state != READER_BROKEN; at += step)
    (void)http_reader_feed(reader, bytes_from(text + at, size - at < step ? size - at : step));
}

static void answers_are_read_in_any_pieces(void **state) {
  (void)state;
  for (size_t step = 1; step < 200; step = step * 2 + 1) {
    struct http_reader reader; /* one for all: as on a kept connection */
    http_reader_init(&reader, BODY_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
      http_reader_reset(&reader);
      feed(&reader, cases[i].text, step);
      if (cases[i].ends_by_close) http_reader_end(&reader);
      if ((reader.state == READER_BROKEN) != cases[i].broken) fail_msg("step %zu: %s", step, cases[i].text);
      if (cases[i].broken) continue;
      assert_int_equal(reader.state, READER_DONE);
      assert_int_equal(reader.status, cases[i].status);
      assert_true(bytes_equal_string(text_view(&reader.body), cases[i].body));
      assert_int_equal(reader.close, cases[i].close);
      assert_int_equal(reader.retry_after_s, cases[i].retry_after_s);
    }
    http_reader_release(&reader);
  }
}

static void endless_heads_are_broken(void **state) {
  (void)state;
  struct http_reader reader;
  http_reader_init(&reader, BODY_BYTES_MAX);
  for (int i = 0; i < READER_LINE_BYTES_MAX && reader.state != READER_BROKEN; i++)
    (void)http_reader_feed(&reader, BYTES("aaaaaaaa"));
  assert_int_equal(reader.state, READER_BROKEN);
  http_reader_release(&reader);
}

static void the_next_answer_is_left_alone(void **state) {
  (void)state;
  struct http_reader reader;
  http_reader_init(&reader, BODY_BYTES_MAX);
  struct bytes text = BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1");
  assert_int_equal(http_reader_feed(&reader, text), text.size - 8);
  assert_int_equal(reader.state, READER_DONE);
  http_reader_release(&reader);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_are_read_in_any_pieces),
      cmocka_unit_test(endless_heads_are_broken),
      cmocka_unit_test(the_next_answer_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
