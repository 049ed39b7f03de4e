/* A gateway over the fakes, with HS256 tokens, and requests to give it. */
#ifndef TESTS_FAKE_GATEWAY_H
#define TESTS_FAKE_GATEWAY_H

#include "fake/world.h"
#include "gateway/config.h"

enum { FAKE_EXCHANGES_MAX = 512 };

/* A source of keys whose set the test exchanges; it counts what is taken and given back. */
struct fake_keys {
  const struct jwt_keys *keys; /* NULL: none known yet */
  const struct jwt_keys *next; /* what refresh brings; NULL: nothing new */
  uint64_t generation;
  int held;
  size_t acquired, refreshed;
};

struct fake_gateway {
  struct fake_world world;
  struct jwt_keys *owned;
  struct fake_keys token_keys;
  struct gateway_config config;
  struct gateway *gateway; /* made of config on first use */
  struct exchange *exchanges[FAKE_EXCHANGES_MAX];
  size_t exchange_count;
  const char *unready;
};

/* For cmocka: the state is a struct fake_gateway. */
int fake_gateway_set_up(void **state);
int fake_gateway_tear_down(void **state);

struct gateway *fake_gateway_get(struct fake_gateway *fake);
struct gateway_keys fake_keys_source(struct fake_keys *keys, bool can_refresh);

#define FAKE_SECRET "a token secret of thirty-two byte"
#define FAKE_ALL_SCOPES "orders:read orders:write orders:wholesale"

/* "Bearer …" for the subject, good for an hour. */
struct bytes fake_bearer(struct fake_gateway *fake, const char *subject, const char *scope);
struct bytes fake_bearer_of(struct fake_gateway *fake, const char *payload_json);

/* A request, released with the gateway. `subject` NULL: without a token. */
struct exchange *fake_request(struct fake_gateway *fake, const char *method, const char *target,
                              const char *subject, const char *scope);
void fake_header(struct exchange *exchange, const char *name, struct bytes value);
/* The body with Content-Type: application/json. */
void fake_body(struct exchange *exchange, struct bytes body);
/* Opens it and, where it is to be served, serves it by itself. */
void fake_send(struct fake_gateway *fake, struct exchange *exchange);

/* Requests in one line each, sent. */
struct exchange *fake_get(struct fake_gateway *fake, const char *target, const char *subject);
struct exchange *fake_post(struct fake_gateway *fake, const char *target, const char *subject,
                           struct bytes body);
/* POST /v1/orders with this key. */
struct exchange *fake_create(struct fake_gateway *fake, const char *subject, const char *key,
                             struct bytes body);

/* The answer is this problem, with its status, its content type and its code. */
#define assert_problem(exchange, status, code) check_problem((exchange), (status), (code), __FILE__, __LINE__)
void check_problem(const struct exchange *exchange, int status, const char *code, const char *file, int line);
#define assert_header(exchange, name, expected) \
  assert_text(http_response_header(&(exchange)->response, (name)), (expected))
/* How many header lines of that name the answer has. */
size_t fake_header_count(const struct exchange *exchange, const char *name);
/* A member of the answer's JSON body as text; a number as written. */
struct bytes fake_member(struct fake_gateway *fake, const struct exchange *exchange, const char *name);

#endif
