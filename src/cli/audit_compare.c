#include "cli/audit.h"

static bool is_nothing(const struct json *value) {
  if (!value) return true;
  switch (value->type) {
    case JSON_NULL:
      return true;
    case JSON_BOOLEAN:
      return !value->boolean;
    case JSON_NUMBER:
      return bytes_equal_string(value->text, "0");
    case JSON_STRING:
      return value->text.size == 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
      break;
  }
  return value->count == 0;
}

static struct bytes differs_at(const struct json *sent, const struct json *stored, struct bytes pointer,
                               struct arena *arena) {
  const struct bytes same = {0};
  if (is_nothing(sent) && is_nothing(stored)) return same;
  if (!sent || !stored || sent->type != stored->type) return pointer;
  if (sent->type == JSON_BOOLEAN) return sent->boolean == stored->boolean ? same : pointer;
  if (sent->type == JSON_NUMBER || sent->type == JSON_STRING)
    return bytes_equal(sent->text, stored->text) ? same : pointer;
  if (sent->type == JSON_ARRAY && sent->count != stored->count) return pointer;
  const struct json *other = stored->first;
  size_t number = 0;
  for (const struct json *child = sent->first; child; child = child->next, number++) {
    struct bytes below;
    if (sent->type == JSON_ARRAY) {
      below = arena_printf(arena, "%.*s/%zu", BYTES_PRINTF(pointer), number);
    } else {
      other = json_member(stored, arena_string(arena, child->name));
      below = arena_printf(arena, "%.*s/%.*s", BYTES_PRINTF(pointer), BYTES_PRINTF(child->name));
    }
    struct bytes found = differs_at(child, other, below, arena);
    if (found.size) return found;
    if (sent->type == JSON_ARRAY) other = other->next;
  }
  return same;
}

struct bytes audit_difference(const struct json *sent, const struct json *stored, struct arena *arena) {
  struct arena scratch; /* pointers to all that is the same would fill the caller's */
  arena_init(&scratch);
  struct bytes found = differs_at(sent, stored, BYTES(""), &scratch);
  struct bytes copy = found.size ? arena_copy(arena, found) : found;
  if (sent->type != stored->type) copy = BYTES("/");
  arena_release(&scratch);
  return copy;
}
