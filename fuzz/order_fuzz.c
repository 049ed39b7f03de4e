/* Order bodies (order/content.h): what is accepted keeps its rules, and its canonical form is accepted and is
 * the same; what is refused says why, in a problem document that is JSON. */
#include "fuzz.h"
#include "order/content.h"

static void check_amounts(const struct order_content *content) {
  __int128 subtotal = 0;
  ensure(content->lines.count >= 1);
  ensure(content->lines.count <=
         (size_t)(content->channel == CHANNEL_RETAIL ? ORDER_RETAIL_LINES_MAX : ORDER_WHOLESALE_LINES_MAX));
  for (size_t i = 0; i < content->lines.count; i++) {
    const struct order_line *line = &content->lines.items[i];
    ensure(line->quantity >= 1 && line->quantity <= 1000000 && line->unit_price >= 0);
    ensure(line->sku.size > 0 && fuzz_is_clean(line->sku, 64));
    subtotal += (__int128)line->quantity * line->unit_price;
  }
  ensure(content->discount >= 0 && content->discount <= subtotal && content->shipping >= 0 &&
         content->tax >= 0);
  ensure(subtotal - content->discount + content->shipping + content->tax == content->total);
}

static void check_rules(const struct order_content *content, bool receipts_expected) {
  const struct order_address *to = content->ship_to;
  check_amounts(content);
  ensure(content->currency.size == 3 && to && to->country.size == 2);
  ensure(to->name.size > 0 && to->line1.size > 0 && to->city.size > 0);
  ensure(fuzz_is_clean(to->name, 200) && fuzz_is_clean(to->line1, 200) && fuzz_is_clean(to->line2, 200) &&
         fuzz_is_clean(to->city, 200) && fuzz_is_clean(to->region, 200) && fuzz_is_clean(to->postcode, 20));
  ensure(fuzz_is_clean(content->coupon, 64) && fuzz_is_clean(content->purchase_order, 128));
  if (content->payment) {
    ensure(content->payment->reference.size > 0 && fuzz_is_clean(content->payment->reference, 128));
    ensure((content->payment->receipt.size > 0) == receipts_expected);
  }
  if (content->channel == CHANNEL_RETAIL)
    ensure(content->payment && content->purchase_order.size == 0 && content->terms_days == 0);
  else
    ensure(content->purchase_order.size > 0 && content->terms_days >= 0 && content->terms_days <= 180);
}

static void check_refusal(const struct problem_errors *errors, struct arena *arena) {
  struct http_response response = {0};
  for (const struct problem_error *error = errors->first; error; error = error->next)
    ensure(error->detail.size > 0 && (error->pointer.size == 0 || error->pointer.data[0] == '/'));
  problem_respond(PROBLEM_INVALID_ORDER, BYTES("the order is not valid"), errors, arena, &response);
  const struct json *list = json_member(fuzz_json(response.body, arena), "errors");
  ensure(response.status == 422 && list && list->type == JSON_ARRAY && list->count > 0);
}

static bool read(struct bytes text, bool receipts_expected, struct arena *arena,
                 struct order_content *ret_content) {
  struct problem_errors errors;
  problem_errors_init(&errors, arena);
  order_content_read(fuzz_json(text, arena), receipts_expected, arena, ret_content, &errors);
  if (errors.count > 0) check_refusal(&errors, arena);
  return errors.count == 0;
}

static void check(struct bytes input, bool receipts_expected, struct arena *arena) {
  struct order_content content, again;
  bool accepted = read(input, receipts_expected, arena, &content);
  ensure(read(input, receipts_expected, arena, &again) == accepted);
  if (!accepted) return;
  check_rules(&content, receipts_expected);
  struct bytes canonical = order_content_write(&content, arena);
  ensure(bytes_equal(canonical, order_content_write(&again, arena)));
  ensure(read(canonical, receipts_expected, arena, &again));
  ensure(bytes_equal(canonical, order_content_write(&again, arena)));
  ensure(order_content_read_stored(canonical, arena, &again));
  ensure(bytes_equal(canonical, order_content_write(&again, arena)));
}

FUZZ_TARGET(input, arena) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(input, arena, &root, &detail)) return;
  check(input, false, arena);
  check(input, true, arena);
}
