/* Invoices from the Online Retail data (Chen, D. (2015), UCI Machine Learning Repository,
 * https://doi.org/10.24432/C5BW33, CC BY 4.0), and the orders and cancellations made of them.
 *
 * Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
 * An empty InvoiceNo means: same invoice, date, customer and country as the row above. Dirty rows
 * stay as they are; whether an order is good is for the server to say. */
#ifndef RETAIL_RETAIL_H
#define RETAIL_RETAIL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "base/text.h"

struct retail_row {
  struct bytes sku, quantity, price; /* as written */
};

enum { RETAIL_NO_TARGET = -1 };

struct retail_invoice {
  struct bytes number, country;
  struct bytes customer; /* "guest-<invoice>" where the data has none */
  size_t first_row, row_count;
  bool cancels;   /* InvoiceNo begins with C */
  bool wholesale; /* 500 units or more, or more lines than a retail order may have */
  int64_t target; /* of a cancellation: the invoice it cancels, or RETAIL_NO_TARGET */
};

struct retail {
  struct arena arena;
  char *content; /* the whole file; fields point into it */
  struct retail_row *rows;
  size_t row_count;
  struct retail_invoice *invoices;
  size_t invoice_count;
};

/* Reads a CSV file, or one packed by xz (by running the xz program) where its name ends in .xz. */
MUST_USE bool retail_read_file(const char *path, struct retail *ret_retail, struct failure *ret_failure);
/* The same from text on the heap, which is taken over (freed by retail_release, or on failure). */
MUST_USE bool retail_read_text(char *content, size_t size, struct retail *ret_retail,
                               struct failure *ret_failure);
void retail_release(struct retail *retail);

/* A price in pounds as pence: `ret_text` is a JSON number, or a JSON string where the price is no
 * number. True where it is a whole number of pence, then also in `ret_pence`. */
bool retail_pence(struct bytes price, int64_t *ret_pence, char ret_text[48]);

/* What an order has that its invoice does not say. */
struct retail_order {
  struct bytes payment; /* reference; empty: none */
  struct bytes purchase_order;
  int64_t terms_days; /* 0: left out */
  bool coupon;        /* 10 % off by coupon, rounded down, where the subtotal is positive */
};

/* Appends the order's JSON (contract section 1). The total is the sum of the rows as they are. */
void retail_order_write(const struct retail *retail, const struct retail_invoice *invoice,
                        const struct retail_order *order, struct text *text);

#endif
