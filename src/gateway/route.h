/* The one table of routes. OpenAPI, the metrics' labels and the 405 answers agree with it by test. */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "gateway/gateway.h"

enum route_id {
  ROUTE_CREATE,
  ROUTE_LIST,
  ROUTE_GET,
  ROUTE_EVENTS,
  ROUTE_CANCEL,
  ROUTE_CALLBACK,
  ROUTE_ATTENTION,
  ROUTE_RETRY,
  ROUTE_SKIP,
  ROUTE_HEALTHZ,
  ROUTE_READYZ,
  ROUTE_METRICS,
  ROUTE_OPENAPI,
  ROUTE_COUNT
};

enum route_scope { SCOPE_NONE, SCOPE_READ, SCOPE_WRITE, SCOPE_OPERATE };
enum route_body { BODY_NONE, BODY_OPTIONAL, BODY_REQUIRED };

struct route {
  enum route_id id;
  enum http_method method;
  const char *pattern; /* "{}" stands for one path parameter */
  const char *label;   /* for metrics: "POST /v1/orders/{id}/cancel" */
  enum route_scope scope;
  enum route_body body;
  bool is_admin;    /* on the admin listener where there is one */
  bool names_order; /* the first parameter is an order's id */
};

extern const struct route routes[ROUTE_COUNT];

/* The route of a method and path; its parameters as they were sent: none needs percent-encoding, and
 * another spelling of an id is no id. NULL with `ret_allow` set ("GET, HEAD")
 * where the path is known and the method is not; NULL and empty where neither is. */
const struct route *route_find(enum http_method method, struct bytes path, bool api, bool admin,
                               struct arena *arena, struct bytes ret_parameters[2], struct bytes *ret_allow);

#endif
