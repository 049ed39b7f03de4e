/* Where a JWKS comes from: a file, or a URL (https; http on loopback only). Kept in memory and fetched
 * again on demand at a bounded rate; a fetch that fails keeps the keys there are.
 *
 * Readers on any thread take a reference (key_source_acquire), verify with it and give it back; the keys
 * they hold stay as they are, whatever a refresh does meanwhile. */
#ifndef PLATFORM_NET_KEY_SOURCE_H
#define PLATFORM_NET_KEY_SOURCE_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/failure.h"
#include "wire/jwt.h"

enum { KEY_SOURCE_BYTES_MAX = 1024 * 1024 };

struct key_source_settings {
  const char *location;     /* a path, "https://…", or "http://127.0.0.1…" (also [::1], localhost) */
  int64_t timeout_ms;       /* of one fetch, from the name's look-up to the last byte */
  int64_t refresh_pause_ms; /* at least so long from one attempt to the next */
  int64_t refresh_age_ms;   /* key_source_refresh_if_old fetches when the last attempt is older */
};

/* 5 s, 10 s, 10 min. */
void key_source_settings_init(struct key_source_settings *settings, const char *location);

struct key_source;

/* Checks the location; fetches nothing yet. */
MUST_USE bool key_source_open(const struct key_source_settings *settings, struct key_source **ret_source,
                              struct failure *ret_failure);
void key_source_free(struct key_source *source);
bool key_source_is_url(const struct key_source *source);
/* The last fetch brought no document at all: a file that is missing, a server that did not answer. */
bool key_source_is_unreachable(const struct key_source *source);

/* Fetches the keys and puts them in place of the old ones; blocks for at most the time-out (and for
 * that of a fetch under way on another thread). True too where nothing was done because the last
 * attempt is less than refresh_pause_ms ago. False, with file or URL and problem named, where the fetch
 * failed or what came is no usable JWKS; the old keys stay. From any thread. */
MUST_USE bool key_source_refresh(struct key_source *source, struct failure *ret_failure);
/* The same where the keys are older than refresh_age_ms; true at once otherwise. */
MUST_USE bool key_source_refresh_if_old(struct key_source *source, struct failure *ret_failure);

/* The present keys, to be given back; NULL while none have been fetched. */
struct key_reference;
struct key_reference *key_source_acquire(struct key_source *source);
const struct jwt_keys *key_reference_keys(const struct key_reference *reference);
/* A number that each set of keys of a source has for itself, from 1. */
uint64_t key_reference_generation(const struct key_reference *reference);
/* From any thread, also after the source was freed; NULL does nothing. */
void key_reference_release(struct key_reference *reference);

#endif
