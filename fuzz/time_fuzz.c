/* Times, durations and sizes (base/time.h): what is read is written and read again, and is the same. */
#include "base/time.h"
#include "fuzz.h"

static void check_instant(int64_t instant_ms) {
  static const int64_t year_0_ms = -INT64_C(62167219200000), year_10000_ms = INT64_C(253402300800000);
  char text[TIME_TEXT_BYTES + 1];
  int64_t again_ms = 0;
  time_format(instant_ms, text);
  ensure(strlen(text) == TIME_TEXT_BYTES && time_parse(bytes_of(text), &again_ms));
  if (instant_ms >= year_0_ms && instant_ms < year_10000_ms) ensure(again_ms == instant_ms);
}

FUZZ_TARGET(input, arena) {
  int64_t value = -1, again = -1;
  char text[25];
  (void)arena;
  if (time_parse(input, &value)) check_instant(value);
  if (time_parse_http_date(input, &value)) {
    ensure(value % 1000 == 0);
    check_instant(value);
  }
  if (duration_parse(input, &value)) {
    ensure(value >= 0);
    duration_format(value, text);
    ensure(duration_parse(bytes_of(text), &again) && again == value);
  }
  value = -1;
  ensure(size_parse(input, &value) ? value >= 0 : value == -1);
}
