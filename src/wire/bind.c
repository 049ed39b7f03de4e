#include "wire/bind.h"

#include "base/panic.h"

/* Where a value stands, from the root on: made into a pointer only once something is wrong there. */
struct place {
  const struct place *parent; /* NULL: the root */
  struct bytes name;          /* of the member; empty for an item of a list */
  size_t index;
};

struct reading {
  struct arena *arena;
  struct problem_errors *errors;
};

static void *at(void *of, const struct bind_field *field) { return (char *)of + field->offset_bytes; }
static const void *at_const(const void *of, const struct bind_field *field) {
  return (const char *)of + field->offset_bytes;
}

/* "/name", with "~" and "/" escaped, or "/index", behind those of its parents (RFC 6901 section 3). */
static void append_place(struct text *pointer, const struct place *place) {
  if (!place) return;
  append_place(pointer, place->parent);
  text_append_char(pointer, '/');
  if (!place->name.data) text_append_int64(pointer, (int64_t)place->index);
  for (size_t i = 0; i < place->name.size; i++) {
    if (place->name.data[i] == '~')
      text_append(pointer, BYTES("~0"));
    else if (place->name.data[i] == '/')
      text_append(pointer, BYTES("~1"));
    else
      text_append_char(pointer, place->name.data[i]);
  }
}

static struct bytes pointer_to(const struct reading *reading, const struct place *place) {
  struct text pointer;
  text_init(&pointer, reading->arena);
  append_place(&pointer, place);
  return text_view(&pointer);
}

#define WRONG(reading, place, ...) \
  problem_errors_add((reading)->errors, pointer_to((reading), (place)), __VA_ARGS__)

static void read_object(const struct reading *reading, const struct bind_object *object,
                        const struct json *value, const struct place *place, void *ret_struct);

static void read_text(const struct reading *reading, const struct bind_field *field, const struct json *value,
                      const struct place *place, struct bytes *ret_text) {
  size_t length = 0;
  if (value->type != JSON_STRING) {
    WRONG(reading, place, "must be a string");
    return;
  }
  if (!bytes_count_code_points(value->text, &length)) length = SIZE_MAX;
  if (bytes_have_control_characters(value->text)) WRONG(reading, place, "must not hold control characters");
  if (field->required && field->least > 0 && length == 0)
    WRONG(reading, place, "must not be empty");
  else if ((int64_t)length < field->least && length > 0)
    WRONG(reading, place, "must have at least %lld characters", (long long)field->least);
  else if (length > (size_t)field->most)
    WRONG(reading, place, "must have at most %lld characters", (long long)field->most);
  *ret_text = value->text;
}

static void read_integer(const struct reading *reading, const struct bind_field *field,
                         const struct json *value, const struct place *place, int64_t *ret_integer) {
  int64_t integer;
  if (value->type != JSON_NUMBER) {
    WRONG(reading, place, "must be an integer");
    return;
  }
  if (!json_to_int64(value, &integer)) {
    bool fraction = false;
    for (size_t i = 0; i < value->text.size; i++)
      fraction |= value->text.data[i] == '.' || value->text.data[i] == 'e' || value->text.data[i] == 'E';
    WRONG(reading, place, fraction ? "must be an integer, without fraction or exponent" : "is out of range");
    return;
  }
  if (integer < field->least)
    WRONG(reading, place, "must be at least %lld", (long long)field->least);
  else if (integer > field->most)
    WRONG(reading, place, "must be at most %lld", (long long)field->most);
  *ret_integer = integer;
}

static void read_name(const struct reading *reading, const struct bind_field *field, const struct json *value,
                      const struct place *place, int *ret_index) {
  struct text known;
  text_init(&known, reading->arena);
  for (int i = 0; field->names[i]; i++) {
    if (value->type == JSON_STRING && bytes_equal_string(value->text, field->names[i])) {
      *ret_index = i;
      return;
    }
    text_printf(&known, "%s\"%s\"", i ? ", " : "", field->names[i]);
  }
  WRONG(reading, place, "must be one of %.*s", BYTES_PRINTF(text_view(&known)));
}

static void read_list(const struct reading *reading, const struct bind_field *field, const struct json *value,
                      const struct place *place, struct bind_list *ret_list) {
  if (value->type != JSON_ARRAY) {
    WRONG(reading, place, "must be an array");
    return;
  }
  if ((int64_t)value->count < field->least)
    WRONG(reading, place, "must have at least %lld items", (long long)field->least);
  if ((int64_t)value->count > field->most) {
    WRONG(reading, place, "must have at most %lld items", (long long)field->most);
    return;
  }
  ret_list->items = arena_allocate_array(reading->arena, value->count, field->object->size_bytes);
  ret_list->count = value->count;
  size_t index = 0;
  for (const struct json *item = value->first; item; item = item->next, index++) {
    const struct place here = {.parent = place, .index = index};
    read_object(reading, field->object, item, &here,
                (char *)ret_list->items + index * field->object->size_bytes);
  }
}

static void read_field(const struct reading *reading, const struct bind_field *field, const struct json *value,
                       const struct place *place, void *ret_struct) {
  void *target = at(ret_struct, field);
  switch (field->type) {
    case BIND_TEXT:
      read_text(reading, field, value, place, target);
      return;
    case BIND_INTEGER:
      read_integer(reading, field, value, place, target);
      return;
    case BIND_NAME:
      read_name(reading, field, value, place, target);
      return;
    case BIND_BOOLEAN:
      if (value->type != JSON_BOOLEAN) WRONG(reading, place, "must be true or false");
      *(bool *)target = value->boolean;
      return;
    case BIND_OBJECT: {
      void *object = arena_allocate(reading->arena, field->object->size_bytes);
      read_object(reading, field->object, value, place, object);
      *(const void **)target = object;
      return;
    }
    case BIND_LIST:
      read_list(reading, field, value, place, target);
      return;
    default:
      panic("unknown bind type");
  }
}

static const struct bind_field *field_named(const struct bind_object *object, struct bytes name) {
  for (size_t i = 0; i < object->count; i++)
    if (bytes_equal_string(name, object->fields[i].name)) return &object->fields[i];
  return NULL;
}

static void read_object(const struct reading *reading, const struct bind_object *object,
                        const struct json *value, const struct place *place, void *ret_struct) {
  memset(ret_struct, 0, object->size_bytes);
  if (value->type != JSON_OBJECT) {
    WRONG(reading, place, "must be an object");
    return;
  }
  uint64_t seen = 0;
  ensure(object->count <= 64);
  for (const struct json *member = value->first; member; member = member->next) {
    const struct bind_field *field = field_named(object, member->name);
    const struct place here = {.parent = place, .name = member->name};
    if (!field) {
      WRONG(reading, &here, "is not a known member");
      continue;
    }
    if (member->type == JSON_NULL && !field->required) continue;
    seen |= UINT64_C(1) << (field - object->fields);
    read_field(reading, field, member, &here, ret_struct);
  }
  for (size_t i = 0; i < object->count; i++) {
    const struct place here = {.parent = place, .name = bytes_of(object->fields[i].name)};
    if (object->fields[i].required && !(seen >> i & 1)) WRONG(reading, &here, "is required");
  }
}

void bind_read(const struct bind_object *object, const struct json *value, struct arena *arena,
               void *ret_struct, struct problem_errors *errors) {
  const struct reading reading = {.arena = arena, .errors = errors};
  read_object(&reading, object, value, NULL, ret_struct);
}

static void write_list(const struct bind_field *field, const struct bind_list *list,
                       struct json_writer *writer) {
  json_open_array(writer, field->name);
  for (size_t i = 0; i < list->count; i++) {
    json_open_object(writer, NULL);
    bind_write_members(field->object, (const char *)list->items + i * field->object->size_bytes, writer);
    json_close_object(writer);
  }
  json_close_array(writer);
}

static void write_field(const struct bind_field *field, const void *source, struct json_writer *writer) {
  switch (field->type) {
    case BIND_TEXT: {
      const struct bytes *text = source;
      if (text->size || !field->omit_default) json_write_text(writer, field->name, *text);
      return;
    }
    case BIND_INTEGER: {
      int64_t integer = *(const int64_t *)source;
      if (integer || !field->omit_default) json_write_int64(writer, field->name, integer);
      return;
    }
    case BIND_NAME:
      json_write_string(writer, field->name, field->names[*(const int *)source]);
      return;
    case BIND_BOOLEAN:
      json_write_boolean(writer, field->name, *(const bool *)source);
      return;
    case BIND_OBJECT: {
      const void *object = *(const void *const *)source;
      if (!object) return;
      json_open_object(writer, field->name);
      bind_write_members(field->object, object, writer);
      json_close_object(writer);
      return;
    }
    case BIND_LIST:
      write_list(field, source, writer);
      return;
    default:
      panic("unknown bind type");
  }
}

void bind_write_members(const struct bind_object *object, const void *of, struct json_writer *writer) {
  for (size_t i = 0; i < object->count; i++)
    write_field(&object->fields[i], at_const(of, &object->fields[i]), writer);
}
