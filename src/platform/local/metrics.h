/* What /metrics shows: what was counted (telemetry_prometheus.h), and gauges read at that moment. */
#ifndef PLATFORM_LOCAL_METRICS_H
#define PLATFORM_LOCAL_METRICS_H

#include "base/text.h"
#include "platform/local/runner.h"
#include "platform/local/store_sqlite.h"

struct metrics_sources {
  struct telemetry *telemetry;
  struct store_sqlite *store;
  struct runner *runner; /* NULL until it runs */
  struct clock *clock;
};

void metrics_write(const struct metrics_sources *sources, struct text *text);

#endif
