#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/panic.h"

enum { HMAC_BLOCK_BYTES = 64, HMAC_MESSAGE_BYTES_MAX = 2048 };

/* Fetched once: EVP_sha256() would look it up by name in each operation. */
static const EVP_MD *sha256_method(void) {
  static _Atomic(EVP_MD *) kept;
  EVP_MD *method = atomic_load(&kept), *none = NULL;
  if (method) return method;
  /* Where memory lacked when it was made, OpenSSL 3.0 goes on with half of it, to a null pointer. */
  if (!OSSL_LIB_CTX_get0_global_default()) panic("out of memory");
  method = EVP_MD_fetch(NULL, "SHA256", NULL);
  ensure(method != NULL);
  if (atomic_compare_exchange_strong(&kept, &none, method)) return method;
  EVP_MD_free(method);
  return none;
}

/* One for each thread: EVP_Digest() would make and free one for each hash. */
static pthread_key_t context_key;
static pthread_once_t context_key_made = PTHREAD_ONCE_INIT;

static void free_context(void *context) { EVP_MD_CTX_free(context); }
static void make_context_key(void) { ensure(pthread_key_create(&context_key, free_context) == 0); }

static EVP_MD_CTX *context_of_thread(void) {
  ensure(pthread_once(&context_key_made, make_context_key) == 0);
  EVP_MD_CTX *context = pthread_getspecific(context_key);
  if (context) return context;
  context = EVP_MD_CTX_new();
  if (!context || pthread_setspecific(context_key, context) != 0) panic("out of memory");
  return context;
}

void sha256(struct bytes data, uint8_t ret_digest[SHA256_BYTES]) {
  EVP_MD_CTX *context = context_of_thread();
  ensure(EVP_DigestInit_ex2(context, sha256_method(), NULL) == 1 &&
         EVP_DigestUpdate(context, data.data, data.size) == 1 &&
         EVP_DigestFinal_ex(context, ret_digest, NULL) == 1);
}

static void xor_block(const uint8_t key[HMAC_BLOCK_BYTES], uint8_t pad, uint8_t *ret_block) {
  for (size_t i = 0; i < HMAC_BLOCK_BYTES; i++) ret_block[i] = key[i] ^ pad;
}

void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count,
                       uint8_t ret_mac[SHA256_BYTES]) {
  /* RFC 2104 as two plain hashes, which costs half of what HMAC() does. */
  uint8_t padded_key[HMAC_BLOCK_BYTES] = {0}, outer[HMAC_BLOCK_BYTES + SHA256_BYTES];
  uint8_t inner[HMAC_BLOCK_BYTES + HMAC_MESSAGE_BYTES_MAX];
  size_t size = HMAC_BLOCK_BYTES;
  for (size_t i = 0; i < count; i++) {
    ensure(size + 8 <= sizeof inner && parts[i].size <= sizeof inner - size - 8);
    for (int byte = 0; byte < 8; byte++) inner[size++] = (uint8_t)(parts[i].size >> (56 - 8 * byte));
    if (parts[i].size) memcpy(inner + size, parts[i].data, parts[i].size);
    size += parts[i].size;
  }
  if (key.size > HMAC_BLOCK_BYTES)
    sha256(key, padded_key);
  else if (key.size > 0)
    memcpy(padded_key, key.data, key.size);
  xor_block(padded_key, 0x36, inner);
  xor_block(padded_key, 0x5c, outer);
  sha256(bytes_from(inner, size), outer + HMAC_BLOCK_BYTES);
  sha256(bytes_from(outer, sizeof outer), ret_mac);
  OPENSSL_cleanse(padded_key, sizeof padded_key);
  OPENSSL_cleanse(inner, HMAC_BLOCK_BYTES);
  OPENSSL_cleanse(outer, HMAC_BLOCK_BYTES);
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t size_bytes) {
  return CRYPTO_memcmp(a, b, size_bytes) == 0;
}
