/* What stands in front of the gateway: a server that takes what waits as one batch (one machine), or an
 * invocation for each request (AWS); and what a client sees of it. */
#include <stdlib.h>

#include "base/panic.h"
#include "simulator/world.h"

enum { PATIENCE_MS = 30000, LOOK_AGAIN_MS = 250, HEADERS_MAX = 6 };

struct serving {
  struct world *world;
  struct exchange exchange;
  struct http_header headers[HEADERS_MAX];
  bool ended, answered, left; /* left: nobody waits any more */
};

static void finish(struct serving *serving, bool answered) {
  serving->answered = answered;
  serving->ended = true;
  if (!serving->left) return;
  exchange_release(&serving->exchange);
  free(serving);
}

/* Prefer: wait. Served again when the order has come to its end, or the time is over. */
static void hold(struct sim *sim, void *context) {
  struct serving *serving = context;
  struct world *world = serving->world;
  struct exchange *exchange = &serving->exchange;
  while (exchange->hold_ms > 0 && !sim_is_ghost(sim)) {
    int64_t end_ms = exchange->started_us / 1000 + exchange->hold_ms;
    const struct stored *stored;
    do {
      sim_sleep(sim, LOOK_AGAIN_MS);
      stored = store_sim_find(world->store, bytes_from(exchange->hold_id, ORDER_ID_CHARACTERS));
    } while (!sim_is_ghost(sim) && sim->now_ms < end_ms &&
             !(stored && order_status_is_final(stored->order.status)));
    gateway_serve(world->gateway, &exchange, 1);
    if (sim->now_ms >= end_ms) break;
  }
  finish(serving, !sim_is_ghost(sim));
}

/* All that wait, as one batch. */
static void serve_line(struct sim *sim, struct world *world) {
  struct serving *batch[WORLD_LINE_MAX];
  struct exchange *exchanges[WORLD_LINE_MAX];
  world->line_is_served = true;
  if (sim_reach(sim, POINT_SERVE, FAULT_BIT(FAULT_KILL)) == FAULT_GONE) return; /* requests_forget was called */
  size_t count = world->line_count;
  world->line_count = 0;
  world->line_is_served = false;
  for (size_t i = 0; i < count; i++) {
    batch[i] = world->line[i];
    exchanges[i] = &batch[i]->exchange;
  }
  if (count > 1) world_mark(world, MARK_SERVED_IN_ONE_BATCH);
  gateway_serve(world->gateway, exchanges, count);
  bool good = sim_reach(sim, POINT_SERVE, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE)) != FAULT_GONE;
  for (size_t i = 0; i < count; i++) {
    if (good && exchanges[i]->hold_ms > 0)
      sim_spawn(sim, PROCESS, 0, hold, batch[i]);
    else
      finish(batch[i], good);
  }
}

static void serve_locally(struct sim *sim, struct serving *serving) {
  struct world *world = serving->world;
  if (world->line_count == WORLD_LINE_MAX) {
    gateway_refuse_overload(world->gateway, &serving->exchange, "waiting");
    finish(serving, true);
    return;
  }
  world->line[world->line_count++] = serving;
  if (!world->line_is_served) serve_line(sim, world);
}

void requests_forget(struct world *world) {
  for (size_t i = 0; i < world->line_count; i++) finish(world->line[i], false);
  world->line_count = 0;
  world->line_is_served = false;
}

static void serve(struct sim *sim, void *context) {
  struct serving *serving = context;
  struct world *world = serving->world;
  struct exchange *exchange = &serving->exchange;
  if (sim_reach(sim, POINT_SERVE, FAULT_BIT(FAULT_KILL)) == FAULT_GONE) {
    finish(serving, false);
    return;
  }
  exchange->started_us = clock_monotonic_us(&sim->clock);
  bool is_open = gateway_open(world->gateway, exchange) == GATEWAY_SERVE;
  if (is_open && world->options.shape == SHAPE_LOCAL) {
    serve_locally(sim, serving);
    return;
  }
  if (is_open) gateway_serve(world->gateway, &exchange, 1);
  finish(serving, sim_reach(sim, POINT_SERVE, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE)) != FAULT_GONE);
}

/* --- the client's side ----------------------------------------------------------------------------- */

static void add_header(struct serving *serving, const char *name, struct bytes value) {
  struct http_request *request = &serving->exchange.request;
  ensure(request->header_count < HEADERS_MAX);
  serving->headers[request->header_count++] = (struct http_header){bytes_of(name), value};
}

static struct serving *serving_make(struct world *world, const struct ask *ask) {
  struct serving *serving = calloc(1, sizeof *serving);
  if (!serving) panic("out of memory");
  serving->world = world;
  exchange_init(&serving->exchange);
  struct http_request *request = &serving->exchange.request;
  struct arena *arena = &serving->exchange.arena;
  size_t question = bytes_find(ask->target, '?', 0);
  request->method = http_method_from(bytes_of(ask->method));
  request->path = arena_copy(arena, bytes_slice(ask->target, 0, question));
  if (question < ask->target.size)
    request->query = arena_copy(arena, bytes_slice(ask->target, question + 1, ask->target.size));
  request->body = arena_copy(arena, ask->body);
  request->headers = serving->headers;
  if (ask->who >= 0) add_header(serving, "Authorization", world->tokens[ask->who]);
  if (ask->body.size) add_header(serving, "Content-Type", BYTES("application/json"));
  if (ask->key.size) add_header(serving, "Idempotency-Key", arena_copy(arena, ask->key));
  if (ask->none_match.size) add_header(serving, "If-None-Match", arena_copy(arena, ask->none_match));
  if (ask->wait_s) add_header(serving, "Prefer", arena_printf(arena, "wait=%d", ask->wait_s));
  return serving;
}

int world_ask(struct world *world, struct ask *ask, struct arena *arena) {
  struct serving *serving = serving_make(world, ask);
  int64_t patience_ms = ask->most_ms ? ask->most_ms : PATIENCE_MS;
  ask->status = 0;
  ask->answer = ask->etag = (struct bytes){NULL, 0};
  sim_spawn(&world->sim, world->options.shape == SHAPE_LOCAL ? PROCESS : world_environment(world),
            (int64_t)sim_below(&world->sim, 5), serve, serving);
  for (int64_t waited_ms = 0; !serving->ended && waited_ms < patience_ms; waited_ms += 10 + waited_ms / 4)
    sim_sleep(&world->sim, 10 + waited_ms / 4);
  if (!serving->ended) {
    serving->left = true;
    return 0;
  }
  if (serving->answered) {
    const struct http_response *response = &serving->exchange.response;
    ask->status = response->status;
    ask->answer = arena_copy(arena, response->body);
    ask->etag = arena_copy(arena, http_response_header(response, "ETag"));
    ask->replayed = http_response_header(response, "Idempotent-Replayed").size > 0;
    if (ask->status == 500)
      world_violate(world, "no-500", "%s %.*s: 500", ask->method, BYTES_PRINTF(ask->target));
  }
  exchange_release(&serving->exchange);
  free(serving);
  return ask->status;
}

int world_request(struct world *world, const char *method, struct bytes target, int who, struct bytes key,
                  struct bytes body, struct arena *arena, struct bytes *ret_body, bool *ret_replayed) {
  struct ask ask = {.method = method, .target = target, .who = who, .key = key, .body = body};
  int status = world_ask(world, &ask, arena);
  *ret_body = ask.answer;
  if (ret_replayed) *ret_replayed = ask.replayed;
  return status;
}
