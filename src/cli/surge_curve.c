#include "cli/surge_curve.h"

static const struct {
  double at, height;
} corners[] = {{0, 0}, {0.15, 0}, {0.25, 1}, {0.5, 1}, {0.85, 0}, {1, 0}};

/* 0 (base) to 1 (peak) at a share of the duration. */
static double height_at(double share) {
  for (size_t i = 1; i < sizeof corners / sizeof *corners; i++) {
    if (share > corners[i].at) continue;
    double part = (share - corners[i - 1].at) / (corners[i].at - corners[i - 1].at);
    return corners[i - 1].height + part * (corners[i].height - corners[i - 1].height);
  }
  return 0;
}

static double rate_at(const struct surge_curve *curve, double share) {
  return curve->base_rate + (curve->peak_rate - curve->base_rate) * height_at(share);
}

void surge_curve_init(struct surge_curve *curve, double base_rate, double peak_rate, int64_t duration_ms,
                      int64_t orders) {
  *curve = (struct surge_curve){.base_rate = base_rate, .peak_rate = peak_rate};
  for (size_t i = 0; i < SURGE_CURVE_STEPS; i++) {
    double share = ((double)i + 0.5) / SURGE_CURVE_STEPS;
    curve->sums[i + 1] = curve->sums[i] + rate_at(curve, share) / SURGE_CURVE_STEPS;
  }
  double mean_rate = curve->sums[SURGE_CURVE_STEPS];
  curve->duration_s = orders > 0 ? (double)orders / mean_rate : (double)duration_ms / 1000;
  curve->total = orders > 0 ? (double)orders : mean_rate * curve->duration_s;
  for (size_t i = 0; i <= SURGE_CURVE_STEPS; i++) curve->sums[i] *= curve->duration_s;
}

size_t surge_curve_count(const struct surge_curve *curve) { return (size_t)(curve->total + 0.5); }

int64_t surge_curve_due_us(const struct surge_curve *curve, size_t i) {
  double wanted = (double)i + 0.5;
  size_t low = 0, high = SURGE_CURVE_STEPS; /* sums[low] <= wanted, as far as there are so many */
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    if (curve->sums[middle] <= wanted)
      low = middle;
    else
      high = middle;
  }
  double width = curve->sums[low + 1] - curve->sums[low];
  double part = width > 0 ? (wanted - curve->sums[low]) / width : 0;
  if (part > 1) part = 1;
  return (int64_t)(((double)low + part) / SURGE_CURVE_STEPS * curve->duration_s * 1e6);
}

double surge_curve_rate(const struct surge_curve *curve, int64_t at_us) {
  double share = (double)at_us / 1e6 / curve->duration_s;
  return share < 0 || share > 1 ? 0 : rate_at(curve, share);
}
