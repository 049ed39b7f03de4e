#include "retail/retail.h"

#include <stdlib.h>

#include "base/key_index.h"
#include "base/panic.h"
#include "order/order.h"
#include "retail/csv.h"

enum column { INVOICE, SKU, DESCRIPTION, QUANTITY, DATE, PRICE, CUSTOMER, COUNTRY, COLUMN_COUNT };
enum { WHOLESALE_UNITS = 500 };

static void *grown(void *items, size_t count, size_t *capacity, size_t item_size_bytes) {
  if (count < *capacity) return items;
  *capacity = *capacity ? *capacity * 2 : 1024;
  items = reallocarray(items, *capacity, item_size_bytes);
  if (!items) panic("out of memory");
  return items;
}

static bool check_header(struct csv_reader *reader, struct failure *ret_failure) {
  static const char *const names[COLUMN_COUNT] = {"InvoiceNo",   "StockCode", "Description", "Quantity",
                                                  "InvoiceDate", "UnitPrice", "CustomerID",  "Country"};
  struct bytes fields[CSV_FIELDS_MAX];
  size_t count;
  bool good = csv_next(reader, fields, &count) && count == COLUMN_COUNT;
  for (size_t i = 0; good && i < COLUMN_COUNT; i++) good = bytes_equal_string(fields[i], names[i]);
  if (good) return true;
  return failure_set(ret_failure,
                     "the first row must be InvoiceNo,StockCode,Description,Quantity,InvoiceDate,"
                     "UnitPrice,CustomerID,Country");
}

static struct retail_invoice invoice_from(struct retail *retail, const struct bytes *fields) {
  struct bytes number = fields[INVOICE], customer = fields[CUSTOMER];
  return (struct retail_invoice){
      .number = number,
      .country = fields[COUNTRY],
      .customer = customer.size ? customer : arena_printf(&retail->arena, "guest-%.*s", BYTES_PRINTF(number)),
      .first_row = retail->row_count,
      .cancels = number.data[0] == 'C',
      .target = RETAIL_NO_TARGET,
  };
}

static bool read_rows(struct csv_reader *reader, struct retail *retail, struct failure *ret_failure) {
  struct bytes fields[CSV_FIELDS_MAX], last = {0};
  size_t count, row_capacity = 0, invoice_capacity = 0;
  while (csv_next(reader, fields, &count)) {
    if (count != COLUMN_COUNT)
      return failure_set(ret_failure, "record %zu has %zu fields rather than 8", reader->record, count);
    bool same = fields[INVOICE].size == 0 || bytes_equal(fields[INVOICE], last);
    if (same && retail->invoice_count == 0)
      return failure_set(ret_failure, "record %zu: the first invoice has no number", reader->record);
    if (!same) {
      retail->invoices =
          grown(retail->invoices, retail->invoice_count, &invoice_capacity, sizeof *retail->invoices);
      retail->invoices[retail->invoice_count++] = invoice_from(retail, fields);
      last = fields[INVOICE];
    }
    retail->rows = grown(retail->rows, retail->row_count, &row_capacity, sizeof *retail->rows);
    retail->rows[retail->row_count++] = (struct retail_row){fields[SKU], fields[QUANTITY], fields[PRICE]};
    retail->invoices[retail->invoice_count - 1].row_count++;
  }
  if (retail->invoice_count == 0) return failure_set(ret_failure, "there are no invoices in it");
  return true;
}

static int64_t units_of(const struct retail *retail, const struct retail_invoice *invoice) {
  int64_t units = 0;
  for (size_t i = 0; i < invoice->row_count; i++) {
    unsigned long long quantity;
    if (bytes_to_uint64(retail->rows[invoice->first_row + i].quantity, &quantity) && quantity < 100000000)
      units += (int64_t)quantity;
  }
  return units;
}

static bool has_sku(const struct retail *retail, const struct retail_invoice *invoice, struct bytes sku) {
  for (size_t i = 0; i < invoice->row_count; i++)
    if (bytes_equal(retail->rows[invoice->first_row + i].sku, sku)) return true;
  return false;
}

/* Goes back through the customer's invoices to the latest that has one of the cancelled SKUs and is
 * not cancelled yet. */
static int64_t find_target(const struct retail *retail, const struct retail_invoice *cancellation,
                           int64_t latest, const int64_t *before, const bool *cancelled) {
  for (int64_t at = latest; at != RETAIL_NO_TARGET; at = before[at]) {
    if (cancelled[at]) continue;
    for (size_t i = 0; i < cancellation->row_count; i++)
      if (has_sku(retail, &retail->invoices[at], retail->rows[cancellation->first_row + i].sku)) return at;
  }
  return RETAIL_NO_TARGET;
}

static void match_cancellations(struct retail *retail) {
  struct key_index customers = {0};
  int64_t *latest = calloc(retail->invoice_count, sizeof *latest); /* by customer number */
  int64_t *before = calloc(retail->invoice_count, sizeof *before); /* the same customer's invoice before */
  bool *cancelled = calloc(retail->invoice_count, sizeof *cancelled);
  if (!latest || !before || !cancelled) panic("out of memory");
  for (size_t i = 0; i < retail->invoice_count; i++) {
    struct retail_invoice *invoice = &retail->invoices[i];
    int64_t customer = key_index_find(&customers, invoice->customer);
    if (customer == KEY_INDEX_NONE) {
      customer = (int64_t)customers.count;
      key_index_add(&customers, invoice->customer, customers.count);
      latest[customer] = RETAIL_NO_TARGET;
    }
    if (invoice->cancels) {
      invoice->target = find_target(retail, invoice, latest[customer], before, cancelled);
      if (invoice->target != RETAIL_NO_TARGET) cancelled[invoice->target] = true;
      continue;
    }
    invoice->wholesale =
        invoice->row_count > ORDER_RETAIL_LINES_MAX || units_of(retail, invoice) >= WHOLESALE_UNITS;
    before[i] = latest[customer];
    latest[customer] = (int64_t)i;
  }
  key_index_release(&customers);
  free(latest);
  free(before);
  free(cancelled);
}

bool retail_read_text(char *content, size_t size, struct retail *ret_retail, struct failure *ret_failure) {
  struct retail retail = {.content = content};
  struct csv_reader reader = {.at = content, .end = content + size};
  arena_init(&retail.arena);
  if (!check_header(&reader, ret_failure) || !read_rows(&reader, &retail, ret_failure)) {
    retail_release(&retail);
    return false;
  }
  match_cancellations(&retail);
  *ret_retail = retail;
  return true;
}

void retail_release(struct retail *retail) {
  arena_release(&retail->arena);
  free(retail->content);
  free(retail->rows);
  free(retail->invoices);
  *retail = (struct retail){0};
}
