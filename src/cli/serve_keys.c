#include "cli/serve_keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/panic.h"
#include "cli/secret.h"
#include "platform/net/key_source.h"

enum { REFRESH_CHECK_SECONDS = 10 };

struct serve_keys {
  struct jwt_keys *fixed; /* of a secret; NULL: from `source` */
  struct key_source *source;
  pthread_t thread; /* refreshes the source */
  pthread_mutex_t mutex;
  pthread_cond_t stop;
  bool stopping;
};

static struct serve_keys *make(void) {
  struct serve_keys *keys = calloc(1, sizeof *keys);
  if (!keys) panic("out of memory");
  return keys;
}

/* --- a secret --- */

static const struct jwt_keys *acquire_fixed(void *context, uint64_t *ret_generation, void **ret_hold) {
  *ret_generation = 1;
  *ret_hold = NULL;
  return ((struct serve_keys *)context)->fixed;
}

static void release_fixed(void *hold) { (void)hold; }

bool serve_keys_from_secret_file(const char *path, struct serve_keys **ret_keys, struct failure *ret_failure) {
  struct arena arena;
  struct bytes secret;
  struct jwt_keys *fixed;
  arena_init(&arena);
  bool good = secret_read(path, JWT_SECRET_BYTES_MIN, &arena, &secret, ret_failure) &&
              jwt_keys_from_secret(secret, &fixed, ret_failure);
  arena_release(&arena);
  if (!good) return false;
  *ret_keys = make();
  (*ret_keys)->fixed = fixed;
  return true;
}

/* --- a JWKS --- */

static const struct jwt_keys *acquire_newest(void *context, uint64_t *ret_generation, void **ret_hold) {
  struct key_reference *reference = key_source_acquire(((struct serve_keys *)context)->source);
  *ret_hold = reference;
  *ret_generation = reference ? key_reference_generation(reference) : 0;
  return reference ? key_reference_keys(reference) : NULL;
}

static void release_newest(void *hold) { key_reference_release(hold); }

static void refresh(void *context) {
  struct failure failure;
  if (!key_source_refresh(((struct serve_keys *)context)->source, &failure))
    log_event(LOG_WARN, "keys_not_refreshed", LOG_STRING("detail", failure.text));
}

bool serve_keys_ready(struct serve_keys *keys) {
  if (keys->fixed) return true;
  struct key_reference *reference = key_source_acquire(keys->source);
  key_reference_release(reference);
  return reference != NULL;
}

/* Looks in every while whether the keys have grown old, or are still missing. */
static void *keep_fresh(void *context) {
  struct serve_keys *keys = context;
  struct failure failure;
  pthread_mutex_lock(&keys->mutex);
  while (!keys->stopping) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += REFRESH_CHECK_SECONDS;
    pthread_cond_timedwait(&keys->stop, &keys->mutex, &until);
    if (keys->stopping) break;
    pthread_mutex_unlock(&keys->mutex);
    if (!serve_keys_ready(keys))
      refresh(keys);
    else if (!key_source_refresh_if_old(keys->source, &failure))
      log_event(LOG_WARN, "keys_not_refreshed", LOG_STRING("detail", failure.text));
    pthread_mutex_lock(&keys->mutex);
  }
  pthread_mutex_unlock(&keys->mutex);
  return NULL;
}

bool serve_keys_from_jwks(const char *file_or_url, struct serve_keys **ret_keys, struct failure *ret_failure) {
  struct key_source_settings settings;
  struct key_source *source;
  key_source_settings_init(&settings, file_or_url);
  if (!key_source_open(&settings, &source, ret_failure)) return false;
  if (!key_source_refresh(source, ret_failure)) {
    if (!key_source_is_url(source) || !key_source_is_unreachable(source)) {
      key_source_free(source);
      return false;
    }
    log_event(LOG_WARN, "keys_not_refreshed", LOG_STRING("detail", ret_failure->text));
  }
  struct serve_keys *keys = make();
  keys->source = source;
  pthread_mutex_init(&keys->mutex, NULL);
  pthread_cond_init(&keys->stop, NULL);
  ensure(pthread_create(&keys->thread, NULL, keep_fresh, keys) == 0);
  *ret_keys = keys;
  return true;
}

struct gateway_keys serve_keys_for_gateway(struct serve_keys *keys) {
  if (keys->fixed)
    return (struct gateway_keys){.context = keys, .acquire = acquire_fixed, .release = release_fixed};
  return (struct gateway_keys){
      .context = keys, .acquire = acquire_newest, .release = release_newest, .refresh = refresh};
}

void serve_keys_free(struct serve_keys *keys) {
  if (!keys) return;
  if (keys->source) {
    pthread_mutex_lock(&keys->mutex);
    keys->stopping = true;
    pthread_cond_signal(&keys->stop);
    pthread_mutex_unlock(&keys->mutex);
    pthread_join(keys->thread, NULL);
    pthread_mutex_destroy(&keys->mutex);
    pthread_cond_destroy(&keys->stop);
    key_source_free(keys->source);
  }
  jwt_keys_free(keys->fixed);
  free(keys);
}
