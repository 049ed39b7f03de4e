#include "platform/aws/event.h"

enum { NAME_SHOWN_BYTES = 60 };

static const char *type_name(enum json_type type) {
  static const char *const names[] = {
      [JSON_NULL] = "null",   [JSON_BOOLEAN] = "true or false", [JSON_NUMBER] = "a number",
      [JSON_STRING] = "text", [JSON_ARRAY] = "an array",        [JSON_OBJECT] = "an object"};
  return names[type];
}

bool event_parse(struct bytes text, struct arena *arena, const struct json **ret_root,
                 struct failure *ret_failure) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(text, arena, &root, &detail))
    return failure_set(ret_failure, "the event is not JSON: %.*s", BYTES_PRINTF(detail));
  if (root->type != JSON_OBJECT)
    return failure_set(ret_failure, "the event is %s, and should be an object", type_name(root->type));
  *ret_root = root;
  return true;
}

bool event_refuse(struct failure *failure, const struct json *member, const char *wanted) {
  struct bytes name = bytes_cut(member->name, NAME_SHOWN_BYTES);
  return failure_set(failure, "%.*s should be %s", BYTES_PRINTF(name), wanted);
}

bool event_optional(const struct json *object, const char *name, enum json_type type,
                    const struct json **ret_member, struct failure *ret_failure) {
  const struct json *member = json_member(object, name);
  if (member && member->type == JSON_NULL) member = NULL;
  if (member && member->type != type) return event_refuse(ret_failure, member, type_name(type));
  *ret_member = member;
  return true;
}

bool event_required(const struct json *object, const char *name, enum json_type type,
                    const struct json **ret_member, struct failure *ret_failure) {
  const struct json *member = NULL;
  if (!event_optional(object, name, type, &member, ret_failure)) return false;
  if (!member) return failure_set(ret_failure, "%s is missing", name);
  *ret_member = member;
  return true;
}

bool event_records(const struct json *root, const char *source, const struct json **ret_records,
                   struct failure *ret_failure) {
  const struct json *records;
  if (!event_required(root, "Records", JSON_ARRAY, &records, ret_failure)) return false;
  for (const struct json *one = records->first; one; one = one->next) {
    struct bytes from = bytes_cut(json_member_text(one, "eventSource"), NAME_SHOWN_BYTES);
    if (!bytes_equal_string(from, source))
      return failure_set(ret_failure, "a record comes from \"%.*s\", and not from %s", BYTES_PRINTF(from),
                         source);
  }
  *ret_records = records;
  return true;
}
