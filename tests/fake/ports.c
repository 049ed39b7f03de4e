#include "fake/ports.h"

static int64_t now_ms(struct clock *clock) { return ((struct fake_clock *)clock)->now_ms; }
static int64_t monotonic_us(struct clock *clock) { return ((struct fake_clock *)clock)->monotonic_us; }

void fake_clock_init(struct fake_clock *clock, int64_t at_ms) {
  *clock = (struct fake_clock){.port = {now_ms, monotonic_us}, .now_ms = at_ms, .monotonic_us = 5000000};
}

static void fill(struct entropy *port, void *ret_data, size_t size_bytes) {
  struct fake_entropy *entropy = (struct fake_entropy *)port;
  uint8_t *data = ret_data;
  entropy->fills++;
  for (size_t i = 0; i < size_bytes; i++) data[i] = entropy->is_highest ? 0xFF : entropy->next++;
}

void fake_entropy_init(struct fake_entropy *entropy) { *entropy = (struct fake_entropy){.port = {fill}}; }

static void count(struct telemetry *port, enum telemetry_metric metric, const char *label_a,
                  const char *label_b, uint64_t by) {
  struct fake_telemetry *telemetry = (struct fake_telemetry *)port;
  telemetry->counts[metric] += by;
  telemetry->label_a[metric] = label_a;
  telemetry->label_b[metric] = label_b;
}

static void observe(struct telemetry *port, enum telemetry_metric metric, const char *label, double value) {
  struct fake_telemetry *telemetry = (struct fake_telemetry *)port;
  telemetry->observations[metric]++;
  telemetry->label_a[metric] = label;
  telemetry->value[metric] = value;
}

void fake_telemetry_init(struct fake_telemetry *telemetry) {
  *telemetry = (struct fake_telemetry){.port = {count, observe}};
}
