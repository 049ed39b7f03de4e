#include "bootstrap/keys.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "platform/aws/secrets.h"
#include "platform/net/key_fetch.h"
#include "platform/net/key_source.h"

struct keys {
  struct jwt_keys *fixed; /* NULL: from `source` */
  struct key_source *source;
};

static struct keys *make(struct jwt_keys *fixed, struct key_source *source) {
  struct keys *keys = calloc(1, sizeof *keys);
  if (!keys) panic("out of memory");
  *keys = (struct keys){.fixed = fixed, .source = source};
  return keys;
}

bool keys_from_secret(struct aws_client *client, const char *location, struct keys **ret_keys,
                      struct failure *ret_failure) {
  struct arena arena;
  struct bytes secret;
  struct jwt_keys *fixed;
  arena_init(&arena);
  bool good = aws_secret_read(client, location, JWT_SECRET_BYTES_MIN, &arena, &secret, ret_failure) &&
              jwt_keys_from_secret(secret, &fixed, ret_failure);
  arena_release(&arena);
  if (good) *ret_keys = make(fixed, NULL);
  return good;
}

static bool from_url(const char *url, struct keys **ret_keys, struct failure *ret_failure) {
  struct key_source_settings settings;
  struct key_source *source;
  key_source_settings_init(&settings, url);
  if (!key_source_open(&settings, &source, ret_failure)) return false;
  /* An issuer that does not answer now is asked again with the first token. */
  if (!key_source_refresh(source, ret_failure)) {
    log_event(LOG_WARN, "keys_not_refreshed", LOG_STRING("detail", ret_failure->text));
    if (!key_source_is_unreachable(source)) {
      key_source_free(source);
      return false;
    }
  }
  *ret_keys = make(NULL, source);
  return true;
}

bool keys_from_jwks(struct aws_client *client, const char *location, struct keys **ret_keys,
                    struct failure *ret_failure) {
  struct arena arena;
  struct bytes document;
  struct jwt_keys *fixed;
  if (key_location_is_url(location)) return from_url(location, ret_keys, ret_failure);
  arena_init(&arena);
  bool good = aws_secret_read(client, location, 1, &arena, &document, ret_failure) &&
              jwt_keys_from_jwks(document, &fixed, ret_failure);
  arena_release(&arena);
  if (good) *ret_keys = make(fixed, NULL);
  return good;
}

static const struct jwt_keys *acquire(void *context, uint64_t *ret_generation, void **ret_hold) {
  struct keys *keys = context;
  *ret_hold = NULL;
  *ret_generation = 1;
  if (keys->fixed) return keys->fixed;
  struct key_reference *reference = key_source_acquire(keys->source);
  *ret_hold = reference;
  *ret_generation = reference ? key_reference_generation(reference) : 0;
  return reference ? key_reference_keys(reference) : NULL;
}

static void release(void *hold) {
  if (hold) key_reference_release(hold);
}

static void refresh(void *context) {
  struct keys *keys = context;
  struct failure failure;
  if (!key_source_refresh(keys->source, &failure))
    log_event(LOG_WARN, "keys_not_refreshed", LOG_STRING("detail", failure.text));
}

struct gateway_keys keys_for_gateway(struct keys *keys) {
  return (struct gateway_keys){
      .context = keys, .acquire = acquire, .release = release, .refresh = keys->fixed ? NULL : refresh};
}

void keys_free(struct keys *keys) {
  if (!keys) return;
  jwt_keys_free(keys->fixed);
  if (keys->source) key_source_free(keys->source);
  free(keys);
}
