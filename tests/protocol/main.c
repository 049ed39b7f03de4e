/* The claim protocol of the DynamoDB store, every interleaving of two and many of three (explore.h). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "protocol/explore.h"

static const char usage[] =
    "usage: protocol [--mishaps N] [--jumps N] [--chance RUNS] [--seed N] [--only SCENARIO [--choices 0.1.2]]\n"
    "  Each scenario of two functions: every order of their requests, with up to --mishaps (default 1) "
    "requests\n"
    "  that are lost, late, refused or killed, and up to --jumps (default 1) times that time passes.\n"
    "  --chance RUNS   then so many runs by chance of each scenario, also of three, with up to 4 and 3 of "
    "them\n"
    "  --choices       one run, and its story\n";

struct options {
  struct limits limits;
  uint64_t chance, seed;
  const char *only, *choices;
};

struct totals {
  uint64_t runs, steps, struck[MISHAP_COUNT];
};

static int actors_of(const struct scenario *scenario) {
  int count = 0;
  while (count < ACTORS_MAX && scenario->wishes[count][0].kind != WISH_NOTHING) count++;
  return count;
}

static void tell_failure(const struct scenario *scenario, const struct choices *choices, struct limits limits) {
  static struct run run;
  struct choices again = *choices;
  printf("replay: build/protocol --only %s --mishaps %d --jumps %d --choices ", scenario->name, limits.mishaps,
         limits.jumps);
  for (size_t i = 0; i < choices->count; i++) printf("%s%zu", i ? "." : "", choices->taken[i]);
  putchar('\n');
  again.fixed = choices->count;
  again.count = 0;
  explore_run(scenario, limits, &again, true, &run);
}

static bool run_one(const struct scenario *scenario, struct limits limits, struct choices *choices, bool told,
                    struct totals *totals) {
  static struct run run;
  bool good = explore_run(scenario, limits, choices, told, &run);
  totals->runs++;
  totals->steps += run.steps;
  for (int i = 0; i < MISHAP_COUNT; i++) totals->struck[i] += run.struck[i];
  if (good) return true;
  printf("VIOLATED %s: %s: %s\n", run.violated, scenario->name, run.violation);
  if (!told) tell_failure(scenario, choices, limits);
  return false;
}

static bool explore_all(const struct scenario *scenario, const struct options *options, struct totals *totals) {
  static struct choices choices;
  choices = (struct choices){.count = 0};
  seen_forget();
  do {
    if (!run_one(scenario, options->limits, &choices, false, totals)) return false;
  } while (choices_next(&choices));
  return true;
}

static bool explore_some(const struct scenario *scenario, const struct options *options,
                         struct totals *totals) {
  static struct choices choices;
  for (uint64_t i = 0; i < options->chance; i++) {
    choices = (struct choices){.by_chance = true, .random = sim_name(options->seed, i)};
    const struct limits limits = {.mishaps = (int)(choices.random % 5), .jumps = (int)(choices.random / 5 % 4)};
    if (!run_one(scenario, limits, &choices, false, totals)) return false;
  }
  return true;
}

/* "0.3.1" */
static bool replay(const struct scenario *scenario, const struct options *options, struct totals *totals) {
  static struct choices choices;
  struct bytes rest = bytes_of(options->choices), one;
  unsigned long long taken;
  choices = (struct choices){.count = 0};
  while (choices.fixed < CHOICES_MAX && bytes_next_part(&rest, '.', &one) && bytes_to_uint64(one, &taken))
    choices.taken[choices.fixed++] = (size_t)taken;
  return run_one(scenario, options->limits, &choices, true, totals);
}

static bool read_arguments(int count, char **arguments, struct options *ret_options) {
  struct options options = {.limits = {.mishaps = 1, .jumps = 1}, .seed = 1};
  for (int i = 1; i + 1 < count; i += 2) {
    const char *name = arguments[i], *value = arguments[i + 1];
    if (strcmp(name, "--mishaps") == 0)
      options.limits.mishaps = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--jumps") == 0)
      options.limits.jumps = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--chance") == 0)
      options.chance = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0)
      options.seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--only") == 0)
      options.only = value;
    else if (strcmp(name, "--choices") == 0)
      options.choices = value;
    else
      return false;
  }
  *ret_options = options;
  return count % 2 == 1 && (!options.choices || options.only);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  struct options options;
  struct totals totals = {0};
  bool good = true, any = false;
  if (!read_arguments(count, arguments, &options)) {
    fputs(usage, stderr);
    return 2;
  }
  log_set_level((enum log_level)(LOG_ERROR + 1));
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (const struct scenario *scenario = scenarios; scenario->name && good; scenario++) {
    if (options.only && strcmp(options.only, scenario->name) != 0) continue;
    any = true;
    uint64_t before = totals.runs;
    if (options.choices)
      good = replay(scenario, &options, &totals);
    else if (actors_of(scenario) < ACTORS_MAX)
      good = explore_all(scenario, &options, &totals);
    uint64_t whole = totals.runs - before;
    if (good && !options.choices) good = explore_some(scenario, &options, &totals);
    printf("%-40s %9llu runs, all of them; %llu by chance\n", scenario->name, (unsigned long long)whole,
           (unsigned long long)(totals.runs - before - whole));
  }
  for (int i = 1; i < MISHAP_COUNT && good && options.limits.mishaps > 0 && !options.only; i++)
    if (totals.struck[i] == 0) good = false, printf("never: mishap %d\n", i);
  printf("explored: %llu runs, %llu steps, %.1f s: %s\n", (unsigned long long)totals.runs,
         (unsigned long long)totals.steps, seconds(),
         !any   ? "no such scenario"
         : good ? "all rules held"
                : "VIOLATED");
  return good && any ? 0 : 1;
}
