/* Strict JSON: what RFC 8259 accepts, what it refuses and what this layer refuses beyond it, as a
 * table in the manner of JSONTestSuite (y: accepted, n: refused); and writing and reading back. */
#include <stdio.h>
#include <stdlib.h>

#include "fake/testing.h"
#include "wire/json.h"
#include "wire/json_write.h"

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

#define SIZED(literal) literal, sizeof(literal) - 1
static const struct {
  char verdict;
  const char *text;
  size_t size;
} cases[] = {
    /* structure */
    {'y', SIZED("{}")},
    {'y', SIZED("[]")},
    {'y', SIZED(" \t\r\n[ \t\r\n] \t\r\n")},
    {'y', SIZED("{\"a\":[],\"b\":{\"a\":null}}")},
    {'y', SIZED("{\"\":0}")},
    {'y', SIZED("[[],{},\"\",0,true,false,null]")},
    {'n', SIZED("")},
    {'n', SIZED(" ")},
    {'n', SIZED("[")},
    {'n', SIZED("]")},
    {'n', SIZED("{")},
    {'n', SIZED("}")},
    {'n', SIZED("[1")},
    {'n', SIZED("[1,")},
    {'n', SIZED("[1,]")},
    {'n', SIZED("[,1]")},
    {'n', SIZED("[1,,2]")},
    {'n', SIZED("[1 2]")},
    {'n', SIZED("[1}")},
    {'n', SIZED("{\"a\"}")},
    {'n', SIZED("{\"a\":}")},
    {'n', SIZED("{\"a\":1,}")},
    {'n', SIZED("{,\"a\":1}")},
    {'n', SIZED("{\"a\":1 \"b\":2}")},
    {'n', SIZED("{\"a\"::1}")},
    {'n', SIZED("{a:1}")},
    {'n', SIZED("{'a':1}")},
    {'n', SIZED("{1:1}")},
    {'n', SIZED("{null:1}")},
    {'n', SIZED("{\"a\":1]")},
    {'n', SIZED("{} {}")},
    {'n', SIZED("[][]")},
    {'n', SIZED("[]x")},
    {'n', SIZED("1 2")},
    {'n', SIZED("{}\0")},
    {'n', SIZED("[\0]")},
    {'n', SIZED("[]\f")},
    {'n', SIZED("[\v]")},
    {'n', SIZED("[/**/]")},
    {'n', SIZED("[] // end")},
    {'n', SIZED("[1]\xC2\xA0")},
    {'n', SIZED("1\"")},
    {'n', SIZED("{}\"")},
    {'n', SIZED("null\"a")},
    {'n', SIZED("[\"\"]\"]")},
    /* words */
    {'y', SIZED("true")},
    {'y', SIZED("null")},
    {'n', SIZED("True")},
    {'n', SIZED("nul")},
    {'n', SIZED("nulll")},
    {'n', SIZED("truefalse")},
    {'n', SIZED("undefined")},
    {'n', SIZED("[NaN]")},
    {'n', SIZED("[Infinity]")},
    {'n', SIZED("[-Infinity]")},
    /* numbers */
    {'y', SIZED("0")},
    {'y', SIZED("-0")},
    {'y', SIZED("[123456789012345678901234567890]")},
    {'y', SIZED("[1.5e+10,1E-2,0.0,-0.1e5,0e1]")},
    {'n', SIZED("[01]")},
    {'n', SIZED("[-01]")},
    {'n', SIZED("[00]")},
    {'n', SIZED("[+1]")},
    {'n', SIZED("[-]")},
    {'n', SIZED("-")},
    {'n', SIZED("[.5]")},
    {'n', SIZED("[5.]")},
    {'n', SIZED("[-.5]")},
    {'n', SIZED("[1e]")},
    {'n', SIZED("[1e+]")},
    {'n', SIZED("[1.e1]")},
    {'n', SIZED("[0x10]")},
    {'n', SIZED("[1_000]")},
    {'n', SIZED("[1a]")},
    {'n', SIZED("[--1]")},
    {'n', SIZED("[1.2.3]")},
    {'n', SIZED("[\xEF\xBC\x91]")},
    /* strings */
    {'y', SIZED("\"\"")},
    {'y', SIZED("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]")},
    {'y', SIZED("[\"\\u0041\\u00e9\\u20AC\"]")},
    {'y', SIZED("[\"\\u0000\"]")},
    {'y', SIZED("[\"\x7F\"]")},
    {'y', SIZED("[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]")},
    {'y', SIZED("[\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"]")},
    {'y', SIZED("[\"\xEF\xBB\xBF\"]")}, /* U+FEFF inside a string is a character */
    {'y', SIZED("[\"\\\\u12\"]")},      /* an escaped backslash, then letters */
    {'y', SIZED("[\"\\\\\\\\ud800\"]")},
    {'n', SIZED("\"")},
    {'n', SIZED("\"a")},
    {'n', SIZED("[\"a]")},
    {'n', SIZED("['a']")},
    {'n', SIZED("[\"\\\"]")},
    {'n', SIZED("[\"\\x41\"]")},
    {'n', SIZED("[\"\\a\"]")},
    {'n', SIZED("[\"\\'\"]")},
    {'n', SIZED("[\"\\U0041\"]")},
    {'n', SIZED("[\"\\0\"]")},
    {'n', SIZED("[\"\\u\"]")},
    {'n', SIZED("[\"\\u00\"]")},
    {'n', SIZED("[\"\\u00g0\"]")},
    {'n', SIZED("[\"\\u-123\"]")},
    {'n', SIZED("[\"\n\"]")},
    {'n', SIZED("[\"\t\"]")},
    {'n', SIZED("[\"\0\"]")},
    {'n', SIZED("[\"\x1F\"]")},
    {'n', SIZED("{\"a\nb\":1}")},
    {'n', SIZED("[\\n]")},
    {'n', SIZED("\\u0020[]")},
    /* surrogates */
    {'y', SIZED("[\"\\ud83d\\ude00\"]")},
    {'y', SIZED("[\"\\uD800\\uDC00\\udbff\\udfff\"]")},
    {'n', SIZED("[\"\\ud83d\"]")},
    {'n', SIZED("[\"\\ude00\"]")},
    {'n', SIZED("[\"\\ude00\\ud83d\"]")},
    {'n', SIZED("[\"\\ud83d\\ud83d\\ude00\"]")},
    {'n', SIZED("[\"\\ud83d\\n\"]")},
    {'n', SIZED("[\"\\ud83d\\\\ude00\"]")},
    {'n', SIZED("[\"\\ud83dx\\ude00\"]")},
    {'n', SIZED("[\"\\ud83d\\u0041\"]")},
    {'n', SIZED("[\"\\ud83d\\u\"]")},
    {'n', SIZED("[\"\\ud83d\\ude0\"]")},
    {'n', SIZED("[\"\\ud83d")},
    {'n', SIZED("{\"\\udc00\":1}")},
    /* UTF-8 */
    {'n', SIZED("\xEF\xBB\xBF{}")}, /* a byte order mark */
    {'n', SIZED("\xFF\xFE[\0]\0")},
    {'n', SIZED("[\"\xFF\"]")},
    {'n', SIZED("[\"\xC3\"]")},
    {'n', SIZED("[\"\xC3\x28\"]")},
    {'n', SIZED("[\"\x80\"]")},
    {'n', SIZED("[\"\xC0\xAF\"]")},
    {'n', SIZED("[\"\xE0\x80\xAF\"]")},
    {'n', SIZED("[\"\xED\xA0\x80\"]")},
    {'n', SIZED("[\"\xED\xA0\xBD\xED\xB8\x80\"]")},
    {'n', SIZED("[\"\xF4\x90\x80\x80\"]")},
    {'n', SIZED("[\"\xF8\x88\x80\x80\x80\"]")},
    {'n', SIZED("{\"\xFF\":1}")},
    /* members given twice */
    {'y', SIZED("{\"a\":1,\"A\":2,\"b\":{\"a\":3}}")},
    {'y', SIZED("[{\"a\":1},{\"a\":2}]")},
    {'n', SIZED("{\"a\":1,\"a\":1}")},
    {'n', SIZED("{\"a\":1,\"b\":2,\"a\":3}")},
    {'n', SIZED("{\"a\":1,\"\\u0061\":2}")},
    {'n', SIZED("{\"\":1,\"\":2}")},
    {'n', SIZED("[{\"x\":{\"a\":1,\"a\":2}}]")},
    {'n', SIZED("{\"\xC3\xA9\":1,\"\\u00e9\":2}")},
};

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct json *root = NULL;
    struct bytes detail = {NULL, 0}, text = bytes_from(cases[i].text, cases[i].size);
    bool good = json_parse(text, &arena, &root, &detail);
    if (good != (cases[i].verdict == 'y')) fail_msg("%c %.*s", cases[i].verdict, BYTES_PRINTF(text));
    if (good) assert_non_null(root);
    if (!good) assert_true(root == NULL && detail.size > 0);
  }
}

static const struct json *good(const char *text) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(bytes_of(text), &arena, &root, &detail)) fail_msg("%s: %.*s", text, BYTES_PRINTF(detail));
  return root;
}

static struct bytes refused(struct bytes text) {
  struct json *root;
  struct bytes detail = {NULL, 0};
  assert_false(json_parse(text, &arena, &root, &detail));
  return detail;
}

static void test_depth(void **state) {
  (void)state;
  for (int kind = 0; kind < 2; kind++)
    for (size_t depth = 1; depth <= 2 * JSON_DEPTH_MAX; depth++) {
      struct text text;
      text_init(&text, &arena);
      for (size_t i = 0; i < depth; i++) text_append_string(&text, kind ? "{\"a\":" : "[");
      text_append_string(&text, "1");
      for (size_t i = 0; i < depth; i++) text_append_string(&text, kind ? "}" : "]");
      struct json *root;
      struct bytes detail;
      assert_int_equal(json_parse(text_view(&text), &arena, &root, &detail), depth <= JSON_DEPTH_MAX);
    }
  /* Depth is what is open, not how much there is. */
  good("[[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]],[[]]]");
  char *deep = arena_allocate(&arena, 200000);
  memset(deep, '[', 200000);
  assert_holds(refused(bytes_from(deep, 200000)), "deeper than 16");
}

/* With 1 to 40 members every pair is tried, below and above the number where the search changes. */
static void test_repeated_members(void **state) {
  (void)state;
  for (size_t count = 2; count <= 40; count++)
    for (size_t same = 0; same <= count; same++) { /* the last has the name of number `same` */
      struct text text;
      struct json *root;
      struct bytes detail = {NULL, 0};
      text_init(&text, &arena);
      for (size_t i = 0; i < count; i++)
        text_printf(&text, "%s\"m%zu\":%zu", i ? "," : "{", i + 1 == count && same < count - 1 ? same : i, i);
      text_append_char(&text, '}');
      bool accepted = json_parse(text_view(&text), &arena, &root, &detail);
      assert_int_equal(accepted, same >= count - 1);
      if (!accepted) assert_holds(detail, "given twice");
      if (same == count) arena_reset(&arena);
    }
}

/* A hostile body of very many members is sorted, not compared each with each: it ends. */
static void test_very_many_members(void **state) {
  (void)state;
  struct text text;
  struct json *root;
  struct bytes detail;
  text_init(&text, &arena);
  for (int i = 0; i < 100000; i++) text_printf(&text, "%s\"%x\":1", i ? "," : "{", i);
  text_append_char(&text, '}');
  assert_true(json_parse(text_view(&text), &arena, &root, &detail));
  assert_int_equal(root->count, 100000);
}

static void test_tree(void **state) {
  (void)state;
  const struct json *root = good(
      "{\"text\":\"\\ud83d\\ude00\\u0000\\/"
      "\",\"list\":[1,\"two\",false,null,{}],\"number\":-1.50e3,\"yes\":true}");
  assert_int_equal(root->type, JSON_OBJECT);
  assert_int_equal(root->count, 4);
  assert_views_equal(json_member_text(root, "text"), bytes_from("\xF0\x9F\x98\x80\0/", 6));
  assert_text(json_member(root, "number")->text, "-1.50e3");
  assert_true(json_member(root, "yes")->boolean);
  const struct json *list = json_member(root, "list");
  assert_int_equal(list->count, 5);
  static const enum json_type types[] = {JSON_NUMBER, JSON_STRING, JSON_BOOLEAN, JSON_NULL, JSON_OBJECT};
  const struct json *item = list->first;
  for (size_t i = 0; i < 5; i++, item = item->next) assert_int_equal(item->type, types[i]);
  assert_null(item);
  assert_null(json_member(root, "other"));
  assert_null(json_member(list, "text"));
  assert_null(json_member(NULL, "text"));
  assert_int_equal(json_member_text(root, "number").size, 0);
  assert_int_equal(json_member_int64(root, "number", -7), -7);
  assert_int_equal(json_member_int64(root, "none", -7), -7);
  assert_int_equal(json_member_int64(good("{\"n\":12}"), "n", -7), 12);
}

static void test_integers(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value;
  } integers[] = {{"0", 0}, {"-0", 0}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
  static const char *const none[] = {"9223372036854775808",  "-9223372036854775809",  "1530.0", "1e2",  "1E2",
                                     "18446744073709551616", "-18446744073709551617", "\"1\"",  "true", "null"};
  int64_t value = 7;
  for (size_t i = 0; i < COUNT_OF(integers); i++) {
    assert_true(json_to_int64(good(integers[i].text), &value));
    assert_true(value == integers[i].value);
  }
  value = 7;
  for (size_t i = 0; i < COUNT_OF(none); i++) assert_false(json_to_int64(good(none[i]), &value));
  assert_int_equal(value, 7);
}

/* --- writing ------------------------------------------------------------------------------------- */

static void test_written_form(void **state) {
  (void)state;
  struct text text;
  struct json_writer writer;
  text_init(&text, &arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_open_array(&writer, "a");
  json_write_int64(&writer, NULL, -5);
  json_open_object(&writer, NULL);
  json_close_object(&writer);
  json_write_null(&writer, NULL);
  json_close_array(&writer);
  json_write_boolean(&writer, "b", true);
  json_write_string(&writer, "q\"", "\"\\\n\t\x01/\x7F\xC3\xA9");
  json_write_time(&writer, "t", 0);
  json_write_raw(&writer, "r", BYTES("{}"));
  json_close_object(&writer);
  assert_text(text_view(&text),
              "{\"a\":[-5,{},null],\"b\":true,\"q\\\"\":\"\\\"\\\\\\n\\u0009\\u0001/\x7F\xC3\xA9\","
              "\"t\":\"1970-01-01T00:00:00.000Z\",\"r\":{}}");
}

/* A random value, written and remembered in the same step. */
static void write_random(struct json_writer *writer, uint64_t *random, const char *name, int depth) {
  static const char *const texts[] = {"", "a", "\"\\/\b\f\n\r\t", "\x01\x1F\x7F", "\xC3\xA9\xF0\x9F\x98\x80"};
  switch (next_random(random, depth > 5 ? 4 : 6)) {
    case 0:
      json_write_text(writer, name, bytes_of(texts[next_random(random, COUNT_OF(texts))]));
      return;
    case 1:
      json_write_int64(writer, name, (int64_t)next_random(random, UINT64_MAX));
      return;
    case 2:
      json_write_boolean(writer, name, next_random(random, 2));
      return;
    case 3:
      json_write_null(writer, name);
      return;
    case 4:
      json_open_array(writer, name);
      for (uint64_t i = next_random(random, 5); i > 0; i--) write_random(writer, random, NULL, depth + 1);
      json_close_array(writer);
      return;
    default: {
      json_open_object(writer, name);
      for (uint64_t i = next_random(random, 5); i > 0; i--) {
        char member[8];
        snprintf(member, sizeof member, "m\"%u", (unsigned)i);
        write_random(writer, random, member, depth + 1);
      }
      json_close_object(writer);
    }
  }
}

static void write_again(struct json_writer *writer, const struct json *value, const char *name) {
  switch (value->type) {
    case JSON_NULL:
      json_write_null(writer, name);
      return;
    case JSON_BOOLEAN:
      json_write_boolean(writer, name, value->boolean);
      return;
    case JSON_NUMBER:
      json_write_raw(writer, name, value->text);
      return;
    case JSON_STRING:
      json_write_text(writer, name, value->text);
      return;
    default:
      break;
  }
  bool is_object = value->type == JSON_OBJECT;
  if (is_object)
    json_open_object(writer, name);
  else
    json_open_array(writer, name);
  for (const struct json *child = value->first; child; child = child->next)
    write_again(writer, child, is_object ? arena_string(&arena, child->name) : NULL);
  if (is_object)
    json_close_object(writer);
  else
    json_close_array(writer);
}

static void test_what_is_written_reads_the_same(void **state) {
  (void)state;
  uint64_t random = 4242;
  for (int round = 0; round < 3000; round++) {
    struct text text, again;
    struct json_writer writer;
    text_init(&text, &arena);
    json_writer_init(&writer, &text);
    write_random(&writer, &random, NULL, 0);
    const struct json *root = good(arena_string(&arena, text_view(&text)));
    text_init(&again, &arena);
    json_writer_init(&writer, &again);
    write_again(&writer, root, NULL);
    assert_views_equal(text_view(&again), text_view(&text));
    arena_reset(&arena);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_table),
      TEST(test_depth),
      TEST(test_repeated_members),
      TEST(test_very_many_members),
      TEST(test_tree),
      TEST(test_integers),
      TEST(test_written_form),
      TEST(test_what_is_written_reads_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
