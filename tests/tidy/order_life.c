/* Walks through every state that order_decide can bring an order into, and prints the transitions it
 * saw, a line each: "status FROM TO CAUSE" for the order, "command FROM TO CAUSE" for its commands.
 * script/make-docs draws docs/order-life.md from them. A state is what decisions depend on: status,
 * target, and each command's state and marks; numbers and texts are left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "order/decide.h"
#include "order/step.h"

enum { STATES_MAX = 1 << 17, EDGES_MAX = 512, KEY_BYTES = 2 + COMMAND_COUNT * 5 };

struct node {
  unsigned char key[KEY_BYTES];
  struct order order;
};

struct walk {
  struct order_rules rules;
  struct node *nodes;
  size_t count;
  size_t *table; /* index + 1, by the key's hash */
};

static char edges[EDGES_MAX][80];
static size_t edge_count;

static const char *const slot_names[SLOT_STATE_COUNT] = {"idle", "waiting", "running", "pending",
                                                         "done", "refused", "skipped", "attention"};
static const char *const outcome_names[OUTCOME_COUNT] = {"done",    "refused", "pending", "not_applied",
                                                         "unknown", "invalid", "garbage"};

static void note_edge(const char *kind, const char *from, const char *to, const char *cause) {
  char edge[80];
  snprintf(edge, sizeof edge, "%s %s %s %s", kind, from, to, cause);
  for (size_t i = 0; i < edge_count; i++)
    if (strcmp(edges[i], edge) == 0) return;
  if (edge_count == EDGES_MAX) abort();
  memcpy(edges[edge_count++], edge, sizeof edge);
}

/* Of each command only what still matters in its state: of one that has ended, nothing does. */
static void make_key(const struct order *order, unsigned char key[KEY_BYTES]) {
  size_t at = 0;
  key[at++] = (unsigned char)order->status;
  key[at++] = (unsigned char)order->target;
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *slot = &order->slots[i];
    bool waits = slot->state == SLOT_WAITING, ended = slot->state >= SLOT_DONE && slot->state != SLOT_ATTENTION;
    key[at++] = (unsigned char)slot->state;
    key[at++] = slot->unsettled && !waits && !ended;
    key[at++] = slot->refused && slot->state == SLOT_ATTENTION;
    key[at++] = waits && slot->dispatch_version > 0;
    key[at++] = waits && slot->attempts > 0;
  }
}

static void add(struct walk *walk, const struct order *order) {
  unsigned char key[KEY_BYTES];
  unsigned long hash = 5381;
  make_key(order, key);
  for (size_t i = 0; i < KEY_BYTES; i++) hash = hash * 33 + key[i];
  size_t at = hash % (2 * STATES_MAX);
  for (; walk->table[at]; at = (at + 1) % (2 * STATES_MAX))
    if (memcmp(walk->nodes[walk->table[at] - 1].key, key, KEY_BYTES) == 0) return;
  if (walk->count == STATES_MAX) abort();
  struct node *node = &walk->nodes[walk->count++];
  walk->table[at] = walk->count;
  memcpy(node->key, key, KEY_BYTES);
  node->order = *order;
}

static void note(const struct order *before, const struct decision *decision, const char *cause) {
  const char *status = before ? order_status_name(before->status) : "[*]";
  const char *slots[COMMAND_COUNT];
  for (size_t i = 0; i < COMMAND_COUNT; i++) slots[i] = before ? slot_names[before->slots[i].state] : "[*]";
  for (size_t e = 0; e < decision->event_count; e++) {
    const struct order_event *event = &decision->events[e];
    if (event->step.size == 0) {
      note_edge("status", status, order_status_name(event->status), cause);
      status = order_status_name(event->status);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
      const char *name = command_rules[i].name;
      size_t size = strlen(name);
      if (event->type.size <= size || memcmp(event->type.data, name, size) != 0) continue;
      for (size_t s = 0; s < SLOT_STATE_COUNT; s++) {
        if (!bytes_equal_string(bytes_slice(event->type, size + 1, event->type.size), slot_names[s])) continue;
        note_edge("command", slots[i], slot_names[s], cause);
        slots[i] = slot_names[s];
      }
    }
  }
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (strcmp(slots[i], slot_names[decision->next.slots[i].state]) != 0)
      note_edge("command", slots[i], slot_names[decision->next.slots[i].state], before ? "due" : cause);
}

static void try_command(struct walk *walk, const struct order *before, struct command command, int64_t now_ms,
                        const char *cause) {
  struct arena arena;
  static struct decision decision;
  arena_init(&arena);
  if (command.kind != COMMAND_KIND_CREATE) command.reason = BYTES("x");
  command.reference = BYTES("x");
  if (order_decide(before, &command, &walk->rules, now_ms, &arena, &decision) == VERDICT_DECIDED) {
    note(before, &decision, cause);
    struct order next = decision.next;
    for (size_t i = 0; i < COMMAND_COUNT; i++) next.slots[i].reason = next.slots[i].reference = BYTES("x");
    next.reason = BYTES("x");
    add(walk, &next);
  }
  arena_release(&arena);
}

static void try_all(struct walk *walk, const struct order *order) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *slot = &order->slots[i];
    struct command command = {
        .slot = (enum order_command)i, .attempts = 1, .dispatch_version = slot->dispatch_version};
    command.kind = COMMAND_KIND_BEGIN;
    try_command(walk, order, command, 0, "begin");
    try_command(walk, order, command, slot->deadline_ms, "deadline");
    command.kind = COMMAND_KIND_EXPIRE;
    try_command(walk, order, command, slot->deadline_ms, "deadline");
    command.kind = COMMAND_KIND_OUTCOME;
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
      command.outcome = (enum outcome)outcome;
      for (int in_doubt = 0; in_doubt < 2; in_doubt++) {
        command.in_doubt = in_doubt;
        try_command(walk, order, command, 0, outcome_names[outcome]);
      }
      if (outcome > OUTCOME_REFUSED) continue;
      struct command callback = command;
      callback.is_callback = true;
      callback.dispatch_version = callback.attempts = 0;
      try_command(walk, order, callback, 0, outcome_names[outcome]);
    }
  }
  for (int step = 0; step < STEP_COUNT; step++) {
    struct command command = {.kind = COMMAND_KIND_RETRY, .step = (enum step)step};
    try_command(walk, order, command, 0, "retry");
    command.kind = COMMAND_KIND_SKIP;
    try_command(walk, order, command, 0, "skip");
    command.applied = true;
    try_command(walk, order, command, 0, "skip_applied");
  }
  try_command(walk, order, (struct command){.kind = COMMAND_KIND_CANCEL}, 0, "cancel");
}

static void walk_with(enum idempotency idempotency, bool paid) {
  struct walk walk = {.nodes = calloc(STATES_MAX, sizeof(struct node)),
                      .table = calloc(2 * STATES_MAX, sizeof(size_t))};
  static const struct order_payment payment = {.reference = {"p", 1}};
  struct order create = {.id = BYTES("ord"), .customer = BYTES("c")};
  if (!walk.nodes || !walk.table) abort();
  if (paid) create.content.payment = &payment;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    walk.rules.idempotency[i] = idempotency;
    walk.rules.deadline_ms[i] = 1000;
  }
  try_command(&walk, NULL, (struct command){.kind = COMMAND_KIND_CREATE, .create = &create}, 0, "create");
  for (size_t i = 0; i < walk.count; i++) {
    const struct order order = walk.nodes[i].order;
    try_all(&walk, &order);
  }
  fprintf(stderr, "%zu states\n", walk.count);
  free(walk.nodes);
  free(walk.table);
}

int main(void) {
  for (int idempotency = IDEMPOTENCY_KEY; idempotency <= IDEMPOTENCY_NONE; idempotency++)
    for (int paid = 0; paid < 2; paid++) walk_with((enum idempotency)idempotency, paid);
  for (size_t i = 0; i < edge_count; i++) puts(edges[i]);
  return 0;
}
