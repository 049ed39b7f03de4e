#include "fake/store.h"

#include <stdlib.h>

#include "fake/testing.h"
#include "order/codec.h"
#include "order/content.h"
#include "order/content_parts.h"
#include "order/step.h"

struct fake_row *fake_store_row(struct fake_store *store, struct bytes id) {
  for (size_t i = 0; i < store->count; i++)
    if (bytes_equal(store->rows[i]->order.id, id)) return store->rows[i];
  return NULL;
}

static void write_state(struct fake_store *store, struct fake_row *row, const struct order *order) {
  struct text text;
  text_init(&text, &store->arena);
  order_state_write(order, &text);
  row->state = text_view(&text);
  row->order.revision = order->revision;
  if (!order_state_read(row->state, &store->arena, &row->order))
    fail_msg("the state cannot be read again: %.*s", BYTES_PRINTF(row->state));
}

static void add_messages(struct fake_store *store, const struct decision *decision) {
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *made = &decision->messages[i];
    assert_true(store->message_count < FAKE_MESSAGES_MAX);
    struct message *message = &store->messages[store->message_count++];
    *message = (struct message){
        .kind = made->kind,
        .slot = made->slot,
        .queue = queue_index(command_service(made->slot), decision->next.content.channel),
        .dispatch_version = made->dispatch_version,
        .created_ms = decision->next.updated_ms,
        .due_ms = made->due_ms,
        .deadline_ms = made->deadline_ms,
    };
    memcpy(message->order_id, decision->next.id.data, ORDER_ID_CHARACTERS);
  }
}

static void add_events(struct fake_store *store, struct fake_row *row, const struct decision *decision) {
  for (size_t i = 0; i < decision->event_count; i++) {
    assert_true(row->event_count < FAKE_EVENTS_MAX);
    struct order_event *event = &row->events[row->event_count++];
    *event = decision->events[i];
    event->type = arena_copy(&store->arena, event->type);
    event->step = arena_copy(&store->arena, event->step);
    event->detail = arena_copy(&store->arena, event->detail);
  }
}

static void create(struct fake_store *store, const struct store_commit *commit, struct store_result *result) {
  const struct order *order = &commit->decision->next;
  const struct fake_row *same = fake_store_row(store, order->id);
  if (same) {
    result->status =
        bytes_equal(same->order.content_json, order->content_json) ? COMMIT_EXISTS_SAME : COMMIT_EXISTS_OTHER;
    result->created_ms = same->order.created_ms;
    return;
  }
  for (size_t i = 0; i < store->count; i++)
    for (size_t j = 0; j < store->rows[i]->claim_count * commit->claim_count; j++) {
      size_t theirs = j / commit->claim_count, ours = j % commit->claim_count;
      if (!bytes_equal(store->rows[i]->claims[theirs], commit->claims[ours])) continue;
      result->status = COMMIT_CLAIM_TAKEN;
      memcpy(result->holder_id, store->rows[i]->order.id.data, ORDER_ID_CHARACTERS);
      return;
    }
  assert_true(store->count < FAKE_ORDERS_MAX);
  struct fake_row *row = store->rows[store->count++] = ARENA_NEW(&store->arena, struct fake_row);
  row->order.id = arena_copy(&store->arena, order->id);
  row->order.customer = arena_copy(&store->arena, order->customer);
  row->order.content_json = arena_copy(&store->arena, order->content_json);
  row->order.traceparent = arena_copy(&store->arena, order->traceparent);
  row->order.created_ms = result->created_ms = order->created_ms;
  assert_true(order_content_read_stored(row->order.content_json, &store->arena, &row->order.content));
  row->claim_count = commit->claim_count;
  for (size_t i = 0; i < commit->claim_count; i++)
    row->claims[i] = arena_copy(&store->arena, commit->claims[i]);
  write_state(store, row, order);
  add_events(store, row, commit->decision);
  add_messages(store, commit->decision);
}

static void change(struct fake_store *store, const struct store_commit *commit, struct store_result *result) {
  const struct order *order = &commit->decision->next;
  struct fake_row *row = fake_store_row(store, order->id);
  assert_int_equal(commit->claim_count, 0);
  if (!row || row->order.revision != order->revision - 1) {
    result->status = COMMIT_CONFLICT;
    return;
  }
  write_state(store, row, order);
  add_events(store, row, commit->decision);
  add_messages(store, commit->decision);
}

static void commit_all(struct store *port, const struct store_commit *commits, size_t count,
                       struct store_result *ret_results) {
  struct fake_store *store = (struct fake_store *)port;
  store->commit_calls++;
  store->last_batch = count;
  if (store->before_commit) store->before_commit(store, store->context);
  for (size_t i = 0; i < count; i++) {
    bool scripted = store->script_next < store->script_count;
    enum commit_status status = scripted ? store->script[store->script_next++] : COMMIT_DONE;
    ret_results[i] = (struct store_result){.status = status};
    store->commits++;
    if (status != COMMIT_DONE) continue;
    if (commits[i].decision->next.revision == 1)
      create(store, &commits[i], &ret_results[i]);
    else
      change(store, &commits[i], &ret_results[i]);
  }
}

static void load_all(struct store *port, const struct bytes *ids, size_t count, unsigned how,
                     struct arena *arena, struct store_loaded *ret_loaded) {
  struct fake_store *store = (struct fake_store *)port;
  store->load_calls++;
  store->ids_loaded += count;
  for (size_t i = 0; i < count; i++) {
    const struct fake_row *row = fake_store_row(store, ids[i]);
    ret_loaded[i] = (struct store_loaded){.status = store->fails_loads ? LOAD_FAILED : LOAD_MISSING};
    if (!row || store->fails_loads) continue;
    ret_loaded[i] = (struct store_loaded){.status = LOAD_FOUND, .order = ARENA_NEW(arena, struct order)};
    *ret_loaded[i].order = row->order;
    /* What was not asked for is not there. */
    if (how & (STORE_LOAD_STATE | STORE_LOAD_TEXT))
      assert_true(order_content_read_outline(row->order.content_json, &ret_loaded[i].order->content));
    if (how & STORE_LOAD_STATE) ret_loaded[i].order->content_json = (struct bytes){NULL, 0};
  }
}

static int compare_newest_first(const void *a, const void *b) {
  const struct order *x = &(*(struct fake_row *const *)a)->order, *y = &(*(struct fake_row *const *)b)->order;
  if (x->created_ms != y->created_ms) return x->created_ms < y->created_ms ? 1 : -1;
  return bytes_compare(y->id, x->id);
}

static bool is_listed(const struct store_query *query, const struct order *order) {
  struct bytes cursor = bytes_from(query->cursor_id, ORDER_ID_CHARACTERS);
  bool after = !query->has_cursor || order->created_ms < query->cursor_ms ||
               (order->created_ms == query->cursor_ms && bytes_compare(order->id, cursor) < 0);
  return after && (query->customer.size == 0 || bytes_equal(query->customer, order->customer)) &&
         (!query->has_status || query->status == order->status) &&
         (!query->has_channel || (int)query->channel == order->content.channel) &&
         order->created_ms >= query->from_ms && order->created_ms < query->to_ms;
}

static bool list(struct store *port, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure) {
  struct fake_store *store = (struct fake_store *)port;
  store->list_calls++;
  store->last_query = *query;
  if (store->fails_reads) return failure_set(ret_failure, "scripted");
  struct fake_row *sorted[FAKE_ORDERS_MAX];
  memcpy(sorted, store->rows, sizeof sorted);
  qsort(sorted, store->count, sizeof *sorted, compare_newest_first);
  struct store_page page = {.orders = ARENA_ARRAY(arena, query->limit, struct order)};
  for (size_t i = 0; i < store->count && !page.more; i++) {
    if (!is_listed(query, &sorted[i]->order)) continue;
    page.more = page.count == query->limit;
    if (page.more) break;
    page.orders[page.count++] = sorted[i]->order;
    page.cursor_ms = sorted[i]->order.created_ms;
    memcpy(page.cursor_id, sorted[i]->order.id.data, ORDER_ID_CHARACTERS);
  }
  *ret_page = page;
  return true;
}

static bool events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure) {
  struct fake_store *store = (struct fake_store *)port;
  store->events_calls++;
  if (store->fails_reads) return failure_set(ret_failure, "scripted");
  struct fake_row *row = fake_store_row(store, id);
  (void)arena;
  *ret_events = row ? row->events : NULL;
  *ret_count = row ? row->event_count : 0;
  return true;
}

static int compare_attention(const struct store_attention *a, const struct store_attention *b) {
  if (a->since_ms != b->since_ms) return a->since_ms < b->since_ms ? -1 : 1;
  int ids = bytes_compare(a->order_id, b->order_id);
  return ids ? ids : (int)a->command - (int)b->command;
}

static int compare_for_sort(const void *a, const void *b) { return compare_attention(a, b); }

static bool attention(struct store *port, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure) {
  struct fake_store *store = (struct fake_store *)port;
  store->attention_calls++;
  store->last_has_after = after != NULL;
  if (after) store->last_after = *after;
  if (store->fails_reads) return failure_set(ret_failure, "scripted");
  struct store_attention *all = ARENA_ARRAY(arena, FAKE_ORDERS_MAX * COMMAND_COUNT, struct store_attention);
  size_t count = 0, first = 0;
  for (size_t i = 0; i < store->count; i++)
    for (int slot = 0; slot < COMMAND_COUNT; slot++) {
      const struct order *order = &store->rows[i]->order;
      if (order->slots[slot].state != SLOT_ATTENTION) continue;
      all[count++] = (struct store_attention){.order_id = order->id,
                                              .customer = order->customer,
                                              .command = (enum order_command)slot,
                                              .detail = order->slots[slot].reason,
                                              .since_ms = order->slots[slot].since_ms};
    }
  qsort(all, count, sizeof *all, compare_for_sort);
  while (after && first < count && compare_attention(&all[first], after) <= 0) first++;
  size_t given = count - first < limit ? count - first : limit;
  *ret_page = (struct store_attention_page){all + first, given, count - first > limit};
  return true;
}

static const struct store_operations operations = {commit_all, load_all, list, events, attention};

void fake_store_init(struct fake_store *store) {
  *store = (struct fake_store){.port = {&operations}};
  arena_init(&store->arena);
}

void fake_store_release(struct fake_store *store) { arena_release(&store->arena); }

void fake_store_script(struct fake_store *store, enum commit_status status) {
  assert_true(store->script_count < FAKE_SCRIPT_MAX);
  store->script[store->script_count++] = status;
}

size_t fake_store_accesses(const struct fake_store *store) {
  return store->commit_calls + store->load_calls + store->list_calls + store->events_calls +
         store->attention_calls;
}

void fake_store_overwrite(struct fake_store *store, const struct order *order) {
  struct fake_row *row = fake_store_row(store, order->id);
  assert_non_null(row);
  write_state(store, row, order);
}

const struct message *fake_store_message(const struct fake_store *store, struct bytes id,
                                         enum message_kind kind, enum order_command slot) {
  for (size_t i = store->message_count; i > 0; i--) {
    const struct message *message = &store->messages[i - 1];
    if (message->kind == kind && message->slot == slot &&
        bytes_equal(bytes_from(message->order_id, ORDER_ID_CHARACTERS), id))
      return message;
  }
  return NULL;
}
