/* Secret files, and tokens that the server's own check accepts. */
#include "cli/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/jwt.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static bool read_back(const char *content, struct arena *arena, struct bytes *ret_secret) {
  char path[] = "/tmp/spillway-secret-XXXXXX";
  struct failure failure;
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, content, strlen(content)), strlen(content));
  close(file);
  bool good = secret_read(path, JWT_SECRET_BYTES_MIN, arena, ret_secret, &failure);
  unlink(path);
  return good;
}

static void one_newline_is_dropped(void **state) {
  (void)state;
  static const struct {
    const char *content, *secret; /* NULL: refused */
  } cases[] = {
      {SECRET, SECRET},           {SECRET "\n", SECRET},
      {SECRET "\r\n", SECRET},    {SECRET "\n\n", SECRET "\n"},
      {"\n" SECRET, "\n" SECRET}, {"", NULL},
      {"short\n", NULL},          {"0123456789abcdef0123456789abcde\n", NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct arena arena;
    struct bytes secret;
    arena_init(&arena);
    assert_int_equal(read_back(cases[i].content, &arena, &secret), cases[i].secret != NULL);
    if (cases[i].secret) assert_true(bytes_equal_string(secret, cases[i].secret));
    arena_release(&arena);
  }
}

static void missing_files_are_told(void **state) {
  (void)state;
  struct arena arena;
  struct bytes secret;
  struct failure failure;
  arena_init(&arena);
  assert_false(secret_read("/nonexistent/secret", 1, &arena, &secret, &failure));
  assert_non_null(strstr(failure.text, "/nonexistent/secret"));
  arena_release(&arena);
}

static void minted_tokens_are_valid(void **state) {
  (void)state;
  struct arena arena;
  struct failure failure;
  struct jwt_keys *keys;
  struct json *payload;
  struct jwt_claims claims;
  const char *detail;
  arena_init(&arena);
  struct token_claims wanted = {.customer = BYTES("ada \"the\" first"),
                                .scope = BYTES("orders:read orders:operate"),
                                .issuer = BYTES("me"),
                                .audience = BYTES("you"),
                                .issued_ms = 1000000,
                                .expires_ms = 2000000};
  struct bytes token = token_mint(BYTES(SECRET), &wanted, &arena);
  assert_true(jwt_keys_from_secret(BYTES(SECRET), &keys, &failure));
  assert_int_equal(jwt_verify(keys, token, &arena, &payload), JWT_VALID);
  struct jwt_policy policy = {BYTES("me"), BYTES("you")};
  assert_true(jwt_check_claims(payload, &policy, 1500000, &claims, &detail));
  assert_true(bytes_equal(claims.subject, wanted.customer));
  assert_true(jwt_scope_has(claims.scope, "orders:operate"));
  assert_int_equal(claims.expires_ms, 2000000);
  jwt_keys_free(keys);
  arena_release(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_newline_is_dropped),
      cmocka_unit_test(missing_files_are_told),
      cmocka_unit_test(minted_tokens_are_valid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
