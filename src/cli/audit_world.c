#include <stdlib.h>

#include "base/panic.h"
#include "base/time.h"
#include "cli/audit.h"

void audit_world_init(struct audit_world *world) {
  *world = (struct audit_world){.started_ms = INT64_MAX};
  arena_init(&world->arena);
  arena_init(&world->scratch);
}

void audit_world_release(struct audit_world *world) {
  key_index_release(&world->by_key);
  key_index_release(&world->by_payment);
  key_index_release(&world->by_purchase);
  key_index_release(&world->by_id);
  free(world->attempts);
  free(world->orders);
  arena_release(&world->arena);
  arena_release(&world->scratch);
}

size_t audit_order_of(struct audit_world *world, struct bytes id) {
  int64_t found = key_index_find(&world->by_id, id);
  if (found != KEY_INDEX_NONE) return (size_t)found;
  if (world->order_count == world->order_capacity) {
    world->order_capacity = world->order_capacity ? world->order_capacity * 2 : 1024;
    world->orders = reallocarray(world->orders, world->order_capacity, sizeof *world->orders);
    if (!world->orders) panic("out of memory");
  }
  struct bytes copy = arena_copy(&world->arena, id);
  world->orders[world->order_count] = (struct audit_order){.id = copy, .attempt = -1};
  key_index_add(&world->by_id, copy, world->order_count);
  return world->order_count++;
}

static struct bytes kept(struct audit_world *world, const struct json *object, const char *name) {
  struct bytes text = json_member_text(object, name);
  return text.size ? arena_copy(&world->arena, text) : text;
}

/* The attempt an order belongs to, by its payment, or by customer and purchase order: the id alone
 * is not known where no answer came. */
static int64_t attempt_of(struct audit_world *world, const struct json *json) {
  struct bytes payment = json_member_text(json_member(json, "payment"), "reference");
  struct bytes purchase = json_member_text(json, "purchase_order"),
               customer = json_member_text(json, "customer");
  int64_t found = payment.size ? key_index_find(&world->by_payment, payment) : KEY_INDEX_NONE;
  if (found != KEY_INDEX_NONE || purchase.size == 0) return found;
  struct bytes both =
      arena_printf(&world->scratch, "%.*s\n%.*s", BYTES_PRINTF(customer), BYTES_PRINTF(purchase));
  found = key_index_find(&world->by_purchase, both);
  if (found != KEY_INDEX_NONE) return found;
  /* With one token for all customers the order is the token's, and the number is unique by run. */
  return key_index_find(&world->by_purchase, purchase);
}

static void take_steps(struct audit_world *world, struct audit_order *order, const struct json *json) {
  const struct json *steps = json_member(json, "steps");
  for (const struct json *step = steps ? steps->first : NULL; step; step = step->next) {
    enum step number;
    if (!step_parse(json_member_text(step, "name"), &number)) continue;
    order->steps[number] = (struct audit_step){.state = kept(world, step, "state"),
                                               .reference = kept(world, step, "reference"),
                                               .undo_reference = kept(world, step, "undo_reference")};
  }
  order->refund_reference = kept(world, json_member(json, "refund"), "reference");
}

static void match(struct audit_world *world, size_t number, const struct json *json) {
  struct audit_order *order = &world->orders[number];
  order->attempt = attempt_of(world, json);
  if (order->attempt < 0) return;
  struct audit_attempt *attempt = &world->attempts[order->attempt];
  if (attempt->order >= 0 && attempt->order != (int64_t)number) order->second = true;
  if (attempt->order < 0) attempt->order = (int64_t)number;
  struct json *sent;
  struct bytes detail;
  if (attempt->customer.size && !bytes_equal(attempt->customer, json_member_text(json, "customer"))) {
    order->difference = BYTES("/customer");
    return;
  }
  /* A body that is no JSON was sent on purpose, or cut off: nothing to compare. */
  if (attempt->body.size == 0 || !json_parse(attempt->body, &world->scratch, &sent, &detail)) return;
  order->difference = audit_difference(sent, json, &world->arena);
}

void audit_take_order(struct audit_world *world, size_t number, const struct json *json) {
  struct audit_order *order = &world->orders[number];
  order->found = true;
  order->readable = order_status_parse(json_member_text(json, "status"), &order->status) &&
                    bytes_equal(json_member_text(json, "id"), order->id);
  order->has_payment = json_member_text(json_member(json, "payment"), "reference").size > 0;
  take_steps(world, order, json);
  match(world, number, json);
  arena_reset(&world->scratch);
}

static void tally(struct audit_world *world, struct audit_tally *effects, const struct json *json) {
  const struct json *recorded = json_member(json, "recorded");
  if (effects->count++ > 0) return;
  effects->reference = kept(world, json, "reference");
  if (recorded && recorded->type == JSON_BOOLEAN)
    effects->recorded = recorded->boolean ? SAID_RECORDED : SAID_NOT_RECORDED;
}

bool audit_take_effect(struct audit_world *world, struct bytes line) {
  struct json *json;
  struct bytes detail;
  enum order_command command;
  int64_t at_ms;
  arena_reset(&world->scratch);
  if (!json_parse(line, &world->scratch, &json, &detail) ||
      !order_command_parse(json_member_text(json, "command"), &command) ||
      !time_parse(json_member_text(json, "at"), &at_ms))
    return false;
  struct bytes id = json_member_text(json, "order");
  int64_t order = key_index_find(&world->by_id, id);
  if (order != KEY_INDEX_NONE && world->orders[order].found) {
    tally(world, &world->orders[order].effects[command], json);
  } else if (at_ms >= world->started_ms) {
    if (world->strange_effects++ == 0) world->strange_example = arena_copy(&world->arena, id);
  }
  return true;
}
