/* The small ports, each set by the test: a clock that stands still, entropy that counts, telemetry
 * that adds up. */
#ifndef TESTS_FAKE_PORTS_H
#define TESTS_FAKE_PORTS_H

#include "port/clock.h"
#include "port/entropy.h"
#include "port/telemetry.h"

struct fake_clock {
  struct clock port;
  int64_t now_ms;
  int64_t monotonic_us;
};

struct fake_entropy {
  struct entropy port;
  uint8_t next;    /* the next byte handed out; each is one more than the last */
  bool is_highest; /* hands out 0xFF only: the longest of every delay */
  size_t fills;
};

struct fake_telemetry {
  struct telemetry port;
  uint64_t counts[METRIC_COUNT];
  uint64_t observations[METRIC_COUNT];
  const char *label_a[METRIC_COUNT], *label_b[METRIC_COUNT]; /* the last ones */
  double value[METRIC_COUNT];                                /* the last one observed */
};

void fake_clock_init(struct fake_clock *clock, int64_t now_ms);
void fake_entropy_init(struct fake_entropy *entropy);
void fake_telemetry_init(struct fake_telemetry *telemetry);

#endif
