/* The simulator: production's functions, core and gateway in a world that breaks everything, from one seed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/panic.h"
#include "retail/retail.h"
#include "simulator/run.h"

static const char usage[] =
    "usage: simulator [--seed N] [--seeds N] [--orders N] [--seconds N] [--shape local|aws] [--data FILE] "
    "[--twice]\n"
    "                 [--story ID] [--marks] [--exact POINT FAULT [--for-ever]] [--exhaust] [--no-shrinking]\n"
    "                 [--only-faults LIST] [--only-orders LIST] [--no-operators] [--no-readers] [--prompt]\n"
    "  Runs --seeds worlds (default 1) from --seed on; faults are drawn anew for each (swarm).\n"
    "  --data FILE real orders, too, of these invoices (examples/online_retail_sample.csv)\n"
    "  --twice     each seed two times: the traces' hashes must agree\n"
    "  --story ID  tells what happens to the orders whose id begins so ('' for all)\n"
    "  --marks     fails where a rare path was never taken\n"
    "  --exact     no chance faults: this fault (its name) at the point of that number\n"
    "  --exhaust   a short world: every point, every fault, once and for ever\n"
    "  A world that fails is shrunk. The other options are those of the command that it prints then.\n";

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of one core, whoever else uses it. */
static double cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
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
  ret_options->faults.rates[FAULT_STOP] /= 100; /* stands still for minutes */
  ret_options->faults.rates[FAULT_INVALID] /= 4;
  ret_options->faults.rates[FAULT_GARBAGE] /= 4;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    uint64_t kind = sim_below(&dice, 6);
    ret_options->idempotency[i] = kind == 0   ? IDEMPOTENCY_NONE
                                  : kind == 1 ? IDEMPOTENCY_LOOKUP
                                              : IDEMPOTENCY_KEY;
  }
  ret_options->jumps = sim_below(&dice, 4) == 0;
  ret_options->faults.rates[FAULT_JUMP] = 1000000;
  /* Two deliveries of one message tell by the clock whether the other may still be sending: where a service
   * must be looked up, the clocks have to agree within seconds (docs/reliability.md, "Assumptions"). */
  for (size_t i = 0; i < SERVICE_COUNT && ret_options->jumps && ret_options->shape == SHAPE_AWS; i++)
    if (ret_options->idempotency[i] == IDEMPOTENCY_LOOKUP) ret_options->idempotency[i] = IDEMPOTENCY_KEY;
  ret_options->operators = sim_below(&dice, 3) > 0 && !run->no_operators;
  ret_options->readers = sim_below(&dice, 2) == 0 && !run->no_readers;
  ret_options->invoices = run->invoices;
  ret_options->prompt = run->prompt;
  ret_options->exact_point = run->exact_point;
  ret_options->exact_fault = run->exact_fault;
  ret_options->exact_for_ever = run->for_ever;
  if (run->exact_point) {
    ret_options->faults = (struct sim_faults){.rates[0] = 0};
    ret_options->jumps = false;
  }
  sim_release(&dice);
}

bool run_world(const struct world_options *options, struct totals *totals, struct ending *outcome) {
  static struct world world;
  world_open(&world, options);
  bool good = world_run(&world);
  outcome->hash = world.sim.hash;
  outcome->points = world.sim.points;
  outcome->violated = world.violated;
  memcpy(outcome->violation, world.violation, sizeof outcome->violation);
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
    outcome->strikes = calloc(world.sim.struck + 1, sizeof *outcome->strikes);
    if (!outcome->strikes) panic("out of memory");
    outcome->strike_count = world.sim.struck;
    if (world.sim.struck)
      memcpy(outcome->strikes, world.sim.strikes, world.sim.struck * sizeof *outcome->strikes);
  }
  world_close(&world);
  return good;
}

static void tell_failure(const struct run *run, const struct world_options *options,
                         const struct ending *outcome) {
  printf("VIOLATED %s: %s\n", outcome->violated, outcome->violation);
  printf("replay: build/simulator --seed %llu --orders %zu --shape %s --story ''",
         (unsigned long long)options->seed, options->orders, options->shape == SHAPE_AWS ? "aws" : "local");
  if (run->data) printf(" --data %s", run->data);
  if (options->exact_point)
    printf(" --exact %llu %s%s", (unsigned long long)options->exact_point,
           sim_fault_names[options->exact_fault], options->exact_for_ever ? " --for-ever" : "");
  putchar('\n');
  if (!run->no_shrinking && !run->only_faults) shrink(run, options, outcome);
}

/* "3,17": all others are left out. */
static bool *read_only_orders(const char *text, size_t orders) {
  size_t places = (orders + CUSTOMERS - 1) / CUSTOMERS * CUSTOMERS;
  bool *left_out = malloc(places + 1);
  if (!left_out) panic("out of memory");
  memset(left_out, true, places + 1);
  while (*text) {
    char *after;
    size_t place = strtoull(text, &after, 10);
    if (place < places) left_out[place] = false;
    text = *after ? after + 1 : after;
  }
  return left_out;
}

static bool run_drawn(const struct run *run, const struct world_options *options, struct totals *totals) {
  struct totals ignored = {0};
  struct ending outcome = {.strikes = NULL}, again = {.strikes = NULL};
  bool good = run_world(options, totals, &outcome);
  if (!good) tell_failure(run, options, &outcome);
  free(outcome.strikes);
  if (!good || !run->twice) return good;
  good = run_world(options, &ignored, &again);
  free(again.strikes);
  if (good && outcome.hash == again.hash) return true;
  printf("VIOLATED deterministic: seed %llu gave the traces %016llx and %016llx\n",
         (unsigned long long)options->seed, (unsigned long long)outcome.hash, (unsigned long long)again.hash);
  return false;
}

static bool run_seed(const struct run *run, uint64_t seed, struct totals *totals) {
  struct world_options options;
  struct sim_strike *only = NULL;
  bool *left_out = NULL;
  draw_world(run, seed, &options);
  if (run->only_faults && !strikes_parse(run->only_faults, &only, &options.only_count)) {
    fputs("--only-faults takes name:fault,name:fault\n", stderr);
    return false;
  }
  options.only = only;
  if (run->only_orders) options.left_out = left_out = read_only_orders(run->only_orders, run->orders);
  bool good = run_drawn(run, &options, totals);
  free(only);
  free(left_out);
  return good;
}

/* Which faults each point of a world without any allows: only those are worth a world of their own. */
static unsigned *list_allowed(const struct world_options *options, struct totals *totals,
                              uint64_t *ret_points) {
  struct ending outcome = {.strikes = NULL};
  struct world_options first = *options;
  enum { ROOM = 1 << 16 };
  unsigned *allowed = calloc(ROOM, sizeof *allowed);
  if (!allowed) panic("out of memory");
  first.allowed = allowed;
  first.allowed_room = ROOM;
  if (!run_world(&first, totals, &outcome) || outcome.points >= ROOM) {
    free(allowed);
    return NULL;
  }
  *ret_points = outcome.points;
  return allowed;
}

static bool exhaust_point(struct run *one, unsigned allowed, struct totals *totals) {
  struct world_options options;
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++)
    for (int for_ever = 0; for_ever < 2; for_ever++) {
      if (!(allowed & FAULT_BIT(fault))) continue;
      if (for_ever && (fault == FAULT_KILL || fault == FAULT_STOP)) continue; /* nothing would ever be done */
      one->exact_fault = (enum sim_fault)fault;
      one->for_ever = for_ever;
      draw_world(one, one->seed, &options);
      if (!run_drawn(one, &options, totals)) return false;
    }
  return true;
}

static bool exhaust(const struct run *run, struct totals *totals) {
  bool good = true;
  for (int shape = SHAPE_LOCAL; shape <= SHAPE_AWS && good; shape++) {
    struct run one = *run;
    struct world_options options;
    uint64_t points = 0;
    one.shape = shape;
    one.twice = false;
    one.exact_point = UINT64_MAX;
    draw_world(&one, run->seed, &options);
    unsigned *allowed = list_allowed(&options, totals, &points);
    if (!allowed) return false;
    for (one.exact_point = 1; one.exact_point <= points && good; one.exact_point++)
      good = exhaust_point(&one, allowed[one.exact_point], totals);
    free(allowed);
  }
  return good;
}

static bool tell_marks(const struct totals *totals, bool needed) {
  bool all = true;
  for (size_t i = 0; i < MARK_COUNT; i++) {
    if (totals->marks[i]) continue;
    all = false;
    if (needed) printf("never: %s\n", world_mark_names[i]);
  }
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++) {
    uint64_t count = 0;
    for (int point = 0; point < POINT_COUNT; point++) count += totals->struck_by[point][fault];
    if (count) continue;
    all = false;
    if (needed) printf("never: the fault %s\n", sim_fault_names[fault]);
  }
  return all || !needed;
}

struct flag {
  const char *name;
  bool *value;
};

struct number {
  const char *name;
  uint64_t *value;
};

struct word {
  const char *name;
  const char **value;
};

static bool read_flag(struct run *run, const char *name) {
  const struct flag flags[] = {
      {"--twice", &run->twice},
      {"--marks", &run->needs_marks},
      {"--for-ever", &run->for_ever},
      {"--exhaust", &run->exhaust},
      {"--no-shrinking", &run->no_shrinking},
      {"--no-operators", &run->no_operators},
      {"--no-readers", &run->no_readers},
      {"--prompt", &run->prompt},
  };
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    if (strcmp(name, flags[i].name) != 0) continue;
    *flags[i].value = true;
    return true;
  }
  return false;
}

static bool read_value(struct run *run, const char *name, const char *value) {
  uint64_t orders = run->orders;
  const struct number numbers[] = {
      {"--seed", &run->seed}, {"--seeds", &run->seeds}, {"--orders", &orders}, {"--seconds", &run->seconds}};
  const struct word words[] = {{"--story", &run->story},
                               {"--data", &run->data},
                               {"--only-faults", &run->only_faults},
                               {"--only-orders", &run->only_orders}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strcmp(name, numbers[i].name) != 0) continue;
    *numbers[i].value = strtoull(value, NULL, 10);
    run->orders = (size_t)orders;
    return true;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(name, words[i].name) != 0) continue;
    *words[i].value = value;
    return true;
  }
  if (strcmp(name, "--shape") != 0) return false;
  run->shape = strcmp(value, "aws") == 0 ? SHAPE_AWS : SHAPE_LOCAL;
  return true;
}

static bool read_arguments(int count, char **arguments, struct run *ret_run) {
  struct run run = {.seed = 1, .seeds = 1, .orders = 100, .shape = -1};
  for (int i = 1; i < count; i++) {
    if (read_flag(&run, arguments[i])) continue;
    if (i + 2 < count && strcmp(arguments[i], "--exact") == 0) {
      run.exact_point = strtoull(arguments[i + 1], NULL, 10);
      for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (strcmp(sim_fault_names[fault], arguments[i + 2]) == 0) run.exact_fault = (enum sim_fault)fault;
      i += 2;
      continue;
    }
    if (i + 1 == count || !read_value(&run, arguments[i], arguments[i + 1])) return false;
    i++;
  }
  if (run.seconds) run.seeds = UINT64_MAX;
  *ret_run = run;
  return run.orders >= 4 && run.orders <= 1000000;
}

/* Before any world begins: a world reads nothing. */
static bool read_invoices(struct run *run, struct retail *retail) {
  struct failure failure;
  if (!run->data) return true;
  if (!retail_read_file(run->data, retail, &failure)) {
    fprintf(stderr, "%s\n", failure.text);
    return false;
  }
  run->invoices = retail;
  return true;
}

int main(int argument_count, char **arguments) {
  struct run run;
  struct totals totals = {0};
  struct retail retail = {.row_count = 0};
  bool good = true;
  if (!read_arguments(argument_count, arguments, &run)) {
    fputs(usage, stderr);
    return 2;
  }
  if (!read_invoices(&run, &retail)) return 2;
  log_set_level((enum log_level)(LOG_ERROR + 1));
  setvbuf(stdout, NULL, _IOLBF, 0);
  double began_s = now_s(), began_cpu_s = cpu_s();
  if (run.exhaust) {
    good = exhaust(&run, &totals);
  } else {
    for (uint64_t i = 0; i < run.seeds && good; i++) {
      if (run.seconds && now_s() - began_s > (double)run.seconds) break;
      good = run_seed(&run, run.seed + i, &totals);
    }
    good = good && tell_marks(&totals, run.needs_marks);
  }
  double elapsed_s = now_s() - began_s, elapsed_cpu_s = cpu_s() - began_cpu_s;
  printf(
      "simulated: %llu worlds, %llu orders (%llu acknowledged), %llu points, %llu faults, %llu events, %.1f s "
      "(%.1f s of a core), %.0f orders/s on a core: %s\n",
      (unsigned long long)totals.worlds, (unsigned long long)totals.orders,
      (unsigned long long)totals.acknowledged, (unsigned long long)totals.points,
      (unsigned long long)totals.struck, (unsigned long long)totals.events, elapsed_s, elapsed_cpu_s,
      (double)totals.orders / (elapsed_cpu_s > 0 ? elapsed_cpu_s : 1),
      good ? "all invariants held" : "VIOLATED");
  if (run.data) retail_release(&retail);
  return good ? 0 : 1;
}
