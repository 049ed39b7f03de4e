/* Inventory, accounting and fulfilment as the simulator plays them: they apply, refuse, fail, apply and lose
 * the answer, answer later by callback, twice, or not at all. What they honour is what the world's options say.
 */
#include <stdlib.h>
#include <string.h>

#include "order/step.h"
#include "simulator/world.h"
#include "wire/json.h"

enum { CALLBACK_MS_MAX = 40000 };

struct callback {
  struct world *world;
  struct record *record;
  enum order_command command;
  struct arena arena;
  struct bytes path;
  int64_t deadline_ms; /* of the command: what comes after it must be refused */
  bool done;
};

static const unsigned before_faults =
    FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_SLOW) | FAULT_BIT(FAULT_THROTTLE) | FAULT_BIT(FAULT_FAIL) |
    FAULT_BIT(FAULT_LOSE) | FAULT_BIT(FAULT_REFUSE) | FAULT_BIT(FAULT_PENDING) | FAULT_BIT(FAULT_INVALID) |
    FAULT_BIT(FAULT_GARBAGE);

static void apply(struct world *world, struct record *record, enum order_command command) {
  record->commands[command].applied++;
  for (size_t i = 0; i < SKUS; i++) {
    if (command == COMMAND_RESERVE) world->stock[i] -= record->units[i];
    if (command == COMMAND_RELEASE) world->stock[i] += record->units[i];
  }
  if (command == COMMAND_RECORD) world->money_recorded += record->total;
  if (command == COMMAND_REFUND) world->money_refunded += record->total;
  if (!record->commands[command].reference[0])
    snprintf(record->commands[command].reference, WORLD_REFERENCE_BYTES, "%s-%llu", command_rules[command].name,
             (unsigned long long)sim_below(&world->sim, 1000000));
  world_tell(world, record->id, "service: %s is applied (%d)", command_rules[command].name,
             record->commands[command].applied);
  invariants_on_applied(world, record, command);
}

static bool is_out_of_stock(const struct world *world, const struct record *record,
                            enum order_command command) {
  for (size_t i = 0; i < SKUS && command == COMMAND_RESERVE; i++)
    if (world->stock[i] < record->units[i]) return true;
  return false;
}

static bool would_refuse(struct world *world, const struct record *record, enum order_command command,
                         enum sim_fault fault) {
  if (command_rules[command].is_undo) return false;
  return fault == FAULT_REFUSE || is_out_of_stock(world, record, command);
}

/* Of a command of an order, whatever else happens. */
static uint64_t name_of(const struct record *record, enum order_command command) {
  uint64_t id;
  memcpy(&id, record->id + 4, sizeof id);
  return sim_name(id, (uint64_t)command);
}

/* --- callbacks ------------------------------------------------------------------------------------- */

/* A service that contradicts itself: what it said first must stand. */
static void contradict(struct world *world, const struct callback *callback, struct arena *arena) {
  struct bytes answer, body = callback->done
                                  ? BYTES("{\"outcome\":\"refused\",\"reason\":\"on second thoughts\"}")
                                  : BYTES("{\"outcome\":\"done\",\"reference\":\"second-thoughts\"}");
  int status =
      world_request(world, "POST", callback->path, -1, (struct bytes){NULL, 0}, body, arena, &answer, NULL);
  if (status == 409) world_mark(world, MARK_CALLBACK_CONFLICT);
  if (status == 204)
    world_violate(world, "first-word-stands", "%.*s: %s", ORDER_ID_CHARACTERS, callback->record->id,
                  command_rules[callback->command].name);
}

static void call_back(struct sim *sim, void *context) {
  struct callback *callback = context;
  struct world *world = callback->world;
  struct record *record = callback->record;
  struct arena arena;
  bool taken = false;
  arena_init(&arena);
  if (!record->commands[callback->command].applied && is_out_of_stock(world, record, callback->command))
    callback->done = false; /* others have it meanwhile */
  if (!record->commands[callback->command].applied && callback->done) apply(world, record, callback->command);
  if (!callback->done) record->commands[callback->command].refused = true;
  record->commands[callback->command].pending = false;
  struct bytes body = callback->done ? arena_printf(&arena, "{\"outcome\":\"done\",\"reference\":\"%s\"}",
                                                    record->commands[callback->command].reference)
                                     : BYTES("{\"outcome\":\"refused\",\"reason\":\"out_of_stock\"}");
  /* Told until it is heard; sometimes once more. */
  for (int tries = 0; tries < 12; tries++) {
    struct bytes answer;
    int status =
        world_request(world, "POST", callback->path, -1, (struct bytes){NULL, 0}, body, &arena, &answer, NULL);
    world_tell(world, record->id, "callback of %s: %d", command_rules[callback->command].name, status);
    if (status == 204) world_mark(world, taken ? MARK_CALLBACK_TWICE : MARK_CALLBACK_TAKEN);
    taken = taken || status == 204;
    if (status == 204) invariants_on_callback(world, record, callback->deadline_ms);
    if (status == 409) world_mark(world, MARK_CALLBACK_CONFLICT);
    if (status == 403) world_mark(world, MARK_CALLBACK_EXPIRED);
    if (status == 204 && sim_strikes(sim, POINT_HEARD, FAULT_DUPLICATE)) continue;
    if (status == 204 || status == 409 || status == 403) break;
    sim_sleep(sim, 1000 << (tries < 8 ? tries : 8));
  }
  if (taken && sim_below(sim, 8) == 0) contradict(world, callback, &arena);
  arena_release(&arena);
  arena_release(&callback->arena);
  free(callback);
}

static void promise(struct world *world, struct record *record, enum order_command command,
                    const struct service_call *call) {
  struct callback *callback = calloc(1, sizeof *callback);
  if (!callback) abort();
  *callback = (struct callback){.world = world, .record = record, .command = command};
  arena_init(&callback->arena);
  /* "https://shop.example/v1/callbacks/…": the path is what the gateway gets */
  size_t slashes = 0, at = 0;
  for (; at < call->callback_url.size && slashes < 3; at++) slashes += call->callback_url.data[at] == '/';
  callback->path =
      arena_copy(&callback->arena, bytes_slice(call->callback_url, at - 1, call->callback_url.size));
  const struct stored *stored = store_sim_find(world->store, bytes_from(record->id, ORDER_ID_CHARACTERS));
  callback->deadline_ms = stored ? stored->order.slots[command].deadline_ms : 0;
  uint64_t chance = sim_name(name_of(record, command), world->sim.seed);
  callback->done = command_rules[command].is_undo || chance % 5 > 0;
  if (is_out_of_stock(world, record, command)) callback->done = false;
  int64_t delay_ms = (int64_t)(chance / 5 % CALLBACK_MS_MAX);
  if (chance >> 61 == 0) delay_ms += 300000; /* after the deadline */
  record->commands[command].pending = true;
  sim_spawn(&world->sim, world_environment(world), delay_ms, call_back, callback);
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void answer_with(struct service_answer *answer, int status, struct bytes body) {
  *answer = (struct service_answer){.transport = TRANSPORT_ANSWERED, .status = status, .body = body};
}

static void answer_done(struct world *world, const struct record *record, enum order_command command,
                        struct arena *arena, struct service_answer *answer) {
  (void)world;
  answer_with(answer, 200, arena_printf(arena, "{\"reference\":\"%s\"}", record->commands[command].reference));
}

static void look_up(struct world *world, struct record *record, enum order_command command, struct arena *arena,
                    struct service_answer *answer) {
  world_mark(world, record->commands[command].applied ? MARK_LOOKED_UP_APPLIED : MARK_LOOKED_UP_UNKNOWN);
  if (record->commands[command].applied)
    answer_with(answer, 200,
                arena_printf(arena, "{\"outcome\":\"done\",\"reference\":\"%s\"}",
                             record->commands[command].reference));
  else if (record->commands[command].refused)
    answer_with(answer, 200, BYTES("{\"outcome\":\"refused\",\"reason\":\"out_of_stock\"}"));
  else if (record->commands[command].pending)
    answer_with(answer, 202, BYTES("{}"));
  else
    answer_with(answer, 404, BYTES("{}"));
}

/* A request that has reached the service. */
static void carry_out(struct world *world, struct record *record, const struct service_call *call,
                      enum order_command command, enum sim_fault fault, struct arena *arena,
                      struct service_answer *answer) {
  bool honours = world->options.idempotency[command_service(command)] == IDEMPOTENCY_KEY;
  bool known = honours || world->options.idempotency[command_service(command)] == IDEMPOTENCY_LOOKUP;
  if (record->commands[command].asked) world_mark(world, MARK_SENT_AGAIN);
  record->commands[command].asked = true;
  if (record->commands[command].refused) {
    answer_with(answer, 409, BYTES("{\"reason\":\"out_of_stock\"}"));
  } else if (honours && record->commands[command].applied) {
    answer_done(world, record, command, arena, answer);
  } else if (honours && record->commands[command].pending) {
    answer_with(answer, 202, BYTES("{}"));
  } else if (fault == FAULT_INVALID && !record->commands[command].applied) {
    answer_with(answer, 400, BYTES("{\"detail\":\"not like this\"}"));
  } else if (would_refuse(world, record, command, fault)) {
    record->commands[command].refused = true;
    answer_with(answer, 409, BYTES("{\"reason\":\"out_of_stock\"}"));
  } else if (fault == FAULT_PENDING && known && call->callback_url.size) {
    promise(world, record, command, call);
    answer_with(answer, 202, BYTES("{}"));
  } else {
    apply(world, record, command);
    answer_done(world, record, command, arena, answer);
  }
  if (fault == FAULT_GARBAGE && answer->status == 200) answer_with(answer, 200, BYTES("<html>ok</html>"));
  if (fault == FAULT_LOSE) {
    world_mark(world, MARK_APPLIED_THEN_LOST);
    *answer = (struct service_answer){.transport = TRANSPORT_BROKEN, .failure = BYTES("the connection broke")};
  }
}

static void call_one(struct world *world, const struct service_call *call, struct arena *arena,
                     struct service_answer *answer) {
  *answer = (struct service_answer){.transport = TRANSPORT_BROKEN, .failure = BYTES("killed")};
  struct bytes key =
      call->is_lookup ? bytes_slice(call->path, strlen("/commands/"), call->path.size) : call->key;
  struct record *record = record_find(world, bytes_slice(key, 0, ORDER_ID_CHARACTERS));
  enum order_command command;
  if (record && order_command_parse(bytes_slice(key, ORDER_ID_CHARACTERS + 1, key.size), &command))
    sim_name_point(&world->sim, name_of(record, command) + (uint64_t)record->commands[command].calls++);
  enum sim_fault fault = sim_reach(&world->sim, POINT_CALL, before_faults);
  if (fault == FAULT_GONE) return;
  if (!record || !order_command_parse(bytes_slice(key, ORDER_ID_CHARACTERS + 1, key.size), &command)) {
    world_violate(world, "agreed-key", "a service was sent the key %.*s", BYTES_PRINTF(key));
    return;
  }
  world_tell(world, record->id, "call %s%s (%s)", call->is_lookup ? "look-up of " : "",
             command_rules[command].name, sim_fault_names[fault]);
  if (fault == FAULT_THROTTLE) {
    answer_with(answer, 429, BYTES("{}"));
  } else if (fault == FAULT_FAIL) {
    *answer =
        (struct service_answer){.transport = sim_below(&world->sim, 2) ? TRANSPORT_NOT_SENT : TRANSPORT_BROKEN,
                                .failure = BYTES("no connection")};
    if (answer->transport == TRANSPORT_BROKEN) answer_with(answer, 503, BYTES(""));
  } else if (call->is_lookup) {
    look_up(world, record, command, arena, answer);
  } else {
    carry_out(world, record, call, command, fault, arena, answer);
  }
}

static void call_all(struct services *port, const struct service_call *calls, size_t count, struct arena *arena,
                     struct service_answer *ret_answers) {
  struct world *world = (struct world *)((char *)port - offsetof(struct world, services));
  for (size_t i = 0; i < count; i++) call_one(world, &calls[i], arena, &ret_answers[i]);
  if (sim_reach(&world->sim, POINT_CALLED, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE)) == FAULT_GONE)
    for (size_t i = 0; i < count; i++)
      ret_answers[i] = (struct service_answer){.transport = TRANSPORT_BROKEN, .failure = BYTES("killed")};
}

void services_open(struct world *world) {
  static const struct services_operations operations = {.call = call_all};
  world->services.operations = &operations;
}
