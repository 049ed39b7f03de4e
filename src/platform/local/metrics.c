#include "platform/local/metrics.h"

#include <stdio.h>

#include "order/step.h"
#include "platform/local/queue_local.h"
#include "platform/local/telemetry_prometheus.h"

enum { LABELS_BYTES = 120 };

static void write_orders(const struct metrics_sources *sources, struct text *text) {
  struct store_sqlite_statistics statistics;
  char labels[LABELS_BYTES];
  store_sqlite_statistics(sources->store, &statistics);
  prometheus_write_gauge_head(text, "spillway_orders", "Orders stored, by status.");
  for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
    snprintf(labels, sizeof labels, "status=\"%s\"", order_status_name((enum order_status)status));
    prometheus_write_gauge(text, "spillway_orders", labels, (double)statistics.orders[status]);
  }
  prometheus_write_gauge_head(text, "spillway_attention", "Commands that wait for a person's decision.");
  prometheus_write_gauge(text, "spillway_attention", "", (double)statistics.attention);
  prometheus_write_gauge_head(text, "spillway_commits_waiting", "Commits that wait for the writer.");
  prometheus_write_gauge(text, "spillway_commits_waiting", "", (double)statistics.waiting);
}

static void queue_labels(char labels[LABELS_BYTES], int index) {
  snprintf(labels, LABELS_BYTES, "service=\"%s\",channel=\"%s\"", service_names[index / CHANNEL_COUNT],
           order_channel_name(index % CHANNEL_COUNT));
}

static void write_queues(const struct metrics_sources *sources, struct text *text) {
  struct queue *queue = store_sqlite_queue(sources->store);
  struct queue_local_statistics statistics[QUEUE_COUNT];
  char labels[LABELS_BYTES];
  int64_t now_ms = clock_now_ms(sources->clock);
  prometheus_write_gauge_head(text, "spillway_queue_messages",
                              "Commands that wait in a queue or are being called.");
  for (int index = 0; index < QUEUE_COUNT; index++) {
    queue_local_statistics(queue, index, &statistics[index]);
    queue_labels(labels, index);
    prometheus_write_gauge(text, "spillway_queue_messages", labels,
                           (double)(statistics[index].waiting + statistics[index].leased));
  }
  prometheus_write_gauge_head(text, "spillway_queue_oldest_age_seconds",
                              "Age of the oldest command that waits in a queue.");
  for (int index = 0; index < QUEUE_COUNT; index++) {
    int64_t oldest_ms = statistics[index].oldest_created_ms;
    queue_labels(labels, index);
    prometheus_write_gauge(text, "spillway_queue_oldest_age_seconds", labels,
                           oldest_ms < now_ms ? (double)(now_ms - oldest_ms) / 1000.0 : 0.0);
  }
}

static void write_services(const struct metrics_sources *sources, struct text *text) {
  struct runner_statistics statistics;
  char labels[LABELS_BYTES];
  if (!sources->runner) return;
  runner_statistics(sources->runner, &statistics);
  prometheus_write_gauge_head(text, "spillway_circuit_state",
                              "0: closed, calls go out. 1: half open, one is tried. 2: open, none.");
  for (int service = 0; service < SERVICE_COUNT; service++) {
    snprintf(labels, sizeof labels, "service=\"%s\"", service_names[service]);
    prometheus_write_gauge(text, "spillway_circuit_state", labels, (double)statistics.circuit[service]);
  }
  prometheus_write_gauge_head(text, "spillway_calls_under_way", "Calls to a service that have no answer yet.");
  for (int service = 0; service < SERVICE_COUNT; service++) {
    snprintf(labels, sizeof labels, "service=\"%s\"", service_names[service]);
    prometheus_write_gauge(text, "spillway_calls_under_way", labels, (double)statistics.under_way[service]);
  }
}

void metrics_write(const struct metrics_sources *sources, struct text *text) {
  telemetry_prometheus_write(sources->telemetry, text);
  prometheus_write_gauge_head(text, "spillway_build_info", "The program's version.");
  prometheus_write_gauge(text, "spillway_build_info", "version=\"" SPILLWAY_VERSION "\"", 1.0);
  write_orders(sources, text);
  write_queues(sources, text);
  write_services(sources, text);
}
