/* Settings: from which source, checked how, and what is told when they are wrong. */
#include "settings/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
  const char *listen, *url, *words;
  int64_t count, wait_ms, size;
  double rate;
  bool loud;
  int mode;
};

#define AT(member) offsetof(struct settings, member)
static const char *const modes[] = {"key", "lookup", "none", NULL};
static const struct option options[] = {
    {.name = "test-listen", .type = OPTION_ADDRESS, .offset_bytes = AT(listen), .default_text = "127.0.0.1:80"},
    {.name = "test-url", .type = OPTION_URL, .offset_bytes = AT(url), .required = true},
    {.name = "test-words", .type = OPTION_WORDS, .offset_bytes = AT(words), .default_text = "a b"},
    {.name = "test-count",
     .type = OPTION_INTEGER,
     .offset_bytes = AT(count),
     .least = 1,
     .most = 9,
     .default_text = "3"},
    {.name = "test-wait", .type = OPTION_DURATION, .offset_bytes = AT(wait_ms), .default_text = "5s"},
    {.name = "test-size", .type = OPTION_SIZE, .offset_bytes = AT(size)},
    {.name = "test-rate", .type = OPTION_DECIMAL, .offset_bytes = AT(rate), .least = 0, .most = 1},
    {.name = "test-loud", .type = OPTION_FLAG, .offset_bytes = AT(loud)},
    {.name = "test-mode",
     .type = OPTION_NAME,
     .offset_bytes = AT(mode),
     .names = modes,
     .default_text = "key",
     .refuse_empty = true},
};
static const char *const operands[] = {"ACTION", "ID", NULL};
static const struct option_table table = {.command = "test",
                                          .synopsis = "",
                                          .summary = "tests.",
                                          .options = options,
                                          .count = COUNT_OF(options),
                                          .operands = operands};

static char told[4096]; /* what went to standard error */

/* Reads with standard error caught. */
static enum options_result read_with(struct settings *settings, const char **given,
                                     const char *const *arguments) {
  char *copies[32];
  int count = 0;
  for (; arguments[count]; count++) copies[count] = strdup(arguments[count]);
  FILE *file = tmpfile();
  int kept = dup(STDERR_FILENO);
  assert_non_null(file);
  fflush(stderr);
  dup2(fileno(file), STDERR_FILENO);
  *settings = (struct settings){0};
  enum options_result result = options_read(&table, count, copies, settings, given);
  fflush(stderr);
  dup2(kept, STDERR_FILENO);
  close(kept);
  rewind(file);
  told[fread(told, 1, sizeof told - 1, file)] = '\0';
  fclose(file);
  /* Texts of the settings point into the arguments: a program's live as long as it does. */
  static char *all[1024];
  static size_t all_count;
  for (int i = 0; i < count && all_count < COUNT_OF(all); i++) all[all_count++] = copies[i];
  return result;
}

#define READ(settings, ...) \
  read_with((settings), (const char *[3]){0}, (const char *const[]){__VA_ARGS__, NULL})

static void defaults_flags_and_variables(void **state) {
  (void)state;
  struct settings settings;
  setenv("SPILLWAY_TEST_COUNT", "7", 1);
  setenv("SPILLWAY_TEST_WAIT", "", 1);
  setenv("SPILLWAY_TEST_LOUD", "true", 1);
  assert_int_equal(READ(&settings, "--test-url=http://a/b", "--test-words", "x", "--test-words", "y  z",
                        "--test-size", "8KiB", "--test-rate=0.25", "--test-mode", "none"),
                   OPTIONS_GOOD);
  assert_string_equal(settings.listen, "127.0.0.1:80");
  assert_string_equal(settings.url, "http://a/b");
  assert_string_equal(settings.words, "x y z");
  assert_int_equal(settings.count, 7);
  assert_int_equal(settings.wait_ms, 5000);
  assert_int_equal(settings.size, 8192);
  assert_true(settings.rate > 0.249 && settings.rate < 0.251);
  assert_true(settings.loud);
  assert_int_equal(settings.mode, 2);
  assert_int_equal(READ(&settings, "--test-url=http://a", "--test-count", "2", "--test-loud=false"),
                   OPTIONS_GOOD);
  assert_int_equal(settings.count, 2);
  assert_false(settings.loud);
  unsetenv("SPILLWAY_TEST_COUNT");
  unsetenv("SPILLWAY_TEST_WAIT");
  unsetenv("SPILLWAY_TEST_LOUD");
}

static void everything_wrong_is_told_at_once(void **state) {
  (void)state;
  struct settings settings;
  setenv("SPILLWAY_TEST_RATE", "1.5", 1);
  setenv("SPILLWAY_TEST_MODE", "", 1);
  assert_int_equal(READ(&settings, "--test-listen", "abc", "--test-count=10", "--test-wait", "5", "--test-lod",
                        "--nothing-like", "it", "-x", "one", "two", "three", "--test-size"),
                   OPTIONS_BAD);
  assert_string_equal(told,
                      "spillway test: --test-listen: \"abc\" is not address:port or [address]:port, for "
                      "example 127.0.0.1:8080 or "
                      "[::1]:8080\n"
                      "spillway test: --test-count: \"10\" is out of range: 1 to 9\n"
                      "spillway test: --test-wait: \"5\" is not a duration like 250ms, 5s, 10m or 24h\n"
                      "spillway test: --test-lod: no such option; did you mean --test-loud?\n"
                      "spillway test: --nothing-like: no such option; see spillway test --help\n"
                      "spillway test: -x: no such option; options begin with two dashes\n"
                      "spillway test: \"three\": one argument too many; see spillway test --help\n"
                      "spillway test: --test-size: needs a value (VALUE)\n"
                      "spillway test: --test-url (or SPILLWAY_TEST_URL): is required\n"
                      "spillway test: SPILLWAY_TEST_RATE: \"1.5\" is out of range: 0 to 1\n"
                      "spillway test: SPILLWAY_TEST_MODE: is set but empty; unset it or give it a value\n");
  unsetenv("SPILLWAY_TEST_RATE");
  unsetenv("SPILLWAY_TEST_MODE");
}

static void operands_are_taken_in_order(void **state) {
  (void)state;
  struct settings settings;
  const char *given[3] = {0};
  static const char *const arguments[] = {"show", "--test-url", "http://a", "--", "--id", NULL};
  assert_int_equal(read_with(&settings, given, arguments), OPTIONS_GOOD);
  assert_string_equal(given[0], "show");
  assert_string_equal(given[1], "--id");
}

/* One value each: good ones, and ones that must be refused. */
static void values_are_checked_by_type(void **state) {
  (void)state;
  static const struct {
    const char *option, *value;
    bool good;
  } cases[] = {
      {"test-listen", "127.0.0.1:0", true},
      {"test-listen", "[::1]:8080", true},
      {"test-listen", "::1:8080", false},
      {"test-listen", "127.0.0.1", false},
      {"test-listen", "localhost:80", false},
      {"test-listen", "127.0.0.1:65536", false},
      {"test-listen", "[127.0.0.1]:80", false},
      {"test-listen", "127.0.0.1:", false},
      {"test-url", "https://a.b:1/c", true},
      {"test-url", "ftp://a", false},
      {"test-url", "http://", false},
      {"test-url", "http://a@b/", false},
      {"test-url", "http://a/#b", false},
      {"test-url", "http://a b", false},
      {"test-url", "http://:80/", false},
      {"test-count", "9", true},
      {"test-count", "0", false},
      {"test-count", "-1", false},
      {"test-count", "1.0", false},
      {"test-count", "99999999999999999999", false},
      {"test-count", "", false},
      {"test-rate", "1", true},
      {"test-rate", ".5", true},
      {"test-rate", "nan", false},
      {"test-rate", "1e-1", false},
      {"test-rate", "-0.1", false},
      {"test-rate", "0.5x", false},
      {"test-mode", "lookup", true},
      {"test-mode", "Lookup", false},
      {"test-loud", "yes", false},
      {"test-wait", "0ms", true},
      {"test-wait", "-5s", false},
      {"test-size", "1GiB", true},
      {"test-size", "1GB", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct settings settings = {0};
    struct bytes complaint = {0};
    const struct option *option = NULL;
    for (size_t j = 0; j < COUNT_OF(options); j++)
      if (strcmp(options[j].name, cases[i].option) == 0) option = &options[j];
    assert_non_null(option);
    bool good = option_set(option, cases[i].value, &settings, &complaint);
    if (good != cases[i].good) fail_msg("%s %s", cases[i].option, cases[i].value);
    assert_true(good || complaint.size > 0);
  }
}

static void help_is_told_apart(void **state) {
  (void)state;
  struct settings settings;
  assert_int_equal(READ(&settings, "--test-lod", "--help"), OPTIONS_HELP_SHOWN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_flags_and_variables), cmocka_unit_test(everything_wrong_is_told_at_once),
      cmocka_unit_test(operands_are_taken_in_order),  cmocka_unit_test(values_are_checked_by_type),
      cmocka_unit_test(help_is_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
