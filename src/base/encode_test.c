/* Encodings against known answers, both ways, and what a strict decoder must refuse. */
#include "base/encode.h"
#include "base/digest.h"
#include "fake/testing.h"

static struct arena arena;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

static void test_base64(void **state) {
  (void)state;
  static const struct { /* RFC 4648 section 10 */
    const char *plain, *padded, *url;
  } cases[] = {{"", "", ""},
               {"f", "Zg==", "Zg"},
               {"fo", "Zm8=", "Zm8"},
               {"foo", "Zm9v", "Zm9v"},
               {"foob", "Zm9vYg==", "Zm9vYg"},
               {"fooba", "Zm9vYmE=", "Zm9vYmE"},
               {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
               {"\xFB\xEF\xFF", "++//", "--__"}};
  struct bytes plain;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_text(base64_encode(bytes_of(cases[i].plain), &arena), cases[i].padded);
    assert_text(base64url_encode(bytes_of(cases[i].plain), &arena), cases[i].url);
    assert_true(base64_decode(bytes_of(cases[i].padded), &arena, &plain));
    assert_text(plain, cases[i].plain);
    assert_true(base64url_decode(bytes_of(cases[i].url), &arena, &plain));
    assert_text(plain, cases[i].plain);
  }
}

static void test_base64_refuses(void **state) {
  (void)state;
  static const char *const bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm 8", "Zm8\n", "++//", "Zm8=", "A\xC3\xA9"};
  static const char *const bad[] = {"Zg", "Zg=", "Zh==", "Zm9=", "====", "Z===", "--__", "Zg==Zg==", "Zm8 "};
  struct bytes plain = BYTES("kept");
  for (size_t i = 0; i < COUNT_OF(bad_url); i++)
    if (base64url_decode(bytes_of(bad_url[i]), &arena, &plain)) fail_msg("%s", bad_url[i]);
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    if (base64_decode(bytes_of(bad[i]), &arena, &plain)) fail_msg("%s", bad[i]);
  assert_text(plain, "kept");
}

static void test_random_bytes_survive(void **state) {
  (void)state;
  uint64_t random = 77;
  for (int round = 0; round < 2000; round++) {
    uint8_t data[64], decoded[64];
    char text[128];
    size_t size = (size_t)next_random(&random, sizeof data + 1);
    for (size_t i = 0; i < size; i++) data[i] = (uint8_t)next_random(&random, 256);
    struct bytes given = bytes_from(data, size), back;
    assert_true(base64url_decode(base64url_encode(given, &arena), &arena, &back));
    assert_true(bytes_equal(back, given));
    assert_true(base64_decode(base64_encode(given, &arena), &arena, &back));
    assert_true(bytes_equal(back, given));
    size -= size % 5;
    base32_encode(data, size, text);
    assert_true(base32_decode(bytes_from(text, size / 5 * 8), decoded));
    assert_memory_equal(decoded, data, size);
  }
}

static void test_base32(void **state) {
  (void)state;
  static const uint8_t data[] = {0x00, 0x44, 0x32, 0x14, 0xC7, 0xFF, 0xBB, 0xCD, 0xEB, 0x38};
  char text[16];
  uint8_t decoded[10];
  base32_encode(data, sizeof data, text);
  assert_text(bytes_from(text, 16), "01234567zyxwvtsr"); /* the alphabet from both ends */
  assert_true(base32_decode(bytes_from(text, 16), decoded));
  assert_memory_equal(decoded, data, sizeof data);
  static const char *const bad[] = {"0123456",  "0123456I", "0123456i", "0123456l", "0123456o",
                                    "0123456u", "0123456A", "0123456-", "012345678"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    if (base32_decode(bytes_of(bad[i]), decoded)) fail_msg("%s", bad[i]);
}

static void test_hex_and_percent(void **state) {
  (void)state;
  char text[8];
  struct bytes plain;
  hex_encode((const uint8_t *)"\x00\xFF\xA5\x1b", 4, text);
  assert_text(bytes_from(text, 8), "00ffa51b");
  assert_true(percent_decode(BYTES("a%41%c3%A9+%25"), &arena, &plain));
  assert_text(plain, "aA\xC3\xA9+%");
  static const char *const bad[] = {"%", "%4", "a%4", "%4g", "%g4", "%%41", "% 41"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    if (percent_decode(bytes_of(bad[i]), &arena, &plain)) fail_msg("%s", bad[i]);
}

static struct bytes hex_of(const uint8_t *data, size_t size) {
  char *text = arena_allocate(&arena, 2 * size);
  hex_encode(data, size, text);
  return bytes_from(text, 2 * size);
}

static void test_digests(void **state) {
  (void)state;
  uint8_t digest[SHA256_BYTES];
  sha256(BYTES("abc"), digest); /* FIPS 180-2 appendix B.1 */
  assert_text(hex_of(digest, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha256((struct bytes){NULL, 0}, digest);
  assert_text(hex_of(digest, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  /* HMAC over "\0…\2hi\0…\0" with key "key", computed by another implementation. */
  const struct bytes parts[] = {BYTES("hi"), {NULL, 0}};
  hmac_sha256_parts(BYTES("key"), parts, 2, digest);
  assert_text(hex_of(digest, 32), "121367001e6505b518d038ed247bcc54544a0f8632832d5703db0207a6b94cf7");
  assert_true(digest_equal(digest, digest, 32));
  uint8_t other[SHA256_BYTES];
  memcpy(other, digest, 32);
  other[31] ^= 1;
  assert_false(digest_equal(digest, other, 32));
  assert_true(digest_equal(digest, other, 31));
}

/* No two lists of parts are one message: moving the border between them changes the MAC. */
static void test_parts_are_told_apart(void **state) {
  (void)state;
  const struct bytes lists[][2] = {{BYTES("ab"), BYTES("c")},
                                   {BYTES("a"), BYTES("bc")},
                                   {BYTES("abc"), {NULL, 0}},
                                   {{NULL, 0}, BYTES("abc")}};
  uint8_t macs[COUNT_OF(lists) + 1][SHA256_BYTES];
  for (size_t i = 0; i < COUNT_OF(lists); i++) hmac_sha256_parts(BYTES("k"), lists[i], 2, macs[i]);
  hmac_sha256_parts(BYTES("k"), lists[2], 1, macs[COUNT_OF(lists)]);
  for (size_t i = 0; i < COUNT_OF(macs); i++)
    for (size_t j = 0; j < i; j++) assert_memory_not_equal(macs[i], macs[j], SHA256_BYTES);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_base64),          TEST(test_base64_refuses), TEST(test_random_bytes_survive), TEST(test_base32),
      TEST(test_hex_and_percent), TEST(test_digests),        TEST(test_parts_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
