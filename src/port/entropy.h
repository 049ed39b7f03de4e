/* Port: randomness, for jitter, trace ids and keys. */
#ifndef PORT_ENTROPY_H
#define PORT_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

struct entropy {
  void (*fill)(struct entropy *entropy, void *ret_data, size_t size_bytes);
};

static inline void entropy_fill(struct entropy *entropy, void *ret_data, size_t size_bytes) {
  entropy->fill(entropy, ret_data, size_bytes);
}

/* Uniform in 0 to below - 1; `below` at least 1. */
static inline uint64_t entropy_below(struct entropy *entropy, uint64_t below) {
  uint64_t value;
  entropy_fill(entropy, &value, sizeof value);
  return (uint64_t)(((unsigned __int128)value * below) >> 64);
}

#endif
