/* What a store hands back (order/codec.h, order/content.h): what is read is written and read again, and is the
 * same; what is refused leaves no trace. */
#include "fuzz.h"
#include "order/codec.h"
#include "order/content.h"

static void check_state(struct bytes input, struct arena *arena) {
  struct order order, again;
  struct text first, second;
  memset(&order, 0x5a, sizeof order);
  memset(&again, 0x5a, sizeof again);
  if (!order_state_read(input, arena, &order)) {
    ensure(memcmp(&order, &again, sizeof order) == 0);
    return;
  }
  ensure(order.version >= 1);
  text_init(&first, arena);
  text_init(&second, arena);
  order_state_write(&order, &first);
  ensure(order_state_read(text_view(&first), arena, &again));
  order_state_write(&again, &second);
  ensure(bytes_equal(text_view(&first), text_view(&second)));
}

static void check_events(struct bytes input, struct arena *arena) {
  struct order_event *events = NULL, *again = NULL;
  size_t count = 0, count_again = 0;
  struct text first, second;
  if (!order_events_read(input, arena, &events, &count)) {
    ensure(!events && count == 0);
    return;
  }
  for (size_t i = 0; i < count; i++) ensure(events[i].sequence >= 1 && events[i].type.size > 0);
  text_init(&first, arena);
  text_init(&second, arena);
  order_events_write(events, count, &first);
  ensure(order_events_read(text_view(&first), arena, &again, &count_again) && count_again == count);
  order_events_write(again, count, &second);
  ensure(bytes_equal(text_view(&first), text_view(&second)));
}

static void check_content(struct bytes input, struct arena *arena) {
  struct order_content content, again;
  if (!order_content_read_stored(input, arena, &content)) return;
  struct bytes canonical = order_content_write(&content, arena);
  ensure(order_content_read_stored(canonical, arena, &again));
  ensure(bytes_equal(canonical, order_content_write(&again, arena)));
}

FUZZ_TARGET(input, arena) {
  check_state(input, arena);
  check_events(input, arena);
  check_content(input, arena);
}
