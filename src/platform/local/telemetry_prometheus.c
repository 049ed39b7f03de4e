#include "platform/local/telemetry_prometheus.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

enum { SERIES_MAX = 512, BUCKETS_MAX = 16 };
enum metric_type { COUNTER, HISTOGRAM };

static const struct {
  const char *name, *help;
  enum metric_type type;
} metrics[METRIC_COUNT] = {
#define X(id, name, type, help) {name, help, type},
    TELEMETRY_METRICS(X)
#undef X
};

static const struct {
  const char *a, *b;
} label_names[METRIC_COUNT] = {
    [METRIC_REQUESTS] = {"route", "status"},   [METRIC_ACCEPT_SECONDS] = {"result", NULL},
    [METRIC_CALL_SECONDS] = {"command", NULL}, [METRIC_CALLS] = {"command", "outcome"},
    [METRIC_RETRIES] = {"service", NULL},      [METRIC_TRANSITIONS] = {"status", NULL},
    [METRIC_OVERLOADS] = {"cause", NULL},
};

static const double second_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                       0.25,   0.5,   1,      2.5,   5,    10,    30};
static const double size_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};

struct series {
  enum telemetry_metric metric;
  const char *label_a, *label_b;
  uint64_t count;
  double sum;
  uint64_t buckets[BUCKETS_MAX]; /* not cumulative; the last is what is above all bounds */
};

struct telemetry_prometheus {
  struct telemetry port;
  pthread_mutex_t mutex;
  struct series series[SERIES_MAX];
  size_t count;
};

static const double *bounds_of(enum telemetry_metric metric, size_t *ret_count) {
  bool sizes = metric == METRIC_COMMIT_BATCH;
  *ret_count = sizes ? sizeof size_bounds / sizeof *size_bounds : sizeof second_bounds / sizeof *second_bounds;
  return sizes ? size_bounds : second_bounds;
}

static bool same_label(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Labels come from small fixed sets, so a search is short and the table can't fill up. */
static struct series *find(struct telemetry_prometheus *all, enum telemetry_metric metric, const char *a,
                           const char *b) {
  for (size_t i = 0; i < all->count; i++) {
    struct series *series = &all->series[i];
    if (series->metric == metric && same_label(series->label_a, a) && same_label(series->label_b, b))
      return series;
  }
  ensure(all->count < SERIES_MAX);
  struct series *series = &all->series[all->count++];
  *series = (struct series){.metric = metric, .label_a = a, .label_b = b};
  return series;
}

static void count(struct telemetry *telemetry, enum telemetry_metric metric, const char *a, const char *b,
                  uint64_t by) {
  struct telemetry_prometheus *all = (struct telemetry_prometheus *)telemetry;
  pthread_mutex_lock(&all->mutex);
  find(all, metric, a, b)->count += by;
  pthread_mutex_unlock(&all->mutex);
}

static void observe(struct telemetry *telemetry, enum telemetry_metric metric, const char *label,
                    double value) {
  struct telemetry_prometheus *all = (struct telemetry_prometheus *)telemetry;
  size_t bound_count, bucket = 0;
  const double *bounds = bounds_of(metric, &bound_count);
  while (bucket < bound_count && value > bounds[bucket]) bucket++;
  pthread_mutex_lock(&all->mutex);
  struct series *series = find(all, metric, label, NULL);
  series->count++;
  series->sum += value;
  series->buckets[bucket]++;
  pthread_mutex_unlock(&all->mutex);
}

struct telemetry *telemetry_prometheus_make(void) {
  struct telemetry_prometheus *all = calloc(1, sizeof *all);
  if (!all) panic("out of memory");
  all->port = (struct telemetry){.count = count, .observe = observe};
  pthread_mutex_init(&all->mutex, NULL);
  return &all->port;
}

void telemetry_prometheus_free(struct telemetry *telemetry) {
  struct telemetry_prometheus *all = (struct telemetry_prometheus *)telemetry;
  if (!all) return;
  pthread_mutex_destroy(&all->mutex);
  free(all);
}

/* {route="GET /healthz",status="200"}, with `more` (le="…") at the end where it is given. */
static void write_labels(struct text *text, const struct series *series, const char *more) {
  const char *names[] = {label_names[series->metric].a, label_names[series->metric].b};
  const char *values[] = {series->label_a, series->label_b};
  bool any = false;
  for (size_t i = 0; i < 2; i++) {
    if (!names[i] || !values[i]) continue;
    text_printf(text, "%s%s=\"%s\"", any ? "," : "{", names[i], values[i]);
    any = true;
  }
  if (more) text_printf(text, "%s%s", any ? "," : "{", more);
  if (any || more) text_append_char(text, '}');
}

static void write_histogram(struct text *text, const struct series *series, const char *name) {
  size_t bound_count;
  const double *bounds = bounds_of(series->metric, &bound_count);
  uint64_t below = 0;
  for (size_t i = 0; i <= bound_count; i++) {
    char le[40] = "le=\"+Inf\"";
    below += series->buckets[i];
    if (i < bound_count) snprintf(le, sizeof le, "le=\"%g\"", bounds[i]);
    text_printf(text, "%s_bucket", name);
    write_labels(text, series, le);
    text_printf(text, " %llu\n", (unsigned long long)below);
  }
  text_printf(text, "%s_sum", name);
  write_labels(text, series, NULL);
  text_printf(text, " %.9g\n%s_count", series->sum, name);
  write_labels(text, series, NULL);
  text_printf(text, " %llu\n", (unsigned long long)series->count);
}

void telemetry_prometheus_write(struct telemetry *telemetry, struct text *text) {
  struct telemetry_prometheus *all = (struct telemetry_prometheus *)telemetry;
  pthread_mutex_lock(&all->mutex);
  for (size_t metric = 0; metric < METRIC_COUNT; metric++) {
    const char *name = metrics[metric].name;
    text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, metrics[metric].help, name,
                metrics[metric].type == COUNTER ? "counter" : "histogram");
    for (size_t i = 0; i < all->count; i++) {
      const struct series *series = &all->series[i];
      if (series->metric != metric) continue;
      if (metrics[metric].type == HISTOGRAM) {
        write_histogram(text, series, name);
        continue;
      }
      text_append_string(text, name);
      write_labels(text, series, NULL);
      text_printf(text, " %llu\n", (unsigned long long)series->count);
    }
  }
  pthread_mutex_unlock(&all->mutex);
}

void prometheus_write_gauge_head(struct text *text, const char *name, const char *help) {
  text_printf(text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

void prometheus_write_gauge(struct text *text, const char *name, const char *labels, double value) {
  text_printf(text, labels[0] ? "%s{%s} %.17g\n" : "%s%s %.17g\n", name, labels, value);
}
