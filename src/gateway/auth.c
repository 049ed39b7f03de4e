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

/* Verifies a token that is not in the cache. */
static enum gateway_verdict verify(struct gateway *gateway, struct exchange *exchange, struct bytes token,
                                   const struct jwt_keys *keys, struct token_entry *entry) {
  struct json *payload;
  struct jwt_claims claims;
  const char *detail;
  int64_t now_ms = clock_now_ms(gateway->config.functions->clock);
  switch (jwt_verify(keys, token, &exchange->arena, &payload)) {
    case JWT_VALID: break;
    case JWT_UNKNOWN_KEY:
      refuse(exchange, "the token's key is not known", true);
      return GATEWAY_NEEDS_KEYS;
    case JWT_MALFORMED: return refuse(exchange, "the token is not an acceptable JWT", true);
    case JWT_BAD_SIGNATURE: return refuse(exchange, "the token's signature is not valid", true);
  }
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

enum gateway_verdict authenticate(struct gateway *gateway, struct exchange *exchange) {
  const struct gateway_keys *source = &gateway->config.token_keys;
  struct bytes token;
  const char *detail;
  struct token_entry entry = {.customer_size = 0};
  if (!bearer_token(exchange, &token, &detail)) return refuse(exchange, detail, false);
  if (token.size > JWT_BYTES_MAX) return refuse(exchange, "the token is too large", true);
  sha256(token, entry.digest);
  const struct jwt_keys *keys = source->acquire(source->context, &entry.keys);
  enum gateway_verdict verdict = GATEWAY_SERVE;
  if (!token_cache_find(gateway->tokens, entry.digest, entry.keys,
                        clock_now_ms(gateway->config.functions->clock), &entry))
    verdict = verify(gateway, exchange, token, keys, &entry);
  if (verdict == GATEWAY_SERVE) apply(exchange, &entry);
  source->release(source->context, keys);
  return verdict;
}
