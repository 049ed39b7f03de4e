/* Contents taken apart without parsing: the same as the strict reader has found, and nothing from a damaged
 * one. */
#include "order/content_parts.h"
#include "fake/testing.h"
#include "order/content.h"

/* Texts with everything that could look like a member's end. */
static struct order_content nasty_content(struct arena *arena, int channel, size_t lines) {
  static const struct order_address address = {.name = {"\",\"discount\":7,\"", 16},
                                               .line1 = {"}],\\", 4},
                                               .city = {"{[", 2},
                                               .postcode = {"\\\"", 2},
                                               .country = {"GB", 2}};
  static const struct order_payment payment = {.reference = {"a\",\"total\":1}", 13}};
  struct order_content content = {.channel = channel,
                                  .currency = BYTES("GBP"),
                                  .coupon = BYTES("],\"discount\":"),
                                  .discount = 5,
                                  .tax = 3,
                                  .ship_to = &address};
  content.lines = (struct order_lines){ARENA_ARRAY(arena, lines, struct order_line), lines};
  for (size_t i = 0; i < lines; i++) {
    content.lines.items[i] = (struct order_line){BYTES("x\"],\"discount\":1,"), (int64_t)i + 1, 2};
    content.total += ((int64_t)i + 1) * 2;
  }
  content.total += 3 - 5;
  if (channel == CHANNEL_RETAIL)
    content.payment = &payment;
  else
    content.purchase_order = BYTES("po\\");
  return content;
}

static void test_parts_are_the_members(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  for (int channel = 0; channel < CHANNEL_COUNT; channel++)
    for (size_t lines = 1; lines < 40; lines += 13) {
      struct order_content content = nasty_content(&arena, channel, lines);
      struct bytes json = order_content_write(&content, &arena);
      struct order_content_parts parts;
      struct json *root;
      struct bytes detail;
      assert_true(order_content_split(json, &parts));
      assert_true(order_content_is_stored_form(json));
      /* Put together again they are the same text. */
      const struct {
        const char *name;
        struct bytes value;
      } all[] = {{"channel", parts.channel},
                 {"currency", parts.currency},
                 {"lines", parts.lines},
                 {"discount", parts.discount},
                 {"coupon", parts.coupon},
                 {"shipping", parts.shipping},
                 {"tax", parts.tax},
                 {"total", parts.total},
                 {"payment", parts.payment},
                 {"purchase_order", parts.purchase_order},
                 {"terms_days", parts.terms_days},
                 {"ship_to", parts.ship_to}};
      struct text text;
      text_init(&text, &arena);
      for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].value.size)
          text_printf(&text, "%s\"%s\":%.*s", text.size ? "," : "{", all[i].name, BYTES_PRINTF(all[i].value));
      text_append_char(&text, '}');
      assert_views_equal(text_view(&text), json);
      assert_true(json_parse(parts.lines, &arena, &root, &detail));
      assert_int_equal(root->count, lines);
    }
  arena_release(&arena);
}

static void test_outline(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena);
  for (int channel = 0; channel < CHANNEL_COUNT; channel++) {
    struct order_content content = nasty_content(&arena, channel, 2), outline;
    assert_true(order_content_read_outline(order_content_write(&content, &arena), &outline));
    assert_int_equal(outline.channel, channel);
    assert_int_equal(outline.payment != NULL, channel == CHANNEL_RETAIL);
  }
  arena_release(&arena);
}

static void test_damage_is_refused(void **state) {
  (void)state;
  struct arena arena;
  struct order_content_parts parts;
  struct order_content outline;
  arena_init(&arena);
  struct order_content content = nasty_content(&arena, CHANNEL_RETAIL, 2);
  struct bytes json = order_content_write(&content, &arena);
  for (size_t size = 0; size < json.size; size++) {
    assert_false(order_content_split(bytes_slice(json, 0, size), &parts));
    assert_false(order_content_read_outline(bytes_slice(json, 0, size), &outline));
  }
  static const char *const bad[] = {
      "{}",
      "{\"channel\":\"retail\"}",
      "{\"channel\":\"retail\",\"currency\":\"GBP\",\"lines\":[],\"discount\":0,\"coupon\":\"\",\"shipping\":0,"
      "\"tax\":0,\"total\":0,\"new\":0,\"ship_to\":{}}",
      "{\"channel\":\"retail\",\"currency\":\"GBP\",\"lines\":[],\"discount\":0,\"coupon\":\"\",\"shipping\":0,"
      "\"tax\":0,\"total\":0,\"ship_to\":{},\"ship_to\":{}}",
      "{\"currency\":\"GBP\",\"channel\":\"retail\",\"lines\":[],\"discount\":0,\"coupon\":\"\",\"shipping\":0,"
      "\"tax\":0,\"total\":0,\"ship_to\":{}}",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(order_content_split(bytes_of(bad[i]), &parts));
  assert_false(order_content_read_outline(
      BYTES("{\"channel\":\"street\",\"currency\":\"GBP\",\"lines\":[],\"discount\":0,\"coupon\":\"\","
            "\"shipping\":0,\"tax\":0,\"total\":0,\"ship_to\":{}}"),
      &outline));
  arena_release(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_are_the_members),
      cmocka_unit_test(test_outline),
      cmocka_unit_test(test_damage_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
