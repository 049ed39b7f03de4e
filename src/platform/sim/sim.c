#include "platform/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/panic.h"

enum { STACK_BYTES = 256 * 1024, GUARD_BYTES = 4096, FREEZE_MS = 45000, SLOW_MS = 5000, LATENCY_MS = 12 };

const char *const sim_point_names[POINT_COUNT] = {"commit", "committed", "load", "list",   "send",   "sent",
                                                  "spill",  "spilled",   "call", "called", "settle", "serve"};
const char *const sim_fault_names[FAULT_COUNT] = {"none",      "gone",   "kill",    "freeze",  "slow",
                                                  "throttle",  "fail",   "lose",    "stale",   "partly",
                                                  "duplicate", "refuse", "pending", "invalid", "garbage"};

struct sim_event {
  int64_t at_ms;
  uint64_t tie; /* by chance: what is due at once happens in any order */
  struct sim_task *task;
  uint64_t wake; /* the task's wake number that this event is for */
};

struct sim_task {
  struct sim_task *next;              /* of the idle ones */
  struct sim_task *newer, **to_newer; /* of those that live */
  ucontext_t context;
  void *stack;
  sim_entry *entry;
  void *argument;
  uint64_t number, wake;
  int environment;
  int64_t ends_ms;
  bool ghost, ended;
};

/* --- chance: xoshiro256** (public domain algorithm by Blackman and Vigna) ------------------------- */

static uint64_t rotated(uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

uint64_t sim_random(struct sim *sim) {
  uint64_t *s = sim->random, result = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotated(s[3], 45);
  return result;
}

uint64_t sim_below(struct sim *sim, uint64_t below) {
  return (uint64_t)(((unsigned __int128)sim_random(sim) * below) >> 64);
}

bool sim_chance(struct sim *sim, uint32_t in_a_million) {
  return in_a_million > 0 && sim_below(sim, 1000000) < in_a_million;
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
  for (size_t i = 0; i < 4; i++) { /* splitmix64 */
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    sim->random[i] = z ^ (z >> 31);
  }
  sim->scheduler = calloc(1, sizeof(ucontext_t));
  if (!sim->scheduler) panic("out of memory");
}

void sim_release(struct sim *sim) {
  ensure(sim->tasks == 0);
  while (sim->idle) {
    struct sim_task *task = sim->idle;
    sim->idle = task->next;
    munmap(task->stack, STACK_BYTES + GUARD_BYTES);
    free(task);
  }
  free(sim->heap);
  free(sim->scheduler);
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

static void enter(unsigned high, unsigned low) {
  struct sim *sim = (struct sim *)(uintptr_t)(((uint64_t)high << 32) | low);
  for (;;) { /* a stack serves one task after the other */
    struct sim_task *task = sim->running;
    task->entry(sim, task->argument);
    task->ended = true;
    swapcontext(&task->context, sim->scheduler);
  }
}

static void make_context(struct sim *sim, struct sim_task *task) {
  uint64_t address = (uintptr_t)sim;
  ensure(getcontext(&task->context) == 0);
  task->context.uc_stack.ss_sp = (char *)task->stack + GUARD_BYTES;
  task->context.uc_stack.ss_size = STACK_BYTES;
  task->context.uc_link = NULL;
  makecontext(&task->context, (void (*)(void))(uintptr_t)enter, 2, (unsigned)(address >> 32),
              (unsigned)address);
}

static struct sim_task *make_task(struct sim *sim) {
  if (sim->idle) {
    struct sim_task *used = sim->idle;
    sim->idle = used->next;
    return used;
  }
  struct sim_task *made = calloc(1, sizeof *made);
  if (!made) panic("out of memory");
  made->stack =
      mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ensure(made->stack != MAP_FAILED && mprotect(made->stack, GUARD_BYTES, PROT_NONE) == 0);
  make_context(sim, made);
  return made;
}

void sim_spawn(struct sim *sim, int environment, int64_t delay_ms, sim_entry *entry, void *argument) {
  struct sim_task *task = make_task(sim);
  task->entry = entry;
  task->argument = argument;
  task->number = ++sim->next_task;
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
    sim->events++;
    sim_mix(sim, event.task->number ^ (uint64_t)sim->now_ms << 20);
    sim->running = event.task;
    swapcontext(sim->scheduler, &event.task->context);
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
  swapcontext(&task->context, sim->scheduler);
}

void sim_kill(struct sim *sim, int environment) {
  for (struct sim_task *task = sim->alive; task; task = task->newer) {
    if (task->environment != environment || task->ghost) continue;
    task->ghost = true;
    if (task != sim->running) wake_at(sim, task, sim->now_ms);
  }
  if (sim->on_killed) sim->on_killed(sim, environment);
}

/* --- points ---------------------------------------------------------------------------------------- */

static enum sim_fault draw_exactly(struct sim *sim, enum sim_point point, unsigned allowed) {
  bool here = sim->points == sim->exact_point ||
              (sim->exact_for_ever && sim->points > sim->exact_point && point == sim->exact_kind);
  if (sim->points == sim->exact_point) sim->exact_kind = point;
  return here && (allowed & FAULT_BIT(sim->exact_fault)) ? sim->exact_fault : FAULT_NONE;
}

static enum sim_fault draw(struct sim *sim, unsigned allowed) {
  for (int fault = FAULT_KILL; fault < FAULT_COUNT; fault++)
    if ((allowed & FAULT_BIT(fault)) && sim_chance(sim, sim->faults.rates[fault])) return (enum sim_fault)fault;
  return FAULT_NONE;
}

enum sim_fault sim_reach(struct sim *sim, enum sim_point point, unsigned allowed) {
  if (sim_is_ghost(sim)) return FAULT_GONE;
  sim->points++;
  enum sim_fault fault = sim->exact_point ? draw_exactly(sim, point, allowed) : draw(sim, allowed);
  sim_mix(sim, ((uint64_t)point << 8) | (uint64_t)fault);
  if (fault != FAULT_NONE) {
    sim->struck++;
    sim->struck_by[point][fault]++;
  }
  if (fault == FAULT_KILL) {
    sim_kill(sim, sim_environment(sim));
    return FAULT_GONE;
  }
  sim_sleep(sim, fault == FAULT_FREEZE ? FREEZE_MS
                 : fault == FAULT_SLOW ? SLOW_MS
                                       : (int64_t)sim_below(sim, LATENCY_MS));
  if (!sim_is_ghost(sim) && sim->now_ms > sim->running->ends_ms) sim_kill(sim, sim_environment(sim));
  if (sim_is_ghost(sim)) return FAULT_GONE;
  return fault == FAULT_FREEZE || fault == FAULT_SLOW ? FAULT_NONE : fault;
}
