#include "platform/sim/queue_sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

enum { VISIBILITY_MS = 75000, JITTER_MS = 25, ENVIRONMENTS_FROM = 1000 };

struct waiting {
  struct delivery delivery;
  struct arena arena; /* of the intake's order */
  int64_t visible_ms; /* on the world's own time */
  bool leased;
};

struct line {
  struct waiting **items;
  size_t count, room;
};

struct queue_sim {
  struct queue port;
  struct intake intake;
  struct queue_sim_options options;
  struct line lines[QUEUE_SIM_COUNT];
  uint64_t next_handle;
  int next_environment;
};

struct waking {
  struct queue_sim *queue;
  int index;
};

static void deliver(struct sim *sim, void *context);

static void wake(struct queue_sim *queue, int index, int64_t in_ms) {
  struct waking *waking = malloc(sizeof *waking);
  if (!waking) panic("out of memory");
  *waking = (struct waking){queue, index};
  int environment = queue->options.process ? queue->options.process : ++queue->next_environment;
  if (in_ms < 0) in_ms = 0;
  sim_spawn(queue->options.sim, environment, in_ms + (int64_t)sim_below(queue->options.sim, JITTER_MS), deliver,
            waking);
}

static struct waiting *add(struct queue_sim *queue, int index, int64_t in_ms) {
  struct line *line = &queue->lines[index];
  if (line->count == line->room) {
    line->room = line->room ? line->room * 2 : 64;
    line->items = realloc(line->items, line->room * sizeof *line->items);
    if (!line->items) panic("out of memory");
  }
  struct waiting *waiting = calloc(1, sizeof *waiting);
  if (!waiting) panic("out of memory");
  arena_init(&waiting->arena);
  waiting->delivery.handle = ++queue->next_handle;
  waiting->visible_ms = queue->options.sim->now_ms + in_ms;
  line->items[line->count++] = waiting;
  wake(queue, index, in_ms);
  return waiting;
}

static void drop(struct line *line, size_t at) {
  arena_release(&line->items[at]->arena);
  free(line->items[at]);
  line->items[at] = line->items[--line->count];
}

static size_t find(const struct line *line, uint64_t handle) {
  for (size_t i = 0; i < line->count; i++)
    if (line->items[i]->delivery.handle == handle) return i;
  return line->count;
}

/* --- delivery -------------------------------------------------------------------------------------- */

static size_t receive(struct queue_sim *queue, int index, struct delivery *ret_deliveries) {
  struct line *line = &queue->lines[index];
  struct sim *sim = queue->options.sim;
  size_t count = 0, most = 1 + sim_below(sim, QUEUE_SIM_BATCH);
  size_t start = line->count ? sim_below(sim, line->count) : 0;
  for (size_t i = 0; i < line->count && count < most; i++) {
    struct waiting *waiting = line->items[(start + i) % line->count];
    if (waiting->leased && queue->options.process) continue;
    if (waiting->visible_ms > sim->now_ms) { /* SQS: sometimes delivered again while it is worked on */
      if (!waiting->leased || !sim_strikes(sim, POINT_RECEIVE, FAULT_DUPLICATE)) continue;
    }
    waiting->leased = true;
    waiting->delivery.receives++;
    ret_deliveries[count++] = waiting->delivery;
    if (queue->options.process) continue;
    waiting->visible_ms = sim->now_ms + VISIBILITY_MS;
    wake(queue, index, VISIBILITY_MS);
  }
  return count;
}

static struct intake_order *copy_order(const struct intake_order *order, struct arena *arena) {
  struct intake_order *copy = ARENA_NEW(arena, struct intake_order);
  *copy = *order;
  struct bytes *texts[] = {&copy->id, &copy->customer, &copy->content_json, &copy->traceparent};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = arena_copy(arena, *texts[i]);
  for (size_t i = 0; i < copy->claim_count; i++) copy->claims[i] = arena_copy(arena, copy->claims[i]);
  return copy;
}

static void deliver(struct sim *sim, void *context) {
  struct waking waking = *(struct waking *)context;
  struct delivery deliveries[QUEUE_SIM_BATCH];
  struct arena arena; /* another delivery of the same may end first, and take the order with it */
  free(context);
  if (sim_is_ghost(sim)) return;
  arena_init(&arena);
  struct queue_sim *queue = waking.queue;
  if (queue->options.invocation_ms) sim_limit(sim, queue->options.invocation_ms);
  size_t count = receive(queue, waking.index, deliveries), kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (deliveries[i].order) deliveries[i].order = copy_order(deliveries[i].order, &arena);
    bool dead = queue->options.dead && waking.index != QUEUE_SIM_INTAKE &&
                deliveries[i].receives > queue->options.receives_max;
    if (dead)
      queue->options.dead(queue->options.context, waking.index, &deliveries[i]);
    else
      deliveries[kept++] = deliveries[i];
  }
  if (kept > 0) queue->options.work(queue->options.context, waking.index, deliveries, kept);
  arena_release(&arena);
}

void queue_sim_settle(struct queue_sim *queue, int index, const struct delivery *deliveries,
                      const struct message_result *results, size_t count) {
  struct sim *sim = queue->options.sim;
  enum sim_fault fault = sim_reach(sim, POINT_SETTLE, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE));
  if (fault == FAULT_GONE) return;
  for (size_t i = 0; i < count; i++) {
    struct line *line = &queue->lines[index];
    size_t at = find(line, deliveries[i].handle);
    if (at == line->count) continue; /* another delivery of it was acknowledged */
    if (results[i].settlement == SETTLE_ACK) {
      drop(line, at);
      continue;
    }
    struct waiting *waiting = line->items[at];
    waiting->leased = false;
    waiting->visible_ms = sim->now_ms + results[i].delay_ms;
    waiting->delivery.message.attempts = results[i].attempts;
    memcpy(waiting->delivery.message.note, results[i].note, sizeof results[i].note);
    if (!queue->options.process && results[i].attempts != deliveries[i].message.attempts)
      waiting->delivery.receives = 0;
    wake(queue, index, results[i].delay_ms);
  }
}

void queue_sim_restart(struct queue_sim *queue, int64_t after_ms) {
  int64_t now_ms = queue->options.sim->now_ms;
  for (int index = 0; index < QUEUE_SIM_COUNT; index++)
    for (size_t i = 0; i < queue->lines[index].count; i++) {
      struct waiting *waiting = queue->lines[index].items[i];
      waiting->leased = false;
      int64_t in_ms = waiting->visible_ms - now_ms;
      if (in_ms < after_ms) in_ms = after_ms;
      waiting->visible_ms = now_ms + in_ms;
      wake(queue, index, in_ms);
    }
}

/* --- putting in ------------------------------------------------------------------------------------ */

void queue_sim_put(struct queue_sim *queue, const struct message *message) {
  int64_t in_ms = message->due_ms - clock_now_ms(&queue->options.sim->clock);
  add(queue, message->queue, in_ms > 0 ? in_ms : 0)->delivery.message = *message;
}

static void send_all(struct queue *port, const struct message *messages, size_t count, bool *ret_sent) {
  struct queue_sim *queue = (struct queue_sim *)port;
  struct sim *sim = queue->options.sim;
  enum sim_fault fault =
      sim_reach(sim, POINT_SEND,
                FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE) | FAULT_BIT(FAULT_FAIL) |
                    FAULT_BIT(FAULT_LOSE) | FAULT_BIT(FAULT_PARTLY) | FAULT_BIT(FAULT_DUPLICATE));
  for (size_t i = 0; i < count; i++) {
    ret_sent[i] = false;
    if (fault == FAULT_GONE || fault == FAULT_FAIL || (fault == FAULT_PARTLY && sim_below(sim, 2) == 0))
      continue;
    queue_sim_put(queue, &messages[i]);
    if (fault == FAULT_DUPLICATE) queue_sim_put(queue, &messages[i]);
    ret_sent[i] = fault != FAULT_LOSE;
  }
  if (sim_reach(sim, POINT_SENT, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE)) == FAULT_GONE)
    for (size_t i = 0; i < count; i++) ret_sent[i] = false;
}

static bool spill(struct intake *port, const struct intake_order *order) {
  struct queue_sim *queue = (struct queue_sim *)((char *)port - offsetof(struct queue_sim, intake));
  enum sim_fault fault = sim_reach(queue->options.sim, POINT_SPILL,
                                   FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FAIL) | FAULT_BIT(FAULT_LOSE));
  if (fault == FAULT_GONE || fault == FAULT_FAIL) return false;
  struct waiting *waiting = add(queue, QUEUE_SIM_INTAKE, 0);
  waiting->delivery.order = copy_order(order, &waiting->arena);
  return sim_reach(queue->options.sim, POINT_SPILLED, FAULT_BIT(FAULT_KILL)) != FAULT_GONE &&
         fault != FAULT_LOSE;
}

/* --- making ---------------------------------------------------------------------------------------- */

struct queue_sim *queue_sim_make(const struct queue_sim_options *options) {
  static const struct queue_operations operations = {.send = send_all};
  struct queue_sim *queue = calloc(1, sizeof *queue);
  if (!queue) panic("out of memory");
  queue->port.operations = &operations;
  queue->intake.put = spill;
  queue->options = *options;
  queue->next_environment = ENVIRONMENTS_FROM;
  return queue;
}

void queue_sim_free(struct queue_sim *queue) {
  for (int index = 0; index < QUEUE_SIM_COUNT; index++) {
    while (queue->lines[index].count > 0) drop(&queue->lines[index], 0);
    free(queue->lines[index].items);
  }
  free(queue);
}

struct queue *queue_sim_port(struct queue_sim *queue) {
  return &queue->port;
}
struct intake *queue_sim_intake(struct queue_sim *queue) {
  return &queue->intake;
}

size_t queue_sim_waiting(const struct queue_sim *queue) {
  size_t count = 0;
  for (int index = 0; index < QUEUE_SIM_COUNT; index++) count += queue->lines[index].count;
  return count;
}
