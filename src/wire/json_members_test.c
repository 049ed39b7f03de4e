/* Walking over members without parsing: the same members as the strict reader finds, and no step beyond
 * the text, whatever it is. */
#include "wire/json_members.h"
#include "base/text.h"
#include "fake/testing.h"

/* "name=value;" for each member, and "malformed" where the walk ended so. The text is in memory of its own
 * size, so that a sanitizer sees a step too far. */
static struct bytes walk(struct arena *arena, struct bytes text) {
  char *copy = test_malloc(text.size + 1);
  struct json_members members;
  struct bytes name, value;
  struct text all;
  if (text.size > 0) memcpy(copy + 1, text.data, text.size);
  text_init(&all, arena);
  json_members_init(&members, bytes_from(copy + 1, text.size));
  while (json_members_next(&members, &name, &value))
    text_printf(&all, "%.*s=%.*s;", BYTES_PRINTF(name), BYTES_PRINTF(value));
  if (members.malformed) text_append(&all, BYTES("malformed"));
  test_free(copy);
  return text_view(&all);
}

static void test_members(void **state) {
  (void)state;
  static const struct {
    const char *text, *members;
  } cases[] = {
      {"{}", ""},
      {"{\"a\":1}", "a=1;"},
      {"{\"a\":-1,\"b\":\"\",\"c\":null,\"d\":true}", "a=-1;b=\"\";c=null;d=true;"},
      {"{\"a\":\"x,\\\"b\\\":1}\",\"b\":2}", "a=\"x,\\\"b\\\":1}\";b=2;"},
      {"{\"a\":\"\\\\\",\"b\":2}", "a=\"\\\\\";b=2;"},
      {"{\"a\":\"\\\\\\\"\",\"b\":2}", "a=\"\\\\\\\"\";b=2;"},
      {"{\"a\":[[],{\"x\":[\"]}\"]}],\"b\":{}}", "a=[[],{\"x\":[\"]}\"]}];b={};"},
      {"{\"a\\\"b\":1}", "a\\\"b=1;"},
      {"", "malformed"},
      {"{", "malformed"},
      {"[]", "malformed"},
      {"{a:1}", "malformed"},
      {"{\"a\"}", "malformed"},
      {"{\"a\":}", "malformed"},
      {"{\"a\":1", "malformed"},
      {"{\"a\":1,}", "a=1;malformed"},
      {"{\"a\":[1}", "malformed"},
      {"{\"a\":\"x}", "malformed"},
      {"{\"a\":\"x\\\"}", "malformed"},
      {"{\"a\":1}{\"b\":2}", "malformed"},
  };
  struct arena arena;
  arena_init(&arena);
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_text(walk(&arena, bytes_of(cases[i].text)), cases[i].members);
  arena_release(&arena);
}

/* Every beginning of a good text, and every text with one byte changed, ends the walk. */
static void test_damage(void **state) {
  (void)state;
  static const char good[] = "{\"a\":\"x\\\"y\",\"b\":[{\"c\":[1,2]},\"}\"],\"d\":{\"e\":\"\\\\\"},\"f\":12}";
  static const char bytes[] = "\"\\{}[],:1a";
  struct arena arena;
  arena_init(&arena);
  for (size_t size = 0; size < sizeof good - 1; size++)
    assert_holds(walk(&arena, bytes_from(good, size)), "malformed");
  for (size_t at = 0; at < sizeof good - 1; at++)
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
      char changed[sizeof good];
      memcpy(changed, good, sizeof good);
      changed[at] = bytes[i];
      walk(&arena, bytes_from(changed, sizeof good - 1));
    }
  arena_release(&arena);
}

static void test_what_stands_behind_is_known(void **state) {
  (void)state;
  struct json_members members;
  struct bytes name, value;
  json_members_init(&members, BYTES("{\"a\":[\",\\\"b\\\":\",\"x\"],\"b\":2}"));
  assert_true(json_members_next_before(&members, BYTES(",\"b\":"), &name, &value));
  assert_text(name, "a");
  assert_text(value, "[\",\\\"b\\\":\",\"x\"]");
  assert_true(json_members_next(&members, &name, &value));
  assert_text(value, "2");
  assert_false(json_members_next(&members, &name, &value));
  assert_false(members.malformed);
  json_members_init(&members, BYTES("{\"a\":[1],\"c\":2}"));
  assert_false(json_members_next_before(&members, BYTES(",\"b\":"), &name, &value));
  assert_true(members.malformed);
}

static void test_strings(void **state) {
  (void)state;
  assert_text(json_members_string(BYTES("\"retail\"")), "retail");
  assert_text(json_members_string(BYTES("\"\"")), "");
  assert_text(json_members_string(BYTES("\"")), "");
  assert_text(json_members_string(BYTES("12")), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_what_stands_behind_is_known),
      cmocka_unit_test(test_strings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
