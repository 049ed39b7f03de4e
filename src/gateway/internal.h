/* Shared by the gateway's files only. */
#ifndef GATEWAY_INTERNAL_H
#define GATEWAY_INTERNAL_H

#include "gateway/config.h"
#include "gateway/limit.h"
#include "gateway/route.h"
#include "gateway/token_cache.h"
#include "wire/problem.h"

struct gateway {
  struct gateway_config config;
  struct token_cache *tokens;
  struct rate_limiter *limiter; /* NULL: no limit */
};

/* Makes the exchange's answer this problem. */
void answer_problem(struct exchange *exchange, enum problem problem, const char *detail);
void answer_problem_with(struct exchange *exchange, enum problem problem, struct bytes detail,
                         const struct problem_errors *errors);
/* A 403 that names the scope that is missing, in its WWW-Authenticate too (RFC 6750 section 3.1). */
void answer_missing_scope(struct exchange *exchange, const char *scope, const char *detail);
/* A JSON body with this status. */
void answer_json(struct exchange *exchange, int status, struct bytes body);

/* Checks the access token and fills the exchange's customer and scopes. ANSWERED: refused, with the
 * 401 made. SERVE: go on. */
enum gateway_verdict authenticate(struct gateway *gateway, struct exchange *exchange);

/* The key of the Idempotency-Key header (contract section 5, "Idempotency"); false with the problem
 * answered. */
bool read_idempotency_key(struct exchange *exchange);

/* CORS: answers a preflight (true), and marks other answers. */
bool cors_preflight(const struct gateway *gateway, struct exchange *exchange, struct bytes allow);
void cors_mark(const struct gateway *gateway, struct exchange *exchange);

/* The store has no such order, but the id was derived for this customer, who can only have it from an
 * acknowledgement: it waits in the intake. */
bool waits_in_intake(const struct gateway *gateway, const struct exchange *exchange);

/* The handlers behind the routes, each for a batch of exchanges of its route. */
void serve_create(struct gateway *gateway, struct exchange **exchanges, size_t count);
void serve_get(struct gateway *gateway, struct exchange **exchanges, size_t count);
void serve_list(struct gateway *gateway, struct exchange *exchange);
void serve_events(struct gateway *gateway, struct exchange *exchange);
void serve_attention(struct gateway *gateway, struct exchange *exchange);
/* cancel, retry, skip, callback: all change orders. */
void serve_changes(struct gateway *gateway, struct exchange **exchanges, size_t count);

#endif
