/* Port: the clock. */
#ifndef PORT_CLOCK_H
#define PORT_CLOCK_H

#include <stdint.h>

struct clock {
  int64_t (*now_ms)(struct clock *clock);       /* since 1970, may jump */
  int64_t (*monotonic_us)(struct clock *clock); /* only for differences */
};

static inline int64_t clock_now_ms(struct clock *clock) { return clock->now_ms(clock); }
static inline int64_t clock_monotonic_us(struct clock *clock) { return clock->monotonic_us(clock); }

#endif
