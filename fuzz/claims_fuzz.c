/* What a token says (wire/jwt.h): the input's first line is a JWS header, the rest a payload, and the token is
 * signed well. Whether it is accepted follows from the two alone, and the gateway believes no more than that.
 */
#include "base/encode.h"
#include "fuzz.h"
#include "gateway_world.h"
#include "wire/jwt_key.h"

static struct bytes sign(struct bytes header, struct bytes payload, struct arena *arena) {
  struct bytes a = base64url_encode(header, arena), b = base64url_encode(payload, arena);
  struct bytes text = arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(a), BYTES_PRINTF(b));
  struct jwt_hmac hmac;
  uint8_t mac[32];
  jwt_hmac_init(&hmac, BYTES(FAKE_SECRET));
  jwt_hmac_sign(&hmac, text, mac);
  jwt_hmac_release(&hmac);
  struct bytes c = base64url_encode(bytes_from(mac, sizeof mac), arena);
  return arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(text), BYTES_PRINTF(c));
}

static const struct json *object_of(struct bytes text, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  return json_parse(text, arena, &root, &detail) && root->type == JSON_OBJECT ? root : NULL;
}

static void check_claims(const struct json *payload, struct jwt_claims *ret_claims, bool *ret_good) {
  static const struct jwt_policy strict = {.issuer = BYTES("https://id.example"), .audience = BYTES("orders")};
  static const struct jwt_policy lax = {.issuer = {NULL, 0}};
  struct jwt_claims claims;
  const char *detail = NULL;
  *ret_good = jwt_check_claims(payload, &lax, FAKE_NOW_MS, ret_claims, &detail);
  if (jwt_check_claims(payload, &strict, FAKE_NOW_MS, &claims, &detail)) {
    ensure(*ret_good && bytes_equal(claims.subject, ret_claims->subject));
    ensure(bytes_equal(json_member_text(payload, "iss"), strict.issuer) && json_member(payload, "aud"));
  }
  ensure(*ret_good || (detail && *detail));
  if (!*ret_good) return;
  ensure(json_member(payload, "exp")->type == JSON_NUMBER);
  ensure(ret_claims->expires_ms + JWT_LEEWAY_MS > FAKE_NOW_MS);
  ensure(ret_claims->subject.size > 0 && fuzz_is_clean(ret_claims->subject, 128));
}

FUZZ_TARGET(input, arena) {
  struct bytes rest = input, header = {NULL, 0};
  (void)bytes_next_part(&rest, '\n', &header);
  struct bytes token = sign(header, rest, arena);
  const struct json *head = object_of(header, arena), *payload = object_of(rest, arena);
  bool good_header = head && bytes_equal_string(json_member_text(head, "alg"), "HS256") &&
                     !json_member(head, "crit") && !json_member(head, "kid");
  bool valid = good_header && payload && header.size > 0 && rest.size > 0 && token.size <= JWT_BYTES_MAX;

  struct gateway_world *world = gateway_world_get();
  struct json *verified = NULL;
  ensure((jwt_verify(world->fake->owned, token, arena, &verified) == JWT_VALID) == valid);
  struct jwt_claims claims = {.expires_ms = 0};
  bool good = false;
  if (valid) check_claims(verified, &claims, &good);

  struct exchange exchange;
  exchange_init(&exchange);
  exchange.request = (struct http_request){.method = HTTP_GET, .path = BYTES("/v1/orders")};
  fake_header(&exchange, "Authorization", arena_printf(arena, "Bearer %.*s", BYTES_PRINTF(token)));
  bool served = gateway_open(world->gateway, &exchange) == GATEWAY_SERVE;
  bool may_read = jwt_scope_has(claims.scope, "orders:read") || jwt_scope_has(claims.scope, "orders:operate");
  ensure(served == (good && may_read));
  if (served) ensure(bytes_equal(exchange.customer, claims.subject));
  if (!served) ensure(exchange.response.status == (good ? 403 : 401));
  exchange_release(&exchange);
}
