#include "function/request.h"

#include "order/step.h"
#include "wire/id.h"
#include "wire/json_write.h"
#include "wire/trace.h"

static void write_lines(struct json_writer *writer, const struct order_content *content) {
  json_open_array(writer, "lines");
  for (size_t i = 0; i < content->lines.count; i++) {
    json_open_object(writer, NULL);
    json_write_text(writer, "sku", content->lines.items[i].sku);
    json_write_int64(writer, "quantity", content->lines.items[i].quantity);
    json_write_int64(writer, "unit_price", content->lines.items[i].unit_price);
    json_close_object(writer);
  }
  json_close_array(writer);
}

static void write_totals(struct json_writer *writer, const struct order_content *content) {
  int64_t subtotal = 0;
  if (order_subtotal(content, &subtotal)) json_write_int64(writer, "subtotal", subtotal);
  json_write_int64(writer, "discount", content->discount);
  json_write_text(writer, "coupon", content->coupon);
  json_write_int64(writer, "shipping", content->shipping);
  json_write_int64(writer, "tax", content->tax);
  json_write_int64(writer, "total", content->total);
}

/* Accounting is told how it is paid, fulfilment where it goes, and nobody more than that. */
static void write_accounting(struct json_writer *writer, const struct order_content *content) {
  if (content->payment) {
    json_open_object(writer, "payment");
    json_write_text(writer, "reference", content->payment->reference);
    json_close_object(writer);
  }
  if (content->purchase_order.size) json_write_text(writer, "purchase_order", content->purchase_order);
  if (content->terms_days) json_write_int64(writer, "terms_days", content->terms_days);
}

static void write_ship_to(struct json_writer *writer, const struct order_address *to) {
  json_open_object(writer, "ship_to");
  json_write_text(writer, "name", to->name);
  json_write_text(writer, "line1", to->line1);
  json_write_text(writer, "line2", to->line2);
  json_write_text(writer, "city", to->city);
  json_write_text(writer, "region", to->region);
  json_write_text(writer, "postcode", to->postcode);
  json_write_text(writer, "country", to->country);
  json_close_object(writer);
}

static struct bytes body_of(const struct order *order, enum order_command command, struct arena *arena) {
  const struct command_rule *rule = &command_rules[command];
  const struct order_slot *applied = &order->slots[step_rules[rule->step].command];
  enum service service = command_service(command);
  struct text text;
  struct json_writer writer;
  text_init(&text, arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_text(&writer, "id", order->id);
  json_write_text(&writer, "customer", order->customer);
  json_write_string(&writer, "channel", order_channel_name(order->content.channel));
  json_write_text(&writer, "currency", order->content.currency);
  write_lines(&writer, &order->content);
  write_totals(&writer, &order->content);
  if (service == SERVICE_ACCOUNTING) write_accounting(&writer, &order->content);
  if (service == SERVICE_FULFILMENT && order->content.ship_to) write_ship_to(&writer, order->content.ship_to);
  if (rule->is_undo) {
    json_write_text(&writer, "reference", applied->reference);
    json_write_text(&writer, "reason", order->reason);
    if (step_rules[rule->step].undo_returns_money)
      json_write_boolean(&writer, "recorded", applied->state == SLOT_DONE);
  }
  json_close_object(&writer);
  return text_view(&text);
}

static struct bytes trace_of(const struct function_context *context, const struct order *order,
                             struct arena *arena) {
  uint8_t random[24];
  char traceparent[56];
  entropy_fill(context->entropy, random, sizeof random);
  trace_continue(order->traceparent, random, traceparent);
  return arena_copy(arena, bytes_of(traceparent));
}

void request_make(const struct function_context *context, const struct order *order, enum order_command command,
                  struct arena *arena, struct service_call *ret_call) {
  struct bytes name = bytes_of(command_rules[command].name);
  struct bytes token =
      callback_token_make(context->id_secret, order->id, name, order->slots[command].deadline_ms, arena);
  *ret_call = (struct service_call){
      .service = command_service(command),
      .path = arena_printf(arena, "/%.*s", BYTES_PRINTF(name)),
      .body = body_of(order, command, arena),
      .key = arena_printf(arena, "%.*s.%.*s", BYTES_PRINTF(order->id), BYTES_PRINTF(name)),
      .callback_url =
          arena_printf(arena, "%.*s/v1/callbacks/%.*s/%.*s?token=%.*s", BYTES_PRINTF(context->public_url),
                       BYTES_PRINTF(order->id), BYTES_PRINTF(name), BYTES_PRINTF(token)),
      .traceparent = trace_of(context, order, arena),
  };
}

void request_make_lookup(const struct function_context *context, const struct order *order,
                         enum order_command command, struct arena *arena, struct service_call *ret_call) {
  *ret_call = (struct service_call){
      .service = command_service(command),
      .is_lookup = true,
      .path = arena_printf(arena, "/commands/%.*s.%s", BYTES_PRINTF(order->id), command_rules[command].name),
      .traceparent = trace_of(context, order, arena),
  };
}
