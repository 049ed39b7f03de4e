/* JWKS documents (wire/jwt.h): a key set has at least one key, each bound to a public-key algorithm, and no
 * document makes a token verify whose key is not in it. */
#include "fuzz.h"
#include "jwt_samples.h"
#include "wire/jwt_key.h"

static const char p256_x_mark[] = "\"crv\":\"P-256\",\"x\":\"",
                  ed25519_x_mark[] = "\"crv\":\"Ed25519\",\"x\":\"";

/* What stands behind the mark in the sample document, up to the next quote. */
static struct bytes sample_x(const char *mark) {
  const char *at = strstr(sample_jwks, mark);
  ensure(at);
  at += strlen(mark);
  return bytes_from(at, strcspn(at, "\""));
}

/* The last four tokens are those of the two keys that have an x. */
static void check_tokens(const struct jwt_keys *keys, struct bytes input, struct arena *arena) {
  enum { TOKENS = sizeof sample_tokens / sizeof *sample_tokens };
  bool may_be_there = fuzz_holds(input, BYTES("\\")) || fuzz_holds(input, sample_x(p256_x_mark)) ||
                      fuzz_holds(input, sample_x(ed25519_x_mark));
  for (size_t i = TOKENS - 4; i < TOKENS; i++) {
    struct json *payload = NULL;
    bool valid = jwt_verify(keys, bytes_of(sample_tokens[i]), arena, &payload) == JWT_VALID;
    ensure(valid == (payload != NULL) && (!valid || may_be_there));
  }
}

FUZZ_TARGET(input, arena) {
  struct jwt_keys *keys = NULL, *again = NULL;
  struct failure failure = {""}, failure_again = {""};
  bool good = jwt_keys_from_jwks(input, &keys, &failure);
  bool good_again = jwt_keys_from_jwks(input, &again, &failure_again);
  ensure(good ? keys && keys->count >= 1 : !keys && failure.text[0]);
  /* OpenSSL draws lots to see that an RSA modulus is no prime: of one that nobody made as a key, the verdict
   * may differ. */
  if (!fuzz_holds(input, BYTES("RSA")) && !fuzz_holds(input, BYTES("\\")))
    ensure(good == good_again && strcmp(failure.text, failure_again.text) == 0 &&
           (!good || keys->count == again->count));
  for (size_t i = 0; good && i < keys->count; i++)
    ensure(keys->keys[i].algorithm != JWT_HS256 && keys->keys[i].public_key != NULL);
  if (good) check_tokens(keys, input, arena);
  if (keys) jwt_keys_free(keys);
  if (again) jwt_keys_free(again);
}
