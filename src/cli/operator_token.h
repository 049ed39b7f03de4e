/* The token of a command that acts on a running server: from a file, or minted with the server's
 * secret. */
#ifndef CLI_OPERATOR_TOKEN_H
#define CLI_OPERATOR_TOKEN_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"

/* Exactly one of the two files is given, the other is NULL. The token is for `spillway-cli` with
 * all scopes, valid for a day; issuer and audience may be NULL. */
MUST_USE bool operator_token(const char *token_file, const char *secret_file, const char *issuer,
                             const char *audience, struct arena *arena, struct bytes *ret_token,
                             struct failure *ret_failure);

#endif
