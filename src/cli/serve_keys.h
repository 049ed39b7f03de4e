/* Where `spillway serve` has its verification keys from, in the form the gateway asks for. */
#ifndef CLI_SERVE_KEYS_H
#define CLI_SERVE_KEYS_H

#include "base/attributes.h"
#include "base/failure.h"
#include "gateway/config.h"

/* HS256 with the secret in a file. Lives as long as the process. */
MUST_USE bool keys_from_secret_file(const char *path, struct gateway_keys *ret_keys, struct failure *ret_failure);

/* A JWKS in a file or behind a URL. A file must be good now; a URL that does not answer is tried again
 * later, and tokens are refused until it does. Lives as long as the process. */
MUST_USE bool keys_from_jwks(const char *file_or_url, struct gateway_keys *ret_keys, struct failure *ret_failure);

#endif
