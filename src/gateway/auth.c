/* Authentication: the bearer token of RFC 6750 section 2.1, verified by wire/jwt.h. */
#include "gateway/internal.h"

#include "base/attributes.h"

enum { CACHE_MS_MAX = 5 * 60 * 1000 };

static const struct {
  const char *name;
  unsigned bit;
} scopes[TOKEN_SCOPES] = {
    {"orders:write", 1}, {"orders:read", 2}, {"orders:wholesale", 4}, {"orders:operate", 8}};

static enum gateway_verdict refuse(struct exchange *exchange, const char *detail, bool token_given) {
  answer_problem(exchange, PROBLEM_UNAUTHENTICATED, detail);
  http_response_add(&exchange->response, "WWW-Authenticate",
                    token_given ? BYTES("Bearer realm=\"spillway\", error=\"invalid_token\"")
                                : BYTES("Bearer realm=\"spillway\""));
  return GATEWAY_ANSWERED;
}

static void apply(struct exchange *exchange, const struct token_entry *entry) {
  exchange->customer = arena_copy(&exchange->arena, bytes_from(entry->customer, entry->customer_size));
  exchange->may_write = entry->scopes & 1;
  exchange->may_read = entry->scopes & 2;
  exchange->may_write_wholesale = entry->scopes & 4;
  exchange->may_operate = entry->scopes & 8;
}

static bool bearer_token(const struct exchange *exchange, struct bytes *ret_token, const char **ret_detail) {
  struct bytes value = http_header_value(&exchange->request, "Authorization");
  *ret_detail = "an Authorization header with a bearer token is required";
  if (http_header_count(&exchange->request, "Authorization") != 1) return false;
  if (!bytes_equal_ignoring_case(bytes_slice(value, 0, 7), BYTES("Bearer "))) return false;
  *ret_token = bytes_trim(bytes_slice(value, 7, value.size));
  return ret_token->size > 0;
}

static enum gateway_verdict check_claims(struct gateway *gateway, struct exchange *exchange,
                                         const struct json *payload, struct token_entry *entry) {
  struct jwt_claims claims;
  const char *detail;
  int64_t now_ms = clock_now_ms(gateway->config.functions->clock);
  if (!jwt_check_claims(payload, &gateway->config.token_policy, now_ms, &claims, &detail))
    return refuse(exchange, detail, true);
  for (size_t i = 0; i < COUNT_OF(scopes); i++)
    if (jwt_scope_has(claims.scope, scopes[i].name)) entry->scopes |= (uint8_t)scopes[i].bit;
  entry->customer_size = (uint16_t)claims.subject.size;
  memcpy(entry->customer, claims.subject.data, claims.subject.size);
  entry->good_until_ms = now_ms + CACHE_MS_MAX;
  if (entry->good_until_ms > claims.expires_ms) entry->good_until_ms = claims.expires_ms;
  token_cache_add(gateway->tokens, entry);
  return GATEWAY_SERVE;
}

/* The cache knows the token, or one source's keys verify it. `ret_status` is the source's verdict. */
static bool verified_by(struct gateway *gateway, struct exchange *exchange, const struct gateway_keys *source,
                        struct bytes token, struct token_entry *entry, enum jwt_status *ret_status,
                        enum gateway_verdict *ret_verdict) {
  struct json *payload;
  void *hold;
  uint64_t generation;
  const struct jwt_keys *keys = source->acquire(source->context, &generation, &hold);
  /* Two sources may count alike: the cache's number names the source as well. */
  entry->keys = generation * GATEWAY_TOKEN_KEYS_MAX + (uint64_t)(source - gateway->config.token_keys);
  int64_t now_ms = clock_now_ms(gateway->config.functions->clock);
  *ret_verdict = GATEWAY_SERVE;
  bool known = token_cache_find(gateway->tokens, entry->digest, entry->keys, now_ms, entry);
  *ret_status = known || !keys ? JWT_UNKNOWN_KEY : jwt_verify(keys, token, &exchange->arena, &payload);
  if (keys) source->release(hold);
  if (known) return true;
  if (*ret_status != JWT_VALID) return false;
  *ret_verdict = check_claims(gateway, exchange, payload, entry);
  return true;
}

/* The authoriser in front has checked the token; what it says must still be what an order needs. */
static enum gateway_verdict believe_claims(struct exchange *exchange) {
  struct token_entry entry = {.customer_size = 0};
  struct bytes subject = exchange->claims.subject;
  if (!exchange->claims.given) return refuse(exchange, "an access token is required", false);
  if (!jwt_subject_is_good(subject))
    return refuse(exchange, "sub must be a text of 1 to 128 characters without control characters", true);
  for (size_t i = 0; i < COUNT_OF(scopes); i++)
    if (jwt_scope_has(exchange->claims.scope, scopes[i].name)) entry.scopes |= (uint8_t)scopes[i].bit;
  entry.customer_size = (uint16_t)subject.size;
  memcpy(entry.customer, subject.data, subject.size);
  apply(exchange, &entry);
  return GATEWAY_SERVE;
}

enum gateway_verdict authenticate(struct gateway *gateway, struct exchange *exchange) {
  if (gateway->config.believes_claims) return believe_claims(exchange);
  struct bytes token;
  const char *detail;
  struct token_entry entry = {.customer_size = 0};
  bool unknown_key = false, bad_signature = false, can_refresh = false;
  if (!bearer_token(exchange, &token, &detail)) return refuse(exchange, detail, false);
  if (token.size > JWT_BYTES_MAX) return refuse(exchange, "the token is too large", true);
  sha256(token, entry.digest);
  for (size_t i = 0; i < gateway->config.token_keys_count; i++) {
    enum jwt_status status;
    enum gateway_verdict verdict;
    if (verified_by(gateway, exchange, &gateway->config.token_keys[i], token, &entry, &status, &verdict)) {
      if (verdict == GATEWAY_SERVE) apply(exchange, &entry);
      return verdict;
    }
    can_refresh |= gateway->config.token_keys[i].refresh != NULL;
    unknown_key |= status == JWT_UNKNOWN_KEY;
    bad_signature |= status == JWT_BAD_SIGNATURE;
  }
  refuse(exchange,
         unknown_key     ? "the token's key is not known"
         : bad_signature ? "the token's signature is not valid"
                         : "the token is not an acceptable JWT",
         true);
  return unknown_key && can_refresh ? GATEWAY_NEEDS_KEYS : GATEWAY_ANSWERED;
}
