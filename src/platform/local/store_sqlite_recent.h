/* The orders that were written last, as they stand in the database: what is worked on is mostly among
 * them, and need not be read and decoded again.
 *
 * Only the writer puts orders in, each one after its transaction is on the disk and before anybody is told
 * of it; so an order that is here is the newest there is. Bounded in bytes: the one that was written
 * longest ago goes first. */
#ifndef PLATFORM_LOCAL_STORE_SQLITE_RECENT_H
#define PLATFORM_LOCAL_STORE_SQLITE_RECENT_H

#include "base/attributes.h"
#include "order/order.h"

struct recent_orders;

struct recent_orders *recent_orders_create(size_t most_bytes);
void recent_orders_free(struct recent_orders *recent);

/* The writer's. `seq` is the order's row. An order that comes without its content (content_json) keeps the one
 * that is here; where none is here it is not taken in. */
void recent_orders_put(struct recent_orders *recent, const struct order *order, int64_t seq);

/* What the writer must know of an order to change it: its row, and what stands there. */
struct order_place {
  int64_t seq, revision, created_ms;
  enum order_status status;
  unsigned attention; /* bits of the commands in SLOT_ATTENTION */
};
unsigned order_attention(const struct order *order);
MUST_USE bool recent_orders_find_place(struct recent_orders *recent, struct bytes id,
                                       struct order_place *ret_place);

/* How many orders share a bucket at most: for the test of the hash. */
size_t recent_orders_longest_chain(const struct recent_orders *recent);

/* From any thread: a copy in the arena, with content_json; of the content itself the channel and whether
 * there is a payment. NULL where it is not here. */
struct order *recent_orders_find(struct recent_orders *recent, struct bytes id, struct arena *arena);

#endif
