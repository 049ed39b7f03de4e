#include "platform/net/system.h"

#include <errno.h>
#include <string.h>
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
enum { POOL_BYTES = 256 };

static void ask_kernel(void *ret_data, size_t size_bytes) {
  ssize_t got;
  do got = getrandom(ret_data, size_bytes, 0);
  while (got < 0 && errno == EINTR);
  ensure(got == (ssize_t)size_bytes);
}

/* Small pieces come from a pool of the thread, asked for at once: the system call costs more than all else in a
 * trace id. What was given is wiped, so that nobody finds it here later. No process of ours goes on in a copy
 * of itself (fork, snapshot), which would give the same again. */
static void fill(struct entropy *entropy, void *ret_data, size_t size_bytes) {
  static _Thread_local struct {
    uint8_t data[POOL_BYTES];
    size_t left;
  } pool;
  (void)entropy;
  for (uint8_t *at = ret_data; size_bytes > 0;) {
    if (pool.left == 0) {
      ask_kernel(pool.data, sizeof pool.data);
      pool.left = sizeof pool.data;
    }
    size_t part = size_bytes < pool.left ? size_bytes : pool.left;
    uint8_t *from = pool.data + pool.left - part;
    memcpy(at, from, part);
    explicit_bzero(from, part);
    pool.left -= part;
    at += part;
    size_bytes -= part;
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
