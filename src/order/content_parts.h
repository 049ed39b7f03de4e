/* A stored content taken apart without parsing it: what is sent on to the services is the text that is
 * stored, and an order of a thousand lines is not read and written again for each call. */
#ifndef ORDER_CONTENT_PARTS_H
#define ORDER_CONTENT_PARTS_H

#include "base/attributes.h"
#include "order/order.h"

/* Each member as JSON text, a view into the content; the empty view where the content has none. */
struct order_content_parts {
  struct bytes channel, currency, lines, discount, coupon, shipping, tax, total, payment, purchase_order,
      terms_days, ship_to;
};

/* `json` is what order_content_write (order/content.h) made. False for anything that is clearly not (a
 * damaged store): no object, an unknown member, one that is required missing. */
MUST_USE bool order_content_split(struct bytes json, struct order_content_parts *ret_parts);

MUST_USE bool order_content_is_stored_form(struct bytes json);

/* Its outline (order/order.h). False as above. */
MUST_USE bool order_content_read_outline(struct bytes json, struct order_content *ret_content);

#endif
