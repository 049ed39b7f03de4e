#include "gateway/limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/panic.h"

/* Sets of four slots, by hash. The fullest bucket of a set is the one forgotten: a full bucket
 * limits nobody. */
enum { SETS = 16384, WAYS = 4, MICRO = 1000000 };

struct bucket {
  uint64_t customer; /* hash; 0: empty */
  int64_t level;     /* in millionths of a request */
  int64_t at_us;
};

struct rate_limiter {
  pthread_mutex_t mutex;
  int64_t rate, burst;
  struct bucket buckets[SETS][WAYS];
};

struct rate_limiter *rate_limiter_make(int64_t rate, int64_t burst) {
  struct rate_limiter *limiter = calloc(1, sizeof *limiter);
  if (!limiter) panic("out of memory");
  pthread_mutex_init(&limiter->mutex, NULL);
  limiter->rate = rate;
  limiter->burst = burst;
  return limiter;
}

void rate_limiter_free(struct rate_limiter *limiter) {
  if (!limiter) return;
  pthread_mutex_destroy(&limiter->mutex);
  free(limiter);
}

static void refill(const struct rate_limiter *limiter, struct bucket *bucket, int64_t now_us) {
  int64_t full = limiter->burst * MICRO, added;
  int64_t passed_us = now_us > bucket->at_us ? now_us - bucket->at_us : 0;
  if (__builtin_mul_overflow(passed_us, limiter->rate, &added)) added = full;
  bucket->level = added >= full - bucket->level ? full : bucket->level + added;
  bucket->at_us = now_us;
}

static struct bucket *find_bucket(struct rate_limiter *limiter, uint64_t customer, int64_t now_us) {
  struct bucket *set = limiter->buckets[customer % SETS], *fullest = &set[0];
  for (size_t i = 0; i < WAYS; i++) {
    if (set[i].customer == 0) set[i] = (struct bucket){.level = limiter->burst * MICRO, .at_us = now_us};
    refill(limiter, &set[i], now_us);
    if (set[i].customer == customer) return &set[i];
    if (set[i].level > fullest->level) fullest = &set[i];
  }
  *fullest = (struct bucket){.customer = customer, .level = limiter->burst * MICRO, .at_us = now_us};
  return fullest;
}

struct rate_state rate_limiter_take(struct rate_limiter *limiter, struct bytes customer, int64_t now_us) {
  uint8_t digest[SHA256_BYTES];
  uint64_t hash;
  struct rate_state state;
  sha256(customer, digest);
  memcpy(&hash, digest, sizeof hash);
  if (hash == 0) hash = 1;
  pthread_mutex_lock(&limiter->mutex);
  struct bucket *bucket = find_bucket(limiter, hash, now_us);
  state.allowed = bucket->level >= MICRO;
  if (state.allowed) bucket->level -= MICRO;
  int64_t missing = state.allowed ? limiter->burst * MICRO - bucket->level : MICRO - bucket->level;
  state.remaining = bucket->level / MICRO;
  pthread_mutex_unlock(&limiter->mutex);
  int64_t per_second = limiter->rate * MICRO;
  state.wait_seconds = (missing + per_second - 1) / per_second;
  return state;
}
