#include "cli/surge_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { TERMINAL_EVERY_US = 200000, LINE_EVERY_US = 1000000 };

static double milliseconds(int64_t us) { return (double)us / 1000; }

void surge_progress_start(struct surge_progress_view *view, const struct surge *surge) {
  *view =
      (struct surge_progress_view){.is_terminal = isatty(STDERR_FILENO) == 1, .before_us = surge->started_us};
  view->next_us = surge->started_us + (view->is_terminal ? TERMINAL_EVERY_US : LINE_EVERY_US);
}

/* A bar as high as the share of the peak. */
static void draw_bar(double share) {
  static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  int bar = (int)(share * 8 + 0.5);
  fputs(bars[bar > 8 ? 8 : bar < 0 ? 0 : bar], stderr);
}

static void draw_plan(const struct surge *surge) {
  for (size_t i = 0; i < SURGE_PLOT_COLUMNS; i++) {
    int64_t at_us = (int64_t)(((double)i + 0.5) / SURGE_PLOT_COLUMNS * surge->curve.duration_s * 1e6);
    draw_bar(surge_curve_rate(&surge->curve, at_us) / surge->curve.peak_rate);
  }
}

static void draw(struct surge_progress_view *view, const struct surge *surge, double elapsed_s, double rate) {
  const struct surge_counts *counts = &surge->counts;
  struct client_counts connections = client_count(surge->client);
  double share = elapsed_s / surge->curve.duration_s;
  size_t column = share >= 1 ? SURGE_PLOT_COLUMNS - 1 : (size_t)(share * SURGE_PLOT_COLUMNS);
  /* Columns narrower than the time between two pictures get the rate of the whole time. */
  while (view->column < column) view->rates[++view->column] = rate;
  if (rate > view->rates[column]) view->rates[column] = rate;
  if (view->drawn) fputs("\x1b[5A", stderr);
  view->drawn = true;
  fputs("\x1b[2K  planned  ", stderr);
  draw_plan(surge);
  fprintf(stderr, " %.0f/s\n\x1b[2K  got      ", surge->curve.peak_rate);
  for (size_t i = 0; i <= column; i++) draw_bar(view->rates[i] / surge->curve.peak_rate);
  fprintf(stderr, "\n\x1b[2K  %6.1f s of %.1f   now %.0f/s, planned %.0f/s\n", elapsed_s,
          surge->curve.duration_s, rate, surge_curve_rate(&surge->curve, (int64_t)(elapsed_s * 1e6)));
  fprintf(stderr, "\x1b[2K  p50 %.1f ms   p99 %.1f ms   %zu connections   %zu waiting\n",
          milliseconds(histogram_percentile(&surge->recent, 50)),
          milliseconds(histogram_percentile(&surge->recent, 99)), connections.open, surge->under_way);
  fprintf(stderr,
          "\x1b[2K  sent %" PRIu64 "   acknowledged %" PRIu64 "   refused %" PRIu64 "   503 %" PRIu64
          "   retried %" PRIu64 "\n",
          counts->sent, counts->acknowledged, counts->refused, counts->overloaded, counts->retried);
}

static void print_line(const struct surge *surge, double elapsed_s, double rate) {
  const struct surge_counts *counts = &surge->counts;
  fprintf(stderr,
          "%6.1f s  %7.0f/s  p50 %.1f ms  p99 %.1f ms  waiting %zu  sent %" PRIu64 "  acknowledged %" PRIu64
          "  refused %" PRIu64 "  503 %" PRIu64 "  retried %" PRIu64 "\n",
          elapsed_s, rate, milliseconds(histogram_percentile(&surge->recent, 50)),
          milliseconds(histogram_percentile(&surge->recent, 99)), surge->under_way, counts->sent,
          counts->acknowledged, counts->refused, counts->overloaded, counts->retried);
}

static void show(struct surge_progress_view *view, struct surge *surge, int64_t now_us) {
  double elapsed_s = (double)(now_us - surge->started_us) / 1e6;
  double since_s = (double)(now_us - view->before_us) / 1e6;
  double rate = since_s > 0 ? (double)(surge->counts.acknowledged - view->acknowledged_before) / since_s : 0;
  if (view->is_terminal)
    draw(view, surge, elapsed_s, rate);
  else
    print_line(surge, elapsed_s, rate);
  fflush(stderr);
  view->acknowledged_before = surge->counts.acknowledged;
  view->before_us = now_us;
  surge->recent = (struct histogram){0};
}

void surge_progress_show(struct surge_progress_view *view, struct surge *surge, int64_t now_us) {
  if (now_us < view->next_us) return;
  view->next_us = now_us + (view->is_terminal ? TERMINAL_EVERY_US : LINE_EVERY_US);
  show(view, surge, now_us);
}

void surge_progress_end(struct surge_progress_view *view, struct surge *surge, int64_t now_us) {
  show(view, surge, now_us);
}

static void print_latency(const char *what, const struct histogram *histogram) {
  printf("%s: p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms (%" PRIu64 ")\n", what,
         milliseconds(histogram_percentile(histogram, 50)), milliseconds(histogram_percentile(histogram, 90)),
         milliseconds(histogram_percentile(histogram, 99)), milliseconds(histogram_percentile(histogram, 99.9)),
         milliseconds(histogram->most), histogram->total);
}

void surge_report(const struct surge *surge, double took_s) {
  const struct surge_counts *counts = &surge->counts;
  printf("run %s: %" PRIu64 " orders in %.1f s (%.0f/s), %" PRIu64 " requests\n", surge->run, counts->sent,
         took_s, (double)counts->sent / took_s, counts->attempts);
  printf("acknowledged %" PRIu64 ", refused %" PRIu64 ", unanswered %" PRIu64 "\n", counts->acknowledged,
         counts->refused, counts->unanswered);
  for (size_t i = 0; i < surge->code_count; i++)
    printf("  refused %-28s %" PRIu64 "\n", surge->codes[i].code, surge->codes[i].count);
  printf("503 or 429: %" PRIu64 ", other 5xx: %" PRIu64 ", without an answer: %" PRIu64 ", sent again: %" PRIu64
         "\n",
         counts->overloaded, counts->failed, counts->broken, counts->retried);
  printf("cancellations: sent %" PRIu64 ", taken %" PRIu64 ", too late %" PRIu64 ", refused %" PRIu64
         ", unanswered %" PRIu64 ", skipped (nothing to cancel) %" PRIu64 "\n",
         counts->cancels_sent, counts->cancels_taken, counts->cancels_late, counts->cancels_refused,
         counts->cancels_unanswered, counts->cancels_skipped);
  print_latency("from the planned time to the last answer", &surge->all);
  print_latency("the same, of those acknowledged at the first try", &surge->admitted);
}
