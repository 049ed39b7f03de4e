/* Secrets and other texts that settings name: a path, ssm:<parameter> (decrypted), secretsmanager:<id>. */
#ifndef PLATFORM_AWS_SECRETS_H
#define PLATFORM_AWS_SECRETS_H

#include "platform/aws/client.h"

/* One trailing newline is dropped. Fewer than `least_bytes` are refused. */
MUST_USE bool aws_secret_read(struct aws_client *client, const char *location, size_t least_bytes,
                              struct arena *arena, struct bytes *ret_secret, struct failure *ret_failure);

#endif
