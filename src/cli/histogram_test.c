/* Percentiles within their error, and the curve of a spike. */
#include "cli/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/surge_curve.h"

static void small_values_are_exact(void **state) {
  (void)state;
  struct histogram histogram = {0};
  assert_int_equal(histogram_percentile(&histogram, 99), 0);
  for (int64_t i = 1; i <= 100; i++) histogram_add(&histogram, i);
  assert_int_equal(histogram_percentile(&histogram, 50), 50);
  assert_int_equal(histogram_percentile(&histogram, 99), 99);
  assert_int_equal(histogram_percentile(&histogram, 100), 100);
  assert_int_equal(histogram_percentile(&histogram, 0), 1);
}

static void large_values_are_within_one_percent(void **state) {
  (void)state;
  for (int64_t value = 1; value < INT64_C(1) << HISTOGRAM_VALUE_BITS; value = value * 3 + 1) {
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    histogram_add(histogram, value);
    histogram_add(histogram, INT64_MAX);
    int64_t middle = histogram_percentile(histogram, 50);
    assert_true(middle >= value && (double)middle <= (double)value * 1.01);
    free(histogram);
  }
}

static void out_of_range_is_clamped(void **state) {
  (void)state;
  struct histogram histogram = {0};
  histogram_add(&histogram, -5);
  assert_int_equal(histogram_percentile(&histogram, 100), 0);
  histogram_add(&histogram, INT64_MAX);
  assert_int_equal(histogram.most, (INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
}

static void a_spike_keeps_its_shape(void **state) {
  (void)state;
  struct surge_curve curve;
  surge_curve_init(&curve, 100, 1000, 60000, 0);
  size_t count = surge_curve_count(&curve);
  assert_in_range(count, 31000, 32500); /* 60 s × (100 + 0.475 × 900) */
  int64_t before_us = -1;
  size_t at_peak = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t due_us = surge_curve_due_us(&curve, i);
    assert_true(due_us >= before_us);
    before_us = due_us;
    at_peak += due_us >= 20000000 && due_us < 21000000;
  }
  assert_true(before_us <= 60000000);
  assert_in_range(at_peak, 995, 1005);
  assert_true(surge_curve_rate(&curve, 61000000) < 1);
}

static void a_number_of_orders_gives_the_duration(void **state) {
  (void)state;
  struct surge_curve curve;
  surge_curve_init(&curve, 1000, 1000, 1, 5000);
  assert_int_equal(surge_curve_count(&curve), 5000);
  assert_true(curve.duration_s > 4.99 && curve.duration_s < 5.01);
  assert_in_range(surge_curve_due_us(&curve, 4999), 4990000, 5000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_values_are_exact),
      cmocka_unit_test(large_values_are_within_one_percent),
      cmocka_unit_test(out_of_range_is_clamped),
      cmocka_unit_test(a_spike_keeps_its_shape),
      cmocka_unit_test(a_number_of_orders_gives_the_duration),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
