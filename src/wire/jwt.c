#include "wire/jwt.h"

#include "base/encode.h"
#include "wire/jwt_key.h"

/* A compact JWS (RFC 7515 section 7.1), its parts still encoded. */
struct compact {
  struct bytes header, payload, signature;
  struct bytes signed_text; /* header "." payload */
};

struct header {
  enum jwt_algorithm algorithm;
  bool has_key_id;
  struct bytes key_id;
};

/* Exactly two dots, no part empty: an empty signature would be an unsecured JWS. */
static bool split(struct bytes token, struct compact *ret_compact) {
  if (token.size > JWT_BYTES_MAX) return false;
  size_t first = bytes_find(token, '.', 0);
  if (first == token.size) return false;
  size_t second = bytes_find(token, '.', first + 1);
  if (second == token.size || bytes_find(token, '.', second + 1) != token.size) return false;
  *ret_compact = (struct compact){.header = bytes_slice(token, 0, first),
                                  .payload = bytes_slice(token, first + 1, second),
                                  .signature = bytes_slice(token, second + 1, token.size),
                                  .signed_text = bytes_slice(token, 0, second)};
  return ret_compact->header.size > 0 && ret_compact->payload.size > 0 && ret_compact->signature.size > 0;
}

static bool parse_object(struct bytes encoded, struct arena *arena, struct json **ret_object) {
  struct bytes text, detail;
  return base64url_decode(encoded, arena, &text) && json_parse(text, arena, ret_object, &detail) &&
         (*ret_object)->type == JSON_OBJECT;
}

/* Of the header only alg, kid and crit are looked at. Keys it offers itself (jwk, jku, x5c, x5u) are
 * never used (RFC 8725 section 3.10). Any crit is refused, for no extension is known here
 * (RFC 7515 section 4.1.11). */
static bool read_header(struct bytes encoded, struct arena *arena, struct header *ret_header) {
  struct json *object;
  if (!parse_object(encoded, arena, &object) || json_member(object, "crit")) return false;
  const struct json *id = json_member(object, "kid");
  if (id && id->type != JSON_STRING) return false;
  *ret_header = (struct header){.has_key_id = id != NULL};
  if (id) ret_header->key_id = id->text;
  return jwt_algorithm_from(json_member_text(object, "alg"), &ret_header->algorithm);
}

/* The algorithm is the key's; the header's must be the same, and chooses nothing (RFC 8725
 * section 3.1). An unknown kid may be that of a newer key, even of one with another algorithm, but
 * never is a shared secret's in a set of public keys, nor the reverse. */
static enum jwt_status find_and_verify(const struct jwt_keys *keys, const struct header *header,
                                       struct bytes signed_text, struct bytes signature) {
  bool family_known = false, id_known = false;
  int tries = 0;
  for (size_t i = 0; i < keys->count && tries < JWT_TRIES_MAX; i++) {
    const struct jwt_key *key = &keys->keys[i];
    bool named = !header->has_key_id || (key->has_id && bytes_equal(key->id, header->key_id));
    id_known = id_known || named;
    family_known = family_known || (key->algorithm == JWT_HS256) == (header->algorithm == JWT_HS256);
    if (!named || key->algorithm != header->algorithm) continue;
    tries++;
    if (jwt_key_verify(key, signed_text, signature)) return JWT_VALID;
  }
  if (tries > 0) return JWT_BAD_SIGNATURE;
  return family_known && !id_known ? JWT_UNKNOWN_KEY : JWT_MALFORMED;
}

enum jwt_status jwt_verify(const struct jwt_keys *keys, struct bytes token, struct arena *arena,
                           struct json **ret_payload) {
  struct compact compact;
  struct header header;
  struct bytes signature;
  if (!split(token, &compact) || !read_header(compact.header, arena, &header) ||
      !base64url_decode(compact.signature, arena, &signature))
    return JWT_MALFORMED;
  enum jwt_status status = find_and_verify(keys, &header, compact.signed_text, signature);
  if (status != JWT_VALID) return status;
  struct json *payload; /* read only now: before, anybody may have written it */
  if (!parse_object(compact.payload, arena, &payload)) return JWT_MALFORMED;
  *ret_payload = payload;
  return JWT_VALID;
}

struct bytes jwt_sign_hs256(struct bytes secret, struct bytes payload_json, struct arena *arena) {
  struct bytes header = base64url_encode(BYTES("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), arena);
  struct bytes payload = base64url_encode(payload_json, arena);
  struct bytes signed_text = arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(header), BYTES_PRINTF(payload));
  struct jwt_hmac hmac;
  uint8_t mac[32];
  jwt_hmac_init(&hmac, secret);
  jwt_hmac_sign(&hmac, signed_text, mac);
  jwt_hmac_release(&hmac);
  struct bytes signature = base64url_encode(bytes_from(mac, sizeof mac), arena);
  return arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(signed_text), BYTES_PRINTF(signature));
}
