#include "wire/json.h"

#include <stdlib.h>

#include "base/panic.h"

struct level {
  struct json *container;
  struct json *last;
  struct bytes name;
};

/* Reads its own copy of the text, in place: a string lies where it stood, decoded and ended by a zero; and so
 * does the text, so that nobody need ask where it ends: no zero is JSON. */
struct reader {
  struct arena *arena;
  char *start, *at, *end;
  struct json *root;
  struct level levels[JSON_DEPTH_MAX + 1];
  size_t depth;
  const char *fault; /* where "not JSON" does not say enough */
};

static bool refuse(struct reader *reader, const char *fault) {
  reader->fault = fault;
  return false;
}

static struct json *add(struct reader *reader, enum json_type type) {
  struct json *value = ARENA_NEW(reader->arena, struct json);
  value->type = type;
  if (reader->depth == 0) {
    reader->root = value;
    return value;
  }
  struct level *level = &reader->levels[reader->depth];
  value->name = level->name;
  if (level->last)
    level->last->next = value;
  else
    level->container->first = value;
  level->last = value;
  level->container->count++;
  return value;
}

static void skip_space(struct reader *reader) {
  while (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t') reader->at++;
}

/* --- strings --- */

/* The UTF-16 unit of four hexadecimal digits; -1 where they are none. */
static int escaped_unit(const char *at) {
  int unit = 0;
  for (size_t i = 0; i < 4; i++) {
    char c = at[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* RFC 3629 section 3; never longer than the escape that it stands in for. */
static char *put_code_point(char *to, uint32_t point) {
  if (point < 0x80) {
    *to++ = (char)point;
    return to;
  }
  if (point < 0x800) {
    *to++ = (char)(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      *to++ = (char)(0xE0 | point >> 12);
    } else {
      *to++ = (char)(0xF0 | point >> 18);
      *to++ = (char)(0x80 | (point >> 12 & 0x3F));
    }
    *to++ = (char)(0x80 | (point >> 6 & 0x3F));
  }
  *to++ = (char)(0x80 | (point & 0x3F));
  return to;
}

/* At the "u" of an escape; of a pair the second half is read as well (RFC 8259 section 7). */
static bool read_unit(struct reader *reader, char **to) {
  int unit = escaped_unit(reader->at + 1);
  if (unit < 0) return false;
  reader->at += 5;
  uint32_t point = (uint32_t)unit;
  if (unit >= 0xD800 && unit <= 0xDFFF) {
    int low =
        unit < 0xDC00 && reader->at[0] == '\\' && reader->at[1] == 'u' ? escaped_unit(reader->at + 2) : -1;
    if (low < 0xDC00 || low > 0xDFFF) return refuse(reader, "a lone surrogate");
    point = 0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    reader->at += 6;
  }
  *to = put_code_point(*to, point);
  return true;
}

static bool read_escape(struct reader *reader, char **to) {
  static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  char name = *++reader->at;
  if (name == 'u') return read_unit(reader, to);
  const char *found = name ? strchr(names, name) : NULL;
  if (!found) return false;
  *(*to)++ = meanings[found - names];
  reader->at++;
  return true;
}

static bool is_plain(char c) { return (unsigned char)c >= 0x20 && c != '"' && c != '\\'; }

static bool read_string(struct reader *reader, struct bytes *ret_text) {
  if (*reader->at != '"') return false;
  char *start = ++reader->at;
  while (is_plain(*reader->at)) reader->at++;
  char *to = reader->at;
  while (*reader->at != '"') {
    if (*reader->at == '\\') {
      if (!read_escape(reader, &to)) return false;
    } else if (is_plain(*reader->at)) {
      *to++ = *reader->at++;
    } else {
      return false;
    }
  }
  reader->at++;
  *to = 0;
  *ret_text = bytes_from(start, (size_t)(to - start));
  return true;
}

/* --- numbers and words --- */

static bool skip_digits(struct reader *reader) {
  const char *start = reader->at;
  while (*reader->at >= '0' && *reader->at <= '9') reader->at++;
  return reader->at > start;
}

/* RFC 8259 section 6. */
static bool read_number(struct reader *reader) {
  char *start = reader->at;
  if (*reader->at == '-') reader->at++;
  if (*reader->at == '0')
    reader->at++;
  else if (!skip_digits(reader))
    return false;
  if (*reader->at == '.') {
    reader->at++;
    if (!skip_digits(reader)) return false;
  }
  if (*reader->at == 'e' || *reader->at == 'E') {
    reader->at++;
    if (*reader->at == '+' || *reader->at == '-') reader->at++;
    if (!skip_digits(reader)) return false;
  }
  add(reader, JSON_NUMBER)->text = bytes_from(start, (size_t)(reader->at - start));
  return true;
}

static bool read_word(struct reader *reader, struct bytes word) {
  if (strncmp(reader->at, word.data, word.size) != 0) return false;
  reader->at += word.size;
  return true;
}

static bool read_scalar(struct reader *reader) {
  struct bytes text;
  switch (*reader->at) {
    case '"':
      if (!read_string(reader, &text)) return false;
      add(reader, JSON_STRING)->text = text;
      return true;
    case 't':
      if (!read_word(reader, BYTES("true"))) return false;
      add(reader, JSON_BOOLEAN)->boolean = true;
      return true;
    case 'f':
      if (!read_word(reader, BYTES("false"))) return false;
      add(reader, JSON_BOOLEAN);
      return true;
    case 'n':
      if (!read_word(reader, BYTES("null"))) return false;
      add(reader, JSON_NULL);
      return true;
    default:
      return read_number(reader);
  }
}

/* --- arrays and objects --- */

static int compare_names(const void *a, const void *b) {
  return bytes_compare((*(struct json *const *)a)->name, (*(struct json *const *)b)->name);
}

/* Few members are compared each with each; many are sorted, so that a hostile body stays cheap. */
static bool has_repeated_name(struct reader *reader, const struct json *object) {
  if (object->count <= 12) {
    for (const struct json *a = object->first; a; a = a->next)
      for (const struct json *b = a->next; b; b = b->next)
        if (bytes_equal(a->name, b->name)) return true;
    return false;
  }
  const struct json **sorted = ARENA_ARRAY(reader->arena, object->count, const struct json *);
  size_t count = 0;
  for (const struct json *member = object->first; member; member = member->next) sorted[count++] = member;
  qsort(sorted, count, sizeof *sorted, compare_names);
  for (size_t i = 1; i < count; i++)
    if (bytes_equal(sorted[i - 1]->name, sorted[i]->name)) return true;
  return false;
}

static bool open_container(struct reader *reader) {
  if (reader->depth == JSON_DEPTH_MAX) return refuse(reader, "nested deeper than 16");
  struct json *container = add(reader, *reader->at++ == '{' ? JSON_OBJECT : JSON_ARRAY);
  reader->levels[++reader->depth] = (struct level){.container = container};
  return true;
}

static bool close_container(struct reader *reader) {
  const struct json *container = reader->levels[reader->depth--].container;
  reader->at++;
  return container->type != JSON_OBJECT || !has_repeated_name(reader, container) ||
         refuse(reader, "a member is given twice");
}

/* In an object, the name and the colon in front of a value. */
static bool read_name(struct reader *reader) {
  struct level *level = &reader->levels[reader->depth];
  if (reader->depth == 0 || level->container->type != JSON_OBJECT) return true;
  if (!read_string(reader, &level->name)) return false;
  skip_space(reader);
  if (*reader->at != ':') return false;
  reader->at++;
  skip_space(reader);
  return true;
}

static char closer_of(const struct reader *reader) {
  return reader->levels[reader->depth].container->type == JSON_OBJECT ? '}' : ']';
}

/* Closes what ends after a value, up to a comma; false where neither comes. */
static bool end_value(struct reader *reader) {
  for (;;) {
    skip_space(reader);
    if (reader->depth == 0) return true;
    if (*reader->at == ',') break;
    if (*reader->at != closer_of(reader) || !close_container(reader)) return false;
  }
  reader->at++;
  skip_space(reader);
  return true;
}

static bool read_text(struct reader *reader) {
  skip_space(reader);
  do {
    if (!read_name(reader)) return false;
    if (*reader->at == '{' || *reader->at == '[') {
      if (!open_container(reader)) return false;
      skip_space(reader);
      if (*reader->at != closer_of(reader)) continue;
      if (!close_container(reader)) return false;
    } else if (!read_scalar(reader)) {
      return false;
    }
    if (!end_value(reader)) return false;
  } while (reader->depth > 0);
  return reader->at == reader->end;
}

static bool is_ascii(struct bytes text) {
  unsigned char all = 0;
  for (size_t i = 0; i < text.size; i++) all |= (unsigned char)text.data[i];
  return all < 0x80;
}

bool json_parse(struct bytes text, struct arena *arena, struct json **ret_root, struct bytes *ret_detail) {
  size_t code_points;
  if (!is_ascii(text) && !bytes_count_code_points(text, &code_points)) {
    *ret_detail = BYTES("not UTF-8");
    return false;
  }
  char *copy = arena_string(arena, text);
  struct reader reader = {.arena = arena, .start = copy, .at = copy, .end = copy + text.size};
  if (read_text(&reader)) {
    *ret_root = reader.root;
    return true;
  }
  *ret_detail = arena_printf(arena, "%s near byte %zu", reader.fault ? reader.fault : "not JSON",
                             (size_t)(reader.at - reader.start));
  return false;
}

const struct json *json_member(const struct json *object, const char *name) {
  if (!object || object->type != JSON_OBJECT) return NULL;
  for (const struct json *member = object->first; member; member = member->next)
    if (bytes_equal_string(member->name, name)) return member;
  return NULL;
}

struct bytes json_member_text(const struct json *object, const char *name) {
  const struct json *member = json_member(object, name);
  return member && member->type == JSON_STRING ? member->text : (struct bytes){NULL, 0};
}

int64_t json_member_int64(const struct json *object, const char *name, int64_t otherwise) {
  const struct json *member = json_member(object, name);
  int64_t value;
  return member && json_to_int64(member, &value) ? value : otherwise;
}

bool json_to_int64(const struct json *value, int64_t *ret_value) {
  if (value->type != JSON_NUMBER) return false;
  struct bytes digits = value->text;
  bool negative = digits.size > 0 && digits.data[0] == '-';
  if (negative) digits = bytes_slice(digits, 1, digits.size);
  unsigned long long magnitude;
  if (!bytes_to_uint64(digits, &magnitude)) return false;
  if (negative) {
    if (magnitude > (unsigned long long)INT64_MAX + 1) return false;
    *ret_value = (int64_t)(0 - magnitude);
    return true;
  }
  if (magnitude > (unsigned long long)INT64_MAX) return false;
  *ret_value = (int64_t)magnitude;
  return true;
}
