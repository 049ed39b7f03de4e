/* Counts of durations with a bounded relative error (under 1 %), after the idea of HdrHistogram
 * (Tene): each power of two has 128 buckets of equal width. */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 7, HISTOGRAM_VALUE_BITS = 40 };

struct histogram {
  uint64_t counts[(HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS];
  uint64_t total;
  int64_t most; /* the largest value, exact */
};

/* Negative values count as 0, those of 2^40 and more as the largest bucket. */
void histogram_add(struct histogram *histogram, int64_t value);
/* The upper edge of the bucket below or in which `percent` of all values lie (at most the largest
 * value seen); 0 where there are none. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
