/* Hashes and message authentication, by OpenSSL. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdint.h>

#include "base/bytes.h"

enum { SHA256_BYTES = 32 };

void sha256(struct bytes data, uint8_t ret_digest[SHA256_BYTES]);

/* HMAC-SHA-256 (RFC 2104) over several parts. Each part is preceded by its size (8 bytes, big
 * endian), so that no two lists of parts are the same message. */
void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count,
                       uint8_t ret_mac[SHA256_BYTES]);

/* In time that does not depend on the contents. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t size_bytes);

#endif
