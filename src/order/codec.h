/* The stored form of what changes about an order: its state, and its history entries. Compact JSON
 * whose names are part of the stored data: a member may be added, never renamed. The content is
 * stored as order.content_json and read by order/content.h. */
#ifndef ORDER_CODEC_H
#define ORDER_CODEC_H

#include "base/arena.h"
#include "base/text.h"
#include "order/order.h"

/* Appends status, target, version, reason, slots and updated_ms as one JSON object; what has its
 * default is left out. Texts must be valid UTF-8. Under 1 KB for usual orders. */
void order_state_write(const struct order *order, struct text *text);
/* The reverse: fills these members of `ret_order` (all of them, defaults included) and touches no
 * other. Texts point into the arena. False, with `ret_order` untouched, where `json` is not exactly
 * what order_state_write makes: an unknown member or name, a wrong type, no status or version. */
bool order_state_read(struct bytes json, struct arena *arena, struct order *ret_order);

/* Appends the entries as one JSON array. */
void order_events_write(const struct order_event *events, size_t count, struct text *text);
/* The reverse, with the same strictness; the entries and their texts are in the arena. */
bool order_events_read(struct bytes json, struct arena *arena, struct order_event **ret_events,
                       size_t *ret_count);

#endif
