/* Order ids and callback tokens: known values, whose they are, and that no change of them passes. */
#include "wire/id.h"
#include "fake/testing.h"

static const struct bytes secret = {"0123456789abcdef0123456789abcdef", 32};
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

static struct bytes id_of(struct bytes key_of_ids, const char *customer, const char *key) {
  char *id = arena_allocate(&arena, ID_CHARACTERS);
  id_derive(key_of_ids, bytes_of(customer), bytes_of(key), id);
  return bytes_from(id, ID_CHARACTERS);
}

/* Computed by another implementation of the contract's words: a change of this is a change of every id
 * that was ever given out, and of every idempotency key's meaning. */
static void test_known_id(void **state) {
  (void)state;
  assert_text(id_of(secret, "ada", "key-1"), "ord_mf7eya9xashw7h836xv5yzh9p905f7h4");
}

static void test_ids_depend_on_all_they_are_made_of(void **state) {
  (void)state;
  const struct bytes id = id_of(secret, "ada", "key");
  assert_views_equal(id_of(secret, "ada", "key"), id);
  const struct bytes others[] = {id_of(secret, "ada", "kez"), id_of(secret, "adb", "key"),
                                 id_of(secret, "adak", "ey"), id_of(secret, "ad", "akey"),
                                 id_of(BYTES("0123456789abcdef0123456789abcdeF"), "ada", "key")};
  for (size_t i = 0; i < COUNT_OF(others); i++) assert_false(bytes_equal(id, others[i]));
}

static void test_belonging(void **state) {
  (void)state;
  static const char *const customers[] = {"ada", "bob", "ad", "ada ", "\xC3\xA9"};
  for (size_t i = 0; i < COUNT_OF(customers); i++)
    for (size_t j = 0; j < COUNT_OF(customers); j++)
      assert_int_equal(id_belongs_to(secret, id_of(secret, customers[i], "k"), bytes_of(customers[j])), i == j);
  assert_false(
      id_belongs_to(BYTES("another secret of 32 bytes------"), id_of(secret, "ada", "k"), BYTES("ada")));
}

/* Every change of one character makes an id that is nobody's, or that is no id. */
static void test_no_other_spelling(void **state) {
  (void)state;
  const struct bytes id = id_of(secret, "ada", "key");
  char changed[ID_CHARACTERS + 1];
  for (size_t at = 0; at < id.size; at++)
    for (int c = 0; c < 256; c++) {
      memcpy(changed, id.data, id.size);
      if (changed[at] == (char)c) continue;
      changed[at] = (char)c;
      assert_false(id_belongs_to(secret, bytes_from(changed, id.size), BYTES("ada")));
      bool in_alphabet = c && strchr("0123456789abcdefghjkmnpqrstvwxyz", c);
      assert_int_equal(id_is_well_formed(bytes_from(changed, id.size)), at >= 4 && in_alphabet);
    }
  memcpy(changed, id.data, id.size);
  changed[id.size] = '0';
  for (size_t size = 0; size <= sizeof changed; size++) {
    if (size == id.size) continue;
    assert_false(id_is_well_formed(bytes_from(changed, size)));
    assert_false(id_belongs_to(secret, bytes_from(changed, size), BYTES("ada")));
  }
}

static bool passes(const char *id, const char *command, struct bytes token, int64_t now_ms) {
  return callback_token_check(secret, bytes_of(id), bytes_of(command), token, now_ms, &arena);
}

static void test_callback_token(void **state) {
  (void)state;
  struct bytes token = callback_token_make(secret, BYTES("ord_1"), BYTES("ship"), 1000, &arena);
  assert_int_equal(token.size, CALLBACK_TOKEN_CHARACTERS);
  assert_true(passes("ord_1", "ship", token, 0));
  assert_true(passes("ord_1", "ship", token, 999));
  assert_false(passes("ord_1", "ship", token, 1000)); /* expired */
  assert_false(passes("ord_1", "recall", token, 0));
  assert_false(passes("ord_2", "ship", token, 0));
  assert_false(passes("ord_1s", "hip", token, 0));
  assert_false(callback_token_check(BYTES("another secret"), BYTES("ord_1"), BYTES("ship"), token, 0, &arena));
  assert_false(passes("ord_1", "ship", (struct bytes){NULL, 0}, 0));
  assert_false(passes("ord_1", "a command longer than any that there is", token, 0));
  assert_false(passes("an id that is longer than any id can be", "ship", token, 0));
}

/* The expiry is under the MAC too: no change of any character passes, at any time. */
static void test_changed_tokens(void **state) {
  (void)state;
  struct bytes token = callback_token_make(secret, BYTES("ord_1"), BYTES("ship"), 1000, &arena);
  char changed[CALLBACK_TOKEN_CHARACTERS];
  for (size_t at = 0; at < token.size; at++)
    for (int c = 1; c < 128; c++) {
      memcpy(changed, token.data, token.size);
      if (changed[at] == (char)c) continue;
      changed[at] = (char)c;
      assert_false(passes("ord_1", "ship", bytes_from(changed, sizeof changed), 0));
      assert_false(passes("ord_1", "ship", bytes_from(changed, sizeof changed), -1));
    }
  struct bytes longer = arena_printf(&arena, "%.*sA", BYTES_PRINTF(token));
  assert_false(passes("ord_1", "ship", longer, 0));
  assert_false(passes("ord_1", "ship", bytes_slice(token, 0, 42), 0));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_known_id),       TEST(test_ids_depend_on_all_they_are_made_of),
      TEST(test_belonging),      TEST(test_no_other_spelling),
      TEST(test_callback_token), TEST(test_changed_tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
