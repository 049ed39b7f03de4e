/* Shrinking a failing world. Faults and orders are known by name, whatever else happens (platform/sim/sim.h),
 * so they can be taken away one by one: whole kinds first, then halves, quarters and so on of what is left
 * (Zeller's delta debugging), as long as the same invariant breaks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "simulator/run.h"

enum { TRIES_MAX = 3000 };

struct plan {
  struct world_options options;
  struct sim_strike *strikes;
  size_t strike_count;
  bool *left_out; /* by place */
  size_t places;
};

struct shrinking {
  struct plan plan;
  const char *invariant;
  struct ending outcome; /* of the last world that failed */
  size_t tries;
};

static int by_name(const void *a, const void *b) {
  const struct sim_strike *x = a, *y = b;
  return x->name < y->name ? -1 : x->name > y->name;
}

void strikes_sort(struct sim_strike *strikes, size_t count) {
  if (count > 0) qsort(strikes, count, sizeof *strikes, by_name);
}

static bool fault_parse(const char *name, size_t size, enum sim_fault *ret_fault) {
  for (int fault = 0; fault < FAULT_COUNT; fault++) {
    if (strlen(sim_fault_names[fault]) != size || strncmp(sim_fault_names[fault], name, size) != 0) continue;
    *ret_fault = (enum sim_fault)fault;
    return true;
  }
  return false;
}

bool strikes_parse(const char *text, struct sim_strike **ret_strikes, size_t *ret_count) {
  struct sim_strike *strikes = calloc(strlen(text) / 3 + 1, sizeof *strikes);
  size_t count = 0;
  if (!strikes) panic("out of memory");
  while (*text) {
    char *after;
    strikes[count].name = strtoull(text, &after, 16);
    size_t size = *after == ':' ? strcspn(after + 1, ",") : 0;
    if (size == 0 || !fault_parse(after + 1, size, &strikes[count].fault)) {
      free(strikes);
      return false;
    }
    text = after + 1 + size + (after[1 + size] == ',');
    count++;
  }
  strikes_sort(strikes, count);
  *ret_strikes = strikes;
  *ret_count = count;
  return true;
}

/* --- trying ---------------------------------------------------------------------------------------- */

/* Whether the world with these faults, and what else the plan says, breaks the same invariant. */
static bool fails(struct shrinking *shrinking, struct sim_strike *strikes, size_t count) {
  struct world_options options = shrinking->plan.options;
  struct totals ignored = {0};
  struct ending outcome = {.strikes = NULL};
  static struct sim_strike none;
  if (++shrinking->tries > TRIES_MAX) return false;
  options.only = count ? strikes : &none;
  options.only_count = count;
  options.left_out = shrinking->plan.left_out;
  run_world(&options, &ignored, &outcome);
  bool same = outcome.violated && strcmp(outcome.violated, shrinking->invariant) == 0;
  if (same) {
    free(shrinking->outcome.strikes);
    shrinking->outcome = outcome;
  } else {
    free(outcome.strikes);
  }
  return same;
}

/* Of the faults that were to strike, those that did. */
static void keep_what_struck(struct shrinking *shrinking) {
  struct plan *plan = &shrinking->plan;
  memcpy(plan->strikes, shrinking->outcome.strikes, shrinking->outcome.strike_count * sizeof *plan->strikes);
  plan->strike_count = shrinking->outcome.strike_count;
  strikes_sort(plan->strikes, plan->strike_count);
}

static bool fails_with(struct shrinking *shrinking, const struct sim_strike *strikes, size_t count) {
  struct sim_strike *copy = calloc(count + 1, sizeof *copy);
  if (!copy) panic("out of memory");
  if (count) memcpy(copy, strikes, count * sizeof *copy);
  strikes_sort(copy, count);
  bool same = fails(shrinking, copy, count);
  free(copy);
  if (same) keep_what_struck(shrinking);
  return same;
}

/* --- taking away ----------------------------------------------------------------------------------- */

static void drop_kinds(struct shrinking *shrinking) {
  struct plan *plan = &shrinking->plan;
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++) {
    struct sim_strike *rest = calloc(plan->strike_count + 1, sizeof *rest);
    size_t count = 0;
    if (!rest) panic("out of memory");
    for (size_t i = 0; i < plan->strike_count; i++)
      if (plan->strikes[i].fault != (enum sim_fault)fault) rest[count++] = plan->strikes[i];
    if (count < plan->strike_count) fails_with(shrinking, rest, count);
    free(rest);
  }
}

static void drop_faults(struct shrinking *shrinking) {
  struct plan *plan = &shrinking->plan;
  for (size_t parts = 2; plan->strike_count > 0 && shrinking->tries < TRIES_MAX;) {
    size_t size = (plan->strike_count + parts - 1) / parts;
    bool dropped = false;
    for (size_t from = 0; from < plan->strike_count && !dropped; from += size) {
      size_t to = from + size < plan->strike_count ? from + size : plan->strike_count, count = from;
      struct sim_strike *rest = calloc(plan->strike_count + 1, sizeof *rest);
      if (!rest) panic("out of memory");
      memcpy(rest, plan->strikes, from * sizeof *rest);
      for (size_t i = to; i < plan->strike_count; i++) rest[count++] = plan->strikes[i];
      dropped = fails_with(shrinking, rest, count);
      free(rest);
    }
    if (dropped)
      parts = parts > 2 ? parts - 1 : 2;
    else if (size == 1)
      return;
    else
      parts = parts * 2 < plan->strike_count ? parts * 2 : plan->strike_count;
  }
}

/* Orders that are left out, in parts that become smaller. */
static void drop_orders(struct shrinking *shrinking) {
  struct plan *plan = &shrinking->plan;
  bool *before = calloc(plan->places + 1, sizeof *before);
  if (!before) panic("out of memory");
  for (size_t size = plan->places, again = 1; size > 0; size = again && size == 1 ? 1 : size / 2) {
    again = 0;
    for (size_t from = 0; from < plan->places && shrinking->tries < TRIES_MAX; from += size) {
      bool any = false;
      memcpy(before, plan->left_out, plan->places);
      for (size_t i = from; i < from + size && i < plan->places; i++) {
        any = any || !plan->left_out[i];
        plan->left_out[i] = true;
      }
      if (!any) continue;
      if (fails_with(shrinking, plan->strikes, plan->strike_count))
        again = 1;
      else
        memcpy(plan->left_out, before, plan->places);
    }
  }
  free(before);
}

static void drop_flag(struct shrinking *shrinking, bool *flag, bool to) {
  bool before = *flag;
  if (before == to) return;
  *flag = to;
  if (!fails_with(shrinking, shrinking->plan.strikes, shrinking->plan.strike_count)) *flag = before;
}

/* What stood still for long, for some seconds only. */
static void shorten(struct shrinking *shrinking) {
  struct plan *plan = &shrinking->plan;
  for (size_t i = 0; i < plan->strike_count; i++) {
    struct sim_strike before = plan->strikes[i];
    if (before.fault != FAULT_FREEZE) continue;
    plan->strikes[i].fault = FAULT_SLOW;
    if (!fails(shrinking, plan->strikes, plan->strike_count)) plan->strikes[i] = before;
  }
}

/* --- telling --------------------------------------------------------------------------------------- */

static void tell_command(const struct run *run, const struct plan *plan) {
  const struct world_options *options = &plan->options;
  printf("replay: build/simulator --seed %" PRIu64 " --orders %zu --shape %s", options->seed, options->orders,
         options->shape == SHAPE_AWS ? "aws" : "local");
  if (run->data) printf(" --data %s", run->data);
  if (!options->operators) printf(" --no-operators");
  if (!options->readers) printf(" --no-readers");
  if (options->prompt) printf(" --prompt");
  const char *separator = " --only-orders ";
  for (size_t i = 0; i < plan->places; i++)
    if (!plan->left_out[i]) {
      printf("%s%zu", separator, i);
      separator = ",";
    }
  printf(" --only-faults ");
  for (size_t i = 0; i < plan->strike_count; i++)
    printf("%s%" PRIx64 ":%s", i ? "," : "", plan->strikes[i].name, sim_fault_names[plan->strikes[i].fault]);
  printf("%s --story ''\n", plan->strike_count ? "" : "''");
}

/* The order that the violation names; all where it names none. */
static void tell_story(struct shrinking *shrinking) {
  static char id[ORDER_ID_CHARACTERS + 1];
  const char *named = strstr(shrinking->outcome.violation, "ord_");
  if (named && strlen(named) >= ORDER_ID_CHARACTERS) memcpy(id, named, ORDER_ID_CHARACTERS);
  shrinking->plan.options.story = id;
  shrinking->tries = 0;
  fails(shrinking, shrinking->plan.strikes, shrinking->plan.strike_count);
}

void shrink(const struct run *run, const struct world_options *options, const struct ending *first) {
  struct shrinking shrinking = {.invariant = first->violated};
  struct plan *plan = &shrinking.plan;
  plan->options = *options;
  plan->options.story = NULL;
  plan->options.exact_point = 0;
  plan->places = (options->orders + CUSTOMERS - 1) / CUSTOMERS * CUSTOMERS;
  plan->left_out = calloc(plan->places + 1, sizeof *plan->left_out);
  plan->strikes = calloc(first->strike_count * 4 + 4096, sizeof *plan->strikes);
  if (!plan->left_out || !plan->strikes) panic("out of memory");
  if (options->left_out) memcpy(plan->left_out, options->left_out, plan->places);
  if (!fails_with(&shrinking, first->strikes, first->strike_count)) {
    printf("not shrunk: without chance the world goes another way\n");
  } else {
    size_t before = plan->strike_count;
    drop_flag(&shrinking, &plan->options.readers, false);
    drop_flag(&shrinking, &plan->options.operators, false);
    for (int round = 0; round < 3; round++) {
      size_t left = plan->strike_count;
      drop_kinds(&shrinking);
      drop_orders(&shrinking);
      drop_faults(&shrinking);
      if (round > 0 && plan->strike_count == left) break;
    }
    shorten(&shrinking);
    drop_flag(&shrinking, &plan->options.prompt, true);
    size_t orders = 0;
    for (size_t i = 0; i < plan->places; i++) orders += !plan->left_out[i];
    printf("shrunk in %zu worlds: %zu faults of %zu, %zu orders of %zu\n", shrinking.tries, plan->strike_count,
           before, orders, plan->places);
    tell_story(&shrinking);
    printf("VIOLATED %s: %s\n", shrinking.outcome.violated, shrinking.outcome.violation);
    tell_command(run, plan);
  }
  free(shrinking.outcome.strikes);
  free(plan->strikes);
  free(plan->left_out);
}
