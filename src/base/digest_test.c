/* Digests against the published test vectors, and against OpenSSL's own HMAC. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/encode.h"
#include "fake/testing.h"

static void sha256_of_abc(void **state) {
  (void)state;
  uint8_t digest[SHA256_BYTES];
  char text[2 * SHA256_BYTES];
  sha256(BYTES("abc"), digest);
  hex_encode(digest, sizeof digest, text);
  assert_text(bytes_from(text, sizeof text),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hmac_is_that_of_openssl(void **state) {
  (void)state;
  static const size_t key_sizes[] = {0, 1, 32, 63, 64, 65, 200};
  char key[200], part[700];
  memset(key, 'k', sizeof key);
  memset(part, 'p', sizeof part);
  for (size_t i = 0; i < COUNT_OF(key_sizes); i++) {
    for (size_t count = 0; count <= 2; count++) {
      struct bytes parts[] = {bytes_from(part, 3), bytes_from(part, sizeof part)};
      uint8_t message[2048], expected[SHA256_BYTES], mac[SHA256_BYTES];
      size_t size = 0;
      for (size_t j = 0; j < count; j++) {
        memset(message + size, 0, 6);
        message[size + 6] = (uint8_t)(parts[j].size >> 8);
        message[size + 7] = (uint8_t)parts[j].size;
        memcpy(message + size + 8, parts[j].data, parts[j].size);
        size += 8 + parts[j].size;
      }
      assert_non_null(HMAC(EVP_sha256(), key, (int)key_sizes[i], message, size, expected, NULL));
      hmac_sha256_parts(bytes_from(key, key_sizes[i]), parts, count, mac);
      assert_memory_equal(mac, expected, sizeof mac);
    }
  }
}

static void lists_of_parts_are_told_apart(void **state) {
  (void)state;
  uint8_t one[SHA256_BYTES], other[SHA256_BYTES];
  hmac_sha256_parts(BYTES("key"), (const struct bytes[]){BYTES("ab"), BYTES("c")}, 2, one);
  hmac_sha256_parts(BYTES("key"), (const struct bytes[]){BYTES("a"), BYTES("bc")}, 2, other);
  assert_false(digest_equal(one, other, sizeof one));
  assert_true(digest_equal(one, one, sizeof one));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_of_abc),
      cmocka_unit_test(hmac_is_that_of_openssl),
      cmocka_unit_test(lists_of_parts_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
