/* The JSON that the API shows (contract section 5, "Shapes"). */
#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include "order/order.h"
#include "port/store.h"
#include "wire/json_write.h"

/* id, status, version, channel, currency, total, created_at, into an object of that name. */
void view_write_summary(struct json_writer *writer, const char *name, const struct order *order);
/* The order as it was when it was accepted: what POST answers, first and every time again. */
struct bytes view_accepted(const struct order *order, struct arena *arena);
struct bytes view_summary(const struct order *order, struct arena *arena);
struct bytes view_order(const struct order *order, struct arena *arena);
/* An order that was acknowledged and still waits in the intake (port/intake.h): what is known of it. */
struct bytes view_waiting(struct bytes id, struct bytes customer, struct arena *arena);
struct bytes view_events(const struct order_event *events, size_t count, struct arena *arena);
/* `next_cursor` empty: null. */
struct bytes view_orders(const struct order *orders, size_t count, struct bytes next_cursor,
                         struct arena *arena);
struct bytes view_attention(const struct store_attention *entries, size_t count, struct bytes next_cursor,
                            struct arena *arena);

#endif
