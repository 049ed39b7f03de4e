/* The gateway: from an HTTP request as a value to an HTTP answer as a value, whichever server stands
 * in front. In two steps, so that a server can refuse early and cheaply and can serve what waits as
 * one batch:
 *
 *   gateway_open   on the server's own thread: route, authentication, scope, size, media type, rate
 *                  limit. Touches no store and never blocks.
 *   gateway_serve  on a worker: runs the functions behind the routes on a whole batch.
 *
 * A struct exchange is one request and its answer with the memory of both; the server makes it,
 * fills `request` and `started_us`, and releases it after sending. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/arena.h"
#include "order/order.h"
#include "wire/http.h"
#include "wire/problem.h"

enum { GATEWAY_BODY_BYTES_MAX = 256 * 1024, GATEWAY_TRACEPARENT_CHARACTERS = 55 };

struct gateway;
struct route;

struct exchange {
  struct arena arena;
  struct http_request request;
  struct http_response response;
  int64_t started_us; /* monotonic, when the request was complete */
  bool stopping;      /* set by the server: answer now, hold nothing */
  /* Set by the server: of a token that was verified in front of it. Believed only where the gateway's
   * configuration says so. */
  struct {
    bool given;
    struct bytes subject, scope;
  } claims;

  /* the gateway's own */
  const struct route *route;  /* NULL where none fits */
  struct bytes parameters[2]; /* the route's path parameters, as sent */
  struct bytes customer;      /* the token's subject */
  bool may_write, may_read, may_write_wholesale, may_operate;
  struct bytes idempotency_key;
  char traceparent[GATEWAY_TRACEPARENT_CHARACTERS + 1];

  /* after gateway_serve, where hold_ms > 0: the client asked to wait (Prefer: wait). Keep the
   * exchange, and serve it again once the order hold_id has reached a final status or hold_ms have
   * passed since started_us; without a way to wait, send the answer as it is. */
  int64_t hold_ms;
  char hold_id[ORDER_ID_CHARACTERS];
};

enum gateway_verdict {
  GATEWAY_ANSWERED,   /* response is complete */
  GATEWAY_SERVE,      /* hand it to gateway_serve */
  GATEWAY_NEEDS_KEYS, /* the token names a key that is not known: call gateway_refresh_keys, which may
                         block, on another thread, then gateway_open again; where it says so once more, the
                         answer it has prepared, a 401, is the right one */
};

void exchange_init(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

enum gateway_verdict gateway_open(struct gateway *gateway, struct exchange *exchange);
void gateway_serve(struct gateway *gateway, struct exchange **exchanges, size_t count);
/* Fetches the key set again, at a bounded rate; blocks for at most the fetch's time-out. */
void gateway_refresh_keys(struct gateway *gateway);

/* Makes the answer a 503 overloaded with Retry-After; `cause` is a static word for the metrics. */
void gateway_refuse_overload(struct gateway *gateway, struct exchange *exchange, const char *cause);
/* Makes the answer this problem, for what the server refuses before it is a request: broken framing, a
 * header that is too large. */
void gateway_refuse_framing(struct gateway *gateway, struct exchange *exchange, enum problem problem,
                            const char *detail);
/* Counts and times the answer; the server calls it once, just before it sends. */
void gateway_account(struct gateway *gateway, const struct exchange *exchange);

#endif
