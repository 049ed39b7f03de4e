#include "wire/jwt_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/encode.h"
#include "base/panic.h"

enum { P256_BYTES = 32, ED25519_BYTES = 32, RSA_EXPONENT_BITS_MAX = 64 };

static const char *const algorithm_names[JWT_ALGORITHM_COUNT] = {[JWT_HS256] = "HS256",
                                                                 [JWT_RS256] = "RS256",
                                                                 [JWT_PS256] = "PS256",
                                                                 [JWT_ES256] = "ES256",
                                                                 [JWT_EDDSA] = "EdDSA"};

bool jwt_algorithm_from(struct bytes name, enum jwt_algorithm *ret_algorithm) {
  for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++) {
    if (!bytes_equal_string(name, algorithm_names[i])) continue;
    *ret_algorithm = (enum jwt_algorithm)i;
    return true;
  }
  return false;
}

/* Makes a public key from parameters, and checks that it is one: a point that is not on the curve
 * gives away secrets elsewhere, and here would be a key that proves nothing. */
static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *builder) {
  OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (!parameters || !context) panic("out of memory");
  EVP_PKEY *key = NULL;
  bool made = EVP_PKEY_fromdata_init(context) == 1 &&
              EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  if (!made) return NULL;
  EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  bool good = check && EVP_PKEY_public_check(check) == 1;
  EVP_PKEY_CTX_free(check);
  if (good) return key;
  EVP_PKEY_free(key);
  return NULL;
}

static bool decode_member(const struct json *jwk, const char *name, struct arena *arena,
                          struct bytes *ret_data) {
  struct bytes text = json_member_text(jwk, name);
  return text.size > 0 && base64url_decode(text, arena, ret_data) && ret_data->size > 0;
}

/* RFC 7518 section 6.3.1. Leading zero octets are wrong but common, and harmless. */
static EVP_PKEY *read_rsa(const struct json *jwk, struct arena *arena) {
  struct bytes n, e;
  if (!decode_member(jwk, "n", arena, &n) || !decode_member(jwk, "e", arena, &e)) return NULL;
  if (n.size > JWT_RSA_BITS_MAX / 8 + 8 || e.size > 16) return NULL;
  BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.size, NULL);
  BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.size, NULL);
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  if (!modulus || !exponent || !builder) panic("out of memory");
  EVP_PKEY *key = NULL;
  int bits = BN_num_bits(modulus);
  if (bits >= JWT_RSA_BITS_MIN && bits <= JWT_RSA_BITS_MAX && BN_is_odd(modulus) && BN_is_odd(exponent) &&
      !BN_is_one(exponent) && BN_num_bits(exponent) <= RSA_EXPONENT_BITS_MAX) {
    ensure(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1);
    ensure(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
    key = key_from("RSA", builder);
  }
  OSSL_PARAM_BLD_free(builder);
  BN_free(modulus);
  BN_free(exponent);
  return key;
}

/* RFC 7518 section 6.2.1: the coordinates have the full 32 bytes each. */
static EVP_PKEY *read_p256(const struct json *jwk, struct arena *arena) {
  struct bytes x, y;
  if (!decode_member(jwk, "x", arena, &x) || !decode_member(jwk, "y", arena, &y)) return NULL;
  if (x.size != P256_BYTES || y.size != P256_BYTES) return NULL;
  unsigned char point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
  memcpy(point + 1, x.data, P256_BYTES);
  memcpy(point + 1 + P256_BYTES, y.data, P256_BYTES);
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  if (!builder) panic("out of memory");
  ensure(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
  ensure(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1);
  EVP_PKEY *key = key_from("EC", builder);
  OSSL_PARAM_BLD_free(builder);
  return key;
}

/* RFC 8037 section 2. */
static EVP_PKEY *read_ed25519(const struct json *jwk, struct arena *arena) {
  struct bytes x;
  if (!decode_member(jwk, "x", arena, &x) || x.size != ED25519_BYTES) return NULL;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data, x.size);
}

/* RFC 7517 sections 4.2 and 4.3: `use` and `key_ops`, where given, must allow to verify. */
static bool may_verify(const struct json *jwk) {
  if (json_member(jwk, "use") && !bytes_equal(json_member_text(jwk, "use"), BYTES("sig"))) return false;
  const struct json *operations = json_member(jwk, "key_ops");
  if (!operations) return true;
  if (operations->type != JSON_ARRAY) return false;
  for (const struct json *one = operations->first; one; one = one->next)
    if (one->type == JSON_STRING && bytes_equal(one->text, BYTES("verify"))) return true;
  return false;
}

/* What a key of this type and curve may be bound to: the first is meant where `alg` is absent. */
struct kind {
  const char *type, *curve; /* curve NULL: has none */
  enum jwt_algorithm algorithms[2];
  EVP_PKEY *(*read)(const struct json *jwk, struct arena *arena);
};

static const struct kind kinds[] = {
    {"RSA", NULL, {JWT_RS256, JWT_PS256}, read_rsa},
    {"EC", "P-256", {JWT_ES256, JWT_ES256}, read_p256},
    {"OKP", "Ed25519", {JWT_EDDSA, JWT_EDDSA}, read_ed25519},
};

static const struct kind *find_kind(const struct json *jwk) {
  struct bytes type = json_member_text(jwk, "kty"), curve = json_member_text(jwk, "crv");
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (bytes_equal_string(type, kinds[i].type) &&
        (!kinds[i].curve || bytes_equal_string(curve, kinds[i].curve)))
      return &kinds[i];
  return NULL;
}

static bool find_algorithm(const struct json *jwk, const struct kind *kind, enum jwt_algorithm *ret_algorithm) {
  if (!json_member(jwk, "alg")) {
    *ret_algorithm = kind->algorithms[0];
    return true;
  }
  return jwt_algorithm_from(json_member_text(jwk, "alg"), ret_algorithm) &&
         (*ret_algorithm == kind->algorithms[0] || *ret_algorithm == kind->algorithms[1]);
}

bool jwt_key_from_jwk(const struct json *jwk, struct arena *arena, struct jwt_key *ret_key) {
  const struct kind *kind = find_kind(jwk);
  const struct json *id = json_member(jwk, "kid");
  enum jwt_algorithm algorithm;
  if (!kind || !may_verify(jwk) || !find_algorithm(jwk, kind, &algorithm)) return false;
  if (id && id->type != JSON_STRING) return false;
  EVP_PKEY *key = kind->read(jwk, arena);
  if (!key) {
    ERR_clear_error();
    return false;
  }
  *ret_key = (struct jwt_key){.algorithm = algorithm, .has_id = id != NULL, .public_key = key};
  if (id) ret_key->id = arena_copy(arena, id->text);
  return true;
}

void jwt_key_release(struct jwt_key *key) {
  EVP_PKEY_free(key->public_key);
  jwt_hmac_release(&key->hmac);
}
