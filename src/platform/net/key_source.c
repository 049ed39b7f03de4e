#include "platform/net/key_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"
#include "platform/net/key_fetch.h"

struct key_reference {
  struct jwt_keys *keys;
  uint64_t generation;
  atomic_int holders;
};

struct key_source {
  struct key_source_settings settings;
  char *location;
  bool is_url;
  pthread_mutex_t fetch_mutex; /* one fetch at a time; guards attempted_ms, attempted */
  int64_t attempted_ms;
  bool attempted;
  pthread_mutex_t mutex; /* guards current; held for an instruction or two */
  struct key_reference *current;
  uint64_t generation;     /* of the newest keys; guarded by mutex */
  atomic_bool unreachable; /* the last fetch brought no document at all */
};

void key_source_settings_init(struct key_source_settings *settings, const char *location) {
  *settings = (struct key_source_settings){
      .location = location, .timeout_ms = 5000, .refresh_pause_ms = 10000, .refresh_age_ms = 600000};
}

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool key_source_open(const struct key_source_settings *settings, struct key_source **ret_source,
                     struct failure *ret_failure) {
  bool is_url = key_location_is_url(settings->location);
  if (is_url && !key_url_check(settings->location, ret_failure)) return false;
  struct key_source *source = calloc(1, sizeof *source);
  char *location = strdup(settings->location);
  if (!source || !location) panic("out of memory");
  *source = (struct key_source){.settings = *settings, .location = location, .is_url = is_url};
  source->settings.location = location;
  ensure(pthread_mutex_init(&source->fetch_mutex, NULL) == 0);
  ensure(pthread_mutex_init(&source->mutex, NULL) == 0);
  *ret_source = source;
  return true;
}

void key_source_free(struct key_source *source) {
  if (!source) return;
  key_reference_release(source->current);
  pthread_mutex_destroy(&source->mutex);
  pthread_mutex_destroy(&source->fetch_mutex);
  free(source->location);
  free(source);
}

bool key_source_is_url(const struct key_source *source) { return source->is_url; }

static void replace(struct key_source *source, struct jwt_keys *keys) {
  struct key_reference *fresh = calloc(1, sizeof *fresh);
  if (!fresh) panic("out of memory");
  fresh->keys = keys;
  atomic_init(&fresh->holders, 1); /* the source itself */
  pthread_mutex_lock(&source->mutex);
  struct key_reference *old = source->current;
  source->current = fresh;
  fresh->generation = ++source->generation;
  pthread_mutex_unlock(&source->mutex);
  key_reference_release(old);
}

static bool fetch(struct key_source *source, struct failure *ret_failure) {
  struct text text;
  struct failure problem = {""};
  struct jwt_keys *keys = NULL;
  text_init(&text, NULL);
  bool good = source->is_url ? key_fetch_url(source->location, source->settings.timeout_ms,
                                             KEY_SOURCE_BYTES_MAX, &text, ret_failure)
                             : key_fetch_file(source->location, KEY_SOURCE_BYTES_MAX, &text, ret_failure);
  atomic_store(&source->unreachable, !good);
  if (good && !jwt_keys_from_jwks(text_view(&text), &keys, &problem))
    good = failure_set(ret_failure, "%.150s: %.240s", source->location, problem.text);
  text_release(&text);
  if (good) replace(source, keys);
  return good;
}

static bool refresh_after(struct key_source *source, int64_t pause_ms, struct failure *ret_failure) {
  bool good = true;
  pthread_mutex_lock(&source->fetch_mutex);
  if (!source->attempted || monotonic_ms() - source->attempted_ms >= pause_ms) {
    good = fetch(source, ret_failure);
    source->attempted = true;
    source->attempted_ms = monotonic_ms(); /* its end, so that slow fetches are not back to back */
  }
  pthread_mutex_unlock(&source->fetch_mutex);
  return good;
}

bool key_source_refresh(struct key_source *source, struct failure *ret_failure) {
  return refresh_after(source, source->settings.refresh_pause_ms, ret_failure);
}

bool key_source_refresh_if_old(struct key_source *source, struct failure *ret_failure) {
  return refresh_after(source, source->settings.refresh_age_ms, ret_failure);
}

struct key_reference *key_source_acquire(struct key_source *source) {
  pthread_mutex_lock(&source->mutex);
  struct key_reference *reference = source->current;
  if (reference) atomic_fetch_add(&reference->holders, 1);
  pthread_mutex_unlock(&source->mutex);
  return reference;
}

bool key_source_is_unreachable(const struct key_source *source) { return atomic_load(&source->unreachable); }

uint64_t key_reference_generation(const struct key_reference *reference) { return reference->generation; }

const struct jwt_keys *key_reference_keys(const struct key_reference *reference) { return reference->keys; }

void key_reference_release(struct key_reference *reference) {
  if (!reference || atomic_fetch_sub(&reference->holders, 1) != 1) return;
  jwt_keys_free(reference->keys);
  free(reference);
}
