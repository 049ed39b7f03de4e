/* What goes wrong with a call, drawn from a seeded generator: the same seed and the same order of
 * calls give the same faults. */
#ifndef CLI_SANDBOX_FAULTS_H
#define CLI_SANDBOX_FAULTS_H

#include "base/attributes.h"
#include "order/order.h"
#include "wire/json.h"

struct fault_rates { /* each a probability, 0 to 1 */
  double fail;       /* 503, nothing applied; every other one with Retry-After: 1 */
  double timeout;    /* no answer for a long time, then the connection is closed; applied or not, by toss */
  double slow;       /* the answer comes late */
  double lost;       /* applied, then the connection is closed without an answer */
  double pending;    /* 202, the outcome by callback */
  double refuse;     /* 409 declined, the first time a key comes; never an undo */
};

struct faults {
  struct fault_rates rates;
  unsigned services; /* bits of the services that have faults */
  uint64_t state;
};

struct fault_plan {
  bool fail, retry_after;
  bool hang, hang_applies;
  bool slow, lost, pending, refuse;
  bool callback_twice;
};

struct fault_plan faults_draw(struct faults *faults, enum service service);

/* Changes the rates named in a JSON object: {"fail": 0.5, "services": ["accounting"]}; what is not
 * named stays, "services": [] means all. False, changing nothing, with what is wrong. */
MUST_USE bool faults_change(struct faults *faults, const struct json *change, const char **ret_complaint);

#endif
