/* A rate limit per customer: a token bucket each, in a table of bounded size. Thread-safe. */
#ifndef GATEWAY_LIMIT_H
#define GATEWAY_LIMIT_H

#include <stdint.h>

#include "base/bytes.h"

struct rate_limiter;

/* `rate` requests a second on average, `burst` at once; both at least 1. */
struct rate_limiter *rate_limiter_make(int64_t rate, int64_t burst);
void rate_limiter_free(struct rate_limiter *limiter);

struct rate_state {
  bool allowed;
  int64_t remaining;    /* requests that would be allowed now */
  int64_t wait_seconds; /* not allowed: until the next one is; allowed: until the bucket is full */
};

struct rate_state rate_limiter_take(struct rate_limiter *limiter, struct bytes customer, int64_t now_us);

#endif
