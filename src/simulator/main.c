/* The simulator: production's functions, core and gateway in a world that breaks everything, from one seed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "simulator/world.h"

static const char usage[] =
    "usage: simulator [--seed N] [--seeds N] [--orders N] [--seconds N] [--shape local|aws] [--twice]\n"
    "                 [--story ID] [--marks] [--exact POINT FAULT [--for-ever]] [--exhaust]\n"
    "  Runs --seeds worlds (default 1) from --seed on; faults are drawn anew for each (swarm).\n"
    "  --twice     each seed two times: the traces' hashes must agree\n"
    "  --story ID  tells what happens to the orders whose id begins so (\"\" for all)\n"
    "  --marks     fails where a rare path was never taken\n"
    "  --exact     no chance faults: this fault (its name) at the point of that number\n"
    "  --exhaust   a short world: every point, every fault, once and for ever\n";

struct run {
  uint64_t seed, seeds, seconds, exact_point;
  size_t orders;
  int shape; /* -1: drawn */
  bool twice, needs_marks, for_ever, exhaust;
  const char *story;
  enum sim_fault exact_fault;
};

struct totals {
  uint64_t worlds, orders, acknowledged, events, points, struck, marks[MARK_COUNT];
  uint64_t struck_by[POINT_COUNT][FAULT_COUNT];
};

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Which faults are on, and how much, by the seed: half of them are off in each world, so that one does not hide
 * what another would show. */
static void draw_world(const struct run *run, uint64_t seed, struct world_options *ret_options) {
  static const uint32_t steps[] = {0, 0, 0, 2000, 10000, 40000, 120000};
  struct sim dice;
  *ret_options = (struct world_options){.seed = seed, .orders = run->orders, .story = run->story};
  sim_init(&dice, seed ^ 0x5eed5eed5eed5eedULL);
  ret_options->shape = (enum shape)sim_below(&dice, 2);
  if (run->shape >= 0) ret_options->shape = (enum shape)run->shape;
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++)
    ret_options->faults.rates[fault] = steps[sim_below(&dice, sizeof steps / sizeof *steps)];
  if (ret_options->shape == SHAPE_LOCAL)
    ret_options->faults.rates[FAULT_KILL] /= 8; /* kills everything at once */
  ret_options->faults.rates[FAULT_INVALID] /= 4;
  ret_options->faults.rates[FAULT_GARBAGE] /= 4;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    uint64_t kind = sim_below(&dice, 6);
    ret_options->idempotency[i] = kind == 0   ? IDEMPOTENCY_NONE
                                  : kind == 1 ? IDEMPOTENCY_LOOKUP
                                              : IDEMPOTENCY_KEY;
  }
  ret_options->jumps = sim_below(&dice, 4) == 0;
  /* Two deliveries of one message tell by the clock whether the other may still be sending: where a service
   * must be looked up, the clocks have to agree within seconds (docs/reliability.md, "Assumptions"). */
  for (size_t i = 0; i < SERVICE_COUNT && ret_options->jumps && ret_options->shape == SHAPE_AWS; i++)
    if (ret_options->idempotency[i] == IDEMPOTENCY_LOOKUP) ret_options->idempotency[i] = IDEMPOTENCY_KEY;
  ret_options->operators = sim_below(&dice, 3) > 0;
  ret_options->exact_point = run->exact_point;
  ret_options->exact_fault = run->exact_fault;
  ret_options->exact_for_ever = run->for_ever;
  if (run->exact_point) {
    ret_options->faults = (struct sim_faults){.rates[0] = 0};
    ret_options->jumps = false;
  }
  sim_release(&dice);
}

static bool run_world(const struct world_options *options, struct totals *totals, uint64_t *ret_hash,
                      uint64_t *ret_points) {
  static struct world world;
  world_open(&world, options);
  bool good = world_run(&world);
  *ret_hash = world.sim.hash;
  if (ret_points) *ret_points = world.sim.points;
  totals->worlds++;
  totals->orders += world.attempted;
  totals->acknowledged += world.acknowledged;
  totals->events += world.sim.events;
  totals->points += world.sim.points;
  totals->struck += world.sim.struck;
  for (size_t i = 0; i < MARK_COUNT; i++) totals->marks[i] += world.marks[i];
  for (size_t i = 0; i < POINT_COUNT; i++)
    for (size_t j = 0; j < FAULT_COUNT; j++) totals->struck_by[i][j] += world.sim.struck_by[i][j];
  if (!good) {
    printf("VIOLATED %s: %s\n", world.violated, world.violation);
    printf("replay: build/simulator --seed %llu --orders %zu --shape %s --story ''",
           (unsigned long long)options->seed, options->orders, options->shape == SHAPE_AWS ? "aws" : "local");
    if (options->exact_point)
      printf(" --exact %llu %s%s", (unsigned long long)options->exact_point,
             sim_fault_names[options->exact_fault], options->exact_for_ever ? " --for-ever" : "");
    putchar('\n');
  }
  world_close(&world);
  return good;
}

static bool run_seed(const struct run *run, uint64_t seed, struct totals *totals) {
  struct world_options options;
  struct totals ignored = {0};
  uint64_t hash, again;
  draw_world(run, seed, &options);
  if (!run_world(&options, totals, &hash, NULL)) return false;
  if (!run->twice) return true;
  if (!run_world(&options, &ignored, &again, NULL)) return false;
  if (hash == again) return true;
  printf("VIOLATED deterministic: seed %llu gave the traces %016llx and %016llx\n", (unsigned long long)seed,
         (unsigned long long)hash, (unsigned long long)again);
  return false;
}

/* A smaller number of orders that still breaks, for a shorter story. */
static void shrink(const struct run *run, uint64_t seed) {
  struct world_options options;
  struct totals ignored = {0};
  uint64_t hash;
  size_t least = run->orders;
  for (size_t orders = 4; orders < run->orders; orders += 4) {
    struct run smaller = *run;
    smaller.orders = orders;
    smaller.story = NULL;
    draw_world(&smaller, seed, &options);
    if (run_world(&options, &ignored, &hash, NULL)) continue;
    least = orders;
    break;
  }
  if (least < run->orders) printf("shrunk to %zu orders\n", least);
}

static bool exhaust(const struct run *run, struct totals *totals) {
  for (int shape = SHAPE_LOCAL; shape <= SHAPE_AWS; shape++) {
    struct run one = *run;
    struct world_options options;
    uint64_t hash, points;
    one.shape = shape;
    one.exact_point = UINT64_MAX;
    draw_world(&one, run->seed, &options);
    if (!run_world(&options, totals, &hash, &points)) return false;
    for (one.exact_point = 1; one.exact_point <= points; one.exact_point++)
      for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++)
        for (int for_ever = 0; for_ever < 2; for_ever++) {
          if (for_ever && fault == FAULT_KILL) continue; /* nothing would ever be done */
          one.exact_fault = (enum sim_fault)fault;
          one.for_ever = for_ever;
          draw_world(&one, run->seed, &options);
          if (!run_world(&options, totals, &hash, NULL)) return false;
        }
  }
  return true;
}

static bool tell_marks(const struct totals *totals, bool needed) {
  bool all = true;
  for (size_t i = 0; i < MARK_COUNT; i++) {
    if (totals->marks[i]) continue;
    all = false;
    if (needed) printf("never: %s\n", world_mark_names[i]);
  }
  return all || !needed;
}

static bool read_arguments(int count, char **arguments, struct run *ret_run) {
  struct run run = {.seed = 1, .seeds = 1, .orders = 100, .shape = -1};
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
    if (strcmp(name, "--twice") == 0)
      run.twice = true;
    else if (strcmp(name, "--marks") == 0)
      run.needs_marks = true;
    else if (strcmp(name, "--for-ever") == 0)
      run.for_ever = true;
    else if (strcmp(name, "--exhaust") == 0)
      run.exhaust = true;
    else if (i + 1 == count)
      return false;
    else if (strcmp(name, "--seed") == 0)
      run.seed = strtoull(value, NULL, 10), i++;
    else if (strcmp(name, "--seeds") == 0)
      run.seeds = strtoull(value, NULL, 10), i++;
    else if (strcmp(name, "--orders") == 0)
      run.orders = strtoull(value, NULL, 10), i++;
    else if (strcmp(name, "--seconds") == 0)
      run.seconds = strtoull(value, NULL, 10), run.seeds = UINT64_MAX, i++;
    else if (strcmp(name, "--story") == 0)
      run.story = value, i++;
    else if (strcmp(name, "--shape") == 0)
      run.shape = strcmp(value, "aws") == 0 ? SHAPE_AWS : SHAPE_LOCAL, i++;
    else if (strcmp(name, "--exact") == 0 && i + 2 < count) {
      run.exact_point = strtoull(value, NULL, 10);
      for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (strcmp(sim_fault_names[fault], arguments[i + 2]) == 0) run.exact_fault = (enum sim_fault)fault;
      i += 2;
    } else
      return false;
  }
  *ret_run = run;
  return run.orders >= 4 && run.orders <= 1000000;
}

int main(int argument_count, char **arguments) {
  struct run run;
  struct totals totals = {0};
  bool good = true;
  if (!read_arguments(argument_count, arguments, &run)) {
    fputs(usage, stderr);
    return 2;
  }
  log_set_level((enum log_level)(LOG_ERROR + 1));
  double began_s = now_s();
  if (run.exhaust) {
    good = exhaust(&run, &totals);
  } else {
    for (uint64_t i = 0; i < run.seeds && good; i++) {
      if (run.seconds && now_s() - began_s > (double)run.seconds) break;
      good = run_seed(&run, run.seed + i, &totals);
      if (!good && !run.exact_point) shrink(&run, run.seed + i);
    }
    good = good && tell_marks(&totals, run.needs_marks);
  }
  double elapsed_s = now_s() - began_s;
  printf(
      "simulated: %llu worlds, %llu orders (%llu acknowledged), %llu points, %llu faults, %llu events, %.1f s, "
      "%.0f orders/s: %s\n",
      (unsigned long long)totals.worlds, (unsigned long long)totals.orders,
      (unsigned long long)totals.acknowledged, (unsigned long long)totals.points,
      (unsigned long long)totals.struck, (unsigned long long)totals.events, elapsed_s,
      (double)totals.orders / (elapsed_s > 0 ? elapsed_s : 1), good ? "all invariants held" : "VIOLATED");
  return good ? 0 : 1;
}
