/* Times, durations and sizes: known values, round trips, and what must be refused. */
#include <stdio.h>
#include <time.h>

#include "base/time.h"
#include "fake/testing.h"

static void test_format_against_the_c_library(void **state) {
  (void)state;
  uint64_t random = 9;
  for (int i = 0; i < 200000; i++) {
    /* Years 0 to 9999. */
    int64_t seconds = -62167219200 + (int64_t)next_random(&random, 315569520000ULL);
    int64_t ms = (int64_t)next_random(&random, 1000), read;
    time_t at = (time_t)seconds;
    struct tm parts;
    char expected[80], given[TIME_TEXT_BYTES + 1];
    assert_non_null(gmtime_r(&at, &parts));
    snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)ms);
    time_format(seconds * 1000 + ms, given);
    assert_string_equal(given, expected);
    assert_true(time_parse(bytes_of(given), &read));
    assert_true(read == seconds * 1000 + ms);
  }
}

static void test_format_clamps(void **state) {
  (void)state;
  char text[TIME_TEXT_BYTES + 1];
  time_format(INT64_MIN, text);
  assert_string_equal(text, "0000-01-01T00:00:00.000Z");
  time_format(INT64_MAX, text);
  assert_string_equal(text, "9999-12-31T23:59:59.999Z");
  time_format(-1, text);
  assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void test_parse(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1985-04-12T23:20:50.52Z", 482196050520}, /* RFC 3339 section 5.8 */
      {"1996-12-19T16:39:57-08:00", 851042397000},
      {"1990-12-31T23:59:60Z", 662688000000}, /* a leap second is the next minute's 0 */
      {"1937-01-01T12:00:27.87+00:20", -1041337172130},
      {"2000-02-29t00:00:00z", 951782400000},
      {"1970-01-01T00:00:00.0019999999Z", 1},
      {"1970-01-01T00:00:00+23:59", -86340000},
      {"1970-01-01T00:00:00-00:00", 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int64_t ms;
    assert_true(time_parse(bytes_of(cases[i].text), &ms));
    assert_true(ms == cases[i].ms);
  }
}

static void test_parse_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "1970-01-01",
      "1970-01-01T00:00:00",
      "1970-01-01 00:00:00Z",
      "1970-1-1T00:00:00Z",
      "1970-13-01T00:00:00Z",
      "1970-00-01T00:00:00Z",
      "1970-01-00T00:00:00Z",
      "1970-04-31T00:00:00Z",
      "1900-02-29T00:00:00Z",
      "2001-02-29T00:00:00Z",
      "1970-01-01T24:00:00Z",
      "1970-01-01T00:60:00Z",
      "1970-01-01T00:00:61Z",
      "1970-01-01T00:00:00.Z",
      "1970-01-01T00:00:00Z ",
      " 1970-01-01T00:00:00Z",
      "1970-01-01T00:00:00+24:00",
      "1970-01-01T00:00:00+00:60",
      "1970-01-01T00:00:00+0000",
      "1970-01-01T00:00:00+",
      "+970-01-01T00:00:00Z",
      "1970-01-01T00:00:00.x0Z",
      "1970-01-01T00-00-00Z",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    int64_t ms = 7;
    if (time_parse(bytes_of(bad[i]), &ms)) fail_msg("%s", bad[i]);
    assert_int_equal(ms, 7);
  }
}

static void test_http_date(void **state) {
  (void)state;
  int64_t ms;
  assert_true(time_parse_http_date(BYTES("Sun, 06 Nov 1994 08:49:37 GMT"), &ms));
  assert_true(ms == 784111777000);
  assert_true(time_parse_http_date(BYTES("Thu, 29 Feb 2024 23:59:59 GMT"), &ms));
  assert_true(ms == 1709251199000);
  static const char *const bad[] = {"",
                                    "Sunday, 06-Nov-94 08:49:37 GMT",
                                    "Sun Nov  6 08:49:37 1994",
                                    "Sun, 06 Nov 1994 08:49:37 UTC",
                                    "Sun, 06 Nov 1994 08:49:37 GM",
                                    "Sun, 6 Nov 1994 08:49:37  GMT",
                                    "Sun, 31 Feb 1994 08:49:37 GMT",
                                    "Sun, 06 nov 1994 08:49:37 GMT",
                                    "Sun, 06 Nov 1994 25:49:37 GMT",
                                    "Sun,x06 Nov 1994 08:49:37 GMT",
                                    "Sun, 06xNov 1994 08:49:37 GMT",
                                    "Sun, 06 Novx1994 08:49:37 GMT"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(time_parse_http_date(bytes_of(bad[i]), &ms));
}

static void test_durations(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {{"0ms", 0}, {"250ms", 250}, {"5s", 5000}, {"10m", 600000}, {"24h", 86400000}};
  static const char *const bad[] = {
      "", "5", "s", "-5s", "5 s", "1.5s", "5sec", "5s ", "1h5m", "5S", "9223372036854775807s"};
  int64_t ms = 7;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_true(duration_parse(bytes_of(cases[i].text), &ms));
    assert_int_equal(ms, cases[i].ms);
  }
  ms = 7;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    if (duration_parse(bytes_of(bad[i]), &ms)) fail_msg("%s", bad[i]);
    assert_int_equal(ms, 7);
  }
  uint64_t random = 3;
  char text[25];
  for (int i = 0; i < 1000; i++) {
    int64_t given = (int64_t)next_random(&random, 100000) * (i % 2 ? 1 : 60000);
    duration_format(given, text);
    assert_true(duration_parse(bytes_of(text), &ms) && ms == given);
  }
  duration_format(86400000, text);
  assert_string_equal(text, "24h");
  duration_format(90000, text);
  assert_string_equal(text, "90s");
}

static void test_sizes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t size_bytes;
  } cases[] = {{"512", 512}, {"64B", 64}, {"256KiB", 262144}, {"8MiB", 8388608}, {"2GiB", 2147483648}};
  static const char *const bad[] = {"", "KiB", "1kib", "1KB", "1 KiB", "-1", "9999999999GiB"};
  int64_t size = 7;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_true(size_parse(bytes_of(cases[i].text), &size));
    assert_int_equal(size, cases[i].size_bytes);
  }
  for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(size_parse(bytes_of(bad[i]), &size));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_format_against_the_c_library),
      cmocka_unit_test(test_format_clamps),
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_parse_refuses),
      cmocka_unit_test(test_http_date),
      cmocka_unit_test(test_durations),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
