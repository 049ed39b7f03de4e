#include "disk/machine.h"

#include <stdio.h>

#include "disk/database.h"
#include "disk/disk.h"
#include "disk/idle.h"
#include "fake/world.h"

enum { CHECKPOINT_PAGES = 60, NEVER_PAGES = 1 << 20, TRIES = 15 };

/* Production ends the process. */
static void on_fatal(void *context, const char *text) {
  struct machine *machine = context;
  if (!machine->fatal && !strstr(text, machine->folder))
    world_violate(machine->world, "clear-messages", "%s", text);
  machine->fatal = true;
  disk_halt();
}

void machine_init(struct machine *machine, const char *folder, struct world *world) {
  *machine = (struct machine){.folder = folder, .world = world};
  arena_init(&machine->arena);
  fake_clock_init(&machine->clock, world->now_ms);
  fake_entropy_init(&machine->entropy);
  fake_telemetry_init(&machine->telemetry);
  machine->context = (struct function_context){
      .clock = &machine->clock.port,
      .entropy = &machine->entropy.port,
      .telemetry = &machine->telemetry.port,
      .rules = {.deadline_ms = {FAKE_DEADLINE_MS, FAKE_DEADLINE_MS, FAKE_DEADLINE_MS}},
      .id_secret = BYTES("an id secret of thirty-two bytes"),
      .public_url = BYTES("https://shop.example"),
      .retry_first_ms = FAKE_RETRY_FIRST_MS,
      .retry_max_ms = FAKE_RETRY_MAX_MS,
  };
}

void machine_release(struct machine *machine) {
  machine_stop(machine);
  arena_release(&machine->arena);
}

bool machine_give_up(struct machine *machine, const char *over) {
  if (disk_is_good_again() && !machine->fatal && !machine->world->memory_is_short)
    world_violate(machine->world, "goes-on-when-the-disk-is-good", "%s", over);
  disk_halt();
  return false;
}

bool patience_is_left(struct patience *patience) {
  if (!patience->was_good && disk_is_good_again()) *patience = (struct patience){.was_good = true};
  return patience->tries++ < TRIES;
}

bool machine_start(struct machine *machine) {
  struct patience patience = {0};
  if (machine->store) return true;
  const struct store_sqlite_options options = {
      .data_folder = machine->folder,
      .on_fatal = on_fatal,
      .fatal_context = machine,
      .checkpoint_pages = machine->world->fillers ? NEVER_PAGES : CHECKPOINT_PAGES};
  while (patience_is_left(&patience)) {
    struct failure failure = {""};
    if (store_sqlite_open(&options, &machine->store, &failure)) {
      idle_wait();
      witness_init(&machine->witness, store_sqlite_store(machine->store), machine->world);
      machine->context.store = &machine->witness.port;
      return !disk_is_halted();
    }
    if (disk_is_halted()) return false;
    if (!strstr(failure.text, machine->folder))
      world_violate(machine->world, "clear-messages", "the start was refused: \"%s\"", failure.text);
    if (strstr(failure.text, "damaged") || strstr(failure.text, "other program"))
      world_violate(machine->world, "sound-after-faults", "the start was refused: %s", failure.text);
  }
  return machine_give_up(machine, "starting");
}

void machine_stop(struct machine *machine) {
  store_sqlite_close(machine->store);
  machine->store = NULL;
  machine->fatal = false;
  arena_reset(&machine->arena);
}

static void check_order(struct machine *machine, struct database *database, const struct known *known) {
  struct bytes id = bytes_from(known->id, ORDER_ID_CHARACTERS);
  struct store_loaded loaded;
  store_load(store_sqlite_store(machine->store), &id, 1, STORE_LOAD_WHOLE, &machine->arena, &loaded);
  int64_t claims = database_count_claims(database, id);
  if (claims != (loaded.status == LOAD_FOUND ? (int64_t)known->claim_count : 0))
    world_violate(machine->world, "claims-with-their-order", "%.*s has %lld", BYTES_PRINTF(id),
                  (long long)claims);
  if (loaded.status != LOAD_FOUND) return;
  const char *wrong = database_check_messages(database, loaded.order);
  if (wrong) world_violate(machine->world, "messages-with-their-order", "%s", wrong);
}

void machine_check(struct machine *machine) {
  size_t stored;
  witness_check(&machine->witness, &stored);
  struct store_sqlite_statistics statistics;
  store_sqlite_statistics(machine->store, &statistics);
  int64_t counted = 0;
  for (size_t i = 0; i < ORDER_STATUS_COUNT; i++) counted += statistics.orders[i];
  if (counted != (int64_t)stored + machine->world->fillers)
    world_violate(machine->world, "counters-agree", "%lld orders of %zu", (long long)counted, stored);
  struct database *database = database_open(machine->folder);
  const char *wrong = database_check(database);
  if (wrong) world_violate(machine->world, "database-is-whole", "%s", wrong);
  for (size_t i = 0; i < machine->world->known_count; i++)
    check_order(machine, database, &machine->world->known[i]);
  database_close(database);
}

/* --- the end ------------------------------------------------------------------------------------------------
 */

static void check_effects(struct world *world, const struct known *known, const struct order *order) {
  bool completed = order->status == ORDER_COMPLETED;
  for (size_t step = 0; step < STEP_COUNT; step++) {
    const struct step_rule *rule = &step_rules[step];
    int applied = known->applied[rule->command], undone = known->applied[rule->undo];
    int due = applied || (rule->undo_returns_money && known->has_payment);
    if (completed && (applied != 1 || undone != 0))
      world_violate(world, "completed-is-applied", "%.*s: %s", BYTES_PRINTF(order->id), rule->name);
    if (!completed && undone != due)
      world_violate(world, "undone-iff-applied", "%.*s: %s", BYTES_PRINTF(order->id), rule->name);
  }
}

void story_check_end(struct machine *machine) {
  static const enum order_status ends[STORY_COUNT] = {
      [STORY_USUAL] = ORDER_COMPLETED,    [STORY_LARGE] = ORDER_COMPLETED,
      [STORY_REFUSED] = ORDER_REJECTED,   [STORY_REFUSED_LATE] = ORDER_REJECTED,
      [STORY_INVALID] = ORDER_COMPLETED,  [STORY_LOST] = ORDER_COMPLETED,
      [STORY_BUSY] = ORDER_COMPLETED,     [STORY_LATER] = ORDER_COMPLETED,
      [STORY_CANCELLED] = ORDER_CANCELLED};
  for (int i = 0; i < STORY_COUNT; i++) {
    struct bytes id = story_id((enum story_order)i, &machine->arena);
    const struct known *known = world_find(machine->world, id);
    struct store_loaded loaded;
    store_load(store_sqlite_store(machine->store), &id, 1, STORE_LOAD_WHOLE, &machine->arena, &loaded);
    if (loaded.status != LOAD_FOUND || !known) {
      world_violate(machine->world, "acknowledged-is-stored", "%s is gone at the end", story_keys[i]);
      continue;
    }
    bool early = i == STORY_CANCELLED && loaded.order->status == ORDER_COMPLETED;
    if (loaded.order->status != ends[i] && !early)
      world_violate(machine->world, "liveness", "%s is %s", story_keys[i],
                    order_status_name(loaded.order->status));
    check_effects(machine->world, known, loaded.order);
  }
}
