/* Port: calls to the downstream services. Synchronous and in batches: services_call returns when
 * every call has an answer or has failed, each within its own time-out. One machine's runner does
 * not wait for batches: it uses the client behind this port call by call (function/call.h). */
#ifndef PORT_SERVICES_H
#define PORT_SERVICES_H

#include "base/arena.h"
#include "order/order.h"

enum { SERVICE_ANSWER_BYTES_MAX = 64 * 1024 };

struct service_call {
  enum service service;
  bool is_lookup;            /* GET instead of POST */
  struct bytes path;         /* "/reserve", "/commands/ord_….reserve" */
  struct bytes body;         /* JSON; empty for a look-up */
  struct bytes key;          /* Idempotency-Key; empty for a look-up */
  struct bytes callback_url; /* empty for a look-up */
  struct bytes traceparent;
};

enum transport {
  TRANSPORT_ANSWERED, /* a complete answer came */
  TRANSPORT_NOT_SENT, /* no connection was made: surely not applied */
  TRANSPORT_BROKEN    /* sent, at least in part, and no complete answer: unknown */
};

struct service_answer {
  enum transport transport;
  int status;
  struct bytes body; /* whole, or empty where it was larger than the limit (then BROKEN) */
  bool has_retry_after;
  int64_t retry_after_ms; /* a delay */
  struct bytes failure;   /* NOT_SENT, BROKEN: what happened, in a few words */
  int64_t elapsed_us;
};

struct services;

struct services_operations {
  void (*call)(struct services *services, const struct service_call *calls, size_t count, struct arena *arena,
               struct service_answer *ret_answers);
};

struct services {
  const struct services_operations *operations;
};

static inline void services_call(struct services *services, const struct service_call *calls, size_t count,
                                 struct arena *arena, struct service_answer *ret_answers) {
  services->operations->call(services, calls, count, arena, ret_answers);
}

#endif
