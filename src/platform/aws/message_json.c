#include "platform/aws/message_json.h"

#include <stdio.h>

#include "order/step.h"
#include "wire/id.h"
#include "wire/json.h"
#include "wire/json_write.h"

static const char *const kind_names[] = {[MESSAGE_CALL] = "call", [MESSAGE_EXPIRE] = "expire"};

struct bytes message_write(const struct message *message, struct arena *arena) {
  struct text text;
  struct json_writer json;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_text(&json, "id", bytes_from(message->order_id, ORDER_ID_CHARACTERS));
  json_write_string(&json, "kind", kind_names[message->kind]);
  json_write_string(&json, "command", command_rules[message->slot].name);
  json_write_int64(&json, "dispatch", message->dispatch_version);
  json_write_int64(&json, "created", message->created_ms);
  json_write_int64(&json, "due", message->due_ms);
  json_write_int64(&json, "deadline", message->deadline_ms);
  json_write_int64(&json, "attempts", message->attempts);
  json_write_string(&json, "note", message->note);
  json_close_object(&json);
  return text_view(&text);
}

static bool refuse(struct bytes *ret_detail, const char *detail) {
  *ret_detail = bytes_of(detail);
  return false;
}

bool message_read(struct bytes body, struct arena *arena, struct message *ret_message,
                  struct bytes *ret_detail) {
  struct json *root;
  struct message message = {.kind = MESSAGE_CALL};
  if (!json_parse(body, arena, &root, ret_detail)) return false;
  struct bytes id = json_member_text(root, "id"), kind = json_member_text(root, "kind");
  struct bytes note = json_member_text(root, "note");
  if (!id_is_well_formed(id)) return refuse(ret_detail, "id is no order's");
  if (!order_command_parse(json_member_text(root, "command"), &message.slot))
    return refuse(ret_detail, "command is none of an order's");
  if (bytes_equal_string(kind, kind_names[MESSAGE_EXPIRE]))
    message.kind = MESSAGE_EXPIRE;
  else if (!bytes_equal_string(kind, kind_names[MESSAGE_CALL]))
    return refuse(ret_detail, "kind is neither call nor expire");
  memcpy(message.order_id, id.data, ORDER_ID_CHARACTERS);
  message.queue = queue_index(command_service(message.slot), CHANNEL_RETAIL);
  message.dispatch_version = json_member_int64(root, "dispatch", 0);
  message.created_ms = json_member_int64(root, "created", -1);
  message.due_ms = json_member_int64(root, "due", -1);
  message.deadline_ms = json_member_int64(root, "deadline", -1);
  message.attempts = json_member_int64(root, "attempts", -1);
  if (message.dispatch_version < 1 || message.created_ms < 0 || message.due_ms < 0 || message.deadline_ms < 0 ||
      message.attempts < 0)
    return refuse(ret_detail, "dispatch, created, due, deadline and attempts must be whole numbers");
  snprintf(message.note, sizeof message.note, "%.*s", BYTES_PRINTF(bytes_cut(note, MESSAGE_NOTE_BYTES - 1)));
  *ret_message = message;
  return true;
}

struct bytes intake_write(const struct intake_order *order, struct arena *arena) {
  struct text text;
  struct json_writer json;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_text(&json, "id", order->id);
  json_write_text(&json, "customer", order->customer);
  json_write_text(&json, "traceparent", order->traceparent);
  json_write_int64(&json, "accepted", order->accepted_ms);
  json_open_array(&json, "claims");
  for (size_t i = 0; i < order->claim_count; i++) json_write_text(&json, NULL, order->claims[i]);
  json_close_array(&json);
  json_close_object(&json);
  text_append_char(&text, '\n');
  text_append(&text, order->content_json);
  return text_view(&text);
}

bool intake_read(struct bytes body, struct arena *arena, struct intake_order *ret_order,
                 struct bytes *ret_detail) {
  size_t line = bytes_find(body, '\n', 0);
  struct json *root;
  if (line >= body.size) return refuse(ret_detail, "there is no line break before the content");
  if (!json_parse(bytes_slice(body, 0, line), arena, &root, ret_detail)) return false;
  struct intake_order order = {.id = json_member_text(root, "id"),
                               .customer = json_member_text(root, "customer"),
                               .traceparent = json_member_text(root, "traceparent"),
                               .accepted_ms = json_member_int64(root, "accepted", -1),
                               .content_json = bytes_slice(body, line + 1, body.size)};
  const struct json *claims = json_member(root, "claims");
  if (!id_is_well_formed(order.id)) return refuse(ret_detail, "id is no order's");
  if (order.customer.size == 0 || order.accepted_ms < 0)
    return refuse(ret_detail, "customer and accepted are missing");
  if (!claims || claims->type != JSON_ARRAY || claims->count > STORE_CLAIMS_MAX)
    return refuse(ret_detail, "claims is no list of at most two");
  for (const struct json *claim = claims->first; claim; claim = claim->next) {
    if (claim->type != JSON_STRING || claim->text.size == 0) return refuse(ret_detail, "a claim is no text");
    order.claims[order.claim_count++] = claim->text;
  }
  *ret_order = order;
  return true;
}
