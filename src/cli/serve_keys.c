#include "cli/serve_keys.h"

#include <stdlib.h>

#include "cli/secret.h"

static const struct jwt_keys *acquire_fixed(void *context, uint64_t *ret_generation) {
  *ret_generation = 1;
  return context;
}

static void release_fixed(void *context, const struct jwt_keys *keys) {
  (void)context;
  (void)keys;
}

bool keys_from_secret_file(const char *path, struct gateway_keys *ret_keys, struct failure *ret_failure) {
  struct arena arena;
  struct bytes secret;
  struct jwt_keys *keys;
  arena_init(&arena);
  bool good = secret_read(path, JWT_SECRET_BYTES_MIN, &arena, &secret, ret_failure) &&
              jwt_keys_from_secret(secret, &keys, ret_failure);
  arena_release(&arena);
  if (!good) return false;
  *ret_keys = (struct gateway_keys){.context = keys, .acquire = acquire_fixed, .release = release_fixed};
  return true;
}
