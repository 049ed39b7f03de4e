/* What a surge shows: a picture that is redrawn on a terminal, a line a second elsewhere, and the
 * report at the end. */
#ifndef CLI_SURGE_REPORT_H
#define CLI_SURGE_REPORT_H

#include "cli/surge.h"

enum { SURGE_PLOT_COLUMNS = 60 };

struct surge_progress_view {
  bool is_terminal, drawn;
  int64_t next_us;
  uint64_t acknowledged_before;
  int64_t before_us;
  size_t column;                    /* the last one drawn */
  double rates[SURGE_PLOT_COLUMNS]; /* acknowledged a second, the most in each column */
};

void surge_progress_start(struct surge_progress_view *view, const struct surge *surge);
/* Shows something where it is time to. */
void surge_progress_show(struct surge_progress_view *view, struct surge *surge, int64_t now_us);
void surge_progress_end(struct surge_progress_view *view, struct surge *surge, int64_t now_us);

void surge_report(const struct surge *surge, double took_s);

#endif
