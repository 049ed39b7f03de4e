/* JSON Web Tokens (RFC 7519, 7515, 7517, 7518, 8037; practice of RFC 8725), by OpenSSL.
 *
 * A key set holds keys, each bound to one algorithm: HS256 (a secret), RS256, PS256, ES256, EdDSA
 * (Ed25519). Refused: "none", an algorithm that no key of the set is bound to, any "crit", a member
 * given twice in header or claims, tokens over JWT_BYTES_MAX, signatures that are not canonical in
 * size. A token with "kid" is tried only against that key; one without, against the keys of its
 * algorithm (at most JWT_TRIES_MAX). */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "wire/json.h"

enum { JWT_BYTES_MAX = 8 * 1024, JWT_TRIES_MAX = 8, JWT_SECRET_BYTES_MIN = 32, JWT_LEEWAY_MS = 30000 };

struct jwt_keys; /* immutable once made; may be read from many threads */

/* HS256 with this secret (at least JWT_SECRET_BYTES_MIN bytes). */
MUST_USE bool jwt_keys_from_secret(struct bytes secret, struct jwt_keys **ret_keys,
                                   struct failure *ret_failure);
/* A JWKS document (RFC 7517). `alg` binds a key; without it RSA means RS256, P-256 ES256, Ed25519
 * EdDSA. An "oct" key, or a document without one usable key, fails. Keys of unknown type, use "enc",
 * or weaker than 2,048 bits (RSA) are left out. */
MUST_USE bool jwt_keys_from_jwks(struct bytes json, struct jwt_keys **ret_keys, struct failure *ret_failure);
void jwt_keys_free(struct jwt_keys *keys);

enum jwt_status {
  JWT_VALID,
  JWT_MALFORMED,   /* not a JWS of ours: form, header, algorithm, size */
  JWT_UNKNOWN_KEY, /* well formed, but its kid is in no key of the set: newer keys may help */
  JWT_BAD_SIGNATURE,
};

/* Checks form and signature only. On JWT_VALID `ret_payload` is the parsed payload object. */
enum jwt_status jwt_verify(const struct jwt_keys *keys, struct bytes token, struct arena *arena,
                           struct json **ret_payload);

/* What may be asked of the claims of a valid token; empty views are not asked. */
struct jwt_policy {
  struct bytes issuer;
  struct bytes audience;
};

struct jwt_claims {
  struct bytes subject; /* 1 to 128 characters, no control characters */
  struct bytes scope;   /* space-separated */
  int64_t expires_ms;
};

/* exp must be there and in the future, nbf (if there) not in the future, both with JWT_LEEWAY_MS;
 * both must be numbers (a fraction is allowed). False with `ret_detail` (for the client; names no
 * secret) otherwise. */
MUST_USE bool jwt_check_claims(const struct json *payload, const struct jwt_policy *policy, int64_t now_ms,
                               struct jwt_claims *ret_claims, const char **ret_detail);

/* 1 to 128 characters, no control characters. */
bool jwt_subject_is_good(struct bytes subject);

/* True where the space-separated `scope` holds `name`. */
bool jwt_scope_has(struct bytes scope, const char *name);

/* A compact HS256 token over `payload_json`, for development (`spillway token`) and tests. */
struct bytes jwt_sign_hs256(struct bytes secret, struct bytes payload_json, struct arena *arena);

#endif
