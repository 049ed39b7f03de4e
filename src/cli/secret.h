/* Secrets from files, and development tokens made with them. */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"

enum { SECRET_FILE_BYTES_MAX = 64 * 1024 };

/* The file's bytes without one trailing newline ("\n" or "\r\n"). Fails where it cannot be read, is
 * larger than SECRET_FILE_BYTES_MAX, or holds fewer than `least_bytes`. */
MUST_USE bool secret_read(const char *path, size_t least_bytes, struct arena *arena, struct bytes *ret_secret,
                          struct failure *ret_failure);

struct token_claims {
  struct bytes customer; /* sub */
  struct bytes scope;
  struct bytes issuer, audience; /* empty: left out */
  int64_t issued_ms, expires_ms;
};

/* An HS256 token. All texts are valid UTF-8. */
struct bytes token_mint(struct bytes secret, const struct token_claims *claims, struct arena *arena);

#endif
