/* Access tokens (wire/jwt.h) against a key of each algorithm: only the tokens that were issued verify, to the
 * byte. */
#include "fuzz.h"
#include "jwt_samples.h"
#include "wire/jwt.h"

static struct jwt_keys *shared_keys, *public_keys;

static bool is_issued(struct bytes token) {
  for (size_t i = 0; i < sizeof sample_tokens / sizeof *sample_tokens; i++)
    if (bytes_equal_string(token, sample_tokens[i])) return true;
  return false;
}

static bool verifies(const struct jwt_keys *keys, struct bytes token, struct arena *arena) {
  struct json *payload = NULL, *again = NULL;
  enum jwt_status status = jwt_verify(keys, token, arena, &payload);
  ensure(jwt_verify(keys, token, arena, &again) == status);
  ensure((status == JWT_VALID) == (payload != NULL));
  ensure(!payload || payload->type == JSON_OBJECT);
  return status == JWT_VALID;
}

FUZZ_TARGET(input, arena) {
  struct failure failure;
  if (!shared_keys) {
    ensure(jwt_keys_from_secret(BYTES(SAMPLE_SECRET), &shared_keys, &failure));
    ensure(jwt_keys_from_jwks(bytes_of(sample_jwks), &public_keys, &failure));
  }
  bool shared = verifies(shared_keys, input, arena), public = verifies(public_keys, input, arena);
  ensure((shared || public) == is_issued(input) && !(shared && public));
}
