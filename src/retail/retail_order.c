/* An invoice as the JSON of an order. */
#include <inttypes.h>
#include <stdio.h>

#include "retail/country.h"
#include "retail/retail.h"
#include "wire/json_write.h"

enum { COUPON_DIVISOR = 10, PRICE_DIGITS_MAX = 12 };

/* "-11062.06" as digits without sign, point and leading zeros, and how many of them are the
 * fraction's; false if it is no decimal number. */
static bool split_decimal(struct bytes price, bool *ret_negative, char ret_digits[PRICE_DIGITS_MAX + 1],
                          size_t *ret_fraction) {
  size_t size = 0, point = SIZE_MAX, at = 0;
  *ret_negative = price.size && price.data[0] == '-';
  for (at = *ret_negative; at < price.size; at++) {
    char c = price.data[at];
    if (c == '.' && point == SIZE_MAX) {
      point = at;
      continue;
    }
    if (c < '0' || c > '9' || size == PRICE_DIGITS_MAX) return false;
    ret_digits[size++] = c;
  }
  ret_digits[size] = '\0';
  *ret_fraction = point == SIZE_MAX ? 0 : price.size - point - 1;
  return size > 0;
}

bool retail_pence(struct bytes price, int64_t *ret_pence, char ret_text[48]) {
  bool negative;
  char digits[PRICE_DIGITS_MAX + 1];
  size_t fraction;
  if (!split_decimal(price, &negative, digits, &fraction)) {
    snprintf(ret_text, 48, "\"not a price\"");
    return false;
  }
  unsigned long long value;
  (void)bytes_to_uint64(bytes_of(digits), &value);
  for (; fraction < 2; fraction++) value *= 10;
  for (; fraction > 2 && value % 10 == 0; fraction--) value /= 10;
  if (fraction == 2) {
    *ret_pence = negative ? -(int64_t)value : (int64_t)value;
    snprintf(ret_text, 48, "%" PRId64, *ret_pence);
    return true;
  }
  /* Less than a penny: sent as it is, and refused as it must be. */
  unsigned long long scale = 1;
  for (size_t i = 2; i < fraction; i++) scale *= 10;
  snprintf(ret_text, 48, "%s%llu.%0*llu", negative ? "-" : "", value / scale, (int)fraction - 2, value % scale);
  return false;
}

/* A whole number as JSON; what is none becomes a string, which the server refuses. */
static void write_quantity(struct json_writer *writer, struct bytes quantity, int64_t *ret_value) {
  bool negative = quantity.size && quantity.data[0] == '-';
  unsigned long long value;
  *ret_value = 0;
  if (quantity.size > 15 || !bytes_to_uint64(bytes_slice(quantity, negative, quantity.size), &value)) {
    json_write_string(writer, "quantity", "not a number");
    return;
  }
  *ret_value = negative ? -(int64_t)value : (int64_t)value;
  json_write_int64(writer, "quantity", *ret_value);
}

/* Writes the lines and gives their sum, as far as they are whole numbers. */
static int64_t write_lines(const struct retail *retail, const struct retail_invoice *invoice,
                           struct json_writer *writer) {
  int64_t subtotal = 0;
  json_open_array(writer, "lines");
  for (size_t i = 0; i < invoice->row_count; i++) {
    const struct retail_row *row = &retail->rows[invoice->first_row + i];
    int64_t quantity, pence = 0, product;
    char price[48];
    size_t characters;
    json_open_object(writer, NULL);
    json_write_text(writer, "sku", bytes_count_code_points(row->sku, &characters) ? row->sku : BYTES(""));
    write_quantity(writer, row->quantity, &quantity);
    (void)retail_pence(row->price, &pence, price);
    json_write_raw(writer, "unit_price", bytes_of(price));
    json_close_object(writer);
    if (!__builtin_mul_overflow(quantity, pence, &product))
      (void)__builtin_add_overflow(subtotal, product, &subtotal);
  }
  json_close_array(writer);
  return subtotal;
}

/* Made up throughout: the data has no names and no addresses, and none are wanted. */
static void write_address(const struct retail_invoice *invoice, struct json_writer *writer) {
  char name[64];
  snprintf(name, sizeof name, "Customer %.*s", (int)(invoice->customer.size < 40 ? invoice->customer.size : 40),
           invoice->customer.data);
  json_open_object(writer, "ship_to");
  json_write_string(writer, "name", name);
  json_write_string(writer, "line1", "1 Sample Street");
  json_write_string(writer, "city", "Sampleton");
  json_write_string(writer, "country", country_code(invoice->country));
  json_close_object(writer);
}

void retail_order_write(const struct retail *retail, const struct retail_invoice *invoice,
                        const struct retail_order *order, struct text *text) {
  struct json_writer writer;
  json_writer_init(&writer, text);
  json_open_object(&writer, NULL);
  json_write_string(&writer, "channel", invoice->wholesale ? "wholesale" : "retail");
  json_write_string(&writer, "currency", "GBP");
  int64_t subtotal = write_lines(retail, invoice, &writer), discount = 0;
  if (order->coupon && subtotal > 0) {
    discount = subtotal / COUPON_DIVISOR;
    json_write_string(&writer, "coupon", "SPIKE10");
    json_write_int64(&writer, "discount", discount);
  }
  json_write_int64(&writer, "total", subtotal - discount);
  if (order->payment.size) {
    json_open_object(&writer, "payment");
    json_write_text(&writer, "reference", order->payment);
    json_close_object(&writer);
  }
  if (order->purchase_order.size) json_write_text(&writer, "purchase_order", order->purchase_order);
  if (order->terms_days) json_write_int64(&writer, "terms_days", order->terms_days);
  write_address(invoice, &writer);
  json_close_object(&writer);
}
