#include "order/content.h"

#include "order/money.h"

static const struct bind_field line_fields[] = {
    {.name = "sku",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct order_line, sku),
     .least = 1,
     .most = 64,
     .required = true},
    {.name = "quantity",
     .type = BIND_INTEGER,
     .offset_bytes = offsetof(struct order_line, quantity),
     .least = 1,
     .most = 1000000,
     .required = true},
    {.name = "unit_price",
     .type = BIND_INTEGER,
     .offset_bytes = offsetof(struct order_line, unit_price),
     .least = 0,
     .most = INT64_MAX,
     .required = true},
};
static const struct bind_object line_object = {line_fields, 3, sizeof(struct order_line)};

static const struct bind_field payment_fields[] = {
    {.name = "reference",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct order_payment, reference),
     .least = 1,
     .most = 128,
     .required = true},
    {.name = "receipt",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct order_payment, receipt),
     .most = 8192,
     .omit_default = true},
};
static const struct bind_object payment_object = {payment_fields, 2, sizeof(struct order_payment)};

#define ADDRESS_TEXT(member, fewest, longest, needed)                                           \
  {                                                                                             \
    .name = #member, .type = BIND_TEXT, .offset_bytes = offsetof(struct order_address, member), \
    .least = (fewest), .most = (longest), .required = (needed)                                  \
  }
static const struct bind_field address_fields[] = {
    ADDRESS_TEXT(name, 1, 200, true),    ADDRESS_TEXT(line1, 1, 200, true),
    ADDRESS_TEXT(line2, 0, 200, false),  ADDRESS_TEXT(city, 1, 200, true),
    ADDRESS_TEXT(region, 0, 200, false), ADDRESS_TEXT(postcode, 0, 20, false),
    ADDRESS_TEXT(country, 1, 200, true),
};
static const struct bind_object address_object = {address_fields, 7, sizeof(struct order_address)};

#define AMOUNT(member, needed)                                                                                 \
  {                                                                                                            \
    .name = #member, .type = BIND_INTEGER, .offset_bytes = offsetof(struct order_content, member), .least = 0, \
    .most = INT64_MAX, .required = (needed)                                                                    \
  }
static const struct bind_field content_fields[] = {
    {.name = "channel",
     .type = BIND_NAME,
     .offset_bytes = offsetof(struct order_content, channel),
     .required = true,
     .names = order_channel_names},
    {.name = "currency",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct order_content, currency),
     .least = 1,
     .most = 200,
     .required = true},
    {.name = "lines",
     .type = BIND_LIST,
     .offset_bytes = offsetof(struct order_content, lines),
     .least = 1,
     .most = ORDER_WHOLESALE_LINES_MAX,
     .required = true,
     .object = &line_object},
    AMOUNT(discount, false),
    {.name = "coupon", .type = BIND_TEXT, .offset_bytes = offsetof(struct order_content, coupon), .most = 64},
    AMOUNT(shipping, false),
    AMOUNT(tax, false),
    AMOUNT(total, true),
    {.name = "payment",
     .type = BIND_OBJECT,
     .offset_bytes = offsetof(struct order_content, payment),
     .object = &payment_object},
    {.name = "purchase_order",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct order_content, purchase_order),
     .most = 128,
     .omit_default = true},
    {.name = "terms_days",
     .type = BIND_INTEGER,
     .offset_bytes = offsetof(struct order_content, terms_days),
     .least = 0,
     .most = 180,
     .omit_default = true},
    {.name = "ship_to",
     .type = BIND_OBJECT,
     .offset_bytes = offsetof(struct order_content, ship_to),
     .required = true,
     .object = &address_object},
};
const struct bind_object order_content_object = {content_fields, sizeof content_fields / sizeof *content_fields,
                                                 sizeof(struct order_content)};

static void check_total(const struct order_content *content, struct problem_errors *errors) {
  int64_t subtotal, sum;
  if (!order_subtotal(content, &subtotal)) {
    problem_errors_add(errors, BYTES("/lines"), "the sum of quantity × unit_price is too large");
    return;
  }
  if (content->discount > subtotal)
    problem_errors_add(errors, BYTES("/discount"), "must not be more than the lines' sum, %lld",
                       (long long)subtotal);
  if (__builtin_sub_overflow(subtotal, content->discount, &sum) ||
      __builtin_add_overflow(sum, content->shipping, &sum) || __builtin_add_overflow(sum, content->tax, &sum)) {
    problem_errors_add(errors, BYTES("/total"), "the sum is too large");
    return;
  }
  if (sum != content->total && content->discount <= subtotal)
    problem_errors_add(errors, BYTES("/total"),
                       "must be %lld, the sum of quantity × unit_price − discount + shipping + tax",
                       (long long)sum);
}

static void check_retail(const struct order_content *content, struct problem_errors *errors) {
  if (content->lines.count > ORDER_RETAIL_LINES_MAX)
    problem_errors_add(errors, BYTES("/lines"), "must have at most %d items on a retail order",
                       ORDER_RETAIL_LINES_MAX);
  if (!content->payment) problem_errors_add(errors, BYTES("/payment"), "is required on a retail order");
  if (content->purchase_order.size > 0)
    problem_errors_add(errors, BYTES("/purchase_order"), "is for wholesale orders only");
  if (content->terms_days != 0)
    problem_errors_add(errors, BYTES("/terms_days"), "is for wholesale orders only");
}

/* A SKU may have spaces inside, not at its ends. */
static void check_skus(const struct order_content *content, struct arena *arena,
                       struct problem_errors *errors) {
  for (size_t i = 0; i < content->lines.count; i++) {
    struct bytes sku = content->lines.items[i].sku;
    if (sku.size > 0 && (sku.data[0] == ' ' || sku.data[sku.size - 1] == ' '))
      problem_errors_add(errors, arena_printf(arena, "/lines/%zu/sku", i),
                         "must not begin or end with a space");
  }
}

static void check_codes(const struct order_content *content, struct problem_errors *errors) {
  if (content->currency.size && !money_currency_is_known(content->currency))
    problem_errors_add(errors, BYTES("/currency"), "must be a currency code of ISO 4217, such as \"GBP\"");
  if (content->ship_to && content->ship_to->country.size && !money_country_is_known(content->ship_to->country))
    problem_errors_add(errors, BYTES("/ship_to/country"),
                       "must be a country code of ISO 3166-1, such as \"GB\"");
}

static void check_receipt(const struct order_content *content, const struct json *body, bool receipts_expected,
                          struct problem_errors *errors) {
  if (!content->payment) return;
  if (receipts_expected && content->payment->receipt.size == 0)
    problem_errors_add(errors, BYTES("/payment/receipt"), "is required");
  if (!receipts_expected && json_member(json_member(body, "payment"), "receipt"))
    problem_errors_add(errors, BYTES("/payment/receipt"), "is not a known member");
}

/* True where `errors` holds one at the pointer or below it. */
static bool has_error_at(const struct problem_errors *errors, struct bytes pointer) {
  for (const struct problem_error *error = errors->first; error; error = error->next)
    if (bytes_starts_with(error->pointer, pointer) &&
        (error->pointer.size == pointer.size || error->pointer.data[pointer.size] == '/'))
      return true;
  return false;
}

void order_content_read(const struct json *body, bool receipts_expected, struct arena *arena,
                        struct order_content *ret_content, struct problem_errors *errors) {
  bind_read(&order_content_object, body, arena, ret_content, errors);
  if (body->type != JSON_OBJECT) return;
  bool amounts_good = !has_error_at(errors, BYTES("/lines")) && !has_error_at(errors, BYTES("/discount")) &&
                      !has_error_at(errors, BYTES("/shipping")) && !has_error_at(errors, BYTES("/tax")) &&
                      !has_error_at(errors, BYTES("/total"));
  if (amounts_good) check_total(ret_content, errors);
  check_skus(ret_content, arena, errors);
  check_codes(ret_content, errors);
  check_receipt(ret_content, body, receipts_expected, errors);
  if (has_error_at(errors, BYTES("/channel"))) return;
  if (ret_content->channel == CHANNEL_RETAIL)
    check_retail(ret_content, errors);
  else if (ret_content->purchase_order.size == 0 && !has_error_at(errors, BYTES("/purchase_order")))
    problem_errors_add(errors, BYTES("/purchase_order"), "is required on a wholesale order");
}

struct bytes order_content_write(const struct order_content *content, struct arena *arena) {
  struct text text;
  struct json_writer writer;
  text_init(&text, arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  bind_write_members(&order_content_object, content, &writer);
  json_close_object(&writer);
  return text_view(&text);
}

bool order_content_read_stored(struct bytes json, struct arena *arena, struct order_content *ret_content) {
  struct json *root;
  struct bytes detail;
  struct problem_errors errors;
  if (!json_parse(json, arena, &root, &detail)) return false;
  problem_errors_init(&errors, arena);
  bind_read(&order_content_object, root, arena, ret_content, &errors);
  return errors.count == 0;
}
