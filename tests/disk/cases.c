#include "disk/cases.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/panic.h"
#include "fake/testing.h"

enum { SECOND_FAULT_WITHIN = 400, RUN_SECONDS_MAX = 60, INDEX_WRITES = 8, FOR_A_WHILE = 12 };

/* --- one case -------------------------------------------------------------------------------------------- */

static uint64_t seed_of(const struct cases *cases, const struct disk_plan *plan, uint64_t draw) {
  uint64_t mixed = cases->seed * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)plan->at;
  mixed = (mixed ^ (mixed >> 29)) * UINT64_C(0xBF58476D1CE4E5B9) + (uint64_t)plan->fault * 31;
  mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0x94D049BB133111EB) + (uint64_t)plan->times * 7 + draw;
  mixed = (mixed ^ (mixed >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
  return (mixed ^ (mixed >> 29)) | 1;
}

static void come_back(const struct cases *cases, struct machine *machine, enum disk_return how,
                      struct figures *figures) {
  machine_release(machine);
  disk_return(how);
  machine_init(machine, cases->folder, cases->world);
  figures->recoveries++;
  if (!machine_start(machine) || cases->world->violation[0]) return;
  machine_check(machine);
}

static enum disk_return draw_return(enum disk_fault fault, uint64_t *random) {
  static const enum disk_return all[] = {DISK_RESTART, DISK_RESTART_EVICTED, DISK_POWER_CYCLE};
  return fault == DISK_POWER ? DISK_POWER_CYCLE : all[next_random(random, 3)];
}

void cases_recover(const struct cases *cases, struct machine *machine, enum disk_fault fault, uint64_t *random,
                   struct figures *figures) {
  struct world *world = cases->world;
  come_back(cases, machine, draw_return(fault, random), figures);
  /* What the reboot has shown, and nothing more, must still be there after another. */
  if (!world->violation[0] && next_random(random, 3) == 0) {
    disk_halt();
    come_back(cases, machine, DISK_POWER_CYCLE, figures);
  }
  if (!world->violation[0] && next_random(random, 2) == 0) {
    const struct disk_plan second = {.at = 1 + (int64_t)next_random(random, SECOND_FAULT_WITHIN),
                                     .fault = next_random(random, 3) ? DISK_POWER : DISK_KILL,
                                     .times = 1};
    disk_set_plan(&second, next_random(random, UINT64_MAX - 1) + 1);
    if (!story_tell(machine)) figures->faults++;
    if (!disk_is_halted()) machine_stop(machine);
    disk_halt();
    if (!world->violation[0]) come_back(cases, machine, DISK_POWER_CYCLE, figures);
  }
  if (world->violation[0]) return;
  if (!story_tell(machine)) world_violate(world, "liveness", "the story did not end without a fault");
  /* A clean stop leaves everything on the disk. */
  disk_halt();
  if (!world->violation[0]) come_back(cases, machine, DISK_POWER_CYCLE, figures);
  if (!world->violation[0]) story_check_end(machine);
}

void cases_begin(const struct cases *cases) {
  alarm(RUN_SECONDS_MAX);
  sqlite3_randomness(0, NULL);
  world_init(cases->world);
  disk_format();
}

static void run_case(const struct cases *cases, const struct disk_plan *plan, uint64_t draw,
                     struct figures *figures) {
  struct machine machine;
  struct world *world = cases->world;
  uint64_t random = seed_of(cases, plan, draw);
  cases_begin(cases);
  machine_init(&machine, cases->folder, cases->world);
  story_fill(&machine, cases->fillers);
  disk_set_plan(plan, random);
  bool ended = story_tell(&machine);
  figures->first_index_write = disk_first_index_write();
  bool only_full = plan->fault == DISK_FULL && disk_operation_at(plan->at) != DISK_SYNC;
  if (machine.fatal && only_full) world_violate(world, "a-full-disk-is-not-fatal", "the store gave up");
  if (!ended && plan->at == 0) world_violate(world, "liveness", "the story did not end without a fault");
  if (disk_was_hit()) figures->faults++;
  figures->operations += disk_operations();
  disk_halt();
  if (!world->violation[0]) cases_recover(cases, &machine, plan->fault, &random, figures);
  disk_halt();
  machine_release(&machine);
}

/* --- all of them ------------------------------------------------------------------------------------------ */

static void print_violation(const struct cases *cases, const struct disk_plan *plan, uint64_t draw) {
  printf("VIOLATED %s\n", cases->world->violation);
  printf("  %s at operation %" PRId64 " (%s), %" PRId64 " times\n", disk_fault_names[plan->fault], plan->at,
         plan->at ? disk_operation_names[disk_operation_at(plan->at)] : "none", plan->times);
  printf("  again: %s --seed %" PRIu64 " --case %" PRId64 ":%s:%" PRId64 ":%" PRIu64 "%s%s\n", cases->program,
         cases->seed, plan->at, disk_fault_names[plan->fault], plan->times, draw,
         cases->fillers ? " --fill" : "", disk_lies ? " --lie" : "");
}

bool cases_is_taken(const struct cases *cases, uint64_t number, uint64_t weight) {
  uint64_t mixed = (number + cases->seed) * UINT64_C(0x9E3779B97F4A7C15);
  return ((mixed ^ (mixed >> 29)) >> 7) % cases->every < weight;
}

/* There are many writes and reads, much alike, and few of the others, at which more can go wrong. */
static uint64_t weight_of(const struct cases *cases, enum disk_operation operation) {
  if (cases->fillers) return 8;
  if (operation == DISK_SYNC_FOLDER) return cases->every / 2;
  return operation == DISK_WRITE || operation == DISK_READ ? 2 : 16;
}

/* Every fault at one operation. False after a violation. */
static bool run_operation(const struct cases *cases, int64_t at, enum disk_operation operation,
                          struct figures *figures) {
  static const int64_t times[] = {1, FOR_A_WHILE, INT64_MAX};
  for (int fault = DISK_POWER; fault < DISK_FAULT_COUNT; fault++) {
    if (!disk_fault_applies((enum disk_fault)fault, operation)) continue;
    bool ends = fault == DISK_POWER || fault == DISK_KILL;
    for (size_t i = 0; i < (ends ? 1 : 3); i++)
      for (uint64_t draw = 0; draw < cases->draws; draw++) {
        const struct disk_plan plan = {.at = at, .fault = (enum disk_fault)fault, .times = times[i]};
        if (!cases_is_taken(cases, seed_of(cases, &plan, draw), weight_of(cases, operation))) continue;
        run_case(cases, &plan, draw, figures);
        if (!cases->world->violation[0]) continue;
        print_violation(cases, &plan, draw);
        return false;
      }
  }
  return true;
}

bool cases_run_long_log(struct cases *cases, struct figures *figures) {
  const struct disk_plan none = {0};
  bool good = true;
  cases->fillers = FILLERS;
  run_case(cases, &none, 0, figures);
  int64_t first = figures->first_index_write;
  for (int64_t at = first; at < first + INDEX_WRITES && good; at++)
    good = run_operation(cases, at, DISK_WRITE, figures);
  cases->fillers = 0;
  return good;
}

bool cases_run_all(const struct cases *cases, struct figures *figures) {
  static uint8_t kinds[DISK_OPERATIONS_MAX + 1];
  const struct disk_plan none = {0};
  struct machine machine;
  run_case(cases, &none, 0, figures);
  int64_t count = figures->operations;
  if (cases->world->violation[0]) {
    print_violation(cases, &none, 0);
    return false;
  }
  /* The recovery has counted on: once more the story alone. */
  cases_begin(cases);
  machine_init(&machine, cases->folder, cases->world);
  story_fill(&machine, cases->fillers);
  disk_set_plan(&none, 1);
  ensure(story_tell(&machine) && disk_operations() == count && count <= DISK_OPERATIONS_MAX);
  for (int64_t i = 1; i <= count; i++) kinds[i] = (uint8_t)disk_operation_at(i);
  machine_release(&machine);
  printf("the story: %" PRId64 " operations, %" PRId64 " commits, %" PRId64 " calls\n", count,
         cases->world->commits_done, cases->world->calls);
  fflush(stdout);
  for (int64_t at = 1; at <= count; at++)
    if (!run_operation(cases, at, (enum disk_operation)kinds[at], figures)) return false;
  return true;
}

bool cases_run_one(const struct cases *cases, const struct disk_plan *plan, uint64_t draw,
                   struct figures *figures) {
  run_case(cases, plan, draw, figures);
  if (cases->world->violation[0]) print_violation(cases, plan, draw);
  return !cases->world->violation[0];
}
