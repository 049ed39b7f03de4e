#include "base/bytes.h"

#include <stdint.h>

static char to_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool bytes_equal_ignoring_case(struct bytes a, struct bytes b) {
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; i++)
    if (to_lower(a.data[i]) != to_lower(b.data[i])) return false;
  return true;
}

bool bytes_starts_with(struct bytes text, struct bytes prefix) {
  return text.size >= prefix.size && (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

size_t bytes_find(struct bytes text, char c, size_t from) {
  if (from >= text.size) return text.size;
  const char *at = memchr(text.data + from, c, text.size - from);
  return at ? (size_t)(at - text.data) : text.size;
}

struct bytes bytes_slice(struct bytes text, size_t from, size_t to) {
  if (to > text.size) to = text.size;
  if (from > to) from = to;
  return (struct bytes){text.data ? text.data + from : NULL, to - from};
}

struct bytes bytes_trim(struct bytes text) {
  while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
    text.data++;
    text.size--;
  }
  while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) text.size--;
  return text;
}

bool bytes_next_part(struct bytes *rest, char separator, struct bytes *ret_part) {
  if (rest->data == NULL) return false;
  size_t end = bytes_find(*rest, separator, 0);
  *ret_part = bytes_slice(*rest, 0, end);
  if (end == rest->size)
    *rest = (struct bytes){NULL, 0};
  else
    *rest = bytes_slice(*rest, end + 1, rest->size);
  return true;
}

int bytes_compare(struct bytes a, struct bytes b) {
  size_t shorter = a.size < b.size ? a.size : b.size;
  int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
  if (order != 0) return order;
  return (a.size > b.size) - (a.size < b.size);
}

bool bytes_to_uint64(struct bytes text, unsigned long long *ret_value) {
  unsigned long long value = 0;
  if (text.size == 0) return false;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10ULL, &value) ||
        __builtin_add_overflow(value, (unsigned long long)(text.data[i] - '0'), &value))
      return false;
  }
  *ret_value = value;
  return true;
}

/* The size in bytes of the code point at `at`, 0 if it is not valid UTF-8 (RFC 3629 section 4). */
static size_t code_point_size(const unsigned char *at, size_t left) {
  unsigned char first = at[0];
  if (first < 0x80) return 1;
  size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                : first >= 0xE0 && first <= 0xEF ? 3
                : first >= 0xF0 && first <= 0xF4 ? 4
                                                 : 0;
  if (size == 0 || left < size) return 0;
  for (size_t i = 1; i < size; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) || (first == 0xF0 && at[1] < 0x90) ||
      (first == 0xF4 && at[1] > 0x8F))
    return 0;
  return size;
}

bool bytes_count_code_points(struct bytes text, size_t *ret_count) {
  const unsigned char *at = (const unsigned char *)text.data;
  size_t count = 0;
  for (size_t i = 0; i < text.size; count++) {
    uint64_t eight; /* ASCII goes by eights */
    while (i + 8 <= text.size && (memcpy(&eight, at + i, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
      i += 8;
      count += 8;
    }
    if (i == text.size) break;
    size_t size = code_point_size(at + i, text.size - i);
    if (size == 0) return false;
    i += size;
  }
  *ret_count = count;
  return true;
}

struct bytes bytes_cut(struct bytes text, size_t most) {
  if (text.size <= most) return text;
  while (most > 0 && ((unsigned char)text.data[most] & 0xC0) == 0x80) most--;
  return bytes_slice(text, 0, most);
}

bool bytes_have_control_characters(struct bytes text) {
  const unsigned char *at = (const unsigned char *)text.data;
  for (size_t i = 0; i < text.size; i++) {
    if (at[i] < 0x20 || at[i] == 0x7F) return true;
    /* C1, U+0080 to U+009F, is 0xC2 and 0x80 to 0x9F in UTF-8. */
    if (at[i] == 0xC2 && i + 1 < text.size && at[i + 1] <= 0x9F) return true;
  }
  return false;
}
