/* Tokens made to deceive (RFC 8725 section 2, and the known attacks on each algorithm). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/jwt_test_tools.h"

struct world {
  struct arena arena;
  EVP_PKEY *rsa, *p256, *ed25519;
  struct jwt_keys *keys; /* rsa, p256, ed25519 as "rsa", "ec", "ed"; PS256 of rsa as "pss" */
  struct jwt_keys *secret;
};

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const char payload[] = "{\"sub\":\"c1\",\"exp\":2000000000}";

static int set_up(void **state) {
  static struct world w;
  struct failure failure;
  struct arena *a = &w.arena;
  arena_init(a);
  w.rsa = EVP_RSA_gen(2048);
  w.p256 = EVP_EC_gen("P-256");
  w.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  struct bytes rsa = tool_jwk(w.rsa, ",\"kid\":\"rsa\",\"alg\":\"RS256\",\"use\":\"sig\"", a);
  struct bytes pss = tool_jwk(w.rsa, ",\"kid\":\"pss\",\"alg\":\"PS256\"", a);
  struct bytes ec = tool_jwk(w.p256, ",\"kid\":\"ec\"", a), ed = tool_jwk(w.ed25519, ",\"kid\":\"ed\"", a);
  struct bytes jwks = arena_printf(a, "{\"keys\":[%.*s,%.*s,%.*s,%.*s]}", BYTES_PRINTF(rsa), BYTES_PRINTF(pss),
                                   BYTES_PRINTF(ec), BYTES_PRINTF(ed));
  *state = &w;
  bool good = jwt_keys_from_jwks(jwks, &w.keys, &failure);
  return good && jwt_keys_from_secret(bytes_of(secret), &w.secret, &failure) ? 0 : -1;
}

static int tear_down(void **state) {
  struct world *w = *state;
  jwt_keys_free(w->keys);
  jwt_keys_free(w->secret);
  EVP_PKEY_free(w->rsa);
  EVP_PKEY_free(w->p256);
  EVP_PKEY_free(w->ed25519);
  arena_release(&w->arena);
  return 0;
}

static void expect(struct world *w, const struct jwt_keys *keys, struct bytes token, enum jwt_status expected) {
  struct json *object = NULL;
  enum jwt_status status = jwt_verify(keys, token, &w->arena, &object);
  if (status != expected) fail_msg("status %d, not %d, for %.*s", status, expected, BYTES_PRINTF(token));
}

static void test_none(void **state) {
  struct world *w = *state;
  static const char *const headers[] = {"{\"alg\":\"none\"}",
                                        "{\"alg\":\"None\"}",
                                        "{\"alg\":\"NONE\"}",
                                        "{\"alg\":\"nOnE\"}",
                                        "{\"alg\":\"\"}",
                                        "{\"alg\":null}",
                                        "{}",
                                        "{\"alg\":[\"HS256\"]}",
                                        "{\"alg\":\"hs256\"}",
                                        "{\"alg\":\"HS256 \"}",
                                        "{\"alg\":\"HS384\"}",
                                        "{\"alg\":\"HS256\\u0000\"}",
                                        "{\"alg\":\"RS512\"}",
                                        "{\"alg\":\"ES256K\"}"};
  for (size_t i = 0; i < COUNT_OF(headers); i++) {
    struct bytes text = tool_join(&w->arena, headers[i], payload);
    expect(w, w->secret, arena_printf(&w->arena, "%.*s.", BYTES_PRINTF(text)), JWT_MALFORMED);
    expect(w, w->secret, tool_token_hs256(&w->arena, bytes_of(secret), headers[i], payload), JWT_MALFORMED);
    expect(w, w->keys, tool_token(&w->arena, w->rsa, -2, headers[i], payload), JWT_MALFORMED);
  }
}

/* The public key, in each form an attacker may know it, as the secret of HS256. */
static void test_algorithm_confusion(void **state) {
  struct world *w = *state;
  struct bytes jwk = tool_jwk(w->rsa, "", &w->arena);
  unsigned char *der = NULL;
  int size = i2d_PUBKEY(w->rsa, &der);
  assert_true(size > 0);
  struct bytes forms[] = {jwk, bytes_from(der, (size_t)size), bytes_of("")};
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    expect(w, w->keys, tool_token_hs256(&w->arena, forms[i], "{\"alg\":\"HS256\"}", payload), JWT_MALFORMED);
    expect(w, w->keys, tool_token_hs256(&w->arena, forms[i], "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", payload),
           JWT_MALFORMED);
    expect(w, w->keys, tool_token_hs256(&w->arena, forms[i], "{\"alg\":\"HS256\",\"kid\":\"x\"}", payload),
           JWT_MALFORMED);
    expect(w, w->keys, tool_token_hs256(&w->arena, forms[i], "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", payload),
           JWT_BAD_SIGNATURE);
  }
  OPENSSL_free(der);
}

/* Each key is bound to its algorithm, even where it could do another. */
static void test_keys_and_algorithms_swapped(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", payload), JWT_VALID);
  expect(w, w->keys, tool_token(a, w->rsa, 32, "{\"alg\":\"PS256\",\"kid\":\"pss\"}", payload), JWT_VALID);
  expect(w, w->keys, tool_token(a, w->rsa, 32, "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", payload), JWT_MALFORMED);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"pss\"}", payload), JWT_MALFORMED);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"PS256\",\"kid\":\"pss\"}", payload),
         JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_token(a, w->p256, -2, "{\"alg\":\"ES256\",\"kid\":\"ed\"}", payload), JWT_MALFORMED);
  expect(w, w->keys, tool_token(a, w->p256, -2, "{\"alg\":\"EdDSA\"}", payload), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_token(a, w->ed25519, -2, "{\"alg\":\"ES256\"}", payload), JWT_BAD_SIGNATURE);
  expect(w, w->secret, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\"}", payload), JWT_MALFORMED);
}

static void test_key_ids(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\"}", payload), JWT_VALID);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"new\"}", payload),
         JWT_UNKNOWN_KEY);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"\"}", payload), JWT_UNKNOWN_KEY);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"RSA\"}", payload),
         JWT_UNKNOWN_KEY);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":7}", payload), JWT_MALFORMED);
  expect(w, w->keys, tool_token(a, w->rsa, -2, "{\"alg\":\"RS256\",\"kid\":\"../rsa\"}", payload),
         JWT_UNKNOWN_KEY);
  struct bytes named = tool_token_hs256(a, bytes_of(secret), "{\"alg\":\"HS256\",\"kid\":\"x\"}", payload);
  expect(w, w->secret, named, JWT_UNKNOWN_KEY); /* the secret has no name */
}

static void test_headers(void **state) {
  struct world *w = *state;
  static const char *const headers[] = {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
                                        "{\"alg\":\"HS256\",\"crit\":[]}",
                                        "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":true}",
                                        "{\"alg\":\"HS256\",\"crit\":null}",
                                        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
                                        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
                                        "{\"alg\":\"HS256\",\"al\\u0067\":\"HS256\"}",
                                        "[\"HS256\"]",
                                        "\"HS256\"",
                                        "{\"alg\":\"HS256\"} x",
                                        "{\"alg\":\"HS256\"",
                                        "\xEF\xBB\xBF{\"alg\":\"HS256\"}",
                                        "{'alg':'HS256'}"};
  for (size_t i = 0; i < COUNT_OF(headers); i++)
    expect(w, w->secret, tool_token_hs256(&w->arena, bytes_of(secret), headers[i], payload), JWT_MALFORMED);
  static const char own_key[] = /* a key that the token brings along is not used */
      "{\"alg\":\"RS256\",\"jku\":\"https://evil.example\",\"jwk\":{\"kty\":\"RSA\"},\"x5c\":[\"AA\"]}";
  EVP_PKEY *evil = EVP_RSA_gen(2048);
  expect(w, w->keys, tool_token(&w->arena, evil, -2, own_key, payload), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_token(&w->arena, w->rsa, -2, own_key, payload), JWT_VALID);
  EVP_PKEY_free(evil);
}

static void test_payloads(void **state) {
  struct world *w = *state;
  static const char *const payloads[] = {"{\"sub\":\"a\",\"sub\":\"b\"}",
                                         "[]",
                                         "\"x\"",
                                         "{",
                                         "null",
                                         "{}{}",
                                         "{\"a\":\"\\ud800\"}",
                                         "{\"a\":\"\xff\"}"};
  for (size_t i = 0; i < COUNT_OF(payloads); i++)
    expect(w, w->secret, tool_token_hs256(&w->arena, bytes_of(secret), "{\"alg\":\"HS256\"}", payloads[i]),
           JWT_MALFORMED);
}

/* One token has one spelling (RFC 7515 section 2): no padding, no stray bits, no other alphabet. */
static void test_spellings(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  struct bytes good = jwt_sign_hs256(bytes_of(secret), bytes_of(payload), a);
  const char *g = good.data;
  expect(w, w->secret, good, JWT_VALID);
  const char *formats[] = {"%s=", "%s.", ".%s", " %s", "%s ", "%s\n", "%s.e30", "%s==", "Bearer %s"};
  for (size_t i = 0; i < COUNT_OF(formats); i++) {
    struct text text;
    text_init(&text, a);
    for (const char *f = formats[i]; *f; f++) {
      if (*f != '%') {
        text_append_char(&text, *f);
        continue;
      }
      text_append(&text, good);
      f++;
    }
    expect(w, w->secret, text_view(&text), JWT_MALFORMED);
  }
  size_t first = bytes_find(good, '.', 0), second = bytes_find(good, '.', first + 1);
  char *stray = arena_string(a, good); /* 43 characters hold 32 bytes and two bits that must be zero */
  for (int i = 0; i < 3; i++) {
    stray[good.size - 1]++;
    enum jwt_status expected =
        strchr("AEIMQUYcgkosw048", stray[good.size - 1]) ? JWT_BAD_SIGNATURE : JWT_MALFORMED;
    expect(w, w->secret, bytes_from(stray, good.size), expected);
  }
  expect(w, w->secret, arena_printf(a, "%.*sA", BYTES_PRINTF(good)), JWT_BAD_SIGNATURE);
  expect(w, w->secret, BYTES(""), JWT_MALFORMED);
  expect(w, w->secret, BYTES("."), JWT_MALFORMED);
  expect(w, w->secret, BYTES(".."), JWT_MALFORMED);
  expect(w, w->secret, bytes_slice(good, 0, second), JWT_MALFORMED);
  expect(w, w->secret, bytes_slice(good, 0, second + 1), JWT_MALFORMED);
  expect(w, w->secret, bytes_slice(good, first, good.size), JWT_MALFORMED);
  expect(w, w->secret, arena_printf(a, "%.*s..%s", (int)first, g, g + second + 1), JWT_MALFORMED);
  expect(w, w->secret, arena_printf(a, "%.*s=%s", (int)first, g, g + first), JWT_MALFORMED);
  expect(w, w->secret, bytes_slice(good, 0, good.size - 1), JWT_MALFORMED);
  expect(w, w->secret, bytes_slice(good, 0, good.size - 3), JWT_BAD_SIGNATURE);
  char *nul = arena_string(a, good);
  nul[good.size - 2] = '\0';
  expect(w, w->secret, bytes_from(nul, good.size), JWT_MALFORMED);
}

static void test_size_limit(void **state) {
  struct world *w = *state;
  char filler[JWT_BYTES_MAX] = {0};
  bool met = false;
  for (size_t size = 6050; size < 6100; size++) {
    memset(filler, 'x', size);
    filler[size] = '\0';
    struct bytes json = arena_printf(&w->arena, "{\"a\":\"%s\"}", filler);
    struct bytes token = jwt_sign_hs256(bytes_of(secret), json, &w->arena);
    met = met || token.size == JWT_BYTES_MAX;
    expect(w, w->secret, token, token.size <= JWT_BYTES_MAX ? JWT_VALID : JWT_MALFORMED);
  }
  assert_true(met);
}

/* r and s of zero pass with broken implementations (CVE-2022-21449); DER is not the form of JWS. */
static void test_es256_forms(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  struct bytes text = tool_join(a, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", payload);
  struct bytes der = tool_sign_raw(w->p256, -2, text, a), raw = tool_es256_raw(der, a);
  expect(w, w->keys, tool_finish(a, text, raw), JWT_VALID);
  expect(w, w->keys, tool_finish(a, text, der), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_finish(a, text, bytes_slice(raw, 0, 63)), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_finish(a, text, bytes_slice(raw, 0, 32)), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_finish(a, text, arena_printf(a, "%c%.*s", 'x', 64, raw.data)), JWT_BAD_SIGNATURE);
  static const unsigned char order[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
  unsigned char halves[4][32] = {{0}, {0}, {0}, {0}}; /* 0, 1, n, 2^256 - 1 */
  halves[1][31] = 1;
  memcpy(halves[2], order, 32);
  memset(halves[3], 0xff, 32);
  for (int r = 0; r < 5; r++) {
    for (int s = 0; s < 5; s++) {
      if (r == 4 && s == 4) continue;
      char *forged = arena_string(a, raw);
      if (r < 4) memcpy(forged, halves[r], 32);
      if (s < 4) memcpy(forged + 32, halves[s], 32);
      expect(w, w->keys, tool_finish(a, text, bytes_from(forged, 64)), JWT_BAD_SIGNATURE);
    }
  }
}

static void test_rsa_and_eddsa_forms(void **state) {
  struct world *w = *state;
  struct arena *a = &w->arena;
  struct bytes text = tool_join(a, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", payload);
  struct bytes signature = tool_sign_raw(w->rsa, -2, text, a);
  expect(w, w->keys, tool_finish(a, text, bytes_slice(signature, 0, 255)), JWT_BAD_SIGNATURE);
  char longer[257] = {0}; /* a leading zero byte is the same number, and another spelling */
  memcpy(longer + 1, signature.data, 256);
  expect(w, w->keys, tool_finish(a, text, bytes_from(longer, 257)), JWT_BAD_SIGNATURE);
  char zeros[256] = {0};
  expect(w, w->keys, tool_finish(a, text, bytes_from(zeros, 256)), JWT_BAD_SIGNATURE);
  for (int salt = 0; salt <= 64; salt += 16) {
    struct bytes token = tool_token(a, w->rsa, salt, "{\"alg\":\"PS256\",\"kid\":\"pss\"}", payload);
    expect(w, w->keys, token, salt == 32 ? JWT_VALID : JWT_BAD_SIGNATURE);
  }
  text = tool_join(a, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", payload);
  signature = tool_sign_raw(w->ed25519, -2, text, a);
  expect(w, w->keys, tool_finish(a, text, signature), JWT_VALID);
  expect(w, w->keys, tool_finish(a, text, bytes_slice(signature, 0, 63)), JWT_BAD_SIGNATURE);
  expect(w, w->keys, tool_finish(a, text, bytes_from(zeros, 64)), JWT_BAD_SIGNATURE);
  struct bytes other = tool_join(a, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{\"sub\":\"c2\"}");
  expect(w, w->keys, tool_finish(a, other, signature), JWT_BAD_SIGNATURE);
}

/* A token without kid is tried against eight keys at most, so that it cannot cost more. */
static void test_tries_are_bounded(void **state) {
  struct world *w = *state;
  for (int others = 7; others <= 8; others++) {
    struct text jwks;
    text_init(&jwks, &w->arena);
    text_append_string(&jwks, "{\"keys\":[");
    for (int i = 0; i < others; i++) {
      EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
      text_append(&jwks, tool_jwk(other, "", &w->arena));
      text_append_char(&jwks, ',');
      EVP_PKEY_free(other);
    }
    text_append(&jwks, tool_jwk(w->ed25519, ",\"kid\":\"last\"", &w->arena));
    text_append_string(&jwks, "]}");
    struct jwt_keys *keys = NULL;
    struct failure failure;
    assert_true(jwt_keys_from_jwks(text_view(&jwks), &keys, &failure));
    expect(w, keys, tool_token(&w->arena, w->ed25519, -2, "{\"alg\":\"EdDSA\"}", payload),
           others == 7 ? JWT_VALID : JWT_BAD_SIGNATURE);
    expect(w, keys, tool_token(&w->arena, w->ed25519, -2, "{\"alg\":\"EdDSA\",\"kid\":\"last\"}", payload),
           JWT_VALID);
    jwt_keys_free(keys);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_none),
                                     cmocka_unit_test(test_algorithm_confusion),
                                     cmocka_unit_test(test_keys_and_algorithms_swapped),
                                     cmocka_unit_test(test_key_ids),
                                     cmocka_unit_test(test_headers),
                                     cmocka_unit_test(test_payloads),
                                     cmocka_unit_test(test_spellings),
                                     cmocka_unit_test(test_size_limit),
                                     cmocka_unit_test(test_es256_forms),
                                     cmocka_unit_test(test_rsa_and_eddsa_forms),
                                     cmocka_unit_test(test_tries_are_bounded)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
