/* store_list and store_list_attention. */
#include <stdlib.h>

#include "contract/contract.h"

enum { ORDERS = 260 };

static int compare_newest_first(const void *a, const void *b) {
  const struct order *x = *(const struct order *const *)a, *y = *(const struct order *const *)b;
  if (x->created_ms != y->created_ms) return x->created_ms < y->created_ms ? 1 : -1;
  return -bytes_compare(x->id, y->id);
}

/* Few creation times, so that most are shared by many orders. */
static void make_orders(struct world *world, const struct order *ret_orders[ORDERS]) {
  static const char *const customers[] = {"ann", "bob", "an"};
  for (int i = 0; i < ORDERS; i++) {
    struct new_order new_order = {.number = i,
                                  .customer = customers[world_random(world, 3)],
                                  .channel = (int)world_random(world, CHANNEL_COUNT),
                                  .created_ms = 1000 + (int64_t)world_random(world, 9)};
    struct order *order = create(world, &new_order);
    if (world_random(world, 3) == 0) {
      struct decision *change = decision_change(world, order, ORDER_COMPLETED, 5000);
      assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
      order = &change->next;
    }
    ret_orders[i] = order;
  }
  qsort(ret_orders, ORDERS, sizeof *ret_orders, compare_newest_first);
}

static bool belongs(const struct order *order, const struct store_query *query) {
  return (query->customer.size == 0 || bytes_equal(order->customer, query->customer)) &&
         (!query->has_status || order->status == query->status) &&
         (!query->has_channel || order->content.channel == (int)query->channel) &&
         order->created_ms >= query->from_ms && order->created_ms < query->to_ms;
}

/* All pages, one after the other, are the whole list. */
static void check_pages(struct world *world, struct store_query query, const struct order *sorted[ORDERS]) {
  size_t at = 0, pages = 0;
  for (bool more = true; more; pages++) {
    assert_true(pages <= ORDERS + 1);
    struct store_page page;
    struct failure failure;
    assert_true(store_list(world_store(world), &query, &world->arena, &page, &failure));
    assert_true(page.count <= query.limit);
    for (size_t i = 0; i < page.count; i++, at++) {
      while (at < ORDERS && !belongs(sorted[at], &query)) at++;
      assert_true(at < ORDERS);
      assert_orders_equal(&page.orders[i], sorted[at]);
    }
    more = page.more;
    query.has_cursor = true;
    query.cursor_ms = page.cursor_ms;
    memcpy(query.cursor_id, page.cursor_id, ORDER_ID_CHARACTERS);
  }
  for (; at < ORDERS; at++) assert_false(belongs(sorted[at], &query));
}

static void pages_make_up_the_whole_list(void **state) {
  struct world *world = *state;
  const struct order *sorted[ORDERS];
  make_orders(world, sorted);
  const size_t limits[] = {1, 7, 50, STORE_PAGE_MAX};
  const char *const customers[] = {NULL, "ann", "an", "nobody"};
  for (int i = 0; i < 4 * 4 * 2 * 2 * 2; i++) {
    struct store_query query = {.limit = limits[i & 3],
                                .customer = bytes_of(customers[i >> 2 & 3]),
                                .has_status = i >> 4 & 1,
                                .status = ORDER_COMPLETED,
                                .has_channel = i >> 5 & 1,
                                .channel = CHANNEL_WHOLESALE,
                                .from_ms = i >> 6 & 1 ? 1002 : INT64_MIN,
                                .to_ms = i >> 6 & 1 ? 1006 : INT64_MAX};
    /* A page for each order of the whole list takes most of the time, and shows no more than one for each of a
     * part. */
    if (query.limit == 1 && query.from_ms == INT64_MIN) query.limit = 3;
    check_pages(world, query, sorted);
  }
}

static void an_empty_list_has_one_page(void **state) {
  struct world *world = *state;
  struct store_query query = {.limit = 5, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
  struct store_page page;
  struct failure failure;
  assert_true(store_list(world_store(world), &query, &world->arena, &page, &failure));
  assert_int_equal(page.count, 0);
  assert_false(page.more);
}

static void a_page_that_ends_the_list_says_so(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 4; i++) create(world, &(struct new_order){.number = i, .created_ms = 7});
  struct store_query query = {.limit = 4, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
  struct store_page page;
  struct failure failure;
  assert_true(store_list(world_store(world), &query, &world->arena, &page, &failure));
  assert_int_equal(page.count, 4);
  assert_false(page.more);
}

/* --- attention ------------------------------------------------------------------------------------- */

static struct order *to_attention(struct world *world, const struct order *order, enum order_command command,
                                  int64_t since_ms) {
  struct decision *change = decision_change(world, order, ORDER_ATTENTION, since_ms);
  change->next.slots[command] =
      (struct order_slot){.state = SLOT_ATTENTION,
                          .since_ms = since_ms,
                          .reason = arena_printf(&world->arena, "why %d", (int)command)};
  assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
  return &change->next;
}

/* Pages of `limit`, put together. */
static size_t all_attention(struct world *world, size_t limit, struct store_attention *ret_entries,
                            size_t room) {
  struct store_attention_page page = {.more = true};
  struct failure failure;
  size_t count = 0;
  while (page.more) {
    struct store_attention last = count ? ret_entries[count - 1] : (struct store_attention){0};
    assert_true(
        store_list_attention(world_store(world), count ? &last : NULL, limit, &world->arena, &page, &failure));
    assert_true(page.count <= limit && count + page.count <= room);
    for (size_t i = 0; i < page.count; i++) ret_entries[count++] = page.entries[i];
  }
  return count;
}

static void attention_lists_what_waits_for_a_person(void **state) {
  struct world *world = *state;
  struct store_attention entries[60];
  assert_int_equal(all_attention(world, 5, entries, 60), 0);
  for (int i = 0; i < 20; i++) {
    struct order *order = create(world, &(struct new_order){.number = i, .customer = "bob"});
    order = to_attention(world, order, COMMAND_SHIP, 1000 + i % 3);
    if (i % 2) to_attention(world, order, COMMAND_RECORD, 1001);
  }
  for (size_t limit = 1; limit < 40; limit += 6) {
    assert_int_equal(all_attention(world, limit, entries, 60), 30);
    for (size_t i = 1; i < 30; i++) {
      const struct store_attention *a = &entries[i - 1], *b = &entries[i];
      int ids = bytes_compare(a->order_id, b->order_id);
      assert_true(a->since_ms < b->since_ms ||
                  (a->since_ms == b->since_ms && (ids < 0 || (ids == 0 && a->command < b->command))));
    }
  }
  assert_bytes_equal(entries[0].customer, BYTES("bob"));
  assert_int_equal(entries[0].since_ms, 1000);
  assert_bytes_equal(entries[0].detail, entries[0].command == COMMAND_SHIP ? BYTES("why 4") : BYTES("why 2"));
}

static void attention_ends_with_the_command_s(void **state) {
  struct world *world = *state;
  struct store_attention entries[4];
  struct order *order = create(world, &(struct new_order){.number = 1});
  order = to_attention(world, order, COMMAND_SHIP, 1000);
  order = to_attention(world, order, COMMAND_RECORD, 1001);
  world->under->reopen(world->self);
  assert_int_equal(all_attention(world, 4, entries, 4), 2);
  struct decision *change = decision_change(world, order, ORDER_ATTENTION, 2000);
  change->next.slots[COMMAND_SHIP].state = SLOT_DONE;
  assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
  assert_int_equal(all_attention(world, 4, entries, 4), 1);
  assert_int_equal(entries[0].command, COMMAND_RECORD);
  change = decision_change(world, &change->next, ORDER_PROCESSING, 3000);
  change->next.slots[COMMAND_RECORD].state = SLOT_WAITING;
  assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
  assert_int_equal(all_attention(world, 4, entries, 4), 0);
}

#define TEST(function) \
  { #function, function, false }
const struct contract_test list_tests[] = {
    TEST(pages_make_up_the_whole_list),      TEST(an_empty_list_has_one_page),
    TEST(a_page_that_ends_the_list_says_so), TEST(attention_lists_what_waits_for_a_person),
    TEST(attention_ends_with_the_command_s), {NULL, NULL, false},
};
