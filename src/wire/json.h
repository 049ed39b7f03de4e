/* Strict JSON in (RFC 8259): a tree in an arena. Refused beyond the grammar: a byte order mark, invalid
 * UTF-8, a lone surrogate, a member given twice, anything after the value, and nesting deeper than
 * JSON_DEPTH_MAX (the root is 1). */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <stdint.h>

#include "base/arena.h"

enum { JSON_DEPTH_MAX = 16 };

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
  enum json_type type;
  bool boolean;
  struct bytes name;  /* of this member, where the parent is an object */
  struct bytes text;  /* a string decoded (it may hold NUL), a number as it was written */
  struct json *first; /* first child of an array or object */
  struct json *next;  /* next sibling */
  size_t count;       /* children */
};

/* On failure false, and `ret_detail` says what is wrong and at which byte. The tree points into the
 * arena only, never into `text`. */
bool json_parse(struct bytes text, struct arena *arena, struct json **ret_root, struct bytes *ret_detail);

/* The member of that name; NULL where there is none, or `object` is NULL or no object. */
const struct json *json_member(const struct json *object, const char *name);
/* The member's text where it is a string; otherwise the empty view. */
struct bytes json_member_text(const struct json *object, const char *name);
/* The member where it is an integer in range; otherwise `otherwise`. */
int64_t json_member_int64(const struct json *object, const char *name, int64_t otherwise);

/* An integer: no fraction, no exponent (1530.0 and 1e2 are none), within int64_t. */
bool json_to_int64(const struct json *value, int64_t *ret_value);

#endif
