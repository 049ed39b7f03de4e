#include "platform/net/system.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/panic.h"

static int64_t now_ms(struct clock *clock) {
  struct timespec now;
  (void)clock;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_us(struct clock *clock) {
  struct timespec now;
  (void)clock;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* getrandom(2) gives up to 256 bytes whole, but for a signal before the pool is ready. */
static void fill(struct entropy *entropy, void *ret_data, size_t size_bytes) {
  (void)entropy;
  for (char *at = ret_data; size_bytes > 0;) {
    size_t part = size_bytes < 256 ? size_bytes : 256;
    ssize_t got = getrandom(at, part, 0);
    if (got < 0 && errno == EINTR) continue;
    ensure(got > 0);
    at += got;
    size_bytes -= (size_t)got;
  }
}

struct clock *system_clock(void) {
  static struct clock clock = {.now_ms = now_ms, .monotonic_us = monotonic_us};
  return &clock;
}

struct entropy *system_entropy(void) {
  static struct entropy entropy = {.fill = fill};
  return &entropy;
}
