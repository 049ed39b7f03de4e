/* Where `spillway serve` has its verification keys from, in the form the gateway asks for. */
#ifndef CLI_SERVE_KEYS_H
#define CLI_SERVE_KEYS_H

#include "base/attributes.h"
#include "base/failure.h"
#include "gateway/config.h"

struct serve_keys; /* one source of keys */

/* HS256 with the secret in a file. */
MUST_USE bool serve_keys_from_secret_file(const char *path, struct serve_keys **ret_keys,
                                          struct failure *ret_failure);

/* A JWKS in a file or behind a URL, read again every ten minutes. What is there must be good now; a URL
 * that does not answer is tried again later, and tokens are refused until it does. */
MUST_USE bool serve_keys_from_jwks(const char *file_or_url, struct serve_keys **ret_keys,
                                   struct failure *ret_failure);

struct gateway_keys serve_keys_for_gateway(struct serve_keys *keys);
/* There are keys to verify with. */
bool serve_keys_ready(struct serve_keys *keys);
/* NULL does nothing. */
void serve_keys_free(struct serve_keys *keys);

#endif
