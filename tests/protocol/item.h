/* One item of the table in memory, and the expressions that look at it and change it (table.h). */
#ifndef TESTS_PROTOCOL_ITEM_H
#define TESTS_PROTOCOL_ITEM_H

#include "base/arena.h"
#include "wire/json.h"
#include "wire/json_write.h"

enum { ATTRIBUTES_MAX = 16 };

/* An attribute is what its JSON says, {"S": …}, {"N": …} or {"L": […]}. */
struct attribute {
  struct bytes name;
  char type;
  struct bytes text;
  struct bytes *list; /* L: of texts */
  size_t count;
};

/* One version of an item, with the memory of its texts. */
struct item {
  struct arena arena;
  struct attribute attributes[ATTRIBUTES_MAX];
  size_t count;
  uint64_t key_hash;   /* of k and r: the table looks for it first */
  uint64_t hash;       /* of this version and the one before */
  struct item *before; /* the version that this one took the place of; no older one is kept */
};

/* NULL, and the empty text, where there is none; the item may be NULL. */
const struct attribute *item_attribute(const struct item *item, struct bytes name);
struct bytes item_text_of(const struct item *item, struct bytes name);
struct item *item_make(void);
void item_free(struct item *item);
/* A copy, in the place of the one of that name. */
void item_set(struct item *item, const struct attribute *attribute);
/* {"S": "…"}, as requests and items have it. */
struct attribute attribute_read(const struct json *value, struct bytes name, struct arena *arena);
void item_write(struct json_writer *json, const char *name, const struct item *item, struct arena *arena);
/* The same for the same attributes, in whatever order. */
uint64_t item_hash(const struct item *item);
uint64_t hash_add(uint64_t hash, struct bytes text);
uint64_t hash_spread(uint64_t z);
/* The part before the separator, or all that is left; false once nothing is. */
bool text_cut(struct bytes *rest, const char *separator, struct bytes *ret_part);
/* Of ":name". */
const struct json *expression_value(const struct json *write, struct bytes placeholder, struct arena *arena);
/* "attribute_not_exists(k) OR i = :i"; the item may be NULL. */
bool condition_holds(const struct json *write, const struct item *item, struct arena *arena);
void item_update(struct item *item, const struct json *write, struct arena *arena);

#endif
