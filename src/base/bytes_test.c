/* Byte views: searching, splitting, comparing, numbers, UTF-8. */
#include "base/bytes.h"
#include "fake/testing.h"

static void test_equality(void **state) {
  (void)state;
  assert_true(bytes_equal((struct bytes){NULL, 0}, BYTES("")));
  assert_false(bytes_equal(BYTES("a"), BYTES("b")));
  assert_false(bytes_equal(BYTES("a"), BYTES("ab")));
  assert_true(bytes_equal_ignoring_case(BYTES("Content-TYPE"), BYTES("content-type")));
  assert_false(bytes_equal_ignoring_case(BYTES("@"), BYTES("`"))); /* differ in the case bit only */
  assert_false(bytes_equal_ignoring_case(BYTES("["), BYTES("{")));
  assert_false(bytes_equal_ignoring_case(BYTES("a"), BYTES("ab")));
  assert_true(bytes_starts_with(BYTES("abc"), BYTES("ab")));
  assert_true(bytes_starts_with(BYTES("abc"), (struct bytes){NULL, 0}));
  assert_false(bytes_starts_with(BYTES("a"), BYTES("ab")));
  assert_int_equal(bytes_of(NULL).size, 0);
}

static void test_find_and_slice(void **state) {
  (void)state;
  assert_int_equal(bytes_find(BYTES("a,b,c"), ',', 0), 1);
  assert_int_equal(bytes_find(BYTES("a,b,c"), ',', 2), 3);
  assert_int_equal(bytes_find(BYTES("a,b,c"), ',', 4), 5);
  assert_int_equal(bytes_find(BYTES("a,b,c"), ',', 99), 5);
  assert_text(bytes_slice(BYTES("hello"), 1, 3), "el");
  assert_text(bytes_slice(BYTES("hello"), 3, 99), "lo");
  assert_text(bytes_slice(BYTES("hello"), 9, 3), "");
  assert_null(bytes_slice((struct bytes){NULL, 0}, 1, 2).data);
  assert_text(bytes_trim(BYTES(" \t a b \t")), "a b");
  assert_text(bytes_trim(BYTES(" \t ")), "");
  assert_text(bytes_trim(BYTES("\na\r")), "\na\r"); /* only what HTTP calls white space */
}

static void assert_parts(const char *text, char separator, const char *joined) {
  struct bytes rest = bytes_of(text), part;
  char all[100] = "";
  size_t size = 0;
  while (bytes_next_part(&rest, separator, &part)) {
    memcpy(all + size, part.data, part.size);
    size += part.size;
    all[size++] = '|';
  }
  assert_text(bytes_from(all, size), joined);
  assert_false(bytes_next_part(&rest, separator, &part));
}

static void test_parts(void **state) {
  (void)state;
  assert_parts("a,bc,d", ',', "a|bc|d|");
  assert_parts("a", ',', "a|");
  assert_parts(",a,,b,", ',', "|a||b||");
  assert_parts("", ',', "|");
  struct bytes nothing = {NULL, 0}, part;
  assert_false(bytes_next_part(&nothing, ',', &part));
}

static void test_order(void **state) {
  (void)state;
  static const char *const sorted[] = {"", "a", "aa", "ab", "b", "\xC3\xA9"};
  for (size_t i = 0; i < COUNT_OF(sorted); i++)
    for (size_t j = 0; j < COUNT_OF(sorted); j++) {
      int order = bytes_compare(bytes_of(sorted[i]), bytes_of(sorted[j]));
      assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
    }
}

static void test_uint64(void **state) {
  (void)state;
  static const struct {
    const char *text;
    unsigned long long value;
  } good[] = {{"0", 0}, {"007", 7}, {"18446744073709551615", UINT64_MAX}, {"9223372036854775808", 1ULL << 63}};
  static const char *const bad[] = {
      "", "-1", "+1", " 1", "1 ", "1.0", "1e2", "0x10", "18446744073709551616", "99999999999999999999"};
  unsigned long long value;
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    assert_true(bytes_to_uint64(bytes_of(good[i].text), &value));
    assert_true(value == good[i].value);
  }
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    value = 42;
    assert_false(bytes_to_uint64(bytes_of(bad[i]), &value));
    assert_int_equal(value, 42);
  }
}

/* What RFC 3629 calls valid, written down apart from the code: every code point but surrogates, each
 * in its one form. */
static size_t encode_utf8(uint32_t point, char *ret_text) {
  if (point < 0x80) return ret_text[0] = (char)point, 1;
  size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, point >>= 6) ret_text[i] = (char)(0x80 | (point & 0x3F));
  ret_text[0] = (char)((0xF00 >> size & 0xFF) | point);
  return size;
}

static void test_every_code_point_is_one(void **state) {
  (void)state;
  char text[4];
  size_t count;
  for (uint32_t point = 0; point <= 0x10FFFF; point++) {
    size_t size = encode_utf8(point, text);
    bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    bool good = bytes_count_code_points(bytes_from(text, size), &count);
    if (good == surrogate) fail_msg("U+%04X", (unsigned)point);
    if (good) assert_int_equal(count, 1);
    bool control = point < 0x20 || (point >= 0x7F && point <= 0x9F);
    if (bytes_have_control_characters(bytes_from(text, size)) != control) fail_msg("U+%04X", (unsigned)point);
  }
}

/* All sequences of two bytes, and of three with a lead byte: valid exactly if some code points spell
 * them. */
static void test_bytes_that_are_no_utf8(void **state) {
  (void)state;
  static bool three[256][256];
  size_t count;
  char text[4];
  for (uint32_t point = 0x800; point <= 0xFFFF; point++) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    encode_utf8(point, text);
    three[(uint8_t)text[0]][(uint8_t)text[1]] = true;
  }
  for (unsigned a = 0; a < 256; a++)
    for (unsigned b = 0; b < 256; b++) {
      const char pair[] = {(char)a, (char)b, (char)0x80};
      bool good = (a < 0x80 && b < 0x80) || (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
      assert_int_equal(bytes_count_code_points(bytes_from(pair, 2), &count), good);
      if (a < 0xE0 || a > 0xEF) continue;
      assert_int_equal(bytes_count_code_points(bytes_from(pair, 3), &count), three[a][b]);
    }
  static const char *const bad[] = {"\xF0\x8F\xBF\xBF",
                                    "\xF4\x90\x80\x80",
                                    "\xF5\x80\x80\x80",
                                    "\xF0\x9F\x98",
                                    "12345678\xFF",
                                    "1234567\xC3",
                                    "\x80"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(bytes_count_code_points(bytes_of(bad[i]), &count));
}

static void test_counting(void **state) {
  (void)state;
  size_t count;
  assert_true(bytes_count_code_points((struct bytes){NULL, 0}, &count));
  assert_int_equal(count, 0);
  /* Around the eights that ASCII is counted by. */
  char text[40];
  for (size_t before = 0; before < 20; before++) {
    memset(text, 'x', sizeof text);
    size_t size = encode_utf8(0x1F600, text + before);
    assert_true(bytes_count_code_points(bytes_from(text, before + size + 9), &count));
    assert_int_equal(count, before + 1 + 9);
  }
}

static void test_cut(void **state) {
  (void)state;
  struct bytes text = BYTES("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"); /* 1, 2, 3, 4 and 1 bytes */
  static const size_t cut_to[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t most = 0; most < COUNT_OF(cut_to); most++)
    assert_int_equal(bytes_cut(text, most).size, cut_to[most]);
  assert_int_equal(bytes_cut((struct bytes){NULL, 0}, 5).size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equality),
      cmocka_unit_test(test_find_and_slice),
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_uint64),
      cmocka_unit_test(test_every_code_point_is_one),
      cmocka_unit_test(test_bytes_that_are_no_utf8),
      cmocka_unit_test(test_counting),
      cmocka_unit_test(test_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
