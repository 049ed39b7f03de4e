/* What customers send: a table of good and bad bodies, and properties: the canonical form reads back
 * as itself, equal contents have equal bytes, and sums are right up to the edges of int64. */
#include <stdio.h>

#include "fake/testing.h"
#include "order/content.h"
#include "order/money.h"

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
static struct bytes wrong_with(struct bytes text, bool receipts_expected, struct order_content *ret_content) {
  struct json *root;
  struct bytes detail;
  struct problem_errors errors;
  struct text all;
  if (!json_parse(text, &arena, &root, &detail)) fail_msg("%.*s", BYTES_PRINTF(text));
  problem_errors_init(&errors, &arena);
  order_content_read(root, receipts_expected, &arena, ret_content, &errors);
  text_init(&all, &arena);
  for (const struct problem_error *error = errors.first; error; error = error->next)
    text_printf(&all, "%.*s %.*s\n", BYTES_PRINTF(error->pointer), BYTES_PRINTF(error->detail));
  return text_view(&all);
}

/* --- the table ------------------------------------------------------------------------------------ */

/* A good order in parts; a case puts its own text in place of one member's. */
static const struct {
  const char *name, *value;
} retail[] = {
    {"channel", "\"retail\""},
    {"currency", "\"GBP\""},
    {"lines", "[{\"sku\":\"A\",\"quantity\":6,\"unit_price\":255}]"},
    {"discount", "0"},
    {"coupon", "\"\""},
    {"shipping", "0"},
    {"tax", "0"},
    {"total", "1530"},
    {"payment", "{\"reference\":\"pay_1\"}"},
    {"purchase_order", NULL},
    {"terms_days", NULL},
    {"ship_to",
     "{\"name\":\"A. Hart\",\"line1\":\"1 High St\",\"line2\":\"\",\"city\":\"Leeds\",\"region\":\"\","
     "\"postcode\":\"LS1 4AP\",\"country\":\"GB\"}"}};

struct body_case {
  const char *name, *value; /* value NULL: left out */
  const char *name2, *value2;
  const char *says; /* "" where the body is good */
};

static struct bytes body_with(const struct body_case *one) {
  struct text text;
  text_init(&text, &arena);
  bool first_known = false, second_known = one->name2 == NULL;
  for (size_t i = 0; i < COUNT_OF(retail); i++) {
    const char *value = retail[i].value;
    if (one->name && strcmp(one->name, retail[i].name) == 0) value = one->value, first_known = true;
    if (one->name2 && strcmp(one->name2, retail[i].name) == 0) value = one->value2, second_known = true;
    if (value) text_printf(&text, "%s\"%s\":%s", text.size ? "," : "{", retail[i].name, value);
  }
  if (one->name && !first_known) text_printf(&text, ",\"%s\":%s", one->name, one->value);
  if (!second_known) text_printf(&text, ",\"%s\":%s", one->name2, one->value2);
  text_append_char(&text, '}');
  return text_view(&text);
}

#define LINE(quantity, price) "[{\"sku\":\"A\",\"quantity\":" quantity ",\"unit_price\":" price "}]"
#define ADDRESS(country) "{\"name\":\"A\",\"line1\":\"B\",\"city\":\"C\",\"country\":" country "}"
#define TOTAL_IS(sum) "/total must be " sum ", the sum of quantity × unit_price − discount + shipping + tax\n"

static const struct body_case cases[] = {
    {NULL, NULL, NULL, NULL, ""},
    /* required members */
    {"channel", NULL, NULL, NULL, "/channel is required\n"},
    {"currency", NULL, NULL, NULL, "/currency is required\n"},
    {"lines", NULL, NULL, NULL, "/lines is required\n"},
    {"total", NULL, NULL, NULL, "/total is required\n"},
    {"ship_to", NULL, NULL, NULL, "/ship_to is required\n"},
    {"payment", NULL, NULL, NULL, "/payment is required on a retail order\n"},
    {"payment", "null", NULL, NULL, "/payment is required on a retail order\n"},
    {"payment", "{}", NULL, NULL, "/payment/reference is required\n"},
    {"payment", "{\"reference\":\"\"}", NULL, NULL, "/payment/reference must not be empty\n"},
    {"payment", "5", NULL, NULL, "/payment must be an object\n"},
    {"discount", NULL, NULL, NULL, ""},
    {"coupon", "null", "tax", "null", ""},
    {"ship_to", "{\"name\":\"A\",\"line1\":\"B\",\"city\":\"C\"}", NULL, NULL,
     "/ship_to/country is required\n"},
    {"ship_to", "{\"name\":\"\",\"country\":\"GB\"}", NULL, NULL,
     "/ship_to/name must not be empty\n/ship_to/line1 is required\n/ship_to/city is required\n"},
    /* unknown members, even if null */
    {"gift", "null", NULL, NULL, "/gift is not a known member\n"},
    {"payment", "{\"reference\":\"p\",\"card\":\"4111\"}", NULL, NULL, "/payment/card is not a known member\n"},
    {"payment", "{\"reference\":\"p\",\"receipt\":null}", NULL, NULL,
     "/payment/receipt is not a known member\n"},
    /* lines */
    {"lines", "[]", "total", "0", "/lines must have at least 1 items\n"},
    {"lines", LINE("0", "255"), NULL, NULL, "/lines/0/quantity must be at least 1\n"},
    {"lines", LINE("1000000", "1"), "total", "1000000", ""},
    {"lines", LINE("1000001", "1"), NULL, NULL, "/lines/0/quantity must be at most 1000000\n"},
    {"lines", LINE("6", "-1"), NULL, NULL, "/lines/0/unit_price must be at least 0\n"},
    {"lines", LINE("6", "0"), "total", "0", ""},
    {"lines", LINE("6.0", "255"), NULL, NULL,
     "/lines/0/quantity must be an integer, without fraction or exponent\n"},
    {"lines", "[{\"sku\":\"a  b\",\"quantity\":6,\"unit_price\":255}]", NULL, NULL, ""},
    {"lines", "[{\"sku\":\" a\",\"quantity\":6,\"unit_price\":255}]", NULL, NULL,
     "/lines/0/sku must not begin or end with a space\n"},
    {"lines", "[{\"sku\":\"a \",\"quantity\":6,\"unit_price\":255}]", NULL, NULL,
     "/lines/0/sku must not begin or end with a space\n"},
    {"lines", "[{\"sku\":\"\",\"quantity\":6,\"unit_price\":255}]", NULL, NULL,
     "/lines/0/sku must not be empty\n"},
    {"lines",
     "[{\"sku\":\"A\",\"quantity\":3,\"unit_price\":255},{\"sku\":\"A\",\"quantity\":3,\"unit_price\":255}]",
     NULL, NULL, ""},
    /* sums */
    {"total", "1529", NULL, NULL, TOTAL_IS("1530")},
    {"total", "0", NULL, NULL, TOTAL_IS("1530")},
    {"shipping", "1", NULL, NULL, TOTAL_IS("1531")},
    {"tax", "70", "total", "1600", ""},
    {"discount", "1530", "total", "0", ""},
    {"discount", "1531", "total", "0", "/discount must not be more than the lines' sum, 1530\n"},
    {"discount", "-1", NULL, NULL, "/discount must be at least 0\n"},
    {"total", "-1", NULL, NULL, "/total must be at least 0\n"},
    {"lines", LINE("2", "9223372036854775807"), NULL, NULL,
     "/lines the sum of quantity × unit_price is too large\n"},
    {"lines", LINE("1", "9223372036854775807"), "total", "9223372036854775807", ""},
    {"lines", LINE("1", "9223372036854775807"), "tax", "1", "/total the sum is too large\n"},
    {"total", "9223372036854775808", NULL, NULL, "/total is out of range\n"},
    /* codes */
    {"currency", "\"gbp\"", NULL, NULL, "/currency must be a currency code of ISO 4217, such as \"GBP\"\n"},
    {"currency", "\"XXX\"", NULL, NULL, "/currency must be a currency code of ISO 4217, such as \"GBP\"\n"},
    {"currency", "\"\"", NULL, NULL, "/currency must not be empty\n"},
    {"currency", "\"JPY\"", NULL, NULL, ""},
    {"ship_to", ADDRESS("\"UK\""), NULL, NULL,
     "/ship_to/country must be a country code of ISO 3166-1, such as \"GB\"\n"},
    {"ship_to", ADDRESS("\"B \""), NULL, NULL,
     "/ship_to/country must be a country code of ISO 3166-1, such as \"GB\"\n"},
    {"ship_to", ADDRESS("\"FR\""), NULL, NULL, ""},
    /* channels */
    {"channel", "\"Retail\"", NULL, NULL, "/channel must be one of \"retail\", \"wholesale\"\n"},
    {"purchase_order", "\"po\"", NULL, NULL, "/purchase_order is for wholesale orders only\n"},
    {"purchase_order", "\"\"", "terms_days", "0", ""},
    {"terms_days", "30", NULL, NULL, "/terms_days is for wholesale orders only\n"},
    {"channel", "\"wholesale\"", NULL, NULL, "/purchase_order is required on a wholesale order\n"},
    {"channel", "\"wholesale\"", "purchase_order", "5", "/purchase_order must be a string\n"},
    {"channel", "\"wholesale\"", "purchase_order", "\"po\"", ""},
    {"coupon", "\"a\\u0000b\"", NULL, NULL, "/coupon must not hold control characters\n"},
};

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct order_content content;
    struct bytes body = body_with(&cases[i]);
    assert_text(wrong_with(body, false, &content), cases[i].says);
  }
}

/* Each text's limit counts code points: so many of four bytes each are good, one more is not. */
static void test_lengths(void **state) {
  (void)state;
  static const struct {
    const char *member, *before, *after;
    size_t most;
    const char *pointer;
  } texts[] = {
      {"lines", "[{\"sku\":\"", "\",\"quantity\":6,\"unit_price\":255}]", 64, "/lines/0/sku"},
      {"coupon", "\"", "\"", 64, "/coupon"},
      {"payment", "{\"reference\":\"", "\"}", 128, "/payment/reference"},
      {"ship_to", "{\"line1\":\"B\",\"city\":\"C\",\"country\":\"GB\",\"name\":\"", "\"}", 200,
       "/ship_to/name"},
      {"ship_to", "{\"name\":\"B\",\"city\":\"C\",\"country\":\"GB\",\"line1\":\"", "\"}", 200,
       "/ship_to/line1"},
      {"ship_to", "{\"name\":\"B\",\"line1\":\"C\",\"country\":\"GB\",\"city\":\"", "\"}", 200,
       "/ship_to/city"},
      {"ship_to", "{\"name\":\"B\",\"line1\":\"C\",\"city\":\"D\",\"country\":\"GB\",\"line2\":\"", "\"}", 200,
       "/ship_to/line2"},
      {"ship_to", "{\"name\":\"B\",\"line1\":\"C\",\"city\":\"D\",\"country\":\"GB\",\"region\":\"", "\"}", 200,
       "/ship_to/region"},
      {"ship_to", "{\"name\":\"B\",\"line1\":\"C\",\"city\":\"D\",\"country\":\"GB\",\"postcode\":\"", "\"}",
       20, "/ship_to/postcode"},
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    for (size_t more = 0; more < 2; more++) {
      struct text value;
      struct order_content content;
      text_init(&value, &arena);
      text_append_string(&value, texts[i].before);
      for (size_t j = 0; j < texts[i].most + more; j++) text_append_string(&value, "\xF0\x9F\x98\x80");
      text_append_string(&value, texts[i].after);
      const struct body_case one = {texts[i].member, arena_string(&arena, text_view(&value)), NULL, NULL, ""};
      struct bytes wrong = wrong_with(body_with(&one), false, &content);
      if (more)
        assert_views_equal(wrong, arena_printf(&arena, "%s must have at most %zu characters\n",
                                               texts[i].pointer, texts[i].most));
      else
        assert_text(wrong, "");
    }
}

static struct bytes body_of_lines(const char *channel, size_t count) {
  struct text lines;
  text_init(&lines, &arena);
  for (size_t i = 0; i < count; i++)
    text_printf(&lines, "%s{\"sku\":\"A\",\"quantity\":1,\"unit_price\":1}", i ? "," : "[");
  text_append_char(&lines, ']');
  const char *total = arena_printf(&arena, "%zu", count).data;
  const struct body_case one = {"lines", arena_string(&arena, text_view(&lines)), "total", total, ""};
  struct bytes body = body_with(&one);
  if (strcmp(channel, "retail") == 0) return body;
  return arena_printf(&arena, "{\"purchase_order\":\"po\",\"channel\":\"wholesale\"%.*s",
                      BYTES_PRINTF(bytes_slice(body, sizeof "{\"channel\":\"retail\"" - 1, body.size)));
}

static void test_how_many_lines(void **state) {
  (void)state;
  struct order_content content;
  assert_text(wrong_with(body_of_lines("retail", 100), false, &content), "");
  assert_text(wrong_with(body_of_lines("retail", 101), false, &content),
              "/lines must have at most 100 items on a retail order\n");
  assert_text(wrong_with(body_of_lines("wholesale", 1000), false, &content), "");
  assert_int_equal(content.lines.count, 1000);
  assert_text(wrong_with(body_of_lines("wholesale", 1001), false, &content),
              "/lines must have at most 1000 items\n");
}

static void test_everything_wrong_at_once(void **state) {
  (void)state;
  struct order_content content;
  assert_text(
      wrong_with(BYTES("{\"channel\":\"retail\",\"currency\":\"ZZZ\",\"lines\":[{\"sku\":\"A\"}],\"total\":1.5,"
                       "\"terms_days\":181,\"ship_to\":{\"country\":\"ZZ\"},\"x\":1}"),
                 false, &content),
      "/lines/0/quantity is required\n/lines/0/unit_price is required\n"
      "/total must be an integer, without fraction or exponent\n"
      "/terms_days must be at most 180\n/ship_to/name is required\n/ship_to/line1 is required\n"
      "/ship_to/city is required\n/x is not a known member\n"
      "/currency must be a currency code of ISO 4217, such as \"GBP\"\n"
      "/ship_to/country must be a country code of ISO 3166-1, such as \"GB\"\n"
      "/payment is required on a retail order\n/terms_days is for wholesale orders only\n");
  assert_text(wrong_with(BYTES("[]"), false, &content), " must be an object\n");
  assert_text(wrong_with(BYTES("null"), false, &content), " must be an object\n");
}

static void test_receipts(void **state) {
  (void)state;
  struct order_content content;
  const struct body_case with = {"payment", "{\"reference\":\"p\",\"receipt\":\"a.b.c\"}", NULL, NULL, ""};
  const struct body_case empty = {"payment", "{\"reference\":\"p\",\"receipt\":null}", NULL, NULL, ""};
  assert_text(wrong_with(body_with(&with), true, &content), "");
  assert_text(content.payment->receipt, "a.b.c");
  assert_text(wrong_with(body_with(&cases[0]), true, &content), "/payment/receipt is required\n");
  assert_text(wrong_with(body_with(&empty), true, &content), "/payment/receipt is required\n");
  assert_text(wrong_with(body_with(&with), false, &content), "/payment/receipt is not a known member\n");
}

/* --- properties ----------------------------------------------------------------------------------- */

static struct bytes random_text(uint64_t *random, size_t least, size_t most) {
  static const char *const characters[] = {
      "a", "Z", "0", "\"", "\\", "/", " ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xC2\xA0"};
  struct text text;
  text_init(&text, &arena);
  for (size_t i = least + next_random(random, most - least + 1); i > 0; i--)
    text_append_string(&text, characters[next_random(random, COUNT_OF(characters))]);
  return text_view(&text);
}

static struct bytes random_sku(uint64_t *random) {
  struct bytes inner = random_text(random, 0, 62);
  return arena_printf(&arena, "s%.*sz", BYTES_PRINTF(inner));
}

static struct order_content random_content(uint64_t *random) {
  size_t lines = 1 + next_random(random, 8);
  struct order_payment *payment = ARENA_NEW(&arena, struct order_payment);
  struct order_address *to = ARENA_NEW(&arena, struct order_address);
  bool wholesale = next_random(random, 2);
  *to = (struct order_address){.name = random_text(random, 1, 200),
                               .line1 = random_text(random, 1, 200),
                               .line2 = random_text(random, 0, 200),
                               .city = random_text(random, 1, 200),
                               .region = random_text(random, 0, 200),
                               .postcode = random_text(random, 0, 20),
                               .country = BYTES("GB")};
  payment->reference = random_text(random, 1, 128);
  struct order_content content = {.channel = wholesale ? CHANNEL_WHOLESALE : CHANNEL_RETAIL,
                                  .currency = BYTES("KWD"),
                                  .lines = {ARENA_ARRAY(&arena, lines, struct order_line), lines},
                                  .coupon = random_text(random, 0, 64),
                                  .payment = wholesale && next_random(random, 2) ? NULL : payment,
                                  .ship_to = to};
  int64_t subtotal = 0;
  for (size_t i = 0; i < lines; i++) {
    content.lines.items[i] = (struct order_line){random_sku(random), 1 + (int64_t)next_random(random, 1000000),
                                                 (int64_t)next_random(random, 1000000000)};
    subtotal += content.lines.items[i].quantity * content.lines.items[i].unit_price;
  }
  content.discount = next_random(random, 2) ? (int64_t)next_random(random, (uint64_t)subtotal + 1) : 0;
  content.shipping = next_random(random, 2) ? (int64_t)next_random(random, 100000) : 0;
  content.tax = next_random(random, 2) ? (int64_t)next_random(random, 100000) : 0;
  content.total = subtotal - content.discount + content.shipping + content.tax;
  if (wholesale) content.purchase_order = random_text(random, 1, 128);
  if (wholesale) content.terms_days = (int64_t)next_random(random, 181);
  return content;
}

/* What is written canonically is good, reads back as itself, from the customer and from the store. */
static void test_canonical_round_trip(void **state) {
  (void)state;
  uint64_t random = 20261123;
  for (int round = 0; round < 2000; round++) {
    struct order_content content = random_content(&random), sent, stored;
    struct bytes written = order_content_write(&content, &arena);
    assert_text(wrong_with(written, false, &sent), "");
    assert_views_equal(order_content_write(&sent, &arena), written);
    assert_true(order_content_read_stored(written, &arena, &stored));
    assert_views_equal(order_content_write(&stored, &arena), written);
    assert_int_equal(stored.total, content.total);
    assert_int_equal(stored.channel, content.channel);
    assert_views_equal(stored.purchase_order, content.purchase_order);
    assert_int_equal(stored.payment != NULL, content.payment != NULL);
    arena_reset(&arena);
  }
}

static struct bytes canonical(const struct body_case *one) {
  struct order_content content;
  struct bytes body = body_with(one);
  assert_text(wrong_with(body, false, &content), "");
  return order_content_write(&content, &arena);
}

/* Content is compared after parsing, with defaults filled in. */
static void test_equal_contents_have_equal_bytes(void **state) {
  (void)state;
  static const struct body_case same[] = {
      {"discount", NULL, "coupon", NULL, ""},
      {"discount", "null", "coupon", "null", ""},
      {"purchase_order", "\"\"", "terms_days", "0", ""},
      {"purchase_order", "null", "terms_days", "null", ""},
      {"shipping", "-0", "tax", NULL, ""},
      {"currency", "\"\\u0047BP\"", NULL, NULL, ""},
      {"ship_to",
       "{\"country\":\"GB\",\"postcode\":\"LS1 4AP\",\"city\":\"Leeds\",\"line1\":\"1 High St\",\"name\":\"A. "
       "Hart\"}",
       NULL, NULL, ""}};
  static const struct body_case other[] = {
      {"coupon", "\"x\"", NULL, NULL, ""},
      {"currency", "\"EUR\"", NULL, NULL, ""},
      {"payment", "{\"reference\":\"pay_2\"}", NULL, NULL, ""},
      {"lines", "[{\"sku\":\"a\",\"quantity\":6,\"unit_price\":255}]", NULL, NULL, ""},
      {"lines", "[{\"sku\":\"A\",\"quantity\":2,\"unit_price\":765}]", NULL, NULL, ""},
      {"ship_to", ADDRESS("\"GB\""), NULL, NULL, ""},
      {"discount", "1", "tax", "1", ""},
  };
  struct bytes first = canonical(&cases[0]);
  for (size_t i = 0; i < COUNT_OF(same); i++) assert_views_equal(canonical(&same[i]), first);
  for (size_t i = 0; i < COUNT_OF(other); i++) assert_false(bytes_equal(canonical(&other[i]), first));
}

static void test_damaged_content_is_not_read(void **state) {
  (void)state;
  struct order_content content;
  struct bytes written = canonical(&cases[0]);
  for (size_t size = 0; size < written.size; size++)
    assert_false(order_content_read_stored(bytes_slice(written, 0, size), &arena, &content));
  assert_false(order_content_read_stored(BYTES("{}"), &arena, &content));
  assert_false(order_content_read_stored(BYTES("[]"), &arena, &content));
}

/* Sums against 128 bits, with amounts at and around every edge. */
static void test_sums_against_128_bits(void **state) {
  (void)state;
  static const int64_t edges[] = {0,
                                  1,
                                  2,
                                  255,
                                  INT32_MAX,
                                  (int64_t)INT32_MAX + 1,
                                  1000000,
                                  INT64_MAX,
                                  INT64_MAX - 1,
                                  INT64_MAX / 2,
                                  INT64_MAX / 2 + 1,
                                  INT64_MAX / 1000000,
                                  INT64_MAX / 1000000 + 1};
  uint64_t random = 5;
  size_t fitting = 0, overflowing = 0;
  for (int round = 0; round < 200000; round++) {
    struct order_line lines[5];
    struct order_content content = {.lines = {lines, 1 + next_random(&random, 5)}};
    __int128 sum = 0;
    for (size_t i = 0; i < content.lines.count; i++) {
      lines[i].quantity = 1 + (int64_t)next_random(&random, next_random(&random, 2) ? 3 : 1000000);
      lines[i].unit_price =
          edges[next_random(&random, COUNT_OF(edges))] / (int64_t)(1 + next_random(&random, 4));
      sum += (__int128)lines[i].quantity * lines[i].unit_price;
    }
    int64_t subtotal = -7;
    bool fits = sum <= INT64_MAX;
    assert_int_equal(order_subtotal(&content, &subtotal), fits);
    if (fits) assert_true(subtotal == (int64_t)sum);
    if (!fits) assert_int_equal(subtotal, -7);
    fitting += fits;
    overflowing += !fits;
  }
  assert_true(fitting > 10000 && overflowing > 10000);
}

/* The whole rule: a total is accepted exactly where it is the sum in 128 bits. */
static void test_totals_against_128_bits(void **state) {
  (void)state;
  static const int64_t edges[] = {0, 1, 1530, INT64_MAX - 1530, INT64_MAX - 1, INT64_MAX};
  uint64_t random = 11;
  size_t good = 0;
  for (int round = 0; round < 20000; round++) {
    int64_t price = edges[next_random(&random, COUNT_OF(edges))];
    int64_t discount = edges[next_random(&random, COUNT_OF(edges))];
    int64_t shipping = edges[next_random(&random, COUNT_OF(edges))];
    int64_t tax = edges[next_random(&random, COUNT_OF(edges))];
    __int128 sum = (__int128)price - discount + shipping + tax;
    int64_t wrong_by = (int64_t)next_random(&random, 3) - 1;
    bool fits = sum + wrong_by >= 0 && sum + wrong_by <= INT64_MAX;
    int64_t total = fits ? (int64_t)(sum + wrong_by) : edges[next_random(&random, COUNT_OF(edges))];
    struct order_content content;
    struct bytes body = arena_printf(
        &arena,
        "{\"channel\":\"retail\",\"currency\":\"GBP\",\"lines\":" LINE("1", "%lld") ",\"discount\":%lld,"
        "\"shipping\":%lld,\"tax\":%lld,\"total\":%lld,\"payment\":{\"reference\":\"p\"},\"ship_to\":" ADDRESS("\"GB\"") "}",
        (long long)price, (long long)discount, (long long)shipping, (long long)tax, (long long)total);
    bool expected = discount <= price && sum == total;
    assert_int_equal(wrong_with(body, false, &content).size == 0, expected);
    good += expected;
    arena_reset(&arena);
  }
  assert_true(good > 500);
}

static void test_codes(void **state) {
  (void)state;
  static const char *const currencies[] = {"AED", "ZWG", "JPY", "KWD", "EUR"};
  static const char *const no_currencies[] = {"",    "E",   "EU",   "EURO", "eur", "XXX", "XAU",
                                              "XTS", "ED ", "D AF", " AED", "ZWL", "DEM", "\0\0\0"};
  static const char *const countries[] = {"AD", "ZW", "GB", "FR", "XK"};
  static const char *const no_countries[] = {"", "G", "GBR", "gb", "UK", "EU", "ZZ", "D ", " A", "AN", "SU"};
  for (size_t i = 0; i < COUNT_OF(currencies); i++)
    assert_true(money_currency_is_known(bytes_of(currencies[i])));
  for (size_t i = 0; i < COUNT_OF(no_currencies); i++)
    assert_false(money_currency_is_known(bytes_of(no_currencies[i])));
  for (size_t i = 0; i + 1 < COUNT_OF(countries); i++)
    assert_true(money_country_is_known(bytes_of(countries[i])));
  assert_false(money_country_is_known(bytes_of(countries[4]))); /* user-assigned */
  for (size_t i = 0; i < COUNT_OF(no_countries); i++)
    assert_false(money_country_is_known(bytes_of(no_countries[i])));
  size_t known = 0;
  for (char a = 'A'; a <= 'Z'; a++)
    for (char b = 'A'; b <= 'Z'; b++) known += money_country_is_known(bytes_from((char[]){a, b}, 2));
  assert_int_equal(known, 249);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_table),
      TEST(test_lengths),
      TEST(test_how_many_lines),
      TEST(test_everything_wrong_at_once),
      TEST(test_receipts),
      TEST(test_canonical_round_trip),
      TEST(test_equal_contents_have_equal_bytes),
      TEST(test_damaged_content_is_not_read),
      TEST(test_sums_against_128_bits),
      TEST(test_totals_against_128_bits),
      TEST(test_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
