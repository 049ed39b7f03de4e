/* Whether a certificate and its key are what they should be, told at the start with the file's name: the TLS
 * library behind the server says only that it could not start. */
#ifndef CLI_TLS_FILES_H
#define CLI_TLS_FILES_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/failure.h"

/* Both PEM: a chain whose first certificate is the server's, and its private key without a passphrase. The
 * texts name `certificate_file` and `key_file`. */
MUST_USE bool tls_files_check(const char *certificate_file, struct bytes certificate, const char *key_file,
                              struct bytes key, struct failure *ret_failure);

#endif
