#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "disk/allocation.h"
#include "disk/disk.h"
#include "disk/idle.h"
#include "disk/machine.h"
#include "fake/world.h"
#include "function/call.h"
#include "function/operate.h"

enum {
  BATCH = 4,
  WRITER_WAKES_US = 500,
  ROUNDS_MAX = 80,
  LARGE_LINES = 40,
  FILLER_LINES = 1000,
  IDLE_STEP_MS = 360000,
  IDLE_ROUNDS = 2
};

/* --- customers -------------------------------------------------------------------------------------------- */

static struct bytes body_of(struct machine *machine, const char *payment, int count, int64_t price) {
  struct text text;
  text_init(&text, &machine->arena);
  bool large = count > 1;
  text_append(&text, bytes_of(large ? "{\"channel\":\"wholesale\"" : "{\"channel\":\"retail\""));
  text_append(&text, BYTES(",\"currency\":\"GBP\",\"lines\":["));
  for (int i = 0; i < count; i++)
    text_append(&text,
                arena_printf(&machine->arena, "%s{\"sku\":\"SKU-%060d\",\"quantity\":1,\"unit_price\":%lld}",
                             i ? "," : "", i, (long long)price));
  text_append(&text,
              arena_printf(&machine->arena,
                           "],\"total\":%lld,\"payment\":{\"reference\":\"pay-%s\"}%s,\"ship_to\":{\"name\":"
                           "\"A. Hart\",\"line1\":\"1 High St\",\"city\":\"Leeds\",\"country\":\"GB\"}}",
                           (long long)price * count, payment, large ? ",\"purchase_order\":\"1\"" : ""));
  return text_view(&text);
}

static struct accept_request request_of(struct machine *machine, const char *key, struct bytes body) {
  return (struct accept_request){
      .customer = BYTES(STORY_CUSTOMER),
      .idempotency_key = bytes_of(key),
      .body = body,
      .traceparent = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
      .may_write_wholesale = true,
      .arena = &machine->arena};
}

/* Sends them as one batch, and again while they are refused for overload. False where that never ended. */
static bool send(struct machine *machine, const struct accept_request *requests, size_t count,
                 struct accept_reply *ret_replies) {
  for (struct patience patience = {0}; patience_is_left(&patience);) {
    bool overloaded = false;
    accept_run(&machine->context, requests, count, ret_replies);
    if (disk_is_halted()) return false;
    for (size_t i = 0; i < count; i++) overloaded = overloaded || ret_replies[i].problem == PROBLEM_OVERLOADED;
    if (!overloaded) return true;
  }
  return machine_give_up(machine, "sending an order");
}

static bool is_acknowledged(struct machine *machine, const char *key, const struct accept_reply *reply) {
  if (reply->problem == PROBLEM_NONE) return true;
  world_violate(machine->world, "answers", "%s: %s", key, problem_code(reply->problem));
  return false;
}

static bool post_batch(struct machine *machine, enum story_order from, enum story_order to) {
  struct accept_request requests[STORY_COUNT];
  struct accept_reply replies[STORY_COUNT];
  size_t count = 0;
  for (int which = from; which <= (int)to; which++)
    requests[count++] =
        request_of(machine, story_keys[which],
                   body_of(machine, story_keys[which], which == STORY_LARGE ? LARGE_LINES : 1, 255 + which));
  if (!send(machine, requests, count, replies)) return false;
  for (size_t i = 0; i < count; i++)
    if (!is_acknowledged(machine, story_keys[(size_t)from + i], &replies[i])) return false;
  return true;
}

static bool post_expecting(struct machine *machine, const char *key, struct bytes body, enum problem problem,
                           bool replayed) {
  const struct accept_request request = request_of(machine, key, body);
  struct accept_reply reply;
  if (!send(machine, &request, 1, &reply)) return false;
  if (reply.problem != problem || reply.replayed != replayed)
    world_violate(machine->world, "answers", "%s: %s%s", key, problem_code(reply.problem),
                  reply.replayed ? ", replayed" : "");
  return true;
}

static bool post_again(struct machine *machine) {
  const char *usual = story_keys[STORY_USUAL];
  return post_expecting(machine, usual, body_of(machine, usual, 1, 255), PROBLEM_NONE, true) &&
         post_expecting(machine, usual, body_of(machine, usual, 1, 1), PROBLEM_IDEMPOTENCY_KEY_REUSED, false) &&
         post_expecting(machine, "stranger", body_of(machine, usual, 1, 255), PROBLEM_PAYMENT_ALREADY_USED,
                        false);
}

/* --- the runner --------------------------------------------------------------------------------------------
 */

/* As the runner does: an answer that could not be stored is kept and stored later. */
static bool finish(struct machine *machine, struct call_attempt *attempt) {
  struct service_answer answer;
  const struct service_answer *answers[] = {&answer};
  struct call_attempt *attempts[] = {attempt};
  services_answer(machine->world, &attempt->request, &attempt->arena, &answer);
  for (struct patience patience = {0}; patience_is_left(&patience);) {
    call_finish(&machine->context, attempts, answers, 1);
    if (disk_is_halted()) return false;
    if (attempt->stored) return true;
  }
  return machine_give_up(machine, "storing an answer");
}

static bool carry_out(struct machine *machine, const struct message *messages, size_t count) {
  struct call_attempt attempts[BATCH];
  struct message_result results[BATCH];
  call_begin(&machine->context, messages, count, attempts);
  bool good = !disk_is_halted();
  for (size_t i = 0; i < count; i++) {
    good = good && (!attempts[i].send || finish(machine, &attempts[i]));
    results[i] = attempts[i].result;
    call_attempt_release(&attempts[i]);
  }
  if (good) queue_settle(store_sqlite_queue(machine->store), messages, results, count, machine->clock.now_ms);
  return good && !disk_is_halted();
}

/* Until nothing is due, however far the clock goes. `rounds_max`: of all queues. */
static bool work(struct machine *machine, int rounds_max) {
  struct message messages[BATCH];
  int idle = 0;
  for (int round = 0; round < rounds_max; round++) {
    size_t any = 0;
    for (int queue = 0; queue < QUEUE_COUNT; queue++) {
      size_t count =
          queue_receive(store_sqlite_queue(machine->store), queue, machine->clock.now_ms, BATCH, messages);
      any += count;
      if (count > 0 && !carry_out(machine, messages, count)) return false;
    }
    idle = any > 0 ? 0 : idle + 1;
    if (any > 0) continue;
    if (idle > IDLE_ROUNDS) return true;
    usleep(WRITER_WAKES_US); /* it may have been asked to read more in */
    idle_wait();
    machine->world->now_ms = machine->clock.now_ms += IDLE_STEP_MS;
  }
  return rounds_max < ROUNDS_MAX || machine_give_up(machine, "carrying out");
}

/* --- changes from outside
 * -------------------------------------------------------------------------------------- */

/* Tells it until the store takes it; `ret_reply` is the last answer. */
static bool operate(struct machine *machine, enum story_order which, const struct command *command,
                    struct operate_reply *ret_reply) {
  for (struct patience patience = {0}; patience_is_left(&patience);) {
    struct change change = {.id = story_id(which, &machine->arena), .command = *command};
    struct change *changes[] = {&change};
    operate_run(&machine->context, changes, 1, &machine->arena, ret_reply);
    if (disk_is_halted()) return false;
    if (ret_reply->problem != PROBLEM_OVERLOADED) return true;
  }
  return machine_give_up(machine, "changing an order");
}

static bool cancel(struct machine *machine) {
  struct operate_reply reply;
  if (!operate(machine, STORY_CANCELLED,
               &(struct command){.kind = COMMAND_KIND_CANCEL, .reason = BYTES("asked")}, &reply))
    return false;
  if (reply.problem != PROBLEM_NONE && reply.problem != PROBLEM_ORDER_FINAL)
    world_violate(machine->world, "answers", "cancel: %s", problem_code(reply.problem));
  return true;
}

/* An operator tries again what waits for a person, as the list shows it. */
static bool bring_on(struct machine *machine) {
  struct store_attention_page page;
  struct failure failure;
  struct patience patience = {0};
  while (!store_list_attention(&machine->witness.port, NULL, 10, &machine->arena, &page, &failure)) {
    if (disk_is_halted()) return false;
    if (!patience_is_left(&patience)) return machine_give_up(machine, "listing attention");
  }
  for (size_t i = 0; i < page.count; i++) {
    struct operate_reply reply;
    enum step step = command_rules[page.entries[i].command].step;
    if (!operate(machine, story_order_of(page.entries[i].order_id),
                 &(struct command){.kind = COMMAND_KIND_RETRY, .step = step}, &reply))
      return false;
    if (reply.problem != PROBLEM_NONE)
      world_violate(machine->world, "answers", "retry: %s", problem_code(reply.problem));
  }
  return true;
}

/* The service's late answer, which it gives again until it is taken. */
static bool call_back(struct machine *machine) {
  struct bytes id = story_id(STORY_LATER, &machine->arena);
  struct store_loaded loaded = {.status = LOAD_FAILED};
  for (struct patience patience = {0}; loaded.status == LOAD_FAILED && patience_is_left(&patience);) {
    store_load(&machine->witness.port, &id, 1, STORE_LOAD_WHOLE, &machine->arena, &loaded);
    if (disk_is_halted()) return false;
  }
  if (loaded.status == LOAD_FAILED) return machine_give_up(machine, "loading an order");
  struct operate_reply reply;
  if (loaded.status != LOAD_FOUND || loaded.order->slots[COMMAND_RECORD].state != SLOT_PENDING) return true;
  services_call_back(world_find(machine->world, id), COMMAND_RECORD);
  return operate(machine, STORY_LATER,
                 &(struct command){.kind = COMMAND_KIND_OUTCOME,
                                   .slot = COMMAND_RECORD,
                                   .outcome = OUTCOME_DONE,
                                   .is_callback = true,
                                   .reference = BYTES("record")},
                 &reply);
}

/* Fillers are never carried out. */
struct filler_store {
  struct store port;
  struct store *real;
};

static void commit_filler(struct store *port, const struct store_commit *commits, size_t count,
                          struct store_result *ret_results) {
  struct filler_store *store = (struct filler_store *)port;
  for (size_t i = 0; i < count; i++) {
    struct decision decision = *commits[i].decision;
    decision.message_count = 0;
    const struct store_commit silent = {.decision = &decision};
    store_commit(store->real, &silent, 1, &ret_results[i]);
  }
  idle_wait();
}

void story_fill(struct machine *machine, int64_t count) {
  static const struct store_operations operations = {.commit = commit_filler};
  machine->world->fillers = count;
  if (count == 0 || !machine_start(machine)) return;
  struct filler_store store = {{&operations}, store_sqlite_store(machine->store)};
  machine->context.store = &store.port;
  for (int64_t i = 0; i < count; i++) {
    const char *key = arena_printf(&machine->arena, "filler-%lld", (long long)i).data;
    struct accept_request request = request_of(machine, key, body_of(machine, key, FILLER_LINES, 1));
    struct accept_reply reply;
    request.customer = BYTES("filler");
    accept_run(&machine->context, &request, 1, &reply);
    if (reply.problem != PROBLEM_NONE)
      world_violate(machine->world, "harness", "%s", problem_code(reply.problem));
    arena_reset(&machine->arena);
  }
  machine->context.store = &machine->witness.port;
}

bool story_tell(struct machine *machine) {
  bool good = machine_start(machine) && post_batch(machine, STORY_USUAL, STORY_LARGE) && post_again(machine) &&
              work(machine, 1) && post_batch(machine, STORY_REFUSED, STORY_CANCELLED) && work(machine, 1) &&
              cancel(machine) && post_batch(machine, STORY_INVALID, STORY_INVALID) &&
              post_batch(machine, STORY_LOST, STORY_LATER);
  if (!good) return false;
  machine_stop(machine);
  good = !disk_is_halted() && machine_start(machine) && work(machine, ROUNDS_MAX);
  /* Twice, since faults may have put off what brings an order there. */
  for (int i = 0; good && i < 2; i++)
    good = bring_on(machine) && call_back(machine) && work(machine, ROUNDS_MAX);
  if (!good) return false;
  /* Faults that are over have left nothing lying about. */
  allocation_exempt();
  if (disk_is_good_again() && !machine->world->memory_is_short) story_check_end(machine);
  allocation_exempt_end();
  machine_stop(machine);
  return !disk_is_halted();
}
