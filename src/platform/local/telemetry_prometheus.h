/* Telemetry kept in memory and written in Prometheus' text format (version 0.0.4). */
#ifndef PLATFORM_LOCAL_TELEMETRY_PROMETHEUS_H
#define PLATFORM_LOCAL_TELEMETRY_PROMETHEUS_H

#include "base/text.h"
#include "port/telemetry.h"

struct telemetry *telemetry_prometheus_make(void);
void telemetry_prometheus_free(struct telemetry *telemetry);

/* Everything that was counted so far; thread-safe, as counting is. */
void telemetry_prometheus_write(struct telemetry *telemetry, struct text *text);

/* One gauge's HELP and TYPE lines, then its samples. `labels` is "" or "service=\"inventory\"". */
void prometheus_write_gauge_head(struct text *text, const char *name, const char *help);
void prometheus_write_gauge(struct text *text, const char *name, const char *labels, double value);

#endif
