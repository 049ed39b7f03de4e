#include "cli/histogram.h"

#include <math.h>
#include <stddef.h>

enum { SUB_COUNT = 1 << HISTOGRAM_SUB_BITS };

/* Values below 128 have a bucket each; above, the leading 8 bits choose the bucket. */
static size_t bucket_of(uint64_t value) {
  if (value < SUB_COUNT) return (size_t)value;
  int shift = 63 - __builtin_clzll(value) - HISTOGRAM_SUB_BITS;
  return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)((value >> shift) - SUB_COUNT);
}

static int64_t upper_edge(size_t bucket) {
  if (bucket < SUB_COUNT) return (int64_t)bucket;
  int shift = (int)(bucket >> HISTOGRAM_SUB_BITS) - 1;
  uint64_t leading = (bucket & (SUB_COUNT - 1)) + SUB_COUNT;
  return (int64_t)(((leading + 1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, int64_t value) {
  const int64_t largest = (INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;
  if (value < 0) value = 0;
  if (value > largest) value = largest;
  histogram->counts[bucket_of((uint64_t)value)]++;
  histogram->total++;
  if (value > histogram->most) histogram->most = value;
}

int64_t histogram_percentile(const struct histogram *histogram, double percent) {
  uint64_t wanted = (uint64_t)ceil((double)histogram->total * percent / 100.0), seen = 0;
  if (wanted == 0) wanted = 1;
  for (size_t i = 0; i < sizeof histogram->counts / sizeof *histogram->counts; i++) {
    seen += histogram->counts[i];
    if (seen < wanted) continue;
    int64_t edge = upper_edge(i);
    return edge < histogram->most ? edge : histogram->most;
  }
  return histogram->most;
}
