#include "fake/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "function/call.h"
#include "wire/id.h"

void fake_world_init(struct fake_world *world) {
  arena_init(&world->arena);
  fake_store_init(&world->store);
  fake_services_init(&world->services);
  fake_clock_init(&world->clock, FAKE_NOW_MS);
  fake_entropy_init(&world->entropy);
  fake_telemetry_init(&world->telemetry);
  world->context = (struct function_context){
      .store = &world->store.port,
      .clock = &world->clock.port,
      .entropy = &world->entropy.port,
      .telemetry = &world->telemetry.port,
      .rules = {.deadline_ms = {FAKE_DEADLINE_MS, FAKE_DEADLINE_MS, FAKE_DEADLINE_MS}},
      .id_secret = BYTES("an id secret of thirty-two bytes"),
      .public_url = BYTES("https://shop.example"),
      .retry_first_ms = FAKE_RETRY_FIRST_MS,
      .retry_max_ms = FAKE_RETRY_MAX_MS,
  };
}

void fake_world_release(struct fake_world *world) {
  fake_services_release(&world->services);
  fake_store_release(&world->store);
  arena_release(&world->arena);
}

int fake_world_set_up(void **state) {
  struct fake_world *world = calloc(1, sizeof *world);
  if (!world) return -1;
  fake_world_init(world);
  *state = world;
  return 0;
}

int fake_world_tear_down(void **state) {
  fake_world_release(*state);
  free(*state);
  return 0;
}

#define REST_OF_ORDER                                                                   \
  "\"currency\":\"GBP\",\"lines\":[{\"sku\":\"85123A\",\"quantity\":6,"                 \
  "\"unit_price\":255}],\"total\":1530,\"ship_to\":{\"name\":\"A. Hart\",\"line1\":\"1" \
  " High St\",\"city\":\"Leeds\",\"postcode\":\"LS1 4AP\",\"country\":\"GB\"}"

struct bytes fake_retail(struct fake_world *world, const char *reference, const char *more) {
  return arena_printf(&world->arena,
                      "{\"channel\":\"retail\"," REST_OF_ORDER ",\"payment\":{\"reference\":\"%s\"}%s}",
                      reference, more);
}

struct bytes fake_wholesale(struct fake_world *world, const char *purchase_order, const char *more) {
  return arena_printf(&world->arena,
                      "{\"channel\":\"wholesale\"," REST_OF_ORDER ",\"purchase_order\":\"%s\"%s}",
                      purchase_order, more);
}

struct bytes fake_id(struct fake_world *world, const char *customer, const char *key) {
  char id[ID_CHARACTERS];
  id_derive(world->context.id_secret, bytes_of(customer), bytes_of(key), id);
  return arena_copy(&world->arena, bytes_from(id, sizeof id));
}

struct accept_reply fake_accept_body(struct fake_world *world, const char *customer, const char *key,
                                     struct bytes body) {
  const struct accept_request request = {
      .customer = bytes_of(customer),
      .idempotency_key = bytes_of(key),
      .body = body,
      .traceparent = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
      .may_write_wholesale = true,
      .arena = &world->arena};
  struct accept_reply reply;
  accept_run(&world->context, &request, 1, &reply);
  return reply;
}

struct bytes fake_accept(struct fake_world *world, const char *customer, const char *reference) {
  struct accept_reply reply = fake_accept_body(world, customer, reference, fake_retail(world, reference, ""));
  assert_int_equal(reply.problem, PROBLEM_NONE);
  return reply.order->id;
}

const struct order *fake_order(struct fake_world *world, struct bytes id) {
  const struct fake_row *row = fake_store_row(&world->store, id);
  assert_non_null(row);
  return &row->order;
}

struct message_result fake_call_after(struct fake_world *world, struct bytes id, enum order_command slot,
                                      int64_t attempts, const char *note) {
  const struct message *newest = fake_store_message(&world->store, id, MESSAGE_CALL, slot);
  assert_non_null(newest);
  struct message message = *newest;
  struct message_result result;
  message.attempts = attempts;
  snprintf(message.note, sizeof message.note, "%s", note);
  call_run(&world->context, &world->services.port, &message, 1, NULL, &result);
  return result;
}

struct message_result fake_call(struct fake_world *world, struct bytes id, enum order_command slot) {
  return fake_call_after(world, id, slot, 0, "");
}
