/* Load, decide, commit: the one way in which an order is changed, for a batch of orders at once.
 * A commit that meets a newer revision is loaded and decided again, a bounded number of times. */
#ifndef FUNCTION_CHANGE_H
#define FUNCTION_CHANGE_H

#include "function/context.h"

struct change {
  struct bytes id;
  struct command command;
  const struct order *known; /* as the caller loaded or stored it a moment ago: tried first; or NULL */
  unsigned how;              /* of the first load (port/store.h): what is not decided on it, or was moved on
                                meanwhile, is loaded as a whole and newest */

  bool unavailable; /* the store failed, was throttled or kept moving on: nothing below holds */
  enum verdict verdict;
  const struct order *order; /* as it is stored now; NULL where it does not exist */
  struct decision *decision; /* VERDICT_DECIDED */
};

/* What the changes point to afterwards lives in `arena`. */
void change_run(const struct function_context *context, struct change *const *changes, size_t count,
                struct arena *arena);

#endif
