#include "disk/world.h"

#include <stdarg.h>
#include <stdio.h>

#include "disk/allocation.h"
#include "disk/disk.h"
#include "disk/idle.h"
#include "fake/world.h"
#include "order/codec.h"

#define HASH_SEED UINT64_C(0xCBF29CE484222325)
#define ID(known) ORDER_ID_CHARACTERS, (known)->id

void world_init(struct world *world) { *world = (struct world){.now_ms = FAKE_NOW_MS}; }

void world_violate(struct world *world, const char *invariant, const char *format, ...) {
  if (world->violation[0]) return;
  int size = snprintf(world->violation, VIOLATION_BYTES, "%s: ", invariant);
  va_list values;
  va_start(values, format);
  vsnprintf(world->violation + size, VIOLATION_BYTES - (size_t)size, format, values);
  va_end(values);
}

struct known *world_find(struct world *world, struct bytes id) {
  for (size_t i = 0; i < world->known_count; i++)
    if (bytes_equal(id, bytes_from(world->known[i].id, ORDER_ID_CHARACTERS))) return &world->known[i];
  return NULL;
}

uint64_t hash_bytes(uint64_t seed, struct bytes bytes) {
  for (size_t i = 0; i < bytes.size; i++)
    seed = (seed ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001B3);
  return (seed ^ bytes.size) * UINT64_C(0x100000001B3);
}

/* --- marks --------------------------------------------------------------------------------------------- */

static uint64_t hash_order(const struct order *order, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  order_state_write(order, &text);
  uint64_t hash = hash_bytes(HASH_SEED, text_view(&text));
  hash = hash_bytes(hash, order->customer);
  hash = hash_bytes(hash, order->traceparent);
  return hash_bytes(hash, bytes_from(&order->created_ms, sizeof order->created_ms));
}

/* One by one, so that it does not matter which of them were written at once. */
static uint64_t hash_events(uint64_t seed, const struct order_event *events, size_t count,
                            struct arena *arena) {
  for (size_t i = 0; i < count; i++) {
    struct text text;
    text_init(&text, arena);
    order_events_write(&events[i], 1, &text);
    seed = hash_bytes(seed, text_view(&text));
  }
  return seed;
}

static struct mark mark_of(const struct known *known, const struct decision *decision) {
  struct arena arena;
  arena_init(&arena);
  uint64_t before = known->done.revision ? known->done.events : HASH_SEED;
  struct mark mark = {.revision = decision->next.revision,
                      .state = hash_order(&decision->next, &arena),
                      .events = hash_events(before, decision->events, decision->event_count, &arena)};
  arena_release(&arena);
  return mark;
}

static bool same_mark(const struct mark *a, const struct mark *b) {
  return a->revision == b->revision && a->state == b->state && a->events == b->events;
}

static void settle(struct known *known, const struct mark *mark) {
  known->done = *mark;
  known->maybe_count = 0;
}

/* --- commits -----------------------------------------------------------------------------------------------
 */

static struct known *know(struct world *world, const struct store_commit *commit) {
  const struct order *order = &commit->decision->next;
  struct known *known = world_find(world, order->id);
  if (!known && world->known_count < KNOWN_MAX) {
    known = &world->known[world->known_count++];
    *known = (struct known){0};
    memcpy(known->id, order->id.data, ORDER_ID_CHARACTERS);
  }
  if (known && known->done.revision == 0) {
    known->content = hash_bytes(HASH_SEED, order->content_json);
    known->has_payment = order->content.payment != NULL;
    known->claim_count = commit->claim_count;
    for (size_t i = 0; i < commit->claim_count; i++)
      known->claims[i] = hash_bytes(HASH_SEED, commit->claims[i]);
  }
  return known;
}

/* Before it is handed in: if nobody hears how it ended it may be there. */
static void note_attempt(struct world *world, const struct store_commit *commit) {
  struct known *known = know(world, commit);
  if (!known || commit->decision->next.revision != known->done.revision + 1) return;
  if (known->maybe_count == MAYBES_MAX) {
    world_violate(world, "harness", "%.*s: too many commits without an answer", ID(known));
    return;
  }
  known->maybes[known->maybe_count++] = mark_of(known, commit->decision);
}

static void check_claims(struct world *world, const struct known *known) {
  for (size_t i = 0; i < world->known_count; i++) {
    const struct known *other = &world->known[i];
    for (size_t k = 0; other != known && other->done.revision > 0 && k < other->claim_count; k++)
      for (size_t m = 0; m < known->claim_count; m++)
        if (other->claims[k] == known->claims[m])
          world_violate(world, "one-payment-one-order", "%.*s and %.*s", ID(other), ID(known));
  }
}

static void note_done(struct world *world, struct known *known, const struct mark *mark) {
  world->commits_done++;
  if (mark->revision != known->done.revision + 1)
    world_violate(world, "revision-by-one", "%.*s: %lld done after %lld", ID(known), (long long)mark->revision,
                  (long long)known->done.revision);
  if (mark->revision == 1) check_claims(world, known);
  settle(known, mark);
}

static void forget_attempt(struct known *known, const struct mark *mark) {
  if (known->maybe_count > 0 && same_mark(&known->maybes[known->maybe_count - 1], mark)) known->maybe_count--;
}

/* An order that was answered to exist does, from then on. */
static void note_exists(struct world *world, struct known *known, bool same, const struct mark *mark,
                        const struct store_commit *commit) {
  bool equal = known->content == hash_bytes(HASH_SEED, commit->decision->next.content_json);
  forget_attempt(known, mark);
  if (known->done.revision == 0 && known->maybe_count > 0) settle(known, &known->maybes[0]);
  if (known->done.revision == 0)
    world_violate(world, "stored-was-attempted", "%.*s is said to exist", ID(known));
  if (equal != same) world_violate(world, "one-content-a-key", "%.*s", ID(known));
}

static void note_claim_taken(struct world *world, const struct known *known,
                             const struct store_result *result) {
  const struct known *holder = world_find(world, bytes_from(result->holder_id, ORDER_ID_CHARACTERS));
  bool shares = false;
  for (size_t i = 0; holder && i < holder->claim_count; i++)
    for (size_t k = 0; k < known->claim_count; k++) shares = shares || holder->claims[i] == known->claims[k];
  if (!holder || !shares || (holder->done.revision == 0 && holder->maybe_count == 0))
    world_violate(world, "claim-has-a-holder", "%.*s: taken by %.*s", ID(known), ORDER_ID_CHARACTERS,
                  result->holder_id);
}

static void note_answer(struct world *world, const struct store_commit *commit,
                        const struct store_result *result) {
  struct known *known = world_find(world, commit->decision->next.id);
  struct mark mark = mark_of(known, commit->decision);
  switch (result->status) {
    case COMMIT_DONE:
      note_done(world, known, &mark);
      return;
    case COMMIT_EXISTS_SAME:
    case COMMIT_EXISTS_OTHER:
      note_exists(world, known, result->status == COMMIT_EXISTS_SAME, &mark, commit);
      return;
    case COMMIT_CLAIM_TAKEN:
      forget_attempt(known, &mark);
      note_claim_taken(world, known, result);
      return;
    case COMMIT_CONFLICT:
    case COMMIT_THROTTLED:
      forget_attempt(known, &mark);
      return;
    case COMMIT_FAILED:
      return;
  }
}

static void commit(struct store *port, const struct store_commit *commits, size_t count,
                   struct store_result *ret_results) {
  struct witness *witness = (struct witness *)port;
  allocation_exempt();
  for (size_t i = 0; i < count; i++) note_attempt(witness->world, &commits[i]);
  allocation_exempt_end();
  store_commit(witness->real, commits, count, ret_results);
  idle_wait();
  if (disk_was_ended()) return; /* nobody hears the answer */
  allocation_exempt();
  for (size_t i = 0; i < count; i++) note_answer(witness->world, &commits[i], &ret_results[i]);
  allocation_exempt_end();
}

/* --- reading -------------------------------------------------------------------------------------------------
 */

/* What was shown is there from then on. */
static void observe(struct world *world, const struct order *order, struct known *known) {
  struct arena arena;
  arena_init(&arena);
  uint64_t state = hash_order(order, &arena);
  arena_release(&arena);
  if (hash_bytes(HASH_SEED, order->content_json) != known->content)
    world_violate(world, "acknowledged-is-stored", "%.*s has another content", ID(known));
  if (order->revision == known->done.revision && state == known->done.state) return;
  for (size_t i = 0; i < known->maybe_count; i++) {
    const struct mark *maybe = &known->maybes[i];
    if (maybe->revision != order->revision || maybe->state != state) continue;
    struct mark mark = *maybe;
    settle(known, &mark);
    if (mark.revision == 1) check_claims(world, known);
    return;
  }
  world_violate(world,
                order->revision < known->done.revision ? "acknowledged-is-stored" : "stored-was-attempted",
                "%.*s is at revision %lld, %s, after %lld was done", ID(known), (long long)order->revision,
                order_status_name(order->status), (long long)known->done.revision);
}

static void note_loaded(struct world *world, struct bytes id, const struct store_loaded *loaded) {
  struct known *known = world_find(world, id);
  if (loaded->status == LOAD_FOUND && !known)
    world_violate(world, "stored-was-attempted", "%.*s", BYTES_PRINTF(id));
  else if (loaded->status == LOAD_FOUND)
    observe(world, loaded->order, known);
  else if (loaded->status == LOAD_MISSING && known && known->done.revision > 0)
    world_violate(world, "acknowledged-is-found", "%.*s is gone after revision %lld", ID(known),
                  (long long)known->done.revision);
}

static void load(struct store *port, const struct bytes *ids, size_t count, unsigned how, struct arena *arena,
                 struct store_loaded *ret_loaded) {
  struct witness *witness = (struct witness *)port;
  store_load(witness->real, ids, count, how, arena, ret_loaded);
  if (disk_was_ended()) return;
  allocation_exempt();
  for (size_t i = 0; i < count; i++) note_loaded(witness->world, ids[i], &ret_loaded[i]);
  allocation_exempt_end();
}

static bool list(struct store *port, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure) {
  return store_list(((struct witness *)port)->real, query, arena, ret_page, ret_failure);
}

static bool events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure) {
  return store_events(((struct witness *)port)->real, id, arena, ret_events, ret_count, ret_failure);
}

static bool attention(struct store *port, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure) {
  return store_list_attention(((struct witness *)port)->real, after, limit, arena, ret_page, ret_failure);
}

static const struct store_operations operations = {commit, load, list, events, attention};

void witness_init(struct witness *witness, struct store *real, struct world *world) {
  *witness = (struct witness){.port = {&operations}, .real = real, .world = world};
}

/* --- after a start -------------------------------------------------------------------------------------------
 */

static void check_history(struct witness *witness, const struct known *known, const struct order *order,
                          struct arena *arena) {
  struct order_event *history;
  size_t count;
  struct failure failure;
  if (!store_events(witness->real, order->id, arena, &history, &count, &failure)) {
    world_violate(witness->world, "history-is-complete", "%.*s: %s", ID(known), failure.text);
    return;
  }
  for (size_t i = 0; i < count; i++)
    if (history[i].sequence != (int64_t)i + 1)
      world_violate(witness->world, "versions-by-one", "%.*s: entry %zu has %lld", ID(known), i + 1,
                    (long long)history[i].sequence);
  if ((int64_t)count != order->version || hash_events(HASH_SEED, history, count, arena) != known->done.events)
    world_violate(witness->world, "history-is-complete", "%.*s: %zu entries at version %lld", ID(known), count,
                  (long long)order->version);
}

static void check_lists(struct witness *witness, size_t stored, struct arena *arena) {
  struct store_query query = {
      .customer = BYTES("ann"), .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = STORE_PAGE_MAX};
  struct store_page page;
  struct failure failure;
  if (!store_list(witness->real, &query, arena, &page, &failure))
    world_violate(witness->world, "lists-are-complete", "%s", failure.text);
  else if (page.count != stored)
    world_violate(witness->world, "lists-are-complete", "%zu orders of %zu", page.count, stored);
}

void witness_check(struct witness *witness, size_t *ret_stored) {
  struct arena arena;
  arena_init(&arena);
  *ret_stored = 0;
  for (size_t i = 0; i < witness->world->known_count; i++) {
    struct known *known = &witness->world->known[i];
    struct bytes id = bytes_from(known->id, ORDER_ID_CHARACTERS);
    struct store_loaded loaded;
    store_load(&witness->port, &id, 1, STORE_LOAD_WHOLE, &arena, &loaded);
    if (loaded.status == LOAD_FAILED) world_violate(witness->world, "no-error-without-a-fault", "load");
    known->maybe_count = 0;
    if (loaded.status != LOAD_FOUND) continue;
    ++*ret_stored;
    check_history(witness, known, loaded.order, &arena);
  }
  check_lists(witness, *ret_stored, &arena);
  arena_release(&arena);
}
