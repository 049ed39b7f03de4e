/* What the simulator's modes share: a world drawn by a seed, run once. */
#ifndef SIMULATOR_RUN_H
#define SIMULATOR_RUN_H

#include "simulator/world.h"

struct run {
  uint64_t seed, seeds, seconds, exact_point;
  size_t orders;
  int shape; /* -1: drawn */
  bool twice, needs_marks, for_ever, exhaust, no_shrinking;
  const char *story, *data, *only_faults, *only_orders;
  bool no_operators, no_readers, no_jumps, prompt;
  enum sim_fault exact_fault;
  struct retail *invoices;
};

struct totals {
  uint64_t worlds, orders, acknowledged, events, points, struck, marks[MARK_COUNT];
  uint64_t struck_by[POINT_COUNT][FAULT_COUNT];
};

/* How a world ended: the invariant that it broke, NULL: none; and the faults that struck, in a buffer of the
 * caller's that grows. */
struct ending {
  const char *violated;
  char violation[600];
  uint64_t hash, points;
  struct sim_strike *strikes;
  size_t strike_count, strike_room;
};

bool run_world(const struct world_options *options, struct totals *totals, struct ending *ret_outcome);

/* shrink.c: the smallest world found that breaks the same invariant, as a command that replays it, and the
 * story of the order concerned. `first` is how the world ended. */
void shrink(const struct run *run, const struct world_options *options, const struct ending *first);
/* "name:fault,name:fault", sorted; false where it is not of that form. */
bool strikes_parse(const char *text, struct sim_strike **ret_strikes, size_t *ret_count);
void strikes_sort(struct sim_strike *strikes, size_t count);

#endif
