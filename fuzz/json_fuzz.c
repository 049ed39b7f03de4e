/* JSON (wire/json.h): what is accepted is written and read again, and is the same tree. */
#include "fuzz.h"
#include "wire/json_write.h"

static void write_value(struct text *text, const struct json *value);

static void write_children(struct text *text, const struct json *parent, bool named) {
  for (const struct json *child = parent->first; child; child = child->next) {
    if (child != parent->first) text_append_char(text, ',');
    if (named) {
      struct json_writer writer;
      json_writer_init(&writer, text);
      json_write_text(&writer, NULL, child->name);
      text_append_char(text, ':');
    }
    write_value(text, child);
  }
}

static void write_value(struct text *text, const struct json *value) {
  struct json_writer writer;
  json_writer_init(&writer, text);
  switch (value->type) {
    case JSON_NULL:
      json_write_null(&writer, NULL);
      break;
    case JSON_BOOLEAN:
      json_write_boolean(&writer, NULL, value->boolean);
      break;
    case JSON_NUMBER:
      json_write_raw(&writer, NULL, value->text);
      break;
    case JSON_STRING:
      json_write_text(&writer, NULL, value->text);
      break;
    case JSON_ARRAY:
    case JSON_OBJECT:
      text_append_char(text, value->type == JSON_ARRAY ? '[' : '{');
      write_children(text, value, value->type == JSON_OBJECT);
      text_append_char(text, value->type == JSON_ARRAY ? ']' : '}');
      break;
  }
}

static void check_number(const struct json *value, struct arena *arena) {
  int64_t integer;
  size_t plain = 0;
  while (plain < value->text.size && value->text.data[plain] &&
         strchr("0123456789+-.eE", value->text.data[plain]))
    plain++;
  ensure(value->text.size > 0 && plain == value->text.size);
  if (!json_to_int64(value, &integer)) return;
  struct bytes again = arena_printf(arena, "%lld", (long long)integer);
  ensure(bytes_equal(again, value->text) || bytes_equal(value->text, BYTES("-0")));
}

/* What the header promises of a tree. */
static void check_tree(const struct json *value, int depth, struct arena *arena) {
  size_t count = 0;
  ensure(depth <= JSON_DEPTH_MAX);
  if (value->type == JSON_STRING) ensure(fuzz_is_utf8(value->text));
  if (value->type == JSON_NUMBER) check_number(value, arena);
  for (const struct json *child = value->first; child; child = child->next, count++) {
    if (value->type == JSON_OBJECT) {
      ensure(fuzz_is_utf8(child->name));
      for (const struct json *other = child->next; other; other = other->next)
        ensure(!bytes_equal(child->name, other->name));
    }
    check_tree(child, depth + 1, arena);
  }
  ensure(count == value->count);
}

static bool is_same(const struct json *a, const struct json *b) {
  if (a->type != b->type || a->boolean != b->boolean || a->count != b->count ||
      !bytes_equal(a->text, b->text) || !bytes_equal(a->name, b->name))
    return false;
  const struct json *x = a->first, *y = b->first;
  for (; x && y; x = x->next, y = y->next)
    if (!is_same(x, y)) return false;
  return !x && !y;
}

FUZZ_TARGET(input, arena) {
  struct json *root = NULL;
  struct bytes detail = {NULL, 0};
  if (!json_parse(input, arena, &root, &detail)) {
    ensure(!root && detail.size > 0 && fuzz_is_utf8(detail));
    return;
  }
  check_tree(root, 1, arena);
  struct text text;
  text_init(&text, arena);
  write_value(&text, root);
  ensure(is_same(root, fuzz_json(text_view(&text), arena)));
}
