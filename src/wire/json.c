#include "wire/json.h"

#include <stddef.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "base/panic.h"

struct level {
  struct json *container;
  struct json *last;
  struct bytes name;
};

struct reader {
  struct arena *arena;
  struct json *root;
  struct level levels[JSON_DEPTH_MAX + 1];
  size_t depth;
  const char *fault; /* what this layer refused; NULL where yajl did */
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

static int on_null(void *context) {
  add(context, JSON_NULL);
  return 1;
}

static int on_boolean(void *context, int boolean) {
  add(context, JSON_BOOLEAN)->boolean = boolean != 0;
  return 1;
}

static int on_number(void *context, const char *text, size_t size) {
  struct reader *reader = context;
  add(reader, JSON_NUMBER)->text = arena_copy(reader->arena, bytes_from(text, size));
  return 1;
}

static int on_string(void *context, const unsigned char *text, size_t size) {
  struct reader *reader = context;
  add(reader, JSON_STRING)->text = arena_copy(reader->arena, bytes_from(text, size));
  return 1;
}

static int open_container(struct reader *reader, enum json_type type) {
  if (reader->depth == JSON_DEPTH_MAX) return refuse(reader, "nested deeper than 16");
  struct json *container = add(reader, type);
  reader->levels[++reader->depth] = (struct level){.container = container};
  return 1;
}

static int on_start_object(void *context) { return open_container(context, JSON_OBJECT); }
static int on_start_array(void *context) { return open_container(context, JSON_ARRAY); }

static int on_name(void *context, const unsigned char *text, size_t size) {
  struct reader *reader = context;
  reader->levels[reader->depth].name = arena_copy(reader->arena, bytes_from(text, size));
  return 1;
}

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

static int on_end_object(void *context) {
  struct reader *reader = context;
  const struct json *object = reader->levels[reader->depth--].container;
  return has_repeated_name(reader, object) ? refuse(reader, "a member is given twice") : 1;
}

static int on_end_array(void *context) {
  ((struct reader *)context)->depth--;
  return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_object,
    .yajl_map_key = on_name,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* The UTF-16 unit of the four hexadecimal digits at `at`; -1 where they are none. */
static int escaped_unit(struct bytes text, size_t at) {
  if (at + 4 > text.size) return -1;
  int unit = 0;
  for (size_t i = at; i < at + 4; i++) {
    char c = text.data[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* yajl turns a lone surrogate into "?"; this finds it first. Returns text.size where all is well.
 * Outside strings a backslash is an error that yajl reports itself. */
static size_t find_lone_surrogate(struct bytes text) {
  size_t at = bytes_find(text, '\\', 0);
  while (at < text.size) {
    size_t next = at + 2;
    if (at + 1 < text.size && text.data[at + 1] == 'u') {
      int unit = escaped_unit(text, at + 2);
      next = at + 6;
      if (unit >= 0xDC00 && unit <= 0xDFFF) return at;
      if (unit >= 0xD800 && unit <= 0xDBFF) {
        bool escaped = next + 1 < text.size && text.data[next] == '\\' && text.data[next + 1] == 'u';
        int low = escaped ? escaped_unit(text, next + 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF) return at;
        next += 6;
      }
    }
    at = bytes_find(text, '\\', next);
  }
  return text.size;
}

/* What the text holds that needs a closer look, in one pass: most texts hold none of it. */
struct traits {
  unsigned char beyond_ascii, not_white_space, escaped_unit;
};

static struct traits traits_of(struct bytes text) {
  struct traits traits = {0};
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    traits.beyond_ascii |= c & 0x80;
    traits.not_white_space |= (unsigned char)(c == '\v') | (unsigned char)(c == '\f');
  }
  for (size_t i = 1; i < text.size; i++) /* "\u", or a backslash that is escaped itself before a u */
    traits.escaped_unit |= (unsigned char)(text.data[i - 1] == '\\') & (unsigned char)(text.data[i] == 'u');
  return traits;
}

/* yajl's memory is the arena's, too; each block's size stands in front of it. */
static void *allocate(void *context, size_t size_bytes) {
  max_align_t *memory = arena_allocate(context, sizeof *memory + size_bytes);
  memcpy(memory, &size_bytes, sizeof size_bytes);
  return memory + 1;
}

static void *reallocate(void *context, void *memory, size_t size_bytes) {
  size_t before_bytes = 0;
  if (memory) memcpy(&before_bytes, (max_align_t *)memory - 1, sizeof before_bytes);
  if (size_bytes <= before_bytes) return memory;
  void *larger = allocate(context, size_bytes);
  if (memory) memcpy(larger, memory, before_bytes);
  return larger;
}

static void leave(void *context, void *memory) { (void)context, (void)memory; }

static bool parse_with(yajl_handle handle, struct bytes text, size_t *ret_at) {
  bool good = yajl_parse(handle, (const unsigned char *)text.data, text.size) == yajl_status_ok &&
              yajl_complete_parse(handle) == yajl_status_ok;
  *ret_at = yajl_get_bytes_consumed(handle);
  return good;
}

bool json_parse(struct bytes text, struct arena *arena, struct json **ret_root, struct bytes *ret_detail) {
  struct reader reader = {.arena = arena};
  struct traits traits = traits_of(text);
  size_t code_points;
  /* yajl lets encoded surrogates and overlong forms pass. */
  if (traits.beyond_ascii && !bytes_count_code_points(text, &code_points)) {
    *ret_detail = BYTES("not UTF-8");
    return false;
  }
  /* yajl takes both for white space; RFC 8259 has no place for them. */
  if (traits.not_white_space) {
    *ret_detail = BYTES("not JSON: a vertical tab or a form feed");
    return false;
  }
  size_t at = traits.escaped_unit ? find_lone_surrogate(text) : text.size;
  if (at < text.size) {
    *ret_detail = arena_printf(arena, "a lone surrogate at byte %zu", at);
    return false;
  }
  yajl_alloc_funcs memory = {.malloc = allocate, .realloc = reallocate, .free = leave, .ctx = arena};
  yajl_handle handle = yajl_alloc(&callbacks, &memory, &reader);
  if (!handle) panic("out of memory");
  yajl_config(handle, yajl_dont_validate_strings, 1);
  bool good = parse_with(handle, text, &at) && reader.root && reader.depth == 0;
  yajl_free(handle);
  if (!good) {
    *ret_detail = arena_printf(arena, "%s near byte %zu", reader.fault ? reader.fault : "not JSON", at);
    return false;
  }
  *ret_root = reader.root;
  return true;
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
