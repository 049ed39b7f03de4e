/* The shape of a coupon spike: quiet, a steep rise, a plateau, a slow fall, quiet again. */
#ifndef CLI_SURGE_CURVE_H
#define CLI_SURGE_CURVE_H

#include <stddef.h>
#include <stdint.h>

enum { SURGE_CURVE_STEPS = 2048 };

struct surge_curve {
  double base_rate, peak_rate; /* a second */
  double duration_s;
  double total;                       /* how many in all */
  double sums[SURGE_CURVE_STEPS + 1]; /* how many by the end of each step */
};

/* `orders` > 0: as many, and the duration follows from the rates. Otherwise the number follows from
 * the duration. At least one rate is positive. */
void surge_curve_init(struct surge_curve *curve, double base_rate, double peak_rate, int64_t duration_ms,
                      int64_t orders);
size_t surge_curve_count(const struct surge_curve *curve);
/* When number `i` (from 0) is due, in microseconds from the start; rises with i. */
int64_t surge_curve_due_us(const struct surge_curve *curve, size_t i);
/* The rate at that time, a second. */
double surge_curve_rate(const struct surge_curve *curve, int64_t at_us);

#endif
