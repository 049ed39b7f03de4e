/* The verification keys of one setting, for the gateway: a secret of HS256, or a JWKS by https URL, from AWS's
 * secret stores or from a file. Read once in the init phase; a URL is read again when a token names a key that
 * is not known, at a bounded rate. */
#ifndef BOOTSTRAP_KEYS_H
#define BOOTSTRAP_KEYS_H

#include "gateway/config.h"
#include "platform/aws/client.h"

struct keys;

MUST_USE bool keys_from_secret(struct aws_client *client, const char *location, struct keys **ret_keys,
                               struct failure *ret_failure);
MUST_USE bool keys_from_jwks(struct aws_client *client, const char *location, struct keys **ret_keys,
                             struct failure *ret_failure);
struct gateway_keys keys_for_gateway(struct keys *keys);
void keys_free(struct keys *keys);

#endif
