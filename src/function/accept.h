/* accept: from a client's order to an order on stable storage, or a refusal. */
#ifndef FUNCTION_ACCEPT_H
#define FUNCTION_ACCEPT_H

#include "function/context.h"
#include "wire/jwt.h"
#include "wire/problem.h"

struct accept_request {
  struct bytes customer;
  struct bytes idempotency_key;
  struct bytes body;
  struct bytes traceparent;
  bool may_write_wholesale;
  bool receipts_expected;
  const struct jwt_keys *receipt_keys; /* the payment gateway's; NULL: not known yet */
  struct arena *arena;                 /* for the reply */
};

struct accept_reply {
  enum problem problem; /* PROBLEM_NONE: accepted (or replayed) */
  struct bytes detail;
  struct problem_errors errors;
  bool receipt_key_unknown; /* payment-not-proven: newer keys may prove it */
  bool replayed;
  const struct order *order; /* accepted: with id, content and created_ms as first accepted */
  struct bytes holder_id;    /* payment-already-used: the order that has it, where it is the caller's own */
};

/* Everything of one batch goes to the store as one call; each reply stands for itself. When it
 * returns, every accepted order is durable. */
void accept_run(const struct function_context *context, const struct accept_request *requests, size_t count,
                struct accept_reply *ret_replies);

#endif
