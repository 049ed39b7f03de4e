/* From CSV to orders. */
#include "retail/retail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "retail/country.h"
#include "retail/csv.h"

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

static void csv_fields(void **state) {
  (void)state;
  char text[] = "a,\"b,\"\"c\"\"\",\r\n\n\"x\ny\"\r\nlast";
  struct csv_reader reader = {.at = text, .end = text + sizeof text - 1};
  struct bytes fields[CSV_FIELDS_MAX];
  size_t count;
  assert_true(csv_next(&reader, fields, &count));
  assert_int_equal(count, 3);
  assert_true(bytes_equal_string(fields[0], "a"));
  assert_true(bytes_equal_string(fields[1], "b,\"c\""));
  assert_int_equal(fields[2].size, 0);
  assert_true(csv_next(&reader, fields, &count));
  assert_int_equal(count, 1);
  assert_true(csv_next(&reader, fields, &count));
  assert_true(bytes_equal_string(fields[0], "x\ny"));
  assert_true(csv_next(&reader, fields, &count));
  assert_true(bytes_equal_string(fields[0], "last"));
  assert_int_equal(reader.record, 4);
  assert_false(csv_next(&reader, fields, &count));
}

static void csv_never_reads_past_its_end(void **state) {
  (void)state;
  static const char *const texts[] = {"\"", "\"a", "\"a\"", "a,\"", ",", "\r", "\"\"\"", "a\"b", NULL};
  for (size_t i = 0; texts[i]; i++) {
    size_t size = strlen(texts[i]);
    char *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, texts[i], size);
    struct csv_reader reader = {.at = exact, .end = exact + size};
    struct bytes fields[CSV_FIELDS_MAX];
    size_t count;
    while (csv_next(&reader, fields, &count)) assert_true(count > 0);
    free(exact);
  }
}

static void prices_become_pence(void **state) {
  (void)state;
  static const struct {
    const char *price, *text;
    bool whole;
  } cases[] = {
      {"2.55", "255", true},
      {"0", "0", true},
      {"165", "16500", true},
      {"0.1", "10", true},
      {"-11062.06", "-1106206", true},
      {"0.001", "0.1", false},
      {"1.250", "125", true},
      {"1.2345", "123.45", false},
      {"-0.001", "-0.1", false},
      {"", "\"not a price\"", false},
      {"1.2.3", "\"not a price\"", false},
      {"free", "\"not a price\"", false},
      {"1234567890123", "\"not a price\"", false},
      {"0.29", "29", true},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int64_t pence = 0;
    char text[48];
    assert_int_equal(retail_pence(bytes_of(cases[i].price), &pence, text), cases[i].whole);
    assert_string_equal(text, cases[i].text);
    if (cases[i].whole) assert_int_equal(pence, strtoll(text, NULL, 10));
  }
}

static void read_retail(const char *text, struct retail *ret_retail) {
  struct failure failure;
  char *copy = strdup(text);
  if (!retail_read_text(copy, strlen(copy), ret_retail, &failure)) fail_msg("%s", failure.text);
}

static void invoices_are_grouped(void **state) {
  (void)state;
  struct retail retail;
  read_retail(HEADER "1,A,,2,d,1.00,7,EIRE\n,B,,499,,0.50,,\n2,A,,1,d,1.00,,France\n3,A,,499,d,1.00,7,EIRE\n",
              &retail);
  assert_int_equal(retail.invoice_count, 3);
  assert_int_equal(retail.invoices[0].row_count, 2);
  assert_true(retail.invoices[0].wholesale); /* 501 units */
  assert_false(retail.invoices[2].wholesale);
  assert_true(bytes_equal_string(retail.invoices[0].customer, "7"));
  assert_true(bytes_equal_string(retail.invoices[1].customer, "guest-2"));
  retail_release(&retail);
}

static void cancellations_find_their_orders(void **state) {
  (void)state;
  struct retail retail;
  read_retail(HEADER
              "1,A,,2,d,1.00,7,EIRE\n"
              "2,A,,2,d,1.00,7,EIRE\n"
              "3,B,,2,d,1.00,8,EIRE\n"
              "C4,A,,-2,d,1.00,7,EIRE\n"  /* the latest of customer 7 with A: 2 */
              "C5,A,,-2,d,1.00,7,EIRE\n"  /* the one before: 1 */
              "C6,A,,-2,d,1.00,7,EIRE\n"  /* none left */
              "C7,A,,-2,d,1.00,8,EIRE\n"  /* customer 8 never had A */
              "C8,B,,-2,d,1.00,9,EIRE\n", /* nobody */
              &retail);
  static const int64_t targets[] = {-1, -1, -1, 1, 0, -1, -1, -1};
  for (size_t i = 0; i < COUNT_OF(targets); i++) {
    assert_int_equal(retail.invoices[i].target, targets[i]);
    assert_int_equal(retail.invoices[i].cancels, i >= 3);
  }
  retail_release(&retail);
}

static void write_order(const struct retail *retail, size_t invoice, const struct retail_order *order,
                        const char *expected) {
  struct text text;
  text_init(&text, NULL);
  retail_order_write(retail, &retail->invoices[invoice], order, &text);
  text_append_char(&text, '\0');
  assert_string_equal(text.data, expected);
  text_release(&text);
}

static void orders_are_written(void **state) {
  (void)state;
  struct retail retail;
  read_retail(HEADER
              "1,85123A,,6,d,2.55,7,United Kingdom\n,71053,,1,,3.39,,\n"
              "2,A,,1000,d,1.00,8,RSA\n"
              "3,A,,-5,d,0.001,,Unspecified\n",
              &retail);
  struct retail_order order = {.payment = BYTES("pay-1"), .coupon = true};
  write_order(
      &retail, 0, &order,
      "{\"channel\":\"retail\",\"currency\":\"GBP\",\"lines\":[{\"sku\":\"85123A\",\"quantity\":6,"
      "\"unit_price\":255},{\"sku\":\"71053\",\"quantity\":1,\"unit_price\":339}],\"coupon\":\"SPIKE10\","
      "\"discount\":186,\"total\":1683,\"payment\":{\"reference\":\"pay-1\"},\"ship_to\":{\"name\":"
      "\"Customer 7\",\"line1\":\"1 Sample Street\",\"city\":\"Sampleton\",\"country\":\"GB\"}}");
  order = (struct retail_order){.purchase_order = BYTES("PO-2"), .terms_days = 30};
  write_order(
      &retail, 1, &order,
      "{\"channel\":\"wholesale\",\"currency\":\"GBP\",\"lines\":[{\"sku\":\"A\",\"quantity\":1000,"
      "\"unit_price\":100}],\"total\":100000,\"purchase_order\":\"PO-2\",\"terms_days\":30,\"ship_to\":"
      "{\"name\":\"Customer 8\",\"line1\":\"1 Sample Street\",\"city\":\"Sampleton\",\"country\":\"ZA\"}}");
  order = (struct retail_order){.payment = BYTES("pay-3"), .coupon = true};
  write_order(&retail, 2, &order,
              "{\"channel\":\"retail\",\"currency\":\"GBP\",\"lines\":[{\"sku\":\"A\",\"quantity\":-5,"
              "\"unit_price\":0.1}],\"total\":0,\"payment\":{\"reference\":\"pay-3\"},\"ship_to\":{\"name\":"
              "\"Customer guest-3\",\"line1\":\"1 Sample Street\",\"city\":\"Sampleton\",\"country\":\"\"}}");
  retail_release(&retail);
}

static void broken_files_are_told(void **state) {
  (void)state;
  static const char *const texts[] = {"",  "a,b\n", HEADER, HEADER ",A,,2,d,1.00,7,EIRE\n", HEADER "1,A,2\n",
                                      NULL};
  for (size_t i = 0; texts[i]; i++) {
    struct retail retail;
    struct failure failure = {0};
    char *copy = strdup(texts[i]);
    assert_false(retail_read_text(copy, strlen(copy), &retail, &failure));
    assert_true(failure.text[0] != '\0');
  }
}

/* The sample is what it says it is: the orders of the first load a reader will make. */
static void the_sample_is_whole(void **state) {
  (void)state;
  struct retail retail;
  struct failure failure;
  if (!retail_read_file("examples/online_retail_sample.csv", &retail, &failure)) fail_msg("%s", failure.text);
  size_t cancellations = 0, matched = 0, wholesale = 0;
  for (size_t i = 0; i < retail.invoice_count; i++) {
    cancellations += retail.invoices[i].cancels;
    matched += retail.invoices[i].target != RETAIL_NO_TARGET;
    wholesale += retail.invoices[i].wholesale;
  }
  assert_int_equal(retail.invoice_count, 1995);
  assert_true(matched * 2 > cancellations);
  assert_true(wholesale > 100);
  retail_release(&retail);
}

static void countries_have_codes(void **state) {
  (void)state;
  assert_string_equal(country_code(BYTES("EIRE")), "IE");
  assert_string_equal(country_code(BYTES("Channel Islands")), "JE");
  assert_string_equal(country_code(BYTES("European Community")), "");
  assert_string_equal(country_code(BYTES("")), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_fields),
      cmocka_unit_test(csv_never_reads_past_its_end),
      cmocka_unit_test(prices_become_pence),
      cmocka_unit_test(invoices_are_grouped),
      cmocka_unit_test(cancellations_find_their_orders),
      cmocka_unit_test(orders_are_written),
      cmocka_unit_test(broken_files_are_told),
      cmocka_unit_test(the_sample_is_whole),
      cmocka_unit_test(countries_have_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
