/* Cross-origin requests of the shop's own pages (the Fetch standard's CORS protocol). */
#include "gateway/internal.h"

/* The request's Origin where it is one of the shop's; else the empty view. */
static struct bytes known_origin(const struct gateway *gateway, const struct exchange *exchange) {
  struct bytes origin = http_header_value(&exchange->request, "Origin");
  struct bytes list = gateway->config.cors_origins, item;
  if (origin.size == 0 || list.size == 0) return (struct bytes){NULL, 0};
  while (bytes_next_part(&list, ',', &item))
    if (bytes_equal(bytes_trim(item), origin)) return origin;
  return (struct bytes){NULL, 0};
}

void cors_mark(const struct gateway *gateway, struct exchange *exchange) {
  if (gateway->config.cors_origins.size == 0) return;
  http_response_add(&exchange->response, "Vary", BYTES("Origin"));
  struct bytes origin = known_origin(gateway, exchange);
  if (origin.size == 0) return;
  http_response_add(&exchange->response, "Access-Control-Allow-Origin", origin);
  http_response_add(
      &exchange->response, "Access-Control-Expose-Headers",
      BYTES("Location, ETag, Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, traceparent"));
}

bool cors_preflight(const struct gateway *gateway, struct exchange *exchange, struct bytes allow) {
  if (exchange->request.method != HTTP_OPTIONS || known_origin(gateway, exchange).size == 0 ||
      !http_header_find(&exchange->request, "Access-Control-Request-Method"))
    return false;
  exchange->response.status = 204;
  http_response_add(&exchange->response, "Access-Control-Allow-Methods", allow);
  http_response_add(&exchange->response, "Access-Control-Allow-Headers",
                    BYTES("Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, traceparent"));
  http_response_add(&exchange->response, "Access-Control-Max-Age", BYTES("600"));
  return true;
}
