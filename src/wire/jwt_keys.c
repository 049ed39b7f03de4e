#include <stdlib.h>

#include "base/panic.h"
#include "wire/jwt_key.h"

static struct jwt_keys *new_keys(size_t most) {
  struct jwt_keys *keys = calloc(1, sizeof *keys);
  if (!keys) panic("out of memory");
  arena_init(&keys->arena);
  keys->keys = ARENA_ARRAY(&keys->arena, most, struct jwt_key);
  return keys;
}

void jwt_keys_free(struct jwt_keys *keys) {
  if (!keys) return;
  for (size_t i = 0; i < keys->count; i++) jwt_key_release(&keys->keys[i]);
  arena_release(&keys->arena);
  free(keys);
}

bool jwt_keys_from_secret(struct bytes secret, struct jwt_keys **ret_keys, struct failure *ret_failure) {
  if (secret.size < JWT_SECRET_BYTES_MIN) /* RFC 7518 section 3.2 */
    return failure_set(ret_failure, "the secret has %zu bytes; HS256 needs at least %d", secret.size,
                       JWT_SECRET_BYTES_MIN);
  struct jwt_keys *keys = new_keys(1);
  keys->keys[0].algorithm = JWT_HS256;
  jwt_hmac_init(&keys->keys[0].hmac, secret);
  keys->count = 1;
  *ret_keys = keys;
  return true;
}

static bool read_keys(const struct json *list, struct jwt_keys *keys, struct failure *ret_failure) {
  size_t index = 0;
  for (const struct json *jwk = list->first; jwk; jwk = jwk->next, index++) {
    if (bytes_equal(json_member_text(jwk, "kty"), BYTES("oct")))
      return failure_set(ret_failure,
                         "key %zu of the JWKS is a shared secret (kty oct): a key set is public, put the "
                         "secret into a file of its own",
                         index);
    if (jwt_key_from_jwk(jwk, &keys->arena, &keys->keys[keys->count])) keys->count++;
  }
  if (keys->count == 0)
    return failure_set(ret_failure,
                       "none of the JWKS's %zu keys can be used: RSA of 2048 bits or more, EC P-256 and "
                       "Ed25519 keys for signatures can",
                       list->count);
  return true;
}

bool jwt_keys_from_jwks(struct bytes json, struct jwt_keys **ret_keys, struct failure *ret_failure) {
  struct arena arena;
  arena_init(&arena);
  struct json *root = NULL;
  struct bytes detail = {NULL, 0};
  bool parsed = json_parse(json, &arena, &root, &detail);
  const struct json *list = parsed ? json_member(root, "keys") : NULL;
  bool good = false;
  if (!parsed) {
    failure_set(ret_failure, "the JWKS is not good JSON: %.*s", BYTES_PRINTF(detail));
  } else if (!list || list->type != JSON_ARRAY) {
    failure_set(ret_failure, "the JWKS has no array \"keys\" (RFC 7517 section 5)");
  } else {
    struct jwt_keys *keys = new_keys(list->count);
    good = read_keys(list, keys, ret_failure);
    if (good)
      *ret_keys = keys;
    else
      jwt_keys_free(keys);
  }
  arena_release(&arena);
  return good;
}
