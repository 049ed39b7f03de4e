#include "platform/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

enum { FREEZE_MS = 45000, SLOW_MS = 5000, LATENCY_MS = 12, STOP_MS_MOST = 300000 };

const char *const sim_point_names[POINT_COUNT] = {"commit",  "committed", "load",  "list",   "send",   "sent",
                                                  "spill",   "spilled",   "call",  "called", "settle", "serve",
                                                  "receive", "note",      "relay", "heard",  "time"};
const char *const sim_fault_names[FAULT_COUNT] = {
    "none",  "gone",   "kill",      "stop",   "freeze",  "slow",    "throttle", "fail", "lose",
    "stale", "partly", "duplicate", "refuse", "pending", "invalid", "garbage",  "jump"};

struct sim_event {
  int64_t at_ms;
  uint64_t tie; /* by chance: what is due at once happens in any order */
  struct sim_task *task;
  uint64_t wake; /* the task's wake number that this event is for */
};

struct sim_task {
  struct sim_task *next;              /* of the idle ones */
  struct sim_task *newer, **to_newer; /* of those that live */
  struct stack stack;
  struct sim *sim;
  sim_entry *entry;
  void *argument;
  uint64_t number, wake;
  uint64_t name, chapter; /* whose task it is, and the part of it that runs: what its chance and points go by */
  uint64_t random, points, spawned;
  int environment;
  int64_t ends_ms;
  bool ghost, ended;
};

/* --- chance: splitmix64 (Steele, Lea, Flood 2014), a stream for each task ------------------------------ */

static uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t sim_name(uint64_t a, uint64_t b) { return mixed(a ^ mixed(b + 0x9e3779b97f4a7c15ULL)); }

uint64_t sim_random(struct sim *sim) {
  uint64_t *state = sim->running ? &sim->running->random : &sim->random;
  return mixed(*state += 0x9e3779b97f4a7c15ULL);
}

static uint64_t scaled(uint64_t value, uint64_t below) {
  return (uint64_t)(((unsigned __int128)value * below) >> 64);
}

uint64_t sim_below(struct sim *sim, uint64_t below) { return scaled(sim_random(sim), below); }

void sim_chapter(struct sim *sim, uint64_t number) {
  struct sim_task *task = sim->running;
  task->random = task->chapter = sim_name(task->name, number);
  task->points = task->spawned = 0;
}

void sim_mix(struct sim *sim, uint64_t value) {
  sim->hash ^= value + 0x9e3779b97f4a7c15ULL + (sim->hash << 6) + (sim->hash >> 2);
  sim->hash *= 0xff51afd7ed558ccdULL;
  sim->hash ^= sim->hash >> 32;
}

static void fill(struct entropy *entropy, void *ret_data, size_t size_bytes) {
  struct sim *sim = (struct sim *)((char *)entropy - offsetof(struct sim, entropy));
  for (char *at = ret_data; size_bytes > 0;) {
    uint64_t value = sim_random(sim);
    size_t part = size_bytes < sizeof value ? size_bytes : sizeof value;
    memcpy(at, &value, part);
    at += part;
    size_bytes -= part;
  }
}

/* --- time ------------------------------------------------------------------------------------------ */

static const int64_t world_began_ms = INT64_C(1795460000000);

static int64_t now_ms(struct clock *clock) {
  struct sim *sim = (struct sim *)((char *)clock - offsetof(struct sim, clock));
  return world_began_ms + sim->now_ms + sim->clock_jump_ms;
}

static int64_t monotonic_us(struct clock *clock) {
  struct sim *sim = (struct sim *)((char *)clock - offsetof(struct sim, clock));
  return sim->now_ms * 1000;
}

void sim_init(struct sim *sim, uint64_t seed) {
  *sim = (struct sim){.clock = {now_ms, monotonic_us}, .entropy = {fill}};
  sim->seed = sim->random = mixed(seed + 0x9e3779b97f4a7c15ULL);
}

void sim_release(struct sim *sim) {
  ensure(sim->tasks == 0);
  while (sim->idle) {
    struct sim_task *task = sim->idle;
    sim->idle = task->next;
    stack_release(&task->stack);
    free(task);
  }
  stack_release(&sim->scheduler);
  free(sim->heap);
  free(sim->strikes);
}

/* --- events: a heap by time, then by chance -------------------------------------------------------- */

static bool is_before(const struct sim_event *a, const struct sim_event *b) {
  return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->tie < b->tie;
}

static void push(struct sim *sim, struct sim_event event) {
  if (sim->heap_count == sim->heap_room) {
    sim->heap_room = sim->heap_room ? sim->heap_room * 2 : 256;
    sim->heap = realloc(sim->heap, sim->heap_room * sizeof *sim->heap);
    if (!sim->heap) panic("out of memory");
  }
  size_t at = sim->heap_count++;
  for (; at > 0 && is_before(&event, &sim->heap[(at - 1) / 2]); at = (at - 1) / 2)
    sim->heap[at] = sim->heap[(at - 1) / 2];
  sim->heap[at] = event;
}

static struct sim_event pop(struct sim *sim) {
  struct sim_event first = sim->heap[0], last = sim->heap[--sim->heap_count];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < sim->heap_count; at = child) {
    if (child + 1 < sim->heap_count && is_before(&sim->heap[child + 1], &sim->heap[child])) child++;
    if (!is_before(&sim->heap[child], &last)) break;
    sim->heap[at] = sim->heap[child];
  }
  sim->heap[at] = last;
  return first;
}

static void wake_at(struct sim *sim, struct sim_task *task, int64_t at_ms) {
  push(sim, (struct sim_event){.at_ms = at_ms, .tie = sim_random(sim), .task = task, .wake = ++task->wake});
}

/* --- tasks ----------------------------------------------------------------------------------------- */

static void enter(void *argument) {
  struct sim_task *task = argument;
  struct sim *sim = task->sim;
  for (;;) { /* a stack serves one task after the other */
    task->entry(sim, task->argument);
    task->ended = true;
    stack_switch(&task->stack, &sim->scheduler);
  }
}

static struct sim_task *make_task(struct sim *sim) {
  if (sim->idle) {
    struct sim_task *used = sim->idle;
    sim->idle = used->next;
    return used;
  }
  struct sim_task *made = calloc(1, sizeof *made);
  if (!made) panic("out of memory");
  made->sim = sim;
  stack_init(&made->stack, enter, made);
  return made;
}

void sim_spawn(struct sim *sim, int environment, int64_t delay_ms, sim_entry *entry, void *argument) {
  struct sim_task *task = make_task(sim);
  task->entry = entry;
  task->argument = argument;
  task->number = ++sim->next_task;
  task->name = sim->running ? sim_name(sim->running->chapter, ++sim->running->spawned)
                            : sim_name(sim->seed, ++sim->spawned);
  task->random = task->chapter = task->name;
  task->points = task->spawned = 0;
  task->environment = environment;
  task->ghost = task->ended = false;
  task->ends_ms = INT64_MAX;
  task->newer = sim->alive;
  task->to_newer = &sim->alive;
  if (sim->alive) sim->alive->to_newer = &task->newer;
  sim->alive = task;
  sim->tasks++;
  wake_at(sim, task, sim->now_ms + delay_ms);
}

static void end_task(struct sim *sim, struct sim_task *task) {
  *task->to_newer = task->newer;
  if (task->newer) task->newer->to_newer = task->to_newer;
  task->next = sim->idle;
  sim->idle = task;
  sim->tasks--;
}

void sim_run(struct sim *sim, int64_t until_ms) {
  while (sim->heap_count > 0 && sim->heap[0].at_ms <= until_ms) {
    struct sim_event event = pop(sim);
    if (event.wake != event.task->wake) continue; /* it was woken earlier */
    if (event.at_ms > sim->now_ms) sim->now_ms = event.at_ms;
    if (sim->now_ms < sim->stopped_until_ms && event.task->environment == sim->stopping_environment) {
      event.at_ms = sim->stopped_until_ms;
      push(sim, event);
      continue;
    }
    sim->events++;
    sim_mix(sim, event.task->number ^ (uint64_t)sim->now_ms << 20);
    sim->running = event.task;
    stack_switch(&sim->scheduler, &event.task->stack);
    sim->running = NULL;
    if (event.task->ended) end_task(sim, event.task);
  }
  if (sim->now_ms < until_ms && until_ms != INT64_MAX) sim->now_ms = until_ms;
}

bool sim_is_ghost(const struct sim *sim) { return sim->running && sim->running->ghost; }

void sim_limit(struct sim *sim, int64_t ms) { sim->running->ends_ms = sim->now_ms + ms; }

int sim_environment(const struct sim *sim) { return sim->running ? sim->running->environment : 0; }

void sim_sleep(struct sim *sim, int64_t ms) {
  struct sim_task *task = sim->running;
  if (task->ghost) return;
  wake_at(sim, task, sim->now_ms + ms);
  stack_switch(&task->stack, &sim->scheduler);
}

struct sim_task *sim_self(const struct sim *sim) {
  return sim->running;
}

void sim_park(struct sim *sim) {
  struct sim_task *task = sim->running;
  if (task->ghost) return;
  task->wake++;
  stack_switch(&task->stack, &sim->scheduler);
}

void sim_wake(struct sim *sim, struct sim_task *task) { wake_at(sim, task, sim->now_ms); }

void sim_kill(struct sim *sim, int environment) {
  if (environment == sim->stopping_environment) sim->stopped_until_ms = 0;
  for (struct sim_task *task = sim->alive; task; task = task->newer) {
    if (task->environment != environment || task->ghost) continue;
    task->ghost = true;
    if (task != sim->running) wake_at(sim, task, sim->now_ms);
  }
  if (sim->on_killed) sim->on_killed(sim, environment);
}

/* --- points ---------------------------------------------------------------------------------------- */

void sim_name_point(struct sim *sim, uint64_t name) { sim->given_name = sim_name(sim->seed, name) | 1; }

/* The next point of what runs: the same in every world in which this task came as far. */
static uint64_t next_name(struct sim *sim) {
  struct sim_task *task = sim->running;
  uint64_t given = sim->given_name;
  sim->given_name = 0;
  if (given) return given;
  return task ? sim_name(task->chapter, ++task->points << 1 | 1) : sim_name(sim->seed, ++sim->spawned);
}

static enum sim_fault draw_exactly(struct sim *sim, enum sim_point point, unsigned allowed) {
  bool here = sim->points == sim->exact_point ||
              (sim->exact_for_ever && sim->points > sim->exact_point && point == sim->exact_kind);
  if (sim->points == sim->exact_point) sim->exact_kind = point;
  return here && (allowed & FAULT_BIT(sim->exact_fault)) ? sim->exact_fault : FAULT_NONE;
}

static enum sim_fault draw_listed(const struct sim *sim, uint64_t name, unsigned allowed) {
  size_t from = 0, to = sim->only_count;
  while (from < to) {
    size_t middle = (from + to) / 2;
    if (sim->only[middle].name < name)
      from = middle + 1;
    else
      to = middle;
  }
  bool here = from < sim->only_count && sim->only[from].name == name;
  return here && (allowed & FAULT_BIT(sim->only[from].fault)) ? sim->only[from].fault : FAULT_NONE;
}

static enum sim_fault draw(const struct sim *sim, uint64_t name, unsigned allowed) {
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++)
    if ((allowed & FAULT_BIT(fault)) && sim->faults.rates[fault] > 0 &&
        scaled(sim_name(name, (uint64_t)fault), 1000000) < sim->faults.rates[fault])
      return (enum sim_fault)fault;
  return FAULT_NONE;
}

static enum sim_fault fault_at(struct sim *sim, enum sim_point point, unsigned allowed) {
  uint64_t name = next_name(sim);
  sim->points++;
  if (sim->allowed && sim->points < sim->allowed_room) sim->allowed[sim->points] = allowed;
  enum sim_fault fault = sim->exact_point ? draw_exactly(sim, point, allowed)
                         : sim->only      ? draw_listed(sim, name, allowed)
                                          : draw(sim, name, allowed);
  sim_mix(sim, ((uint64_t)point << 8) | (uint64_t)fault);
  if (fault == FAULT_NONE) return fault;
  if (sim->struck == sim->strike_room) {
    sim->strike_room = sim->strike_room ? sim->strike_room * 2 : 256;
    sim->strikes = realloc(sim->strikes, sim->strike_room * sizeof *sim->strikes);
    if (!sim->strikes) panic("out of memory");
  }
  sim->strikes[sim->struck++] = (struct sim_strike){name, fault};
  sim->struck_by[point][fault]++;
  return fault;
}

bool sim_strikes(struct sim *sim, enum sim_point point, enum sim_fault fault) {
  return !sim_is_ghost(sim) && fault_at(sim, point, FAULT_BIT(fault)) == fault;
}

enum sim_fault sim_reach(struct sim *sim, enum sim_point point, unsigned allowed) {
  if (sim_is_ghost(sim)) {
    sim->given_name = 0;
    return FAULT_GONE;
  }
  int environment = sim_environment(sim);
  if (environment && environment == sim->stopping_environment) allowed |= FAULT_BIT(FAULT_STOP);
  enum sim_fault fault = fault_at(sim, point, allowed);
  if (fault == FAULT_KILL) {
    sim_kill(sim, environment);
    return FAULT_GONE;
  }
  if (fault == FAULT_STOP) sim->stopped_until_ms = sim->now_ms + 1000 + (int64_t)sim_below(sim, STOP_MS_MOST);
  int64_t latency_ms = (int64_t)sim_below(sim, LATENCY_MS);
  sim_sleep(sim, fault == FAULT_FREEZE ? FREEZE_MS
                 : fault == FAULT_SLOW ? SLOW_MS
                 : sim->prompt         ? 0
                                       : latency_ms);
  if (!sim_is_ghost(sim) && sim->now_ms > sim->running->ends_ms) sim_kill(sim, environment);
  if (sim_is_ghost(sim)) return FAULT_GONE;
  return fault == FAULT_FREEZE || fault == FAULT_SLOW || fault == FAULT_STOP ? FAULT_NONE : fault;
}
