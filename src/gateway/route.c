#include "gateway/route.h"

const struct route routes[ROUTE_COUNT] = {
    {ROUTE_CREATE, HTTP_POST, "/v1/orders", "POST /v1/orders", SCOPE_WRITE, BODY_REQUIRED, false, false},
    {ROUTE_LIST, HTTP_GET, "/v1/orders", "GET /v1/orders", SCOPE_READ, BODY_NONE, false, false},
    {ROUTE_GET, HTTP_GET, "/v1/orders/{}", "GET /v1/orders/{id}", SCOPE_READ, BODY_NONE, false, true},
    {ROUTE_EVENTS, HTTP_GET, "/v1/orders/{}/events", "GET /v1/orders/{id}/events", SCOPE_READ, BODY_NONE, false,
     true},
    {ROUTE_CANCEL, HTTP_POST, "/v1/orders/{}/cancel", "POST /v1/orders/{id}/cancel", SCOPE_WRITE, BODY_OPTIONAL,
     false, true},
    {ROUTE_CALLBACK, HTTP_POST, "/v1/callbacks/{}/{}", "POST /v1/callbacks/{order}/{command}", SCOPE_NONE,
     BODY_REQUIRED, false, false},
    {ROUTE_ATTENTION, HTTP_GET, "/v1/attention", "GET /v1/attention", SCOPE_OPERATE, BODY_NONE, false, false},
    {ROUTE_RETRY, HTTP_POST, "/v1/orders/{}/steps/{}/retry", "POST /v1/orders/{id}/steps/{step}/retry",
     SCOPE_OPERATE, BODY_OPTIONAL, false, true},
    {ROUTE_SKIP, HTTP_POST, "/v1/orders/{}/steps/{}/skip", "POST /v1/orders/{id}/steps/{step}/skip",
     SCOPE_OPERATE, BODY_REQUIRED, false, true},
    {ROUTE_HEALTHZ, HTTP_GET, "/healthz", "GET /healthz", SCOPE_NONE, BODY_NONE, true, false},
    {ROUTE_READYZ, HTTP_GET, "/readyz", "GET /readyz", SCOPE_NONE, BODY_NONE, true, false},
    {ROUTE_METRICS, HTTP_GET, "/metrics", "GET /metrics", SCOPE_NONE, BODY_NONE, true, false},
    {ROUTE_OPENAPI, HTTP_GET, "/openapi.json", "GET /openapi.json", SCOPE_NONE, BODY_NONE, false, false},
};

/* Segment by segment; parameters are the raw text of theirs. */
static bool matches(struct bytes pattern, struct bytes path, struct bytes ret_raw[2]) {
  size_t parameters = 0;
  struct bytes wanted, given;
  while (bytes_next_part(&pattern, '/', &wanted)) {
    if (!bytes_next_part(&path, '/', &given)) return false;
    if (bytes_equal_string(wanted, "{}")) {
      if (given.size == 0) return false;
      ret_raw[parameters++] = given;
    } else if (!bytes_equal(wanted, given)) {
      return false;
    }
  }
  return path.data == NULL;
}

const struct route *route_find(enum http_method method, struct bytes path, bool api, bool admin,
                               struct arena *arena, struct bytes ret_parameters[2], struct bytes *ret_allow) {
  struct text allow;
  text_init(&allow, arena);
  *ret_allow = (struct bytes){NULL, 0};
  for (size_t i = 0; i < ROUTE_COUNT; i++) {
    const struct route *route = &routes[i];
    struct bytes raw[2] = {{NULL, 0}, {NULL, 0}};
    if (!(route->is_admin ? admin : api) || !matches(bytes_of(route->pattern), path, raw)) continue;
    if (method == route->method || (method == HTTP_HEAD && route->method == HTTP_GET)) {
      memcpy(ret_parameters, raw, sizeof raw);
      return route;
    }
    if (allow.size) text_append(&allow, BYTES(", "));
    text_append_string(&allow, route->method == HTTP_GET ? "GET, HEAD" : "POST");
  }
  *ret_allow = text_view(&allow);
  return NULL;
}
