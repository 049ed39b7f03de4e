/* Binding by tables: what is read, everything that is wrong at once, and writing from the same table. */
#include "wire/bind.h"
#include "fake/testing.h"

struct leaf {
  struct bytes name;
  int64_t number;
};

struct tree {
  struct bytes title, note;
  int64_t amount, extra;
  int kind;
  bool flag;
  const struct leaf *leaf;
  struct bind_list leaves;
};

static const struct bind_field leaf_fields[] = {
    {.name = "name",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct leaf, name),
     .least = 1,
     .most = 5,
     .required = true},
    {.name = "number",
     .type = BIND_INTEGER,
     .offset_bytes = offsetof(struct leaf, number),
     .least = -3,
     .most = 3},
};
static const struct bind_object leaf_object = {leaf_fields, 2, sizeof(struct leaf)};
static const char *const kinds[] = {"oak", "fir", NULL};
static const struct bind_field tree_fields[] = {
    {.name = "title",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct tree, title),
     .least = 1,
     .most = 3,
     .required = true},
    {.name = "no~t/e",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct tree, note),
     .least = 2,
     .most = 4,
     .omit_default = true},
    {.name = "amount", .type = BIND_INTEGER, .offset_bytes = offsetof(struct tree, amount), .most = INT64_MAX},
    {.name = "extra",
     .type = BIND_INTEGER,
     .offset_bytes = offsetof(struct tree, extra),
     .most = 9,
     .omit_default = true},
    {.name = "kind", .type = BIND_NAME, .offset_bytes = offsetof(struct tree, kind), .names = kinds},
    {.name = "flag", .type = BIND_BOOLEAN, .offset_bytes = offsetof(struct tree, flag)},
    {.name = "leaf", .type = BIND_OBJECT, .offset_bytes = offsetof(struct tree, leaf), .object = &leaf_object},
    {.name = "leaves",
     .type = BIND_LIST,
     .offset_bytes = offsetof(struct tree, leaves),
     .least = 1,
     .most = 3,
     .object = &leaf_object},
};
static const struct bind_object tree_object = {tree_fields, COUNT_OF(tree_fields), sizeof(struct tree)};

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

/* "pointer detail\n" of everything wrong. */
static struct bytes wrong_with(const char *text, struct tree *ret_tree) {
  struct json *root;
  struct bytes detail;
  struct problem_errors errors;
  struct text all;
  if (!json_parse(bytes_of(text), &arena, &root, &detail)) fail_msg("%s", text);
  memset(ret_tree, 0xAA, sizeof *ret_tree);
  problem_errors_init(&errors, &arena);
  bind_read(&tree_object, root, &arena, ret_tree, &errors);
  text_init(&all, &arena);
  size_t listed = 0;
  for (const struct problem_error *error = errors.first; error; error = error->next, listed++)
    text_printf(&all, "%.*s %.*s\n", BYTES_PRINTF(error->pointer), BYTES_PRINTF(error->detail));
  assert_int_equal(listed, errors.count);
  return text_view(&all);
}

static void test_everything_is_read(void **state) {
  (void)state;
  struct tree tree;
  assert_text(
      wrong_with("{\"leaves\":[{\"name\":\"a\"},{\"name\":\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\","
                 "\"number\":-3}],\"leaf\":{\"name\":\"x\",\"number\":3},\"flag\":true,\"kind\":\"fir\","
                 "\"extra\":9,\"amount\":9223372036854775807,\"no~t/e\":\"ab\",\"title\":\"abc\"}",
                 &tree),
      "");
  assert_text(tree.title, "abc");
  assert_text(tree.note, "ab");
  assert_true(tree.amount == INT64_MAX && tree.extra == 9 && tree.kind == 1 && tree.flag);
  assert_text(tree.leaf->name, "x");
  const struct leaf *leaves = tree.leaves.items;
  assert_int_equal(tree.leaves.count, 2);
  assert_int_equal(leaves[0].number, 0);
  assert_int_equal(leaves[1].number, -3);
}

static void test_absent_and_null_are_the_default(void **state) {
  (void)state;
  struct tree tree;
  assert_text(wrong_with("{\"title\":\"a\"}", &tree), "");
  assert_true(tree.amount == 0 && tree.kind == 0 && !tree.flag && !tree.leaf && tree.leaves.count == 0 &&
              tree.note.size == 0);
  assert_text(wrong_with("{\"title\":\"a\",\"no~t/e\":null,\"amount\":null,\"kind\":null,\"flag\":null,"
                         "\"leaf\":null,\"leaves\":null}",
                         &tree),
              "");
  assert_true(tree.amount == 0 && !tree.leaf && tree.leaves.count == 0);
}

static void test_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"{}", "/title is required\n"},
      {"{\"title\":null}", "/title must be a string\n"},
      {"{\"title\":\"\"}", "/title must not be empty\n"},
      {"{\"title\":\"abcd\"}", "/title must have at most 3 characters\n"},
      {"{\"title\":5}", "/title must be a string\n"},
      {"{\"title\":\"a\\u0000\"}", "/title must not hold control characters\n"},
      {"{\"title\":\"a\\u0085\"}", "/title must not hold control characters\n"},
      {"{\"title\":\"a\\u007f\"}", "/title must not hold control characters\n"},
      {"{\"title\":\"a\",\"no~t/e\":\"x\"}", "/no~0t~1e must have at least 2 characters\n"},
      {"{\"title\":\"a\",\"no~t/e\":\"abcde\"}", "/no~0t~1e must have at most 4 characters\n"},
      {"{\"title\":\"a\",\"amount\":-1}", "/amount must be at least 0\n"},
      {"{\"title\":\"a\",\"extra\":10}", "/extra must be at most 9\n"},
      {"{\"title\":\"a\",\"amount\":9223372036854775808}", "/amount is out of range\n"},
      {"{\"title\":\"a\",\"amount\":1530.0}", "/amount must be an integer, without fraction or exponent\n"},
      {"{\"title\":\"a\",\"amount\":1e2}", "/amount must be an integer, without fraction or exponent\n"},
      {"{\"title\":\"a\",\"amount\":\"1\"}", "/amount must be an integer\n"},
      {"{\"title\":\"a\",\"kind\":\"Oak\"}", "/kind must be one of \"oak\", \"fir\"\n"},
      {"{\"title\":\"a\",\"kind\":0}", "/kind must be one of \"oak\", \"fir\"\n"},
      {"{\"title\":\"a\",\"flag\":1}", "/flag must be true or false\n"},
      {"{\"title\":\"a\",\"leaf\":[]}", "/leaf must be an object\n"},
      {"{\"title\":\"a\",\"leaves\":{}}", "/leaves must be an array\n"},
      {"{\"title\":\"a\",\"leaves\":[]}", "/leaves must have at least 1 items\n"},
      {"{\"title\":\"a\",\"leaves\":[1,2,3,4]}", "/leaves must have at most 3 items\n"},
      {"{\"title\":\"a\",\"leaves\":[{\"name\":\"a\"},null]}", "/leaves/1 must be an object\n"},
      {"{\"title\":\"a\",\"a~/b\":null}", "/a~0~1b is not a known member\n"},
      {"[]", " must be an object\n"},
      {"{\"title\":\"a\",\"leaf\":{\"number\":4,\"x\":1},\"leaves\":[{\"name\":\"\"}]}",
       "/leaf/number must be at most 3\n/leaf/x is not a known member\n/leaf/name is required\n"
       "/leaves/0/name must not be empty\n"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct tree tree;
    assert_text(wrong_with(cases[i].text, &tree), cases[i].says);
  }
}

static struct bytes written(const struct tree *tree) {
  struct text text;
  struct json_writer writer;
  text_init(&text, &arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  bind_write_members(&tree_object, tree, &writer);
  json_close_object(&writer);
  return text_view(&text);
}

static void test_writing(void **state) {
  (void)state;
  struct leaf leaves[] = {{BYTES("a"), 1}, {BYTES("b"), 0}};
  struct tree tree = {.title = BYTES("t")};
  assert_text(written(&tree), "{\"title\":\"t\",\"amount\":0,\"kind\":\"oak\",\"flag\":false,\"leaves\":[]}");
  tree = (struct tree){.title = BYTES("t"),
                       .note = BYTES("no"),
                       .extra = 1,
                       .kind = 1,
                       .flag = true,
                       .leaf = &leaves[1],
                       .leaves = {leaves, 2}};
  assert_text(written(&tree),
              "{\"title\":\"t\",\"no~t/e\":\"no\",\"amount\":0,\"extra\":1,\"kind\":\"fir\",\"flag\":true,"
              "\"leaf\":{\"name\":\"b\",\"number\":0},\"leaves\":[{\"name\":\"a\",\"number\":1},"
              "{\"name\":\"b\",\"number\":0}]}");
  struct tree again;
  assert_text(wrong_with(arena_string(&arena, written(&tree)), &again), "");
  assert_views_equal(written(&again), written(&tree));
}

/* More errors than are listed are still counted. */
static void test_errors_beyond_the_list(void **state) {
  (void)state;
  struct problem_errors errors;
  problem_errors_init(&errors, &arena);
  for (int i = 0; i < PROBLEM_ERRORS_MAX + 10; i++) problem_errors_add(&errors, BYTES("/a"), "%d", i);
  assert_int_equal(errors.count, PROBLEM_ERRORS_MAX + 10);
  size_t listed = 0;
  for (const struct problem_error *error = errors.first; error; error = error->next, listed++)
    assert_text(error->pointer, "/a");
  assert_int_equal(listed, PROBLEM_ERRORS_MAX);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_everything_is_read),     TEST(test_absent_and_null_are_the_default),
      TEST(test_what_is_wrong),          TEST(test_writing),
      TEST(test_errors_beyond_the_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
