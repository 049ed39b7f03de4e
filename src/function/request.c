#include "function/request.h"

#include "base/panic.h"
#include "order/content_parts.h"
#include "order/step.h"
#include "wire/id.h"
#include "wire/json_members.h"
#include "wire/json_write.h"
#include "wire/trace.h"

enum { BODY_ROOM_BYTES = 512 }; /* for what stands beside the content */

static void write_part(struct json_writer *writer, const char *name, struct bytes json) {
  if (json.size > 0) json_write_raw(writer, name, json);
}

/* What canonical JSON says of an amount; the total's rule gives the lines' sum. */
static int64_t amount_of(struct bytes json) {
  unsigned long long amount = 0;
  return bytes_to_uint64(json, &amount) ? (int64_t)amount : 0;
}

static void write_totals(struct json_writer *writer, const struct order_content_parts *parts) {
  int64_t subtotal =
      amount_of(parts->total) - amount_of(parts->tax) - amount_of(parts->shipping) + amount_of(parts->discount);
  json_write_int64(writer, "subtotal", subtotal);
  write_part(writer, "discount", parts->discount);
  write_part(writer, "coupon", parts->coupon);
  write_part(writer, "shipping", parts->shipping);
  write_part(writer, "tax", parts->tax);
  write_part(writer, "total", parts->total);
}

/* Accounting is told how it is paid, fulfilment where it goes, and nobody more than that. */
static void write_accounting(struct json_writer *writer, const struct order_content_parts *parts) {
  struct json_members members;
  struct bytes name, value;
  json_members_init(&members, parts->payment);
  while (json_members_next(&members, &name, &value)) {
    if (!bytes_equal(name, BYTES("reference"))) continue;
    json_open_object(writer, "payment");
    json_write_raw(writer, "reference", value);
    json_close_object(writer);
  }
  write_part(writer, "purchase_order", parts->purchase_order);
  write_part(writer, "terms_days", parts->terms_days);
}

static struct bytes body_of(const struct order *order, enum order_command command, struct arena *arena) {
  const struct command_rule *rule = &command_rules[command];
  const struct order_slot *applied = &order->slots[step_rules[rule->step].command];
  enum service service = command_service(command);
  struct order_content_parts parts;
  struct text text;
  struct json_writer writer;
  ensure(order_content_split(order->content_json, &parts)); /* the store has looked at it */
  text_init(&text, arena);
  text_reserve(&text, order->content_json.size + BODY_ROOM_BYTES);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_text(&writer, "id", order->id);
  json_write_text(&writer, "customer", order->customer);
  write_part(&writer, "channel", parts.channel);
  write_part(&writer, "currency", parts.currency);
  write_part(&writer, "lines", parts.lines);
  write_totals(&writer, &parts);
  if (service == SERVICE_ACCOUNTING) write_accounting(&writer, &parts);
  if (service == SERVICE_FULFILMENT) write_part(&writer, "ship_to", parts.ship_to);
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
