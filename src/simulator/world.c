#include "simulator/world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "function/admit.h"
#include "function/call.h"
#include "function/relay.h"
#include "function/sweep.h"
#include "wire/json.h"

enum {
  RECORD_BUCKETS = 4096,
  DEADLINE_MS = 240000,
  RETRY_FIRST_MS = 500,
  RETRY_MAX_MS = 20000,
  RESTART_MS = 300,
  RELAY_BATCH = 20,
  INVOCATION_MS = 60000,
  RECEIVES_MAX = 4,
  QUIET_LIMIT_MS = 6 * 3600 * 1000,
  ENVIRONMENTS_FROM = 1000000,
};

/* A call and a deadline for each step that may be under way, and what is there twice. */
#define QUEUED_MOST(orders) ((orders)*8 + 100)

const char *const world_mark_names[MARK_COUNT] = {
#define X(name) #name,
    WORLD_MARKS(X)
#undef X
};

int world_environment(struct world *world) { return world->next_environment++; }

/* --- what is told ---------------------------------------------------------------------------------- */

void world_violate(struct world *world, const char *invariant, const char *format, ...) {
  va_list values;
  if (world->violated) return;
  world->violated = invariant;
  va_start(values, format);
  vsnprintf(world->violation, sizeof world->violation, format, values);
  va_end(values);
  if (world->options.story)
    printf("%10lld  VIOLATED %s: %s\n", (long long)world->sim.now_ms, invariant, world->violation);
}

void world_tell(struct world *world, const char *id, const char *format, ...) {
  va_list values;
  const char *story = world->options.story;
  sim_mix(&world->sim, (uint64_t)(uint8_t)format[0] << 8 | (uint8_t)format[1]);
  if (!story || strncmp(id, story, strlen(story)) != 0) return;
  printf("%10lld  %.*s  ", (long long)world->sim.now_ms, ORDER_ID_CHARACTERS, id);
  va_start(values, format);
  vprintf(format, values);
  va_end(values);
  putchar('\n');
}

/* --- records --------------------------------------------------------------------------------------- */

static size_t bucket_of(struct bytes id) {
  size_t hash = 5381;
  for (size_t i = 4; i < id.size; i++) hash = hash * 33 + (uint8_t)id.data[i];
  return hash % RECORD_BUCKETS;
}

struct record *record_find(struct world *world, struct bytes id) {
  for (struct record *record = world->records[bucket_of(id)]; record; record = record->next)
    if (bytes_equal(bytes_from(record->id, ORDER_ID_CHARACTERS), id)) return record;
  return NULL;
}

struct record *record_make(struct world *world, struct bytes id) {
  struct record *record = record_find(world, id);
  if (record) return record;
  record = calloc(1, sizeof *record);
  if (!record) panic("out of memory");
  arena_init(&record->arena);
  memcpy(record->id, id.data, ORDER_ID_CHARACTERS);
  record->next = world->records[bucket_of(id)];
  world->records[bucket_of(id)] = record;
  world->all = realloc(world->all, (world->record_count + 1) * sizeof *world->all);
  if (!world->all) panic("out of memory");
  world->all[world->record_count++] = record;
  return record;
}

/* --- functions in their environments --------------------------------------------------------------- */

static void no_count(struct telemetry *telemetry, enum telemetry_metric metric, const char *a, const char *b,
                     uint64_t by) {
  struct world *world = (struct world *)((char *)telemetry - offsetof(struct world, telemetry));
  (void)a, (void)b, (void)by;
  if (metric == METRIC_SPILLS) world_mark(world, MARK_SPILLED);
}

static void no_observe(struct telemetry *telemetry, enum telemetry_metric metric, const char *label,
                       double value) {
  (void)telemetry, (void)metric, (void)label, (void)value;
}

static void work_on_calls(struct world *world, int index, struct delivery *deliveries, size_t count) {
  struct message messages[QUEUE_SIM_BATCH];
  struct message_result results[QUEUE_SIM_BATCH];
  int64_t began_ms = world->sim.now_ms;
  for (size_t i = 0; i < count; i++) {
    messages[i] = deliveries[i].message;
    if (world->options.shape == SHAPE_AWS) messages[i].attempts += deliveries[i].receives - 1;
  }
  call_run(&world->functions, &world->services, messages, count, NULL, results);
  if (world->sim.now_ms - began_ms > 60000) world_mark(world, MARK_ZOMBIE);
  queue_sim_settle(world->queue, index, deliveries, results, count);
}

static void work(void *context, int index, struct delivery *deliveries, size_t count) {
  struct world *world = context;
  if (index != QUEUE_SIM_INTAKE) {
    work_on_calls(world, index, deliveries, count);
    return;
  }
  struct intake_order orders[QUEUE_SIM_BATCH] = {{.claim_count = 0}};
  struct message_result results[QUEUE_SIM_BATCH];
  for (size_t i = 0; i < count; i++) orders[i] = *deliveries[i].order;
  admit_run(&world->functions, orders, count, results);
  for (size_t i = 0; i < count; i++)
    if (results[i].settlement == SETTLE_ACK) world_mark(world, MARK_ADMITTED);
  queue_sim_settle(world->queue, index, deliveries, results, count);
}

static void dead(void *context, int index, struct delivery *delivery) {
  struct world *world = context;
  struct message_result result;
  world_mark(world, MARK_DEAD_LETTER);
  sweep_run(&world->functions, &delivery->message, 1, &result);
  if (result.settlement == SETTLE_ACK) queue_sim_settle(world->queue, index, delivery, &result, 1);
}

/* The relay is asked for the stream's next part until there is none; what it could not send or enter comes
 * again, and sometimes what it had sent as well. */
static void relay(struct sim *sim, void *context) {
  struct world *world = context;
  struct stream_entry entries[RELAY_BATCH];
  struct message messages[RELAY_BATCH];
  struct stored *created[RELAY_BATCH];
  bool sent[RELAY_BATCH];
  size_t message_count = 0, created_count = 0, next = 0, done = 0;
  size_t count = store_sim_stream(world->store, world->stream_position, RELAY_BATCH, entries);
  for (size_t i = 0; i < count; i++) {
    if (entries[i].created)
      created[created_count++] = entries[i].created;
    else
      messages[message_count++] = entries[i].message;
  }
  relay_run(queue_sim_port(world->queue), messages, message_count, sent);
  bool noted = created_count == 0 || store_sim_note_created(world->store, created, created_count);
  for (; done < count && (entries[done].created ? noted : sent[next]); done++) next += !entries[done].created;
  bool again = sim_strikes(sim, POINT_RELAY, FAULT_DUPLICATE);
  if (again) world_mark(world, MARK_STREAM_REPLAYED);
  if (!again && !sim_is_ghost(sim)) world->stream_position += done;
  world->relay_is_on = store_sim_stream(world->store, world->stream_position, 1, entries) > 0;
  if (world->relay_is_on) sim_spawn(sim, world_environment(world), done < count ? 500 : 20, relay, world);
}

static void put(void *context, const struct message *message) {
  queue_sim_put(((struct world *)context)->queue, message);
}

static void on_applied(void *context, struct stored *stored, const struct store_commit *commit) {
  struct world *world = context;
  invariants_on_commit(world, stored, commit);
  if (queue_sim_waiting(world->queue) > QUEUED_MOST(store_sim_count(world->store)))
    world_violate(world, "queues-are-bounded", "%zu messages of %zu orders", queue_sim_waiting(world->queue),
                  store_sim_count(world->store));
  struct stream_entry next;
  if (world->relay_is_on || store_sim_stream(world->store, world->stream_position, 1, &next) == 0) return;
  world->relay_is_on = true;
  sim_spawn(&world->sim, world_environment(world), (int64_t)sim_below(&world->sim, 100), relay, world);
}

static void on_killed(struct sim *sim, int environment) {
  struct world *world = sim->context;
  if (environment != PROCESS) return;
  world_mark(world, MARK_PROCESS_KILLED);
  requests_forget(world);
  queue_sim_restart(world->queue, RESTART_MS);
}

/* --- opening --------------------------------------------------------------------------------------- */

static const struct jwt_keys *acquire(void *context, uint64_t *ret_generation, void **ret_hold) {
  *ret_generation = 1;
  *ret_hold = NULL;
  return ((struct world *)context)->keys;
}

static void release(void *hold) { (void)hold; }

static void make_tokens(struct world *world) {
  const struct bytes secret = BYTES("a token secret of thirty-two byte");
  struct failure failure;
  ensure(jwt_keys_from_secret(secret, &world->keys, &failure));
  for (int i = 0; i <= CUSTOMERS; i++) {
    struct bytes payload = arena_printf(
        &world->arena, "{\"sub\":\"customer-%d\",\"exp\":9999999999,\"scope\":\"%s\"}", i,
        i == CUSTOMERS ? "orders:operate orders:read" : "orders:read orders:write orders:wholesale");
    struct bytes token = jwt_sign_hs256(secret, payload, &world->arena);
    world->tokens[i] = arena_printf(&world->arena, "Bearer %.*s", BYTES_PRINTF(token));
  }
}

static void set_functions(struct world *world) {
  const struct world_options *options = &world->options;
  world->telemetry = (struct telemetry){.count = no_count, .observe = no_observe};
  world->functions = (struct function_context){.store = store_sim_port(world->store),
                                               .clock = &world->sim.clock,
                                               .entropy = &world->sim.entropy,
                                               .telemetry = &world->telemetry,
                                               .id_secret = BYTES("an id secret of thirty-two bytes!"),
                                               .public_url = BYTES("https://shop.example"),
                                               .retry_first_ms = RETRY_FIRST_MS,
                                               .retry_max_ms = RETRY_MAX_MS};
  if (options->shape == SHAPE_AWS) world->functions.intake = queue_sim_intake(world->queue);
  world->functions.rules.attempts_unstored = options->shape == SHAPE_AWS;
  world->functions.rules.attempt_ms = options->shape == SHAPE_AWS ? INVOCATION_MS + 1000 : 0;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    world->functions.rules.idempotency[i] = options->idempotency[i];
    world->functions.rules.deadline_ms[i] = DEADLINE_MS;
  }
}

void world_open(struct world *world, const struct world_options *options) {
  bool aws = options->shape == SHAPE_AWS;
  *world = (struct world){.options = *options, .next_environment = ENVIRONMENTS_FROM};
  sim_init(&world->sim, options->seed);
  arena_init(&world->arena);
  world->sim.faults = options->faults;
  world->sim.exact_point = options->exact_point;
  world->sim.exact_fault = options->exact_fault;
  world->sim.exact_for_ever = options->exact_for_ever;
  world->sim.only = options->only;
  world->sim.only_count = options->only_count;
  world->sim.prompt = options->prompt;
  world->sim.allowed = options->allowed;
  world->sim.allowed_room = options->allowed_room;
  world->sim.stopping_environment = aws ? 0 : PROCESS;
  world->sim.on_killed = on_killed;
  world->sim.context = world;
  world->records = calloc(RECORD_BUCKETS, sizeof *world->records);
  if (!world->records) panic("out of memory");
  world->stock_at_first = (int64_t)options->orders * 4;
  for (size_t i = 0; i < SKUS; i++) world->stock[i] = world->stock_at_first;
  world->store = store_sim_make(&(struct store_sim_options){
      .sim = &world->sim, .has_stream = aws, .put = put, .on_applied = on_applied, .context = world});
  world->queue = queue_sim_make(&(struct queue_sim_options){.sim = &world->sim,
                                                            .process = aws ? 0 : PROCESS,
                                                            .invocation_ms = aws ? INVOCATION_MS : 0,
                                                            .receives_max = aws ? RECEIVES_MAX : 1 << 30,
                                                            .work = work,
                                                            .dead = aws ? dead : NULL,
                                                            .context = world});
  services_open(world);
  set_functions(world);
  make_tokens(world);
  const struct gateway_config config = {
      .functions = &world->functions,
      .token_keys = {{.context = world, .acquire = acquire, .release = release}},
      .token_keys_count = 1,
      .openapi = BYTES("{}"),
      .serves_api = true};
  world->gateway = gateway_make(&config);
}

void world_close(struct world *world) {
  gateway_free(world->gateway);
  jwt_keys_free(world->keys);
  queue_sim_free(world->queue);
  store_sim_free(world->store);
  for (size_t i = 0; i < world->record_count; i++) {
    arena_release(&world->all[i]->arena);
    free(world->all[i]);
  }
  free(world->all);
  free(world->used);
  free(world->records);
  arena_release(&world->arena);
  sim_release(&world->sim);
}

/* --- running --------------------------------------------------------------------------------------- */

static void jump(struct sim *sim, void *context) {
  struct world *world = context;
  if (world->quiet) return;
  if (sim_strikes(sim, POINT_TIME, FAULT_JUMP)) {
    int64_t by_ms = (int64_t)sim_below(sim, 180000) - 90000;
    sim->clock_jump_ms += by_ms;
    world_mark(world, by_ms < 0 ? MARK_CLOCK_BACK : MARK_CLOCK_AHEAD);
  }
  sim_spawn(sim, 0, 5000 + (int64_t)sim_below(sim, 60000), jump, world);
}

static void note_faults(struct world *world) {
  for (int point = 0; point < POINT_COUNT; point++)
    if (world->sim.struck_by[point][FAULT_STOP]) world_mark(world, MARK_PROCESS_STOPPED);
  if (world->sim.struck_by[POINT_RECEIVE][FAULT_DUPLICATE]) world_mark(world, MARK_REDELIVERED_RUNNING);
  if (store_sim_conflicts(world->store)) world_mark(world, MARK_COMMIT_CONFLICT);
}

bool world_run(struct world *world) {
  customers_start(world);
  if (world->options.readers) readers_start(world);
  if (world->options.jumps) sim_spawn(&world->sim, 0, 1000, jump, world);
  while (world->customers_busy > 0 && !world->violated && world->sim.heap_count > 0)
    sim_run(&world->sim, world->sim.now_ms + 1000);
  /* The faults stop; everything must come to its end, and nothing may be left to happen. */
  world->quiet = true;
  note_faults(world);
  world->sim.faults = (struct sim_faults){.rates[0] = 0};
  world->sim.exact_for_ever = false;
  world->sim.exact_point = world->sim.exact_point ? UINT64_MAX : 0;
  world->sim.only_count = 0;
  int64_t limit_ms = world->sim.now_ms + QUIET_LIMIT_MS;
  sim_run(&world->sim, limit_ms);
  if (!world->violated && world->sim.heap_count > 0)
    world_violate(world, "liveness", "%zu messages still wait, %lld s after the last fault",
                  queue_sim_waiting(world->queue), QUIET_LIMIT_MS / 1000LL);
  if (!world->violated) {
    customers_list_all(world);
    sim_run(&world->sim, world->sim.now_ms + 60000);
    invariants_at_end(world);
  }
  sim_run(&world->sim, INT64_MAX); /* whatever is left, to give its memory back */
  return world->violated == NULL;
}
