/* For the tests of wire/jwt.h: keys made at run time, their JWKs, and tokens signed with them in any
 * way, right or wrong. */
#ifndef WIRE_JWT_TEST_TOOLS_H
#define WIRE_JWT_TEST_TOOLS_H

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "base/panic.h"
#include "base/text.h"
#include "wire/jwt_key.h"

static inline struct bytes tool_base64(struct arena *arena, const char *text) {
  return base64url_encode(bytes_of(text), arena);
}

static inline struct bytes tool_number(EVP_PKEY *key, const char *name, size_t size_bytes,
                                       struct arena *arena) {
  BIGNUM *number = NULL;
  ensure(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  if (size_bytes == 0) size_bytes = (size_t)BN_num_bytes(number);
  unsigned char *data = arena_allocate(arena, size_bytes);
  ensure(BN_bn2binpad(number, data, (int)size_bytes) == (int)size_bytes);
  BN_free(number);
  return base64url_encode(bytes_from(data, size_bytes), arena);
}

/* The public half as a JWK; `more` is further members, starting with a comma. */
static inline struct bytes tool_jwk(EVP_PKEY *key, const char *more, struct arena *arena) {
  unsigned char raw[32];
  size_t size = sizeof raw;
  struct bytes a, b;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      a = tool_number(key, OSSL_PKEY_PARAM_RSA_N, 0, arena);
      b = tool_number(key, OSSL_PKEY_PARAM_RSA_E, 0, arena);
      return arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"%s}", BYTES_PRINTF(a),
                          BYTES_PRINTF(b), more);
    case EVP_PKEY_EC:
      a = tool_number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32, arena);
      b = tool_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32, arena);
      return arena_printf(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%.*s\",\"y\":\"%.*s\"%s}",
                          BYTES_PRINTF(a), BYTES_PRINTF(b), more);
    default:
      ensure(EVP_PKEY_get_raw_public_key(key, raw, &size) == 1);
      a = base64url_encode(bytes_from(raw, size), arena);
      return arena_printf(arena, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%.*s\"%s}", BYTES_PRINTF(a),
                          more);
  }
}

/* A signature in OpenSSL's own form. `salt_bytes`: -2 for PKCS#1 1.5 (or no RSA), else PSS. */
static inline struct bytes tool_sign_raw(EVP_PKEY *key, int salt_bytes, struct bytes text,
                                         struct arena *arena) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *parameters = NULL;
  bool is_ed25519 = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
  ensure(EVP_DigestSignInit(context, &parameters, is_ed25519 ? NULL : EVP_sha256(), NULL, key) == 1);
  if (salt_bytes >= 0) {
    ensure(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
    ensure(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, salt_bytes) == 1);
  }
  unsigned char *signature = arena_allocate(arena, 1024);
  size_t size = 1024;
  ensure(EVP_DigestSign(context, signature, &size, (const unsigned char *)text.data, text.size) == 1);
  EVP_MD_CTX_free(context);
  return bytes_from(signature, size);
}

/* DER to r and s of 32 bytes each. */
static inline struct bytes tool_es256_raw(struct bytes der, struct arena *arena) {
  const unsigned char *data = (const unsigned char *)der.data;
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &data, (long)der.size);
  ensure(pair != NULL);
  unsigned char *raw = arena_allocate(arena, 64);
  BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
  ECDSA_SIG_free(pair);
  return bytes_from(raw, 64);
}

static inline struct bytes tool_join(struct arena *arena, const char *header, const char *payload) {
  struct bytes a = tool_base64(arena, header), b = tool_base64(arena, payload);
  return arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(a), BYTES_PRINTF(b));
}

static inline struct bytes tool_finish(struct arena *arena, struct bytes text, struct bytes signature) {
  struct bytes encoded = base64url_encode(signature, arena);
  return arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(text), BYTES_PRINTF(encoded));
}

/* A whole token, signed as its key's type says: RS256 (PS256 with salt_bytes 32), ES256, EdDSA. */
static inline struct bytes tool_token(struct arena *arena, EVP_PKEY *key, int salt_bytes, const char *header,
                                      const char *payload) {
  struct bytes text = tool_join(arena, header, payload);
  struct bytes signature = tool_sign_raw(key, salt_bytes, text, arena);
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) signature = tool_es256_raw(signature, arena);
  return tool_finish(arena, text, signature);
}

/* HS256 over any header and payload with any secret. */
static inline struct bytes tool_token_hs256(struct arena *arena, struct bytes secret, const char *header,
                                            const char *payload) {
  struct bytes text = tool_join(arena, header, payload);
  struct jwt_hmac hmac;
  uint8_t *mac = arena_allocate(arena, 32);
  jwt_hmac_init(&hmac, secret);
  jwt_hmac_sign(&hmac, text, mac);
  jwt_hmac_release(&hmac);
  return tool_finish(arena, text, bytes_from(mac, 32));
}

#endif
