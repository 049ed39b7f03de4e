#include "base/key_index.h"

#include <stdlib.h>

#include "base/panic.h"

/* FNV-1a; the keys come from our own load, so nobody gains by collisions. */
static uint32_t hash_of(struct bytes key) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < key.size; i++) hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(0x100000001b3);
  return (uint32_t)(hash ^ (hash >> 32));
}

static struct key_slot *slot_of(const struct key_index *index, struct bytes key, uint32_t hash) {
  size_t mask = index->capacity - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    struct key_slot *slot = &index->slots[at];
    if (slot->value_plus_one == 0 || (slot->hash == hash && bytes_equal(slot->key, key))) return slot;
  }
}

static void grow(struct key_index *index) {
  struct key_index larger = {.capacity = index->capacity ? index->capacity * 2 : 64, .count = index->count};
  larger.slots = calloc(larger.capacity, sizeof *larger.slots);
  if (!larger.slots) panic("out of memory");
  for (size_t i = 0; i < index->capacity; i++)
    if (index->slots[i].value_plus_one)
      *slot_of(&larger, index->slots[i].key, index->slots[i].hash) = index->slots[i];
  free(index->slots);
  *index = larger;
}

void key_index_release(struct key_index *index) {
  free(index->slots);
  *index = (struct key_index){0};
}

int64_t key_index_find(const struct key_index *index, struct bytes key) {
  if (index->capacity == 0) return KEY_INDEX_NONE;
  return (int64_t)slot_of(index, key, hash_of(key))->value_plus_one - 1;
}

void key_index_add(struct key_index *index, struct bytes key, size_t value) {
  ensure(value < UINT32_MAX);
  if ((index->count + 1) * 2 > index->capacity) grow(index);
  uint32_t hash = hash_of(key);
  *slot_of(index, key, hash) = (struct key_slot){key, hash, (uint32_t)value + 1};
  index->count++;
}
