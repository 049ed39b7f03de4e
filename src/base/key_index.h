/* A table from byte strings to numbers. The strings are borrowed and must outlive the table.
 * Memory: about 64 bytes an entry. Not thread-safe. */
#ifndef BASE_KEY_INDEX_H
#define BASE_KEY_INDEX_H

#include <stdint.h>

#include "base/bytes.h"

struct key_slot {
  struct bytes key;
  uint32_t hash;
  uint32_t value_plus_one; /* 0: the slot is free */
};

struct key_index {
  struct key_slot *slots;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
};

enum { KEY_INDEX_NONE = -1 };

/* A zeroed struct is an empty table. */
void key_index_release(struct key_index *index);

/* The number stored for `key`, or KEY_INDEX_NONE. */
int64_t key_index_find(const struct key_index *index, struct bytes key);

/* Stores `value` (below 2^32 - 1) for a key that is not in the table yet. */
void key_index_add(struct key_index *index, struct bytes key, size_t value);

#endif
