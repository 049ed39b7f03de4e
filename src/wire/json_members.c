#include "wire/json_members.h"

void json_members_init(struct json_members *members, struct bytes object) {
  *members = (struct json_members){.text = object, .at = 1};
  members->malformed = object.size < 2 || object.data[0] != '{' || object.data[object.size - 1] != '}';
}

/* Behind the string that begins at `at`; beyond the text where it does not end. */
static size_t end_of_string(struct bytes text, size_t at) {
  for (at = bytes_find(text, '"', at + 1); at < text.size; at = bytes_find(text, '"', at + 1)) {
    size_t backslashes = 0;
    while (text.data[at - 1 - backslashes] == '\\') backslashes++; /* the opening quote ends this */
    if (backslashes % 2 == 0) return at + 1;
  }
  return text.size + 1;
}

/* Behind the array or object that begins at `at`; beyond the text where it does not end. */
static size_t end_of_container(struct bytes text, size_t at) {
  size_t depth = 0;
  while (at < text.size) {
    char c = text.data[at];
    if (c == '"') {
      at = end_of_string(text, at);
      continue;
    }
    at++;
    if (c == '[' || c == '{') depth++;
    if ((c == ']' || c == '}') && --depth == 0) return at;
  }
  return text.size + 1;
}

static size_t end_of_value(struct bytes text, size_t at) {
  if (at >= text.size) return text.size + 1;
  if (text.data[at] == '"') return end_of_string(text, at);
  if (text.data[at] == '[' || text.data[at] == '{') return end_of_container(text, at);
  size_t end = at;
  while (end < text.size && text.data[end] != ',' && text.data[end] != '}') end++;
  return end > at ? end : text.size + 1;
}

static size_t find_text(struct bytes text, size_t from, struct bytes what) {
  const char *found =
      from < text.size ? memmem(text.data + from, text.size - from, what.data, what.size) : NULL;
  return found ? (size_t)(found - text.data) : text.size + 1;
}

bool json_members_next(struct json_members *members, struct bytes *ret_name, struct bytes *ret_value) {
  return json_members_next_before(members, (struct bytes){NULL, 0}, ret_name, ret_value);
}

bool json_members_next_before(struct json_members *members, struct bytes following, struct bytes *ret_name,
                              struct bytes *ret_value) {
  struct bytes text = members->text;
  size_t name = members->at;
  if (members->malformed || name == text.size || (name == 1 && text.data[1] == '}')) return false;
  members->malformed = true; /* until the whole member was seen */
  if (text.data[name] != '"') return false;
  size_t name_end = end_of_string(text, name);
  if (name_end >= text.size || text.data[name_end] != ':') return false;
  size_t value_end =
      following.size > 0 ? find_text(text, name_end + 1, following) : end_of_value(text, name_end + 1);
  if (value_end >= text.size) return false;
  bool last = text.data[value_end] == '}' && value_end + 1 == text.size;
  if (!last && text.data[value_end] != ',') return false;
  members->malformed = false;
  members->at = value_end + 1;
  *ret_name = bytes_slice(text, name + 1, name_end - 1);
  *ret_value = bytes_slice(text, name_end + 1, value_end);
  return true;
}

struct bytes json_members_string(struct bytes value) {
  bool is_string = value.size >= 2 && value.data[0] == '"';
  return is_string ? bytes_slice(value, 1, value.size - 1) : (struct bytes){NULL, 0};
}
