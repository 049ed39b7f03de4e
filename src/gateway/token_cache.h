/* Verified tokens, remembered by their SHA-256 until they expire or the keys change, so that a
 * customer's second request costs no signature check. Bounded; thread-safe. */
#ifndef GATEWAY_TOKEN_CACHE_H
#define GATEWAY_TOKEN_CACHE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/digest.h"

enum { TOKEN_CUSTOMER_BYTES_MAX = 128 * 4, TOKEN_SCOPES = 4 };

struct token_entry {
  uint8_t digest[SHA256_BYTES];
  uint64_t keys; /* generation of the key set it was verified with */
  int64_t good_until_ms;
  uint16_t customer_size;
  uint8_t scopes; /* bits of the caller's */
  char customer[TOKEN_CUSTOMER_BYTES_MAX];
};

struct token_cache;

struct token_cache *token_cache_make(size_t entries);
void token_cache_free(struct token_cache *cache);

/* True with a copy of the entry where the token is known, verified with these keys and not expired. */
bool token_cache_find(struct token_cache *cache, const uint8_t digest[SHA256_BYTES], uint64_t keys,
                      int64_t now_ms, struct token_entry *ret_entry);
void token_cache_add(struct token_cache *cache, const struct token_entry *entry);

#endif
