#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>

static const int64_t MS_PER_DAY = 86400000;

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar: years are counted from
 * March, so that the leap day ends a year, in eras of 400 years. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * day_of_year + 2) / 153;
  *ret_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  *ret_month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static void put_digits(char *at, int64_t value, size_t count) {
  while (count > 0) {
    at[--count] = (char)('0' + value % 10);
    value /= 10;
  }
}

void time_format(int64_t instant_ms, char ret_text[TIME_TEXT_BYTES + 1]) {
  static const int64_t first_ms = -62167219200000, last_ms = 253402300799999;
  if (instant_ms < first_ms) instant_ms = first_ms;
  if (instant_ms > last_ms) instant_ms = last_ms;
  int64_t day = instant_ms / MS_PER_DAY, in_day = instant_ms % MS_PER_DAY;
  if (in_day < 0) {
    in_day += MS_PER_DAY;
    day--;
  }
  int64_t year;
  unsigned month, day_of_month;
  date_from_days(day, &year, &month, &day_of_month);
  memcpy(ret_text, "0000-00-00T00:00:00.000Z", TIME_TEXT_BYTES + 1);
  put_digits(ret_text, year, 4);
  put_digits(ret_text + 5, month, 2);
  put_digits(ret_text + 8, day_of_month, 2);
  put_digits(ret_text + 11, in_day / 3600000, 2);
  put_digits(ret_text + 14, in_day / 60000 % 60, 2);
  put_digits(ret_text + 17, in_day / 1000 % 60, 2);
  put_digits(ret_text + 20, in_day % 1000, 3);
}

/* Reads exactly `count` digits off the front. */
static bool take_digits(struct bytes *rest, size_t count, int64_t *ret_value) {
  unsigned long long value;
  if (rest->size < count || !bytes_to_uint64(bytes_slice(*rest, 0, count), &value)) return false;
  *rest = bytes_slice(*rest, count, rest->size);
  *ret_value = (int64_t)value;
  return true;
}

static bool take_char(struct bytes *rest, char a, char b) {
  if (rest->size == 0 || (rest->data[0] != a && rest->data[0] != b)) return false;
  *rest = bytes_slice(*rest, 1, rest->size);
  return true;
}

static bool valid_date(int64_t year, int64_t month, int64_t day) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= days[month - 1] + (month == 2 && leap);
}

static int64_t instant_from(int64_t year, int64_t month, int64_t day, int64_t in_day_ms) {
  return days_from_date(year, (unsigned)month, (unsigned)day) * MS_PER_DAY + in_day_ms;
}

static int64_t take_fraction_ms(struct bytes *rest) {
  int64_t value_ms = 0;
  int64_t weight_ms = 100;
  while (rest->size > 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
    value_ms += (rest->data[0] - '0') * weight_ms;
    weight_ms /= 10;
    *rest = bytes_slice(*rest, 1, rest->size);
  }
  return value_ms;
}

static bool take_offset_ms(struct bytes *rest, int64_t *ret_offset_ms) {
  int64_t hours, minutes;
  if (take_char(rest, 'Z', 'z')) {
    *ret_offset_ms = 0;
    return true;
  }
  bool negative = rest->size > 0 && rest->data[0] == '-';
  if (!take_char(rest, '+', '-') || !take_digits(rest, 2, &hours) || !take_char(rest, ':', ':') ||
      !take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  int64_t offset = (hours * 60 + minutes) * 60000;
  *ret_offset_ms = negative ? -offset : offset;
  return true;
}

static bool take_time_of_day_ms(struct bytes *rest, int64_t most_seconds, int64_t *ret_in_day_ms) {
  int64_t hour, minute, second;
  if (!take_digits(rest, 2, &hour) || !take_char(rest, ':', ':') || !take_digits(rest, 2, &minute) ||
      !take_char(rest, ':', ':') || !take_digits(rest, 2, &second) || hour > 23 || minute > 59 ||
      second > most_seconds)
    return false;
  *ret_in_day_ms = ((hour * 60 + minute) * 60 + second) * 1000;
  return true;
}

bool time_parse(struct bytes text, int64_t *ret_instant_ms) {
  int64_t year, month, day, in_day_ms, offset_ms;
  if (!take_digits(&text, 4, &year) || !take_char(&text, '-', '-') || !take_digits(&text, 2, &month) ||
      !take_char(&text, '-', '-') || !take_digits(&text, 2, &day) || !valid_date(year, month, day) ||
      !take_char(&text, 'T', 't') || !take_time_of_day_ms(&text, 60, &in_day_ms))
    return false;
  if (take_char(&text, '.', '.')) {
    if (text.size == 0 || text.data[0] < '0' || text.data[0] > '9') return false;
    in_day_ms += take_fraction_ms(&text);
  }
  if (!take_offset_ms(&text, &offset_ms) || text.size != 0) return false;
  *ret_instant_ms = instant_from(year, month, day, in_day_ms) - offset_ms;
  return true;
}

bool time_parse_http_date(struct bytes text, int64_t *ret_instant_ms) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int64_t year, day, in_day_ms;
  size_t comma = bytes_find(text, ',', 0);
  if (comma != 3 || text.size != 29 || text.data[4] != ' ') return false;
  struct bytes rest = bytes_slice(text, 5, text.size);
  if (!take_digits(&rest, 2, &day) || !take_char(&rest, ' ', ' ')) return false;
  int month = 0;
  for (int i = 0; i < 12; i++)
    if (bytes_starts_with(rest, bytes_from(months + i * 3, 3))) month = i + 1;
  rest = bytes_slice(rest, 3, rest.size);
  if (month == 0 || !take_char(&rest, ' ', ' ') || !take_digits(&rest, 4, &year) ||
      !take_char(&rest, ' ', ' ') || !take_time_of_day_ms(&rest, 60, &in_day_ms) ||
      !bytes_equal_string(rest, " GMT") || !valid_date(year, month, day))
    return false;
  *ret_instant_ms = instant_from(year, month, day, in_day_ms);
  return true;
}

struct unit {
  const char *name;
  int64_t factor;
};

static bool parse_with_unit(struct bytes text, const struct unit *units, size_t count, int64_t *ret_value) {
  size_t digits = 0;
  while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') digits++;
  unsigned long long number;
  if (!bytes_to_uint64(bytes_slice(text, 0, digits), &number)) return false;
  for (size_t i = 0; i < count; i++) {
    if (!bytes_equal_string(bytes_slice(text, digits, text.size), units[i].name)) continue;
    int64_t value;
    if (__builtin_mul_overflow(number, units[i].factor, &value)) return false;
    *ret_value = value;
    return true;
  }
  return false;
}

static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit size_units[] = {
    {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};

bool duration_parse(struct bytes text, int64_t *ret_duration_ms) {
  return parse_with_unit(text, duration_units, 4, ret_duration_ms);
}

void duration_format(int64_t duration_ms, char ret_text[25]) {
  size_t unit = 3;
  while (unit > 0 && (duration_ms == 0 || duration_ms % duration_units[unit].factor != 0)) unit--;
  snprintf(ret_text, 25, "%" PRId64 "%s", duration_ms / duration_units[unit].factor, duration_units[unit].name);
}

bool size_parse(struct bytes text, int64_t *ret_size_bytes) {
  return parse_with_unit(text, size_units, 5, ret_size_bytes);
}
