/* What a service's answer means (contract section 2 and section 5, "Order life"). */
#ifndef FUNCTION_ANSWER_H
#define FUNCTION_ANSWER_H

#include "order/decide.h"
#include "port/services.h"

struct answer_meaning {
  enum outcome outcome;
  struct bytes reference; /* OUTCOME_DONE */
  struct bytes reason;    /* OUTCOME_REFUSED: the service's; otherwise what it answered, in a line */
};

/* Of an attempt to carry a command out. */
void answer_read(const struct service_answer *answer, struct arena *arena, struct answer_meaning *ret_meaning);

/* Of a look-up: done or refused as told, OUTCOME_NOT_APPLIED on 404, OUTCOME_PENDING where the service
 * says so (202), OUTCOME_UNKNOWN where it did not tell. */
void answer_read_lookup(const struct service_answer *answer, struct arena *arena,
                        struct answer_meaning *ret_meaning);

/* The body of a callback (and of a look-up): {"outcome": "done", "reference": …} or {"outcome":
 * "refused", "reason": …}. False, with what is wrong, where it is not of that form. */
bool answer_read_callback(struct bytes body, struct arena *arena, struct answer_meaning *ret_meaning,
                          struct bytes *ret_detail);

#endif
