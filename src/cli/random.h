/* A small seeded generator (splitmix64, Steele, Lea, Flood 2014) for faults and jitter: repeatable,
 * not for secrets. */
#ifndef CLI_RANDOM_H
#define CLI_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* At least 0, below 1. */
static inline double random_unit(uint64_t *state) { return (double)(random_next(state) >> 11) * 0x1p-53; }

/* True with this probability; draws always, so that one rate does not shift the others' draws. */
static inline bool random_chance(uint64_t *state, double probability) {
  return random_unit(state) < probability;
}

#endif
