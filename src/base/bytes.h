/* Byte views: a pointer and a size, borrowed from somebody else's memory, never freed through the
 * view. Text in a view is UTF-8 and not terminated by NUL. {NULL, 0} is the empty view. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
  const char *data;
  size_t size;
};

/* A view of a string literal. */
#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". */
#define BYTES_PRINTF(view) (int)(view).size, (view).data

/* A view of a C string; NULL gives the empty view. */
static inline struct bytes bytes_of(const char *string) {
  return (struct bytes){string, string ? strlen(string) : 0};
}

static inline struct bytes bytes_from(const void *data, size_t size_bytes) {
  return (struct bytes){data, size_bytes};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* NULL counts as the empty string. Most differ in their first character. */
static inline bool bytes_equal_string(struct bytes a, const char *string) {
  if (!string) return a.size == 0;
  size_t i = 0;
  while (i < a.size && string[i] != 0 && string[i] == a.data[i]) i++;
  return i == a.size && string[i] == 0;
}

/* ASCII case only, as HTTP field names and auth schemes compare (RFC 9110 section 5.1). */
bool bytes_equal_ignoring_case(struct bytes a, struct bytes b);

bool bytes_starts_with(struct bytes text, struct bytes prefix);

/* The position of the first `c` at or after `from`; text.size where there is none. */
size_t bytes_find(struct bytes text, char c, size_t from);

/* The view from `from` (inclusive) to `to` (exclusive), both clamped to the view. */
struct bytes bytes_slice(struct bytes text, size_t from, size_t to);

/* Without spaces and tabs at both ends. */
struct bytes bytes_trim(struct bytes text);

/* Cuts the part before the next `separator` off `*rest` and gives it; the whole rest where there
 * is none. False once nothing is left. An empty part between two separators is given as such. */
bool bytes_next_part(struct bytes *rest, char separator, struct bytes *ret_part);

/* Order of memcmp, a prefix before what it is a prefix of. */
int bytes_compare(struct bytes a, struct bytes b);

/* A decimal integer without sign, spaces or leading "+"; false if it is anything else or does not
 * fit. "007" is accepted. */
bool bytes_to_uint64(struct bytes text, unsigned long long *ret_value);

/* Counts Unicode code points; false if the view is not valid UTF-8 (RFC 3629: no surrogates, no
 * overlong forms, nothing past U+10FFFF). */
bool bytes_count_code_points(struct bytes text, size_t *ret_count);

/* The longest beginning of at most `most` bytes that does not cut a code point in two. The text is
 * valid UTF-8. */
struct bytes bytes_cut(struct bytes text, size_t most);

/* True where the text holds a C0 or C1 control character or DEL. The text is valid UTF-8. */
bool bytes_have_control_characters(struct bytes text);

#endif
