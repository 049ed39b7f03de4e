/* Customers and operators who read while everything goes on: lists page by page with every filter, what waits
 * for a person, single orders with their histories. What they are shown is held against what is stored.
 *
 * A walk through a list shows each order that the list had when the walk began, and that stayed in its filter,
 * once; newest first; nobody else's. On AWS the lists follow the table (store_sim.h): the list that counts is
 * theirs. */
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "order/step.h"
#include "simulator/world.h"
#include "wire/json.h"

enum { TRIES_MAX = 40, WALKS_MAX = 3, WAIT_S = 4 };

/* A list with its filters, and what its walk must show. */
struct walk {
  struct world *world;
  int who; /* CUSTOMERS: an operator */
  bool everybodys, has_status, has_channel, has_times;
  int customer; /* an operator's filter; -1: none */
  enum order_status status;
  int channel;
  int64_t from_ms, to_ms;
  size_t limit;
  bool *expected, *seen; /* by the order's number */
  size_t count;          /* orders that were stored when it began */
  uint64_t began;        /* the world's number of status changes then */
  int64_t last_ms;
  char last_id[ORDER_ID_CHARACTERS + 1];
  size_t pages;
};

static const struct stored *stored_of(struct world *world, struct bytes id) {
  return id.size == ORDER_ID_CHARACTERS ? store_sim_find(world->store, id) : NULL;
}

static bool is_of(const struct order *order, int customer) {
  char name[24];
  snprintf(name, sizeof name, "customer-%d", customer);
  return bytes_equal_string(order->customer, name);
}

/* By what never changes. */
static bool belongs(const struct walk *walk, const struct order *order) {
  int customer = walk->who < CUSTOMERS ? walk->who : walk->customer;
  return (customer < 0 || is_of(order, customer)) &&
         (!walk->has_channel || order->content.channel == walk->channel) &&
         (!walk->has_times || (order->created_ms >= walk->from_ms && order->created_ms < walk->to_ms));
}

static void begin(struct walk *walk) {
  struct world *world = walk->world;
  walk->count = store_sim_count(world->store);
  walk->expected = calloc(walk->count + 1, sizeof *walk->expected);
  walk->seen = calloc(walk->count + 1, sizeof *walk->seen);
  if (!walk->expected || !walk->seen) panic("out of memory");
  walk->began = world->status_changes;
  walk->last_ms = INT64_MAX;
  for (size_t i = 0; i < walk->count; i++) {
    const struct stored *stored = store_sim_at(world->store, i);
    walk->expected[i] = belongs(walk, &stored->order) &&
                        (!walk->has_status || stored->order.status == walk->status) &&
                        store_sim_is_listed(world->store, stored, walk->everybodys);
  }
}

static void see(struct walk *walk, const struct json *entry) {
  struct world *world = walk->world;
  struct bytes id = json_member_text(entry, "id");
  const struct stored *stored = stored_of(world, id);
  enum order_status status;
  int64_t created_ms;
  if (!stored || !time_parse(json_member_text(entry, "created_at"), &created_ms) ||
      !order_status_parse(json_member_text(entry, "status"), &status)) {
    world_violate(world, "lists-show-what-is-stored", "%.*s", BYTES_PRINTF(id));
    return;
  }
  if (walk->who < CUSTOMERS && !is_of(&stored->order, walk->who))
    world_violate(world, "no-foreign-eyes", "%.*s is listed to customer-%d", BYTES_PRINTF(id), walk->who);
  if (!belongs(walk, &stored->order) || (walk->has_status && status != walk->status))
    world_violate(world, "lists-are-filtered", "%.*s does not belong in it", BYTES_PRINTF(id));
  bool descends = created_ms < walk->last_ms ||
                  (created_ms == walk->last_ms && memcmp(id.data, walk->last_id, ORDER_ID_CHARACTERS) < 0);
  if (!descends || created_ms != stored->order.created_ms)
    world_violate(world, "lists-descend", "%.*s after %s", BYTES_PRINTF(id), walk->last_id);
  if (created_ms == walk->last_ms) world_mark(world, MARK_LISTED_SAME_TIME);
  walk->last_ms = created_ms;
  memcpy(walk->last_id, id.data, ORDER_ID_CHARACTERS);
  if (stored->number < walk->count) walk->seen[stored->number] = true;
}

static void end(struct walk *walk) {
  struct world *world = walk->world;
  for (size_t i = 0; i < walk->count; i++) {
    const struct stored *stored = store_sim_at(world->store, i);
    bool stayed = !walk->has_status || stored->status_changed <= walk->began;
    if (walk->expected[i] && stayed && !walk->seen[i])
      world_violate(world, "lists-are-complete", "%.*s is missing in a list of %s", ORDER_ID_CHARACTERS,
                    stored->order.id.data, walk->everybodys ? "everybody's" : "a customer's");
  }
  if (store_sim_count(world->store) > walk->count) world_mark(world, MARK_LISTED_WHILE_GROWING);
  if (walk->has_status || walk->has_channel || walk->has_times) world_mark(world, MARK_LISTED_FILTERED);
  if (walk->pages > 1) world_mark(world, walk->everybodys ? MARK_LISTED_ALL : MARK_LISTED_OWN);
}

static struct bytes target_of(const struct walk *walk, struct bytes cursor, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  text_printf(&text, "/v1/orders?limit=%zu", walk->limit);
  if (walk->customer >= 0) text_printf(&text, "&customer=customer-%d", walk->customer);
  if (walk->has_status) text_printf(&text, "&status=%s", order_status_name(walk->status));
  if (walk->has_channel) text_printf(&text, "&channel=%s", order_channel_name(walk->channel));
  if (walk->has_times) {
    char from[TIME_TEXT_BYTES + 1], to[TIME_TEXT_BYTES + 1];
    time_format(walk->from_ms, from);
    time_format(walk->to_ms, to);
    text_printf(&text, "&from=%s&to=%s", from, to);
  }
  if (cursor.size) text_printf(&text, "&cursor=%.*s", BYTES_PRINTF(cursor));
  return text_view(&text);
}

/* Asked for until it comes; NULL where the reader gives up. */
static const struct json *fetch(struct world *world, struct bytes target, int who, struct arena *arena) {
  for (int tries = 0; tries < TRIES_MAX && !world->violated; tries++) {
    struct ask ask = {.method = "GET", .target = target, .who = who};
    struct bytes detail;
    struct json *root;
    world_ask(world, &ask, arena);
    if (ask.status == 200 && json_parse(ask.answer, arena, &root, &detail)) return root;
    if (ask.status != 0 && ask.status != 503) {
      world_violate(world, "reads-are-answered", "%.*s: %d", BYTES_PRINTF(target), ask.status);
      return NULL;
    }
    sim_sleep(&world->sim, 200 + (int64_t)sim_below(&world->sim, 1000));
  }
  return NULL;
}

static void walk_through(struct walk *walk) {
  struct world *world = walk->world;
  struct arena arena;
  struct bytes cursor = {NULL, 0};
  bool whole = false;
  arena_init(&arena);
  begin(walk);
  while (!whole && !world->violated) {
    const struct json *page = fetch(world, target_of(walk, cursor, &arena), walk->who, &arena);
    const struct json *orders = json_member(page, "orders");
    if (!orders) break;
    if (orders->count > walk->limit)
      world_violate(world, "pages-are-bounded", "%zu orders of at most %zu", orders->count, walk->limit);
    for (const struct json *entry = orders->first; entry; entry = entry->next) see(walk, entry);
    cursor = json_member_text(page, "next_cursor");
    whole = cursor.size == 0;
    walk->pages++;
  }
  if (whole && !world->violated) end(walk);
  free(walk->expected);
  free(walk->seen);
  arena_release(&arena);
}

static void draw_walk(struct walk *walk) {
  struct sim *sim = &walk->world->sim;
  size_t count = store_sim_count(walk->world->store);
  walk->limit = 1 + sim_below(sim, walk->who == CUSTOMERS ? 20 : 8);
  if (walk->who == CUSTOMERS && sim_below(sim, 4) == 0) walk->customer = (int)sim_below(sim, CUSTOMERS);
  walk->everybodys = walk->who == CUSTOMERS && walk->customer < 0;
  walk->has_status = sim_below(sim, 3) == 0;
  walk->status = (enum order_status)sim_below(sim, ORDER_STATUS_COUNT);
  walk->has_channel = sim_below(sim, 4) == 0;
  walk->channel = (int)sim_below(sim, CHANNEL_COUNT);
  walk->has_times = count > 0 && sim_below(sim, 4) == 0;
  if (!walk->has_times) return;
  int64_t a = store_sim_at(walk->world->store, sim_below(sim, count))->order.created_ms;
  int64_t b = store_sim_at(walk->world->store, sim_below(sim, count))->order.created_ms;
  walk->from_ms = a < b ? a : b;
  walk->to_ms = a < b ? b : a;
}

/* --- what waits for a person ----------------------------------------------------------------------- */

struct waiting {
  const struct stored *stored;
  enum order_command command;
  int64_t since_ms;
  bool seen;
};

static size_t list_waiting(struct world *world, struct waiting *waiting, size_t room) {
  size_t count = 0;
  for (size_t i = 0; i < store_sim_count(world->store); i++)
    for (int slot = 0; slot < COMMAND_COUNT && count < room; slot++) {
      const struct stored *stored = store_sim_at(world->store, i);
      if (stored->order.slots[slot].state == SLOT_ATTENTION)
        waiting[count++] =
            (struct waiting){stored, (enum order_command)slot, stored->order.slots[slot].since_ms, false};
    }
  return count;
}

static void see_waiting(struct world *world, const struct json *entry, struct waiting *waiting, size_t count) {
  struct bytes id = json_member_text(entry, "id");
  enum order_command command;
  if (!order_command_parse(json_member_text(entry, "command"), &command) || !stored_of(world, id))
    world_violate(world, "lists-show-what-is-stored", "attention: %.*s", BYTES_PRINTF(id));
  for (size_t i = 0; i < count; i++) {
    if (!bytes_equal(waiting[i].stored->order.id, id) || waiting[i].command != command) continue;
    const struct order_slot *slot = &waiting[i].stored->order.slots[command];
    if (waiting[i].seen && slot->state == SLOT_ATTENTION && slot->since_ms == waiting[i].since_ms)
      world_violate(world, "lists-descend", "attention: %.*s twice", BYTES_PRINTF(id));
    waiting[i].seen = true;
  }
}

static void walk_attention(struct world *world) {
  enum { MOST = 200 };
  struct waiting waiting[MOST];
  struct arena arena;
  struct bytes cursor = {NULL, 0};
  size_t count = list_waiting(world, waiting, MOST), pages = 0, limit = 1 + sim_below(&world->sim, 3);
  bool whole = false;
  arena_init(&arena);
  while (!whole && !world->violated) {
    struct bytes target = arena_printf(&arena, "/v1/attention?limit=%zu%s%.*s", limit,
                                       cursor.size ? "&cursor=" : "", BYTES_PRINTF(cursor));
    const struct json *page = fetch(world, target, CUSTOMERS, &arena);
    if (!page) break;
    for (const struct json *entry = json_member(page, "orders")->first; entry; entry = entry->next)
      see_waiting(world, entry, waiting, count);
    cursor = json_member_text(page, "next_cursor");
    whole = cursor.size == 0;
    pages++;
  }
  for (size_t i = 0; i < count && whole && !world->violated; i++) {
    const struct order_slot *slot = &waiting[i].stored->order.slots[waiting[i].command];
    if (slot->state == SLOT_ATTENTION && slot->since_ms == waiting[i].since_ms && !waiting[i].seen)
      world_violate(world, "lists-are-complete", "attention: %.*s is missing", ORDER_ID_CHARACTERS,
                    waiting[i].stored->order.id.data);
  }
  if (whole && pages > 1) world_mark(world, MARK_LISTED_ATTENTION);
  arena_release(&arena);
}

/* --- single orders --------------------------------------------------------------------------------- */

static int64_t version_of(struct world *world, const struct record *record) {
  const struct stored *stored = stored_of(world, bytes_from(record->id, ORDER_ID_CHARACTERS));
  return stored ? stored->order.version : 0;
}

/* What a read shows lies between what was stored when it was asked for, and what is now. */
static void check_current(struct world *world, const struct record *record, const char *what, int64_t before,
                          int64_t shown) {
  int64_t now = version_of(world, record);
  if (shown >= before && shown <= (now ? now : 1)) return;
  world_violate(world, "reads-are-current", "%.*s: %s shows version %lld, of %lld to %lld", ORDER_ID_CHARACTERS,
                record->id, what, (long long)shown, (long long)before, (long long)now);
}

/* 0 of an order that is not in the table yet. */
static int64_t etag_version(struct bytes etag) {
  unsigned long long version;
  if (bytes_equal_string(etag, "\"waiting\"")) return 0;
  return etag.size > 2 && bytes_to_uint64(bytes_slice(etag, 1, etag.size - 1), &version) ? (int64_t)version
                                                                                         : -1;
}

static void read_events(struct world *world, const struct record *record, int who, struct arena *arena) {
  int64_t before = version_of(world, record), sequence = 0;
  struct ask ask = {.method = "GET",
                    .target = arena_printf(arena, "/v1/orders/%.*s/events", ORDER_ID_CHARACTERS, record->id),
                    .who = who};
  struct json *root;
  struct bytes detail;
  if (world_ask(world, &ask, arena) != 200 || !json_parse(ask.answer, arena, &root, &detail)) return;
  const struct json *events = json_member(root, "events");
  for (const struct json *event = events->first; event; event = event->next)
    if (json_member_int64(event, "sequence", 0) != ++sequence)
      world_violate(world, "history-is-complete", "%.*s: entry %lld is missing", ORDER_ID_CHARACTERS,
                    record->id, (long long)sequence);
  check_current(world, record, "the history", before, sequence);
  world_mark(world, MARK_LISTED_EVENTS);
}

/* Once more, if it has changed; and once more, when it has come to its end. */
static void read_again(struct world *world, const struct record *record, int who, struct bytes etag,
                       struct arena *arena) {
  int64_t before = version_of(world, record), began_ms = world->sim.now_ms;
  struct ask ask = {.method = "GET",
                    .target = arena_printf(arena, "/v1/orders/%.*s", ORDER_ID_CHARACTERS, record->id),
                    .who = who,
                    .none_match = etag};
  if (world_ask(world, &ask, arena) == 304) {
    check_current(world, record, "a 304", before, etag_version(etag));
    world_mark(world, MARK_NOT_MODIFIED);
  } else if (ask.status == 200 && bytes_equal(ask.etag, etag)) {
    world_violate(world, "unchanged-is-304", "%.*s", ORDER_ID_CHARACTERS, record->id);
  }
  if (world->options.shape != SHAPE_LOCAL) return; /* nothing there waits */
  began_ms = world->sim.now_ms;
  ask.none_match = (struct bytes){NULL, 0};
  ask.wait_s = WAIT_S;
  struct json *root;
  struct bytes detail;
  enum order_status status;
  if (world_ask(world, &ask, arena) != 200 || !json_parse(ask.answer, arena, &root, &detail) ||
      !order_status_parse(json_member_text(root, "status"), &status))
    return;
  if (!order_status_is_final(status) && world->sim.now_ms - began_ms < WAIT_S * 1000)
    world_violate(world, "waits-as-asked", "%.*s: %s too early", ORDER_ID_CHARACTERS, record->id,
                  order_status_name(status));
  world_mark(world, order_status_is_final(status) ? MARK_WAITED_FOR_THE_END : MARK_WAITED_IN_VAIN);
}

static void read_order(struct world *world, int who) {
  struct arena arena;
  const struct record *record = NULL;
  for (int tries = 0; tries < 8 && world->record_count > 0 && !record; tries++) {
    const struct record *one = world->all[sim_below(&world->sim, world->record_count)];
    if (one->acknowledged && (who == CUSTOMERS || one->customer == who)) record = one;
  }
  if (!record) return;
  arena_init(&arena);
  int64_t before = version_of(world, record);
  struct ask ask = {.method = "GET",
                    .target = arena_printf(&arena, "/v1/orders/%.*s", ORDER_ID_CHARACTERS, record->id),
                    .who = who};
  struct json *root;
  struct bytes detail;
  if (world_ask(world, &ask, &arena) == 200 && json_parse(ask.answer, &arena, &root, &detail)) {
    /* One that is shown without its content is not in the table yet. */
    int64_t shown = json_member(root, "lines") ? json_member_int64(root, "version", -1) : 0;
    check_current(world, record, "the order", before, shown);
    if (ask.etag.size && etag_version(ask.etag) != shown)
      world_violate(world, "etag-is-the-version", "%.*s: %.*s of version %lld", ORDER_ID_CHARACTERS, record->id,
                    BYTES_PRINTF(ask.etag), (long long)shown);
    if (ask.etag.size) read_again(world, record, who, ask.etag, &arena);
    read_events(world, record, who, &arena);
  }
  arena_release(&arena);
}

/* --- readers --------------------------------------------------------------------------------------- */

struct reader {
  struct world *world;
  int who;
};

static void read_on(struct sim *sim, void *context) {
  struct reader *reader = context;
  struct world *world = reader->world;
  for (uint64_t i = 0; i < WALKS_MAX && world->customers_busy > 0 && !world->violated; i++) {
    sim_chapter(sim, i);
    sim_sleep(sim, 500 + (int64_t)sim_below(sim, 12000));
    struct walk walk = {.world = world, .who = reader->who, .customer = -1};
    draw_walk(&walk);
    walk_through(&walk);
    for (int orders = 0; orders < 2 && !world->violated; orders++) read_order(world, reader->who);
    if (reader->who == CUSTOMERS && !world->violated) walk_attention(world);
  }
  free(reader);
}

void readers_start(struct world *world) {
  for (int who = 0; who <= CUSTOMERS; who++) {
    struct reader *reader = malloc(sizeof *reader);
    if (!reader) panic("out of memory");
    *reader = (struct reader){world, who};
    sim_spawn(&world->sim, world_environment(world), 0, read_on, reader);
  }
}
