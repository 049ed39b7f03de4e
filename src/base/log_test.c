/* Log lines: one JSON object a line, escaped, cut where too long, dropped below the level. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "fake/testing.h"
#include "wire/json.h"

static struct arena arena;
static char written[20000];

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  log_set_level(LOG_INFO);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

/* What the event writes to standard error. */
static struct bytes line_of(enum log_level level, const char *event, const struct log_field *fields,
                            size_t count) {
  FILE *file = tmpfile();
  int before = dup(STDERR_FILENO);
  assert_true(file && before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
  log_fields(level, event, fields, count);
  assert_true(dup2(before, STDERR_FILENO) >= 0);
  close(before);
  rewind(file);
  size_t size = fread(written, 1, sizeof written, file);
  fclose(file);
  return bytes_from(written, size);
}

static const struct json *parsed(struct bytes line) {
  struct json *root;
  struct bytes detail;
  assert_true(line.size > 0 && line.data[line.size - 1] == '\n');
  if (!json_parse(line, &arena, &root, &detail)) fail_msg("%.*s", BYTES_PRINTF(line));
  return root;
}

static void test_a_line(void **state) {
  (void)state;
  const struct log_field fields[] = {LOG_STRING("order", "ord_1"), LOG_INT("attempt", INT64_MIN),
                                     LOG_STRING("empty", ""), LOG_STRING("absent", NULL),
                                     LOG_TEXT("text", BYTES("a\"b\\c\n\x01\xC3\xA9"))};
  const struct json *line = parsed(line_of(LOG_WARN, "call_failed", fields, COUNT_OF(fields)));
  assert_text(json_member_text(line, "level"), "warn");
  assert_text(json_member_text(line, "event"), "call_failed");
  assert_text(json_member_text(line, "order"), "ord_1");
  assert_text(json_member_text(line, "text"), "a\"b\\c\n\x01\xC3\xA9");
  assert_true(json_member_int64(line, "attempt", 0) == INT64_MIN);
  assert_null(json_member(line, "empty"));
  assert_null(json_member(line, "absent"));
  int64_t at_ms;
  assert_true(time_parse(json_member_text(line, "time"), &at_ms));
  assert_int_equal(line->count, 6);
}

static void test_levels(void **state) {
  (void)state;
  enum log_level level;
  assert_int_equal(line_of(LOG_DEBUG, "x", NULL, 0).size, 0);
  log_set_level(LOG_ERROR);
  assert_int_equal(line_of(LOG_WARN, "x", NULL, 0).size, 0);
  assert_int_not_equal(line_of(LOG_ERROR, "x", NULL, 0).size, 0);
  assert_true(log_parse_level(BYTES("debug"), &level) && level == LOG_DEBUG);
  assert_true(log_parse_level(BYTES("error"), &level) && level == LOG_ERROR);
  assert_false(log_parse_level(BYTES("ERROR"), &level));
  assert_false(log_parse_level(BYTES(""), &level));
}

/* Whatever comes, a line is one JSON object, and ends. Characters of 2 to 4 bytes at every offset. */
static void test_long_texts_are_cut(void **state) {
  (void)state;
  static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\"", "\x01"};
  static char text[9000];
  for (size_t i = 0; i < COUNT_OF(characters); i++)
    for (size_t offset = 0; offset < 4; offset++) {
      size_t size = offset, step = strlen(characters[i]);
      memset(text, 'a', offset);
      for (; size + step <= sizeof text; size += step) memcpy(text + size, characters[i], step);
      const struct log_field fields[] = {LOG_TEXT("long", bytes_from(text, size)),
                                         LOG_TEXT("more", bytes_from(text, size)), LOG_INT("last", 7)};
      struct bytes line = line_of(LOG_INFO, "e", fields, COUNT_OF(fields));
      assert_true(line.size < 4500);
      const struct json *root = parsed(line);
      assert_true(json_member_text(root, "long").size > 600);
      assert_int_equal(json_member_int64(root, "last", 0), 7);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {TEST(test_a_line), TEST(test_levels), TEST(test_long_texts_are_cut)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
