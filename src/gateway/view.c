#include "gateway/view.h"

#include "order/content.h"
#include "order/step.h"

static struct bytes close_view(struct json_writer *writer) {
  json_close_object(writer);
  return text_view(writer->text);
}

static void open_view(struct json_writer *writer, struct text *text, struct arena *arena) {
  text_init(text, arena);
  json_writer_init(writer, text);
  json_open_object(writer, NULL);
}

static void write_text_or_null(struct json_writer *writer, const char *name, struct bytes value) {
  if (value.size)
    json_write_text(writer, name, value);
  else
    json_write_null(writer, name);
}

static void write_summary_members(struct json_writer *writer, const struct order *order) {
  json_write_text(writer, "id", order->id);
  json_write_string(writer, "status", order_status_name(order->status));
  json_write_int64(writer, "version", order->version);
  json_write_string(writer, "channel", order_channel_name(order->content.channel));
  json_write_text(writer, "currency", order->content.currency);
  json_write_int64(writer, "total", order->content.total);
  json_write_time(writer, "created_at", order->created_ms);
}

void view_write_summary(struct json_writer *writer, const char *name, const struct order *order) {
  json_open_object(writer, name);
  write_summary_members(writer, order);
  json_close_object(writer);
}

struct bytes view_summary(const struct order *order, struct arena *arena) {
  struct text text;
  struct json_writer writer;
  open_view(&writer, &text, arena);
  write_summary_members(&writer, order);
  return close_view(&writer);
}

struct bytes view_accepted(const struct order *order, struct arena *arena) {
  struct order first = *order;
  first.status = ORDER_ACCEPTED;
  first.version = 1;
  return view_summary(&first, arena);
}

static void write_step(struct json_writer *writer, const struct order *order, enum step step) {
  const struct step_rule *rule = &step_rules[step];
  const struct order_slot *forth = &order->slots[rule->command], *back = &order->slots[rule->undo];
  bool undoing = forth->state == SLOT_DONE && back->state != SLOT_IDLE;
  struct bytes reason = undoing && back->reason.size ? back->reason : forth->reason;
  json_open_object(writer, NULL);
  json_write_string(writer, "name", rule->name);
  json_write_string(writer, "service", service_names[rule->service]);
  json_write_string(writer, "state", order_step_state(order, step));
  json_write_int64(writer, "attempts", undoing && back->attempts ? back->attempts : forth->attempts);
  write_text_or_null(writer, "reference", forth->reference);
  write_text_or_null(writer, "undo_reference", back->reference);
  write_text_or_null(writer, "reason", reason);
  json_close_object(writer);
}

static void write_refund(struct json_writer *writer, const struct order *order) {
  const char *state = order_refund_state(order);
  if (!state) {
    json_write_null(writer, "refund");
    return;
  }
  json_open_object(writer, "refund");
  json_write_string(writer, "state", state);
  for (size_t step = 0; step < STEP_COUNT; step++)
    if (step_rules[step].undo_returns_money)
      write_text_or_null(writer, "reference", order->slots[step_rules[step].undo].reference);
  json_close_object(writer);
}

struct bytes view_order(const struct order *order, struct arena *arena) {
  struct text text;
  struct json_writer writer;
  int64_t subtotal = 0;
  open_view(&writer, &text, arena);
  json_write_text(&writer, "id", order->id);
  json_write_text(&writer, "customer", order->customer);
  json_write_string(&writer, "status", order_status_name(order->status));
  json_write_int64(&writer, "version", order->version);
  write_text_or_null(&writer, "reason", order->reason);
  bind_write_members(&order_content_object, &order->content, &writer);
  if (order_subtotal(&order->content, &subtotal)) json_write_int64(&writer, "subtotal", subtotal);
  json_open_array(&writer, "steps");
  for (size_t step = 0; step < STEP_COUNT; step++) write_step(&writer, order, (enum step)step);
  json_close_array(&writer);
  write_refund(&writer, order);
  json_write_time(&writer, "created_at", order->created_ms);
  json_write_time(&writer, "updated_at", order->updated_ms);
  return close_view(&writer);
}

struct bytes view_waiting(struct bytes id, struct bytes customer, struct arena *arena) {
  struct order order = {.id = id, .customer = customer};
  struct text text;
  struct json_writer writer;
  for (size_t step = 0; step < STEP_COUNT; step++) order.slots[step_rules[step].command].state = SLOT_WAITING;
  open_view(&writer, &text, arena);
  json_write_text(&writer, "id", id);
  json_write_text(&writer, "customer", customer);
  json_write_string(&writer, "status", order_status_name(ORDER_ACCEPTED));
  json_write_int64(&writer, "version", 1);
  json_write_null(&writer, "reason");
  json_open_array(&writer, "steps");
  for (size_t step = 0; step < STEP_COUNT; step++) write_step(&writer, &order, (enum step)step);
  json_close_array(&writer);
  json_write_null(&writer, "refund");
  return close_view(&writer);
}

struct bytes view_events(const struct order_event *events, size_t count, struct arena *arena) {
  struct text text;
  struct json_writer writer;
  open_view(&writer, &text, arena);
  json_open_array(&writer, "events");
  for (size_t i = 0; i < count; i++) {
    json_open_object(&writer, NULL);
    json_write_int64(&writer, "sequence", events[i].sequence);
    json_write_text(&writer, "type", events[i].type);
    json_write_time(&writer, "at", events[i].at_ms);
    json_write_string(&writer, "status", order_status_name(events[i].status));
    write_text_or_null(&writer, "step", events[i].step);
    write_text_or_null(&writer, "detail", events[i].detail);
    json_close_object(&writer);
  }
  json_close_array(&writer);
  return close_view(&writer);
}

struct bytes view_orders(const struct order *orders, size_t count, struct bytes next_cursor,
                         struct arena *arena) {
  struct text text;
  struct json_writer writer;
  open_view(&writer, &text, arena);
  json_open_array(&writer, "orders");
  for (size_t i = 0; i < count; i++) view_write_summary(&writer, NULL, &orders[i]);
  json_close_array(&writer);
  write_text_or_null(&writer, "next_cursor", next_cursor);
  return close_view(&writer);
}

struct bytes view_attention(const struct store_attention *entries, size_t count, struct bytes next_cursor,
                            struct arena *arena) {
  struct text text;
  struct json_writer writer;
  open_view(&writer, &text, arena);
  json_open_array(&writer, "orders");
  for (size_t i = 0; i < count; i++) {
    const struct command_rule *rule = &command_rules[entries[i].command];
    json_open_object(&writer, NULL);
    json_write_text(&writer, "id", entries[i].order_id);
    json_write_text(&writer, "customer", entries[i].customer);
    json_write_string(&writer, "step", step_rules[rule->step].name);
    json_write_string(&writer, "command", rule->name);
    json_write_text(&writer, "detail", entries[i].detail);
    json_write_time(&writer, "since", entries[i].since_ms);
    json_close_object(&writer);
  }
  json_close_array(&writer);
  write_text_or_null(&writer, "next_cursor", next_cursor);
  return close_view(&writer);
}
