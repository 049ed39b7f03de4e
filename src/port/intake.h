/* Port: where accepted orders wait while the store cannot take them (the spillway; a queue on AWS,
 * nothing on one machine). What is in it is as safe as what is in the store, and function/admit puts it
 * into the store later. */
#ifndef PORT_INTAKE_H
#define PORT_INTAKE_H

#include "base/attributes.h"
#include "order/order.h"
#include "port/store.h"

struct intake_order {
  struct bytes id, customer, content_json, traceparent;
  int64_t accepted_ms;
  struct bytes claims[STORE_CLAIMS_MAX];
  size_t claim_count;
};

struct intake {
  /* Durable on true. On false it surely cannot be relied on: it may or may not come out again. */
  bool (*put)(struct intake *intake, const struct intake_order *order);
};

MUST_USE static inline bool intake_put(struct intake *intake, const struct intake_order *order) {
  return intake->put(intake, order);
}

#endif
