#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/panic.h"

void sha256(struct bytes data, uint8_t ret_digest[SHA256_BYTES]) {
  ensure(EVP_Digest(data.data, data.size, ret_digest, NULL, EVP_sha256(), NULL) == 1);
}

void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count,
                       uint8_t ret_mac[SHA256_BYTES]) {
  uint8_t message[2048];
  size_t size = 0;
  for (size_t i = 0; i < count; i++) {
    ensure(parts[i].size + 8 <= sizeof message - size);
    for (int byte = 0; byte < 8; byte++) message[size++] = (uint8_t)(parts[i].size >> (56 - 8 * byte));
    if (parts[i].size) memcpy(message + size, parts[i].data, parts[i].size);
    size += parts[i].size;
  }
  ensure(HMAC(EVP_sha256(), key.data, (int)key.size, message, size, ret_mac, NULL) != NULL);
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t size_bytes) {
  return CRYPTO_memcmp(a, b, size_bytes) == 0;
}
