#include "platform/sim/store_sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "order/content.h"
#include "order/step.h"

enum { BUCKETS = 8192 };

struct claim {
  struct claim *next;
  struct bytes key;
  struct stored *holder;
};

struct store_sim {
  struct store port;
  struct store_sim_options options;
  struct stored *buckets[BUCKETS];
  struct claim *claims[BUCKETS];
  struct stored **all;
  size_t count, room;
  struct stream_entry *stream;
  size_t stream_count, stream_room, conflicts;
};

static size_t bucket_of(struct bytes key) {
  uint64_t hash = 14695981039346656037ULL;
  for (size_t i = 0; i < key.size; i++) hash = (hash ^ (uint8_t)key.data[i]) * 1099511628211ULL;
  return hash % BUCKETS;
}

static void *grown(void *array, size_t count, size_t *room, size_t item_bytes) {
  if (count < *room) return array;
  *room = *room ? *room * 2 : 64;
  array = realloc(array, *room * item_bytes);
  if (!array) panic("out of memory");
  return array;
}

struct stored *store_sim_find(struct store_sim *store, struct bytes id) {
  for (struct stored *stored = store->buckets[bucket_of(id)]; stored; stored = stored->next)
    if (bytes_equal(stored->order.id, id)) return stored;
  return NULL;
}

/* --- states ---------------------------------------------------------------------------------------- */

static struct bytes kept(struct arena *arena, struct bytes text) {
  return text.size ? arena_copy(arena, text) : (struct bytes){NULL, 0};
}

/* The new state takes the place of the one before the last; views into it live until the next but one. */
static void keep_state(struct stored *stored, const struct order *next) {
  stored->previous = stored->order;
  stored->newest = !stored->newest;
  struct arena *arena = &stored->states[stored->newest];
  arena_reset(arena);
  struct order *order = &stored->order;
  order->status = next->status;
  order->target = next->target;
  order->version = next->version;
  order->revision = next->revision;
  order->updated_ms = next->updated_ms;
  order->reason = kept(arena, next->reason);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    order->slots[i] = next->slots[i];
    order->slots[i].reference = kept(arena, next->slots[i].reference);
    order->slots[i].reason = kept(arena, next->slots[i].reason);
  }
}

static void keep_events(struct stored *stored, const struct decision *decision) {
  for (size_t i = 0; i < decision->event_count; i++) {
    stored->events = grown(stored->events, stored->event_count, &stored->event_room, sizeof *stored->events);
    struct order_event *event = &stored->events[stored->event_count++];
    *event = decision->events[i];
    event->type = kept(&stored->arena, event->type);
    event->step = kept(&stored->arena, event->step);
    event->detail = kept(&stored->arena, event->detail);
  }
}

static void append_to_stream(struct store_sim *store, const struct stream_entry *entry) {
  store->stream = grown(store->stream, store->stream_count, &store->stream_room, sizeof *store->stream);
  store->stream[store->stream_count++] = *entry;
}

static void bring_messages(struct store_sim *store, const struct decision *decision) {
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *made = &decision->messages[i];
    struct message message = {.kind = made->kind,
                              .slot = made->slot,
                              .queue = queue_index(command_service(made->slot), decision->next.content.channel),
                              .dispatch_version = made->dispatch_version,
                              .created_ms = decision->next.updated_ms,
                              .due_ms = made->due_ms,
                              .deadline_ms = made->deadline_ms};
    memcpy(message.order_id, decision->next.id.data, ORDER_ID_CHARACTERS);
    if (!store->options.has_stream) {
      store->options.put(store->options.context, &message);
      continue;
    }
    append_to_stream(store, &(struct stream_entry){.message = message});
  }
}

/* --- commits --------------------------------------------------------------------------------------- */

static struct stored *holder_of(struct store_sim *store, struct bytes key) {
  for (struct claim *claim = store->claims[bucket_of(key)]; claim; claim = claim->next)
    if (bytes_equal(claim->key, key)) return claim->holder;
  return NULL;
}

static struct stored *make_stored(struct store_sim *store, const struct order *order) {
  struct stored *stored = calloc(1, sizeof *stored);
  if (!stored) panic("out of memory");
  arena_init(&stored->arena);
  arena_init(&stored->states[0]);
  arena_init(&stored->states[1]);
  stored->number = store->count;
  stored->stored_ms = stored->indexed_ms = store->options.sim->now_ms;
  if (store->options.has_stream) {
    stored->indexed_ms += (int64_t)sim_below(store->options.sim, STORE_SIM_INDEX_MS);
    append_to_stream(store, &(struct stream_entry){.created = stored});
  }
  stored->order.id = arena_copy(&stored->arena, order->id);
  stored->order.customer = arena_copy(&stored->arena, order->customer);
  stored->order.content_json = arena_copy(&stored->arena, order->content_json);
  stored->order.traceparent = arena_copy(&stored->arena, order->traceparent);
  stored->order.created_ms = order->created_ms;
  ensure(order_content_read_stored(stored->order.content_json, &stored->arena, &stored->order.content));
  store->all = grown(store->all, store->count, &store->room, sizeof *store->all);
  store->all[store->count++] = stored;
  struct stored **bucket = &store->buckets[bucket_of(stored->order.id)];
  stored->next = *bucket;
  *bucket = stored;
  return stored;
}

static void take_claims(struct store_sim *store, struct stored *stored, const struct store_commit *commit) {
  for (size_t i = 0; i < commit->claim_count; i++) {
    struct claim *claim = ARENA_NEW(&stored->arena, struct claim);
    struct claim **bucket = &store->claims[bucket_of(commit->claims[i])];
    *claim = (struct claim){*bucket, arena_copy(&stored->arena, commit->claims[i]), stored};
    *bucket = claim;
    stored->claims[stored->claim_count++] = claim->key;
  }
}

static void apply(struct store_sim *store, const struct store_commit *commit, struct store_result *result) {
  const struct decision *decision = commit->decision;
  struct stored *stored = store_sim_find(store, decision->next.id);
  if (decision->next.revision == 1) {
    if (stored) {
      result->status = bytes_equal(stored->order.content_json, decision->next.content_json)
                           ? COMMIT_EXISTS_SAME
                           : COMMIT_EXISTS_OTHER;
      result->created_ms = stored->order.created_ms;
      return;
    }
    for (size_t i = 0; i < commit->claim_count; i++) {
      const struct stored *holder = holder_of(store, commit->claims[i]);
      if (!holder) continue;
      result->status = COMMIT_CLAIM_TAKEN;
      memcpy(result->holder_id, holder->order.id.data, ORDER_ID_CHARACTERS);
      return;
    }
    stored = make_stored(store, &decision->next);
    take_claims(store, stored, commit);
  } else if (!stored || stored->order.revision != decision->next.revision - 1) {
    result->status = COMMIT_CONFLICT;
    store->conflicts++;
    return;
  }
  keep_state(stored, &decision->next);
  keep_events(stored, decision);
  bring_messages(store, decision);
  result->status = COMMIT_DONE;
  result->created_ms = stored->order.created_ms;
  if (store->options.on_applied) store->options.on_applied(store->options.context, stored, commit);
}

static void commit_all(struct store *port, const struct store_commit *commits, size_t count,
                       struct store_result *ret_results) {
  struct store_sim *store = (struct store_sim *)port;
  struct sim *sim = store->options.sim;
  enum sim_fault fault = sim_reach(sim, POINT_COMMIT,
                                   FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE) | FAULT_BIT(FAULT_THROTTLE) |
                                       FAULT_BIT(FAULT_FAIL) | FAULT_BIT(FAULT_LOSE) | FAULT_BIT(FAULT_PARTLY));
  for (size_t i = 0; i < count; i++) {
    ret_results[i] =
        (struct store_result){.status = fault == FAULT_THROTTLE ? COMMIT_THROTTLED : COMMIT_FAILED};
    if (fault == FAULT_GONE || fault == FAULT_FAIL || fault == FAULT_THROTTLE) continue;
    if (fault == FAULT_PARTLY && sim_below(sim, 2) == 0) continue;
    apply(store, &commits[i], &ret_results[i]);
    sim_mix(sim, ret_results[i].status);
  }
  enum sim_fault after = sim_reach(sim, POINT_COMMITTED, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE));
  if (fault == FAULT_LOSE || after == FAULT_GONE)
    for (size_t i = 0; i < count; i++) ret_results[i] = (struct store_result){.status = COMMIT_FAILED};
}

/* --- reads ----------------------------------------------------------------------------------------- */

/* A copy for the caller: the store's own may change while it waits elsewhere. */
static struct order *copy_order(const struct order *order, struct arena *arena) {
  struct order *copy = ARENA_NEW(arena, struct order);
  *copy = *order; /* id, customer and content never change */
  copy->reason = kept(arena, copy->reason);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    copy->slots[i].reference = kept(arena, copy->slots[i].reference);
    copy->slots[i].reason = kept(arena, copy->slots[i].reason);
  }
  return copy;
}

static void load_all(struct store *port, const struct bytes *ids, size_t count, unsigned how,
                     struct arena *arena, struct store_loaded *ret_loaded) {
  struct store_sim *store = (struct store_sim *)port;
  enum sim_fault fault = sim_reach(store->options.sim, POINT_LOAD,
                                   FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE) | FAULT_BIT(FAULT_FAIL) |
                                       (how & STORE_LOAD_RECENT ? FAULT_BIT(FAULT_STALE) : 0U));
  for (size_t i = 0; i < count; i++) {
    const struct stored *stored = store_sim_find(store, ids[i]);
    bool failed = fault == FAULT_GONE || fault == FAULT_FAIL;
    ret_loaded[i] = (struct store_loaded){.status = failed ? LOAD_FAILED : LOAD_MISSING};
    if (failed || !stored) continue;
    if (fault == FAULT_STALE && stored->previous.revision == 0) continue; /* it was not there a moment ago */
    ret_loaded[i].status = LOAD_FOUND;
    ret_loaded[i].order = copy_order(fault == FAULT_STALE ? &stored->previous : &stored->order, arena);
  }
}

static bool is_listed(const struct store_query *query, const struct order *order) {
  if (query->customer.size && !bytes_equal(order->customer, query->customer)) return false;
  if (query->has_status && order->status != query->status) return false;
  if (query->has_channel && order->content.channel != (int)query->channel) return false;
  if (order->created_ms < query->from_ms || order->created_ms >= query->to_ms) return false;
  if (!query->has_cursor || order->created_ms < query->cursor_ms) return true;
  return order->created_ms == query->cursor_ms &&
         memcmp(order->id.data, query->cursor_id, ORDER_ID_CHARACTERS) < 0;
}

bool store_sim_is_listed(const struct store_sim *store, const struct stored *stored, bool everybodys) {
  if (!store->options.has_stream) return true;
  return everybodys ? stored->is_noted : store->options.sim->now_ms >= stored->indexed_ms;
}

static int newest_first(const void *a, const void *b) {
  const struct order *x = *(const struct order *const *)a, *y = *(const struct order *const *)b;
  if (x->created_ms != y->created_ms) return x->created_ms > y->created_ms ? -1 : 1;
  return -bytes_compare(x->id, y->id);
}

static bool list(struct store *port, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure) {
  struct store_sim *store = (struct store_sim *)port;
  enum sim_fault fault =
      sim_reach(store->options.sim, POINT_LIST, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FAIL));
  if (fault != FAULT_NONE) return failure_set(ret_failure, "a simulated failure");
  const struct order **found = ARENA_ARRAY(arena, store->count, const struct order *);
  size_t count = 0;
  for (size_t i = 0; i < store->count; i++)
    if (is_listed(query, &store->all[i]->order) &&
        store_sim_is_listed(store, store->all[i], query->customer.size == 0))
      found[count++] = &store->all[i]->order;
  if (count > 0) qsort(found, count, sizeof *found, newest_first);
  *ret_page =
      (struct store_page){.count = count < query->limit ? count : query->limit, .more = count > query->limit};
  ret_page->orders = ARENA_ARRAY(arena, ret_page->count, struct order);
  for (size_t i = 0; i < ret_page->count; i++) ret_page->orders[i] = *copy_order(found[i], arena);
  if (ret_page->count > 0) {
    const struct order *last = &ret_page->orders[ret_page->count - 1];
    ret_page->cursor_ms = last->created_ms;
    memcpy(ret_page->cursor_id, last->id.data, ORDER_ID_CHARACTERS);
  }
  return true;
}

static bool events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure) {
  struct store_sim *store = (struct store_sim *)port;
  enum sim_fault fault =
      sim_reach(store->options.sim, POINT_LIST, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FAIL));
  if (fault != FAULT_NONE) return failure_set(ret_failure, "a simulated failure");
  const struct stored *stored = store_sim_find(store, id);
  *ret_count = stored ? stored->event_count : 0;
  if (!stored) return true;
  *ret_events = ARENA_ARRAY(arena, stored->event_count, struct order_event);
  memcpy(*ret_events, stored->events, stored->event_count * sizeof **ret_events);
  return true;
}

static int by_since(const void *a, const void *b) {
  const struct store_attention *x = a, *y = b;
  if (x->since_ms != y->since_ms) return x->since_ms < y->since_ms ? -1 : 1;
  int order = bytes_compare(x->order_id, y->order_id);
  return order ? order : (int)x->command - (int)y->command;
}

static bool attention(struct store *port, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure) {
  struct store_sim *store = (struct store_sim *)port;
  enum sim_fault fault =
      sim_reach(store->options.sim, POINT_LIST, FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FAIL));
  if (fault != FAULT_NONE) return failure_set(ret_failure, "a simulated failure");
  struct store_attention *found = ARENA_ARRAY(arena, store->count * COMMAND_COUNT, struct store_attention);
  size_t count = 0;
  for (size_t i = 0; i < store->count; i++)
    for (int slot = 0; slot < COMMAND_COUNT; slot++) {
      const struct order *order = &store->all[i]->order;
      if (order->slots[slot].state != SLOT_ATTENTION) continue;
      found[count] = (struct store_attention){.order_id = order->id,
                                              .customer = order->customer,
                                              .command = (enum order_command)slot,
                                              .detail = kept(arena, order->slots[slot].reason),
                                              .since_ms = order->slots[slot].since_ms};
      if (!after || by_since(after, &found[count]) < 0) count++;
    }
  if (count > 0) qsort(found, count, sizeof *found, by_since);
  *ret_page = (struct store_attention_page){
      .entries = found, .count = count < limit ? count : limit, .more = count > limit};
  return true;
}

/* --- making ---------------------------------------------------------------------------------------- */

struct store_sim *store_sim_make(const struct store_sim_options *options) {
  static const struct store_operations operations = {commit_all, load_all, list, events, attention};
  struct store_sim *store = calloc(1, sizeof *store);
  if (!store) panic("out of memory");
  store->port.operations = &operations;
  store->options = *options;
  return store;
}

void store_sim_free(struct store_sim *store) {
  for (size_t i = 0; i < store->count; i++) {
    struct stored *stored = store->all[i];
    arena_release(&stored->arena);
    arena_release(&stored->states[0]);
    arena_release(&stored->states[1]);
    free(stored->events);
    free(stored);
  }
  free(store->all);
  free(store->stream);
  free(store);
}

struct store *store_sim_port(struct store_sim *store) {
  return &store->port;
}
size_t store_sim_count(const struct store_sim *store) { return store->count; }
struct stored *store_sim_at(struct store_sim *store, size_t number) {
  return store->all[number];
}

size_t store_sim_conflicts(const struct store_sim *store) { return store->conflicts; }

size_t store_sim_stream(const struct store_sim *store, size_t from, size_t most,
                        struct stream_entry *ret_entries) {
  size_t count = from < store->stream_count ? store->stream_count - from : 0;
  if (count > most) count = most;
  if (count > 0) memcpy(ret_entries, store->stream + from, count * sizeof *ret_entries);
  return count;
}

bool store_sim_note_created(struct store_sim *store, struct stored *const *created, size_t count) {
  enum sim_fault fault = sim_reach(
      store->options.sim, POINT_NOTE,
      FAULT_BIT(FAULT_KILL) | FAULT_BIT(FAULT_FREEZE) | FAULT_BIT(FAULT_FAIL) | FAULT_BIT(FAULT_LOSE));
  if (fault == FAULT_GONE || fault == FAULT_FAIL) return false;
  for (size_t i = 0; i < count; i++) created[i]->is_noted = true;
  return fault != FAULT_LOSE;
}
