/* Key sets and the five algorithms: what must be accepted, and the keys that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "wire/jwt_test_tools.h"

struct world {
  struct arena arena;
  EVP_PKEY *rsa, *weak_rsa, *p256, *ed25519;
};

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char payload[] = "{\"sub\":\"c1\",\"exp\":2000000000}";

static int set_up(void **state) {
  static struct world world;
  arena_init(&world.arena);
  world.rsa = EVP_RSA_gen(2048);
  world.weak_rsa = EVP_RSA_gen(1024);
  world.p256 = EVP_EC_gen("P-256");
  world.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  *state = &world;
  return world.rsa && world.weak_rsa && world.p256 && world.ed25519 ? 0 : -1;
}

static int tear_down(void **state) {
  struct world *world = *state;
  EVP_PKEY_free(world->rsa);
  EVP_PKEY_free(world->weak_rsa);
  EVP_PKEY_free(world->p256);
  EVP_PKEY_free(world->ed25519);
  arena_release(&world->arena);
  return 0;
}

static struct jwt_keys *keys_of(const char *jwks) {
  struct jwt_keys *keys = NULL;
  struct failure failure = {""};
  if (!jwt_keys_from_jwks(bytes_of(jwks), &keys, &failure)) fail_msg("%s", failure.text);
  return keys;
}

static void assert_refused(const char *jwks, const char *why) {
  struct jwt_keys *keys = NULL;
  struct failure failure = {""};
  assert_false(jwt_keys_from_jwks(bytes_of(jwks), &keys, &failure));
  if (!strstr(failure.text, why)) fail_msg("\"%s\" does not say \"%s\"", failure.text, why);
}

static enum jwt_status verify(const struct jwt_keys *keys, struct bytes token, struct arena *arena) {
  struct json *object = NULL;
  enum jwt_status status = jwt_verify(keys, token, arena, &object);
  assert_true(status == JWT_VALID ? object && object->type == JSON_OBJECT : !object);
  return status;
}

/* A set of one JWK, and one token against it. */
static enum jwt_status verify_one(struct world *world, EVP_PKEY *key, const char *more, struct bytes token) {
  struct bytes jwk = tool_jwk(key, more, &world->arena);
  struct jwt_keys *keys = keys_of(arena_printf(&world->arena, "{\"keys\":[%.*s]}", BYTES_PRINTF(jwk)).data);
  enum jwt_status status = verify(keys, token, &world->arena);
  jwt_keys_free(keys);
  return status;
}

static void test_each_algorithm(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  assert_int_equal(verify_one(w, w->rsa, "", tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\"}", payload)),
                   JWT_VALID);
  assert_int_equal(
      verify_one(w, w->rsa, ",\"alg\":\"PS256\"", tool_token(a, w->rsa, 32, "{\"alg\":\"PS256\"}", payload)),
      JWT_VALID);
  assert_int_equal(verify_one(w, w->p256, "", tool_token(a, w->p256, -2, "{\"alg\":\"ES256\"}", payload)),
                   JWT_VALID);
  assert_int_equal(verify_one(w, w->ed25519, "", tool_token(a, w->ed25519, -2, "{\"alg\":\"EdDSA\"}", payload)),
                   JWT_VALID);
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_true(jwt_keys_from_secret(bytes_of(secret), &keys, &failure));
  assert_int_equal(verify(keys, jwt_sign_hs256(bytes_of(secret), bytes_of(payload), a), a), JWT_VALID);
  jwt_keys_free(keys);
}

/* RFC 7515 appendices A.1 to A.3: the same payload under HS256, ES256. */
#define RFC7515_PAYLOAD \
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static void test_known_answers(void **state) {
  struct arena *a = &((struct world *)*state)->arena;
  struct bytes known_secret;
  assert_true(base64url_decode(BYTES("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                                     "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
                               a, &known_secret));
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_true(jwt_keys_from_secret(known_secret, &keys, &failure));
  assert_int_equal(verify(keys,
                          BYTES("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_PAYLOAD
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                          a),
                   JWT_VALID);
  jwt_keys_free(keys);
  keys = keys_of(
      "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
  assert_int_equal(verify(keys,
                          BYTES("eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD
                                ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                                "pmWQxfKTUJqPP3-Kg6NU1Q"),
                          a),
                   JWT_VALID);
  jwt_keys_free(keys);
  /* RFC 8037 appendix A.4: valid, but its payload is a text and no object. */
  keys = keys_of(
      "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
      "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
  assert_int_equal(verify(keys,
                          BYTES("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
                                "9g7sVvpAr_MuM0KAg"),
                          a),
                   JWT_MALFORMED);
  assert_int_equal(verify(keys,
                          BYTES("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                                "igyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
                                "9g7sVvpAr_MuM0KAg"),
                          a),
                   JWT_BAD_SIGNATURE);
  jwt_keys_free(keys);
}

static void test_hmac_of_long_keys(void **state) {
  (void)state; /* RFC 4231 test case 6: a key longer than a block is hashed first */
  char key[131], hex[65] = "";
  memset(key, 0xaa, sizeof key);
  struct jwt_hmac hmac;
  uint8_t mac[32];
  jwt_hmac_init(&hmac, bytes_from(key, sizeof key));
  jwt_hmac_sign(&hmac, BYTES("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
  jwt_hmac_release(&hmac);
  hex_encode(mac, sizeof mac, hex);
  assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_keys_left_out(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  static const char *const unusable[] = {",\"use\":\"enc\"",           ",\"use\":1",
                                         ",\"key_ops\":[\"encrypt\"]", ",\"key_ops\":[]",
                                         ",\"key_ops\":\"verify\"",    ",\"alg\":\"RSA-OAEP\"",
                                         ",\"alg\":\"RS384\"",         ",\"alg\":\"HS256\"",
                                         ",\"alg\":\"ES256\"",         ",\"alg\":null",
                                         ",\"alg\":\"none\"",          ",\"kid\":7"};
  for (size_t i = 0; i < COUNT_OF(unusable); i++) {
    struct bytes jwk = tool_jwk(w->rsa, unusable[i], a);
    assert_refused(arena_printf(a, "{\"keys\":[%.*s]}", BYTES_PRINTF(jwk)).data, "none of the JWKS's 1 keys");
  }
  struct bytes weak = tool_jwk(w->weak_rsa, "", a),
               good = tool_jwk(w->p256, ",\"key_ops\":[\"sign\",\"verify\"]", a);
  assert_refused(arena_printf(a, "{\"keys\":[%.*s]}", BYTES_PRINTF(weak)).data, "2048 bits");
  struct jwt_keys *keys = keys_of(
      arena_printf(a, "{\"keys\":[7,null,{},{\"kty\":\"EC\",\"crv\":\"P-521\"},{\"kty\":\"AKP\"},%.*s,%.*s]}",
                   BYTES_PRINTF(weak), BYTES_PRINTF(good))
          .data);
  assert_int_equal(keys->count, 1);
  struct bytes forged = tool_token(a, w->weak_rsa, -2, "{\"alg\":\"RS256\"}", payload);
  assert_int_equal(verify(keys, forged, a), JWT_MALFORMED);
  jwt_keys_free(keys);
}

static void test_bad_points_and_numbers(void **state) {
  (void)state;
  static const char *const jwks[] = {
      /* not on the curve: y of RFC 7515 A.3 with its last bit turned */
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
      /* the point (0, 0), a short x, an absent y */
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
      "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}",
      "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"};
  struct arena *a = &((struct world *)*state)->arena;
  for (size_t i = 0; i < COUNT_OF(jwks); i++)
    assert_refused(arena_printf(a, "{\"keys\":[%s]}", jwks[i]).data, "can be used");
  struct world *w = *state; /* a good modulus with exponents that are none: 1, and an even one */
  struct bytes n = tool_number(w->rsa, OSSL_PKEY_PARAM_RSA_N, 0, a);
  static const char *const exponents[] = {"AQ", "AA", "BA", "AQAA", "____________"};
  for (size_t i = 0; i < COUNT_OF(exponents); i++)
    assert_refused(arena_printf(a, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%s\"}]}",
                                BYTES_PRINTF(n), exponents[i])
                       .data,
                   "can be used");
}

static void test_documents_refused(void **state) {
  (void)state;
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_refused("", "not good JSON");
  assert_refused("{\"keys\":[],\"keys\":[]}", "given twice");
  assert_refused("[]", "no array \"keys\"");
  assert_refused("{\"keys\":{}}", "no array \"keys\"");
  assert_refused("{\"keys\":[]}", "0 keys");
  assert_refused("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "shared secret");
  assert_false(jwt_keys_from_secret(BYTES("0123456789abcdef0123456789abcde"), &keys, &failure));
  assert_non_null(strstr(failure.text, "31 bytes"));
  jwt_keys_free(NULL);
}

struct verifier {
  const struct jwt_keys *keys;
  struct bytes tokens[2];
  int valid;
};

static void *verify_often(void *context) {
  struct verifier *verifier = context;
  for (int i = 0; i < 200; i++) {
    struct arena arena;
    struct json *object;
    arena_init(&arena);
    verifier->valid += jwt_verify(verifier->keys, verifier->tokens[i % 2], &arena, &object) == JWT_VALID;
    arena_release(&arena);
  }
  return NULL;
}

static void test_many_threads(void **state) {
  struct world *w = *state;
  struct bytes a = tool_jwk(w->rsa, ",\"kid\":\"a\"", &w->arena),
               b = tool_jwk(w->ed25519, ",\"kid\":\"b\"", &w->arena);
  struct jwt_keys *keys =
      keys_of(arena_printf(&w->arena, "{\"keys\":[%.*s,%.*s]}", BYTES_PRINTF(a), BYTES_PRINTF(b)).data);
  pthread_t threads[4];
  struct verifier verifiers[4];
  for (int i = 0; i < 4; i++) {
    verifiers[i] =
        (struct verifier){keys,
                          {tool_token(&w->arena, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"a\"}", payload),
                           tool_token(&w->arena, w->ed25519, -2, "{\"alg\":\"EdDSA\",\"kid\":\"b\"}", payload)},
                          0};
    assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &verifiers[i]), 0);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(verifiers[i].valid, 200);
  }
  jwt_keys_free(keys);
}

/* Not a check: tells what a verification costs. */
static void test_speed(void **state) {
  struct world *w = *state;
  struct jwt_keys *keys = NULL;
  struct failure failure;
  assert_true(jwt_keys_from_secret(bytes_of(secret), &keys, &failure));
  struct bytes token = jwt_sign_hs256(
      bytes_of(secret),
      BYTES("{\"iss\":\"https://"
            "issuer.example\",\"aud\":\"spillway\",\"sub\":\"customer-000123\",\"iat\":1790000000,"
            "\"exp\":2000000000,\"scope\":\"orders:read orders:write orders:wholesale\"}"),
      &w->arena);
  struct arena arena;
  arena_init(&arena);
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = 0; i < 20000; i++) {
    struct json *object;
    assert_int_equal(jwt_verify(keys, token, &arena, &object), JWT_VALID);
    arena_reset(&arena);
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  double us = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / 20000 / 1e3;
  print_message("HS256: %.2f us a token of %zu bytes\n", us, token.size);
  arena_release(&arena);
  jwt_keys_free(keys);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_algorithm),         cmocka_unit_test(test_known_answers),
      cmocka_unit_test(test_hmac_of_long_keys),      cmocka_unit_test(test_keys_left_out),
      cmocka_unit_test(test_bad_points_and_numbers), cmocka_unit_test(test_documents_refused),
      cmocka_unit_test(test_many_threads),           cmocka_unit_test(test_speed)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
