/* operate: what customers and operators do to an order that exists, and the late answers of services. */
#ifndef FUNCTION_OPERATE_H
#define FUNCTION_OPERATE_H

#include "function/change.h"
#include "wire/problem.h"

struct operate_reply {
  enum problem problem; /* PROBLEM_NONE: done, or already so */
  struct bytes detail;
  const struct order *order; /* as it is now; NULL where there is a problem */
};

/* Cancels, retries, skips or applies callbacks: each change's id and command are set by the caller
 * (who has checked whose order it is). What replies point to lives in `arena`. */
void operate_run(const struct function_context *context, struct change *const *changes, size_t count,
                 struct arena *arena, struct operate_reply *ret_replies);

#endif
