/* Inside of wire/jwt.h: a key, bound to its algorithm, and what checks a signature with it. */
#ifndef WIRE_JWT_KEY_H
#define WIRE_JWT_KEY_H

#include <openssl/evp.h>

#include "wire/jwt.h"

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_PS256, JWT_ES256, JWT_EDDSA, JWT_ALGORITHM_COUNT };

enum { JWT_RSA_BITS_MIN = 2048, JWT_RSA_BITS_MAX = 8192 /* beyond, one check costs milliseconds */ };

/* HMAC-SHA-256 with the key's two blocks hashed once and for all: a check copies the states. */
struct jwt_hmac {
  EVP_MD_CTX *inner, *outer;
};

struct jwt_key {
  enum jwt_algorithm algorithm;
  bool has_id;
  struct bytes id;
  EVP_PKEY *public_key; /* NULL for HS256 */
  struct jwt_hmac hmac; /* HS256 only */
};

struct jwt_keys {
  struct arena arena; /* of ids and of the array */
  struct jwt_key *keys;
  size_t count;
};

/* The exact, case-sensitive names of RFC 7518 section 3.1 and RFC 8037 section 3.1. */
bool jwt_algorithm_from(struct bytes name, enum jwt_algorithm *ret_algorithm);

void jwt_hmac_init(struct jwt_hmac *hmac, struct bytes secret);
void jwt_hmac_release(struct jwt_hmac *hmac);
void jwt_hmac_sign(const struct jwt_hmac *hmac, struct bytes message, uint8_t ret_mac[32]);

/* Makes the key that a JWK describes; false where it is of no use here (jwt.h says which are left
 * out). `arena` keeps its id. */
bool jwt_key_from_jwk(const struct json *jwk, struct arena *arena, struct jwt_key *ret_key);
void jwt_key_release(struct jwt_key *key);

/* True where `signature` over `signed_text` was made with this key and its algorithm. */
bool jwt_key_verify(const struct jwt_key *key, struct bytes signed_text, struct bytes signature);

#endif
