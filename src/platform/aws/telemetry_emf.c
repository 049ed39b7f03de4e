#include "platform/aws/telemetry_emf.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/panic.h"
#include "wire/json_write.h"

enum { PERIOD_MS = 60000, SERIES_MAX = 64 };

/* What CloudWatch is told; the rest is in its own metrics (requests, durations, throttles) or not worth the
 * price of a custom metric. A label of its own dimension, or one value that is picked. */
static const struct {
  enum telemetry_metric metric;
  const char *only; /* count where label a is this; NULL: any */
  const char *name, *dimension;
  bool urgent;
} told[] = {
    {METRIC_TRANSITIONS, "attention", "OrdersToAttention", NULL, true},
    {METRIC_TRANSITIONS, "completed", "OrdersCompleted", NULL, false},
    {METRIC_TRANSITIONS, "accepted", "OrdersAccepted", NULL, false},
    {METRIC_TRANSITIONS, "rejected", "OrdersRejected", NULL, false},
    {METRIC_SPILLS, NULL, "OrdersSpilled", NULL, true},
    {METRIC_RETRIES, NULL, "CallRetries", "Service", true},
};

struct series {
  size_t told;
  const char *label;
  uint64_t count;
};

struct telemetry_emf {
  struct telemetry port;
  const char *function;
  struct series series[SERIES_MAX];
  size_t count;
  int64_t written_ms; /* the first minute begins with the first invocation */
};

static void add(struct telemetry_emf *all, size_t which, const char *label, uint64_t by) {
  for (size_t i = 0; i < all->count; i++)
    if (all->series[i].told == which && (!label || strcmp(all->series[i].label, label) == 0)) {
      all->series[i].count += by;
      return;
    }
  if (all->count < SERIES_MAX) all->series[all->count++] = (struct series){which, label, by};
}

static void count(struct telemetry *port, enum telemetry_metric metric, const char *a, const char *b,
                  uint64_t by) {
  struct telemetry_emf *all = (struct telemetry_emf *)port;
  (void)b;
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
    if (told[i].metric != metric || (told[i].only && (!a || strcmp(told[i].only, a) != 0))) continue;
    add(all, i, told[i].dimension && a ? a : NULL, by);
  }
}

static void observe(struct telemetry *port, enum telemetry_metric metric, const char *label, double value) {
  (void)port, (void)metric, (void)label, (void)value; /* CloudWatch has the functions' durations */
}

static void write_one(const struct telemetry_emf *all, const struct series *series, int64_t now_ms) {
  const char *dimension = told[series->told].dimension;
  struct text text;
  struct json_writer json;
  text_init(&text, NULL);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_open_object(&json, "_aws");
  json_write_int64(&json, "Timestamp", now_ms);
  json_open_array(&json, "CloudWatchMetrics");
  json_open_object(&json, NULL);
  json_write_string(&json, "Namespace", "Spillway");
  json_open_array(&json, "Dimensions");
  json_open_array(&json, NULL);
  json_write_string(&json, NULL, "Function");
  if (dimension) json_write_string(&json, NULL, dimension);
  json_close_array(&json);
  json_close_array(&json);
  json_open_array(&json, "Metrics");
  json_open_object(&json, NULL);
  json_write_string(&json, "Name", told[series->told].name);
  json_write_string(&json, "Unit", "Count");
  json_close_object(&json);
  json_close_array(&json);
  json_close_object(&json);
  json_close_array(&json);
  json_close_object(&json);
  json_write_string(&json, "Function", all->function);
  if (dimension) json_write_string(&json, dimension, series->label);
  json_write_int64(&json, told[series->told].name, (int64_t)series->count);
  json_close_object(&json);
  text_append_char(&text, '\n');
  if (write(STDOUT_FILENO, text.data, text.size) < 0) { /* nobody to tell */
  }
  text_release(&text);
}

void telemetry_emf_write(struct telemetry_emf *all, int64_t now_ms, bool in_any_case) {
  if (all->written_ms == 0) all->written_ms = now_ms;
  bool whole = in_any_case || now_ms - all->written_ms >= PERIOD_MS;
  size_t kept = 0;
  for (size_t i = 0; i < all->count; i++) {
    if (whole || told[all->series[i].told].urgent)
      write_one(all, &all->series[i], now_ms);
    else
      all->series[kept++] = all->series[i];
  }
  all->count = kept;
  if (whole) all->written_ms = now_ms;
}

struct telemetry_emf *telemetry_emf_open(const char *function) {
  struct telemetry_emf *all = calloc(1, sizeof *all);
  if (!all) panic("out of memory");
  all->port = (struct telemetry){.count = count, .observe = observe};
  all->function = function;
  return all;
}

void telemetry_emf_close(struct telemetry_emf *telemetry) { free(telemetry); }

struct telemetry *telemetry_emf_port(struct telemetry_emf *telemetry) {
  return &telemetry->port;
}
