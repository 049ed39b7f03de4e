#include "protocol/item.h"

#include <stdlib.h>

#include "base/panic.h"

/* --- items ----------------------------------------------------------------------------------------- */

const struct attribute *item_attribute(const struct item *item, struct bytes name) {
  for (size_t i = 0; item && i < item->count; i++)
    if (bytes_equal(item->attributes[i].name, name)) return &item->attributes[i];
  return NULL;
}

struct bytes item_text_of(const struct item *item, struct bytes name) {
  const struct attribute *attribute = item_attribute(item, name);
  return attribute ? attribute->text : (struct bytes){NULL, 0};
}

static struct attribute copy_attribute(const struct attribute *from, struct arena *arena) {
  struct attribute copy = {.name = arena_copy(arena, from->name),
                           .type = from->type,
                           .text = arena_copy(arena, from->text),
                           .list = ARENA_ARRAY(arena, from->count, struct bytes),
                           .count = from->count};
  for (size_t i = 0; i < from->count; i++) copy.list[i] = arena_copy(arena, from->list[i]);
  return copy;
}

struct item *item_make(void) {
  struct item *item = calloc(1, sizeof *item);
  if (!item) panic("out of memory");
  arena_init(&item->arena);
  return item;
}

void item_free(struct item *item) {
  if (!item) return;
  item_free(item->before);
  arena_release(&item->arena);
  free(item);
}

void item_set(struct item *item, const struct attribute *attribute) {
  size_t at = 0;
  while (at < item->count && !bytes_equal(item->attributes[at].name, attribute->name)) at++;
  ensure(at < ATTRIBUTES_MAX);
  item->attributes[at] = copy_attribute(attribute, &item->arena);
  if (at == item->count) item->count++;
}

static void remove_attribute(struct item *item, struct bytes name) {
  for (size_t i = 0; i < item->count; i++)
    if (bytes_equal(item->attributes[i].name, name)) item->attributes[i--] = item->attributes[--item->count];
}

/* A value as a request or an item has it: {"S": "…"}. */
struct attribute attribute_read(const struct json *value, struct bytes name, struct arena *arena) {
  const struct json *inner = value && value->type == JSON_OBJECT && value->count == 1 ? value->first : NULL;
  ensure(inner && inner->name.size == 1);
  struct attribute attribute = {.name = name, .type = inner->name.data[0]};
  if (attribute.type == 'L') {
    attribute.list = ARENA_ARRAY(arena, inner->count, struct bytes);
    for (const struct json *entry = inner->first; entry; entry = entry->next)
      attribute.list[attribute.count++] = json_member_text(entry, "S");
  } else {
    ensure((attribute.type == 'S' || attribute.type == 'N') && inner->type == JSON_STRING);
    attribute.text = inner->text;
  }
  return attribute;
}

void item_write(struct json_writer *json, const char *name, const struct item *item, struct arena *arena) {
  json_open_object(json, name);
  for (size_t i = 0; i < item->count; i++) {
    const struct attribute *attribute = &item->attributes[i];
    json_open_object(json, arena_string(arena, attribute->name));
    if (attribute->type == 'L') {
      json_open_array(json, "L");
      for (size_t j = 0; j < attribute->count; j++) {
        json_open_object(json, NULL);
        json_write_text(json, "S", attribute->list[j]);
        json_close_object(json);
      }
      json_close_array(json);
    } else {
      json_write_text(json, attribute->type == 'S' ? "S" : "N", attribute->text);
    }
    json_close_object(json);
  }
  json_close_object(json);
}

uint64_t hash_add(uint64_t hash, struct bytes text) {
  for (size_t i = 0; i < text.size; i++) hash = (hash ^ (uint8_t)text.data[i]) * 1099511628211ULL;
  return hash * 1099511628211ULL + 1;
}

uint64_t hash_spread(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  return z ^ (z >> 27);
}

uint64_t item_hash(const struct item *item) {
  uint64_t sum = 0;
  for (size_t i = 0; item && i < item->count; i++) {
    const struct attribute *attribute = &item->attributes[i];
    uint64_t hash = hash_add(hash_add(14695981039346656037ULL, attribute->name), attribute->text);
    for (size_t j = 0; j < attribute->count; j++) hash = hash_add(hash, attribute->list[j]);
    sum += hash_spread(hash);
  }
  return hash_spread(sum + 1);
}

/* --- expressions ----------------------------------------------------------------------------------- */

bool text_cut(struct bytes *rest, const char *separator, struct bytes *ret_part) {
  struct bytes mark = bytes_of(separator);
  if (!rest->data) return false;
  for (size_t i = 0; i + mark.size <= rest->size; i++) {
    if (memcmp(rest->data + i, mark.data, mark.size) != 0) continue;
    *ret_part = bytes_slice(*rest, 0, i);
    *rest = bytes_slice(*rest, i + mark.size, rest->size);
    return true;
  }
  *ret_part = *rest;
  *rest = (struct bytes){NULL, 0};
  return true;
}

const struct json *expression_value(const struct json *write, struct bytes placeholder, struct arena *arena) {
  const struct json *value =
      json_member(json_member(write, "ExpressionAttributeValues"), arena_string(arena, placeholder));
  ensure(value);
  return value;
}

static bool equals(const struct item *item, struct bytes name, const struct json *value, struct arena *arena) {
  struct attribute wanted = attribute_read(value, name, arena);
  const struct attribute *attribute = item_attribute(item, name);
  return attribute && attribute->type == wanted.type && bytes_equal(attribute->text, wanted.text);
}

/* "attribute_not_exists(k) OR i = :i" */
bool condition_holds(const struct json *write, const struct item *item, struct arena *arena) {
  struct bytes rest = json_member_text(write, "ConditionExpression"), term;
  if (rest.size == 0) return true;
  while (text_cut(&rest, " OR ", &term)) {
    struct bytes name, value = term;
    if (bytes_starts_with(term, BYTES("attribute_not_exists("))) {
      name = bytes_slice(term, strlen("attribute_not_exists("), term.size - 1);
      if (!item_attribute(item, name)) return true;
      continue;
    }
    ensure(text_cut(&value, " = ", &name) && value.size > 1 && value.data[0] == ':');
    if (equals(item, name, expression_value(write, value, arena), arena)) return true;
  }
  return false;
}

static void append_list(struct item *item, struct bytes name, const struct attribute *more,
                        struct arena *arena) {
  const struct attribute *before = item_attribute(item, name);
  struct attribute longer = {.name = name, .type = 'L'};
  ensure(before && before->type == 'L' && more->type == 'L');
  longer.list = ARENA_ARRAY(arena, before->count + more->count, struct bytes);
  for (size_t i = 0; i < before->count; i++) longer.list[longer.count++] = before->list[i];
  for (size_t i = 0; i < more->count; i++) longer.list[longer.count++] = more->list[i];
  item_set(item, &longer);
}

/* "SET s = :s, n = :n, e = list_append(e, :e) REMOVE o" */
void item_update(struct item *item, const struct json *write, struct arena *arena) {
  struct bytes removes = json_member_text(write, "UpdateExpression"), sets, one;
  ensure(bytes_starts_with(removes, BYTES("SET ")));
  removes = bytes_slice(removes, 4, removes.size);
  text_cut(&removes, " REMOVE ", &sets);
  while (text_cut(&sets, " = ", &one)) {
    struct bytes name = one, value;
    if (bytes_starts_with(sets, BYTES("list_append("))) {
      text_cut(&sets, ")", &value);
      value = bytes_slice(value, strlen("list_append(") + name.size + 2, value.size);
      struct attribute more = attribute_read(expression_value(write, value, arena), name, arena);
      append_list(item, name, &more, arena);
      if (sets.size >= 2) sets = bytes_slice(sets, 2, sets.size);
    } else {
      text_cut(&sets, ", ", &value);
      struct attribute attribute = attribute_read(expression_value(write, value, arena), name, arena);
      item_set(item, &attribute);
    }
    if (sets.size == 0) break;
  }
  while (removes.data && text_cut(&removes, ", ", &one)) remove_attribute(item, one);
}
