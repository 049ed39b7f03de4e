#include "gateway/token_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/panic.h"

/* Direct mapped: a token has one place, and the newest one there wins. */
struct token_cache {
  pthread_mutex_t mutex;
  size_t entries;
  struct token_entry **table; /* entries are made on first use: an idle server keeps none */
};

struct token_cache *token_cache_make(size_t entries) {
  struct token_cache *cache = calloc(1, sizeof *cache);
  if (!cache) panic("out of memory");
  cache->table = calloc(entries, sizeof *cache->table);
  if (!cache->table) panic("out of memory");
  cache->entries = entries;
  pthread_mutex_init(&cache->mutex, NULL);
  return cache;
}

void token_cache_free(struct token_cache *cache) {
  if (!cache) return;
  for (size_t i = 0; i < cache->entries; i++) free(cache->table[i]);
  free(cache->table);
  pthread_mutex_destroy(&cache->mutex);
  free(cache);
}

static size_t place_of(const struct token_cache *cache, const uint8_t digest[SHA256_BYTES]) {
  uint64_t hash;
  memcpy(&hash, digest, sizeof hash);
  return hash % cache->entries;
}

bool token_cache_find(struct token_cache *cache, const uint8_t digest[SHA256_BYTES], uint64_t keys,
                      int64_t now_ms, struct token_entry *ret_entry) {
  pthread_mutex_lock(&cache->mutex);
  const struct token_entry *entry = cache->table[place_of(cache, digest)];
  bool found = entry && memcmp(entry->digest, digest, SHA256_BYTES) == 0 && entry->keys == keys &&
               now_ms < entry->good_until_ms;
  if (found) {
    memcpy(ret_entry, entry, offsetof(struct token_entry, customer));
    memcpy(ret_entry->customer, entry->customer, entry->customer_size);
  }
  pthread_mutex_unlock(&cache->mutex);
  return found;
}

void token_cache_add(struct token_cache *cache, const struct token_entry *entry) {
  pthread_mutex_lock(&cache->mutex);
  struct token_entry **place = &cache->table[place_of(cache, entry->digest)];
  size_t size = offsetof(struct token_entry, customer) + entry->customer_size;
  if (!*place || (*place)->customer_size < entry->customer_size) {
    free(*place);
    *place = malloc(size); /* no longer than the customer's name is */
    if (!*place) panic("out of memory");
  }
  memcpy(*place, entry, size);
  pthread_mutex_unlock(&cache->mutex);
}
