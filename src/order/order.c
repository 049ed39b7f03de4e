#include "order/order.h"

#include "base/attributes.h"

static const char *const status_names[ORDER_STATUS_COUNT] = {
    [ORDER_ACCEPTED] = "accepted",   [ORDER_PROCESSING] = "processing", [ORDER_COMPLETED] = "completed",
    [ORDER_REVERSING] = "reversing", [ORDER_REJECTED] = "rejected",     [ORDER_CANCELLED] = "cancelled",
    [ORDER_ATTENTION] = "attention"};

const char *const order_channel_names[] = {
    [CHANNEL_RETAIL] = "retail", [CHANNEL_WHOLESALE] = "wholesale", [CHANNEL_COUNT] = NULL};

static const char *const slot_state_names[SLOT_STATE_COUNT] = {
    [SLOT_IDLE] = "idle",       [SLOT_WAITING] = "waiting",    [SLOT_RUNNING] = "running",
    [SLOT_PENDING] = "pending", [SLOT_DONE] = "done",          [SLOT_REFUSED] = "refused",
    [SLOT_SKIPPED] = "skipped", [SLOT_ATTENTION] = "attention"};

const char *order_slot_state_name(enum slot_state state) { return slot_state_names[state]; }

bool order_slot_state_parse(struct bytes name, enum slot_state *ret_state) {
  for (size_t i = 0; i < SLOT_STATE_COUNT; i++) {
    if (!bytes_equal_string(name, slot_state_names[i])) continue;
    *ret_state = (enum slot_state)i;
    return true;
  }
  return false;
}

const char *order_status_name(enum order_status status) { return status_names[status]; }

bool order_status_parse(struct bytes name, enum order_status *ret_status) {
  for (size_t i = 0; i < ORDER_STATUS_COUNT; i++) {
    if (!bytes_equal_string(name, status_names[i])) continue;
    *ret_status = (enum order_status)i;
    return true;
  }
  return false;
}

const char *order_channel_name(int channel) { return order_channel_names[channel]; }

bool order_status_is_final(enum order_status status) {
  return status == ORDER_COMPLETED || status == ORDER_REJECTED || status == ORDER_CANCELLED;
}

struct order_content order_content_outline(int channel, bool has_payment) {
  static const struct order_payment some_payment;
  return (struct order_content){.channel = channel, .payment = has_payment ? &some_payment : NULL};
}

struct order *order_copy_state(const struct order *order, struct arena *arena) {
  struct order *copy = ARENA_NEW(arena, struct order);
  *copy = *order;
  copy->content = order_content_outline(order->content.channel, order->content.payment != NULL);
  copy->content_json = (struct bytes){NULL, 0};
  struct bytes *texts[] = {&copy->id, &copy->customer, &copy->traceparent, &copy->reason};
  for (size_t i = 0; i < COUNT_OF(texts); i++) *texts[i] = arena_copy(arena, *texts[i]);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    copy->slots[i].reference = arena_copy(arena, copy->slots[i].reference);
    copy->slots[i].reason = arena_copy(arena, copy->slots[i].reason);
  }
  return copy;
}

bool order_subtotal(const struct order_content *content, int64_t *ret_subtotal) {
  int64_t sum = 0, amount;
  for (size_t i = 0; i < content->lines.count; i++) {
    const struct order_line *line = &content->lines.items[i];
    if (__builtin_mul_overflow(line->quantity, line->unit_price, &amount) ||
        __builtin_add_overflow(sum, amount, &sum))
      return false;
  }
  *ret_subtotal = sum;
  return true;
}
