/* Port: what is counted and timed. The metrics are one table, from which the enum below and each
 * implementation's own table are made. */
#ifndef PORT_TELEMETRY_H
#define PORT_TELEMETRY_H

#include "base/bytes.h"

#include <stdint.h>

/* id, name, type, help. What the labels are is said by the help text. */
#define TELEMETRY_METRICS(X)                                                                                  \
  X(REQUESTS, "spillway_http_requests_total", COUNTER, "HTTP requests answered, by route and status.")        \
  X(ACCEPT_SECONDS, "spillway_accept_duration_seconds", HISTOGRAM,                                            \
    "Time from a complete order request to its answer, by status class.")                                     \
  X(COMMIT_BATCH, "spillway_commit_batch_size", HISTOGRAM, "Commits that shared one transaction.")            \
  X(COMMIT_SECONDS, "spillway_commit_duration_seconds", HISTOGRAM, "Time of one transaction with its fsync.") \
  X(CALL_SECONDS, "spillway_call_duration_seconds", HISTOGRAM, "Time of one call to a service, by command.")  \
  X(CALLS, "spillway_calls_total", COUNTER, "Calls to services, by command and outcome.")                     \
  X(RETRIES, "spillway_call_retries_total", COUNTER, "Calls put back to be tried again, by service.")         \
  X(TRANSITIONS, "spillway_order_transitions_total", COUNTER, "Transitions of orders, by new status.")        \
  X(SPILLS, "spillway_orders_spilled_total", COUNTER,                                                         \
    "Orders accepted into the intake because the store could not take them.")                                 \
  X(OVERLOADS, "spillway_overload_total", COUNTER, "Requests refused early, by cause.")

enum telemetry_metric {
#define X(id, name, type, help) METRIC_##id,
  TELEMETRY_METRICS(X)
#undef X
      METRIC_COUNT
};

struct telemetry {
  /* Labels are static strings, NULL where the metric has fewer. */
  void (*count)(struct telemetry *telemetry, enum telemetry_metric metric, const char *label_a,
                const char *label_b, uint64_t by);
  void (*observe)(struct telemetry *telemetry, enum telemetry_metric metric, const char *label, double value);
};

static inline void telemetry_count(struct telemetry *telemetry, enum telemetry_metric metric,
                                   const char *label_a, const char *label_b, uint64_t by) {
  telemetry->count(telemetry, metric, label_a, label_b, by);
}

static inline void telemetry_observe(struct telemetry *telemetry, enum telemetry_metric metric,
                                     const char *label, double value) {
  telemetry->observe(telemetry, metric, label, value);
}

#endif
