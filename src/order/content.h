/* What a customer sends: its descriptor table, its rules, its canonical form. */
#ifndef ORDER_CONTENT_H
#define ORDER_CONTENT_H

#include "base/attributes.h"
#include "order/order.h"
#include "wire/bind.h"

/* Members, types and limits of contract section 1 and section 5 "Body". */
extern const struct bind_object order_content_object;

/* Reads and checks a body; adds to `errors` everything that is wrong with it. The content is good
 * exactly if nothing was added. `receipts_expected`: whether payment.receipt is required (else it is
 * refused). Beyond the table's limits: what a channel needs and refuses, the total, the currency
 * and country codes. */
void order_content_read(const struct json *body, bool receipts_expected, struct arena *arena,
                        struct order_content *ret_content, struct problem_errors *errors);

/* The canonical JSON: members in the table's order, defaults filled in or left out alike, so that
 * equal bytes are equal contents. */
struct bytes order_content_write(const struct order_content *content, struct arena *arena);

/* Reads what order_content_write wrote; false for anything else (a damaged store). */
MUST_USE bool order_content_read_stored(struct bytes json, struct arena *arena,
                                        struct order_content *ret_content);

#endif
