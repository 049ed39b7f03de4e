/* The orders at hand: the newest of each, whole, and never more than there is room for. */
#include "platform/local/store_sqlite_recent.h"

#include <stdio.h>

#include "fake/testing.h"

enum { MANY = 3000 };

struct fixture {
  struct recent_orders *recent;
  struct arena arena;
};

static int set_up(void **state) {
  static struct fixture fixture;
  fixture.recent = recent_orders_create(1024 * 1024);
  arena_init(&fixture.arena);
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  recent_orders_free(f->recent);
  arena_release(&f->arena);
  return 0;
}

static struct order order_numbered(struct fixture *f, int number) {
  static const struct order_payment payment = {.reference = {"pay", 3}};
  struct order order = {.id = arena_printf(&f->arena, "ord_%032d", number),
                        .customer = BYTES("ann"),
                        .content = {.channel = CHANNEL_WHOLESALE, .payment = &payment},
                        .content_json = arena_printf(&f->arena, "{\"number\":%d}", number),
                        .traceparent = BYTES("00-1-2-01"),
                        .status = ORDER_PROCESSING,
                        .version = 3,
                        .revision = 5,
                        .created_ms = 1000 + number};
  order.slots[COMMAND_RECALL] = (struct order_slot){.state = SLOT_ATTENTION, .reason = BYTES("why")};
  return order;
}

static void test_an_order_is_given_back_whole(void **state) {
  struct fixture *f = *state;
  struct order order = order_numbered(f, 1);
  recent_orders_put(f->recent, &order, 77);
  struct order *found = recent_orders_find(f->recent, order.id, &f->arena);
  assert_non_null(found);
  assert_views_equal(found->id, order.id);
  assert_text(found->customer, "ann");
  assert_text(found->content_json, "{\"number\":1}");
  assert_text(found->traceparent, "00-1-2-01");
  assert_int_equal(found->content.channel, CHANNEL_WHOLESALE);
  assert_non_null(found->content.payment);
  assert_int_equal(found->content.payment->reference.size, 0); /* an outline only */
  assert_int_equal(found->slots[COMMAND_RECALL].state, SLOT_ATTENTION);
  assert_text(found->slots[COMMAND_RECALL].reason, "why");
  assert_int_equal(found->revision, 5);
  struct order_place place;
  assert_true(recent_orders_find_place(f->recent, order.id, &place));
  assert_int_equal(place.seq, 77);
  assert_int_equal(place.revision, 5);
  assert_int_equal(place.created_ms, 1001);
  assert_int_equal(place.status, ORDER_PROCESSING);
  assert_int_equal(place.attention, 1U << COMMAND_RECALL);
}

static void test_what_is_not_here(void **state) {
  struct fixture *f = *state;
  struct order_place place;
  assert_null(recent_orders_find(f->recent, BYTES("ord_00000000000000000000000000000009"), &f->arena));
  assert_null(recent_orders_find(f->recent, BYTES("short"), &f->arena));
  assert_false(recent_orders_find_place(f->recent, BYTES(""), &place));
}

static void test_the_newest_replaces_the_one_before(void **state) {
  struct fixture *f = *state;
  struct order order = order_numbered(f, 1);
  recent_orders_put(f->recent, &order, 1);
  struct order *before = recent_orders_find(f->recent, order.id, &f->arena);
  order.revision = 6;
  order.content_json = (struct bytes){NULL, 0}; /* a change does not bring it along */
  order.reason = BYTES("changed my mind");
  recent_orders_put(f->recent, &order, 1);
  struct order *after = recent_orders_find(f->recent, order.id, &f->arena);
  assert_int_equal(after->revision, 6);
  assert_text(after->reason, "changed my mind");
  assert_text(after->content_json, "{\"number\":1}");
  assert_int_equal(before->revision, 5); /* a copy */
}

static void test_without_content_it_is_not_taken_in(void **state) {
  struct fixture *f = *state;
  struct order order = order_numbered(f, 1);
  order.content_json = (struct bytes){NULL, 0};
  recent_orders_put(f->recent, &order, 1);
  assert_null(recent_orders_find(f->recent, order.id, &f->arena));
}

static void test_the_oldest_go_first(void **state) {
  struct fixture *f = *state;
  int kept = 0;
  for (int i = 0; i < MANY; i++) {
    struct order order = order_numbered(f, i);
    recent_orders_put(f->recent, &order, i);
    if (i > 0 && i % 100 == 0) { /* one that is written again stays */
      order = order_numbered(f, 0);
      recent_orders_put(f->recent, &order, 0);
    }
  }
  bool seen = false;
  for (int i = 1; i < MANY; i++) {
    bool here = recent_orders_find(f->recent, order_numbered(f, i).id, &f->arena) != NULL;
    assert_true(here || !seen); /* from some number on all are here */
    seen = seen || here;
    kept += here;
  }
  assert_true(kept > 200 && kept < MANY - 200);
  assert_non_null(recent_orders_find(f->recent, order_numbered(f, 0).id, &f->arena));
}

/* Ids that differ at their beginning, in their middle or at their end alone are found as fast. */
static void test_ids_that_are_alike(void **state) {
  struct fixture *f = *state;
  for (int place = 0; place < 3; place++) {
    for (int i = 0; i < MANY; i++) {
      struct order order = order_numbered(f, 0);
      char *id = arena_string(&f->arena, order.id), number[16];
      snprintf(number, sizeof number, "%06d", i);
      memcpy(id + 4 + place * 13, number, 6);
      order.id = bytes_from(id, ORDER_ID_CHARACTERS);
      recent_orders_put(f->recent, &order, i);
      struct order_place found;
      assert_true(recent_orders_find_place(f->recent, order.id, &found));
      assert_int_equal(found.seq, i);
    }
    assert_true(recent_orders_longest_chain(f->recent) <= 12);
  }
}

/* One too large for all the room there is leaves nothing behind. */
static void test_one_that_is_too_large(void **state) {
  struct fixture *f = *state;
  struct order order = order_numbered(f, 1), large = order_numbered(f, 2);
  recent_orders_put(f->recent, &order, 1);
  large.content_json = bytes_from(arena_allocate(&f->arena, 1024 * 1024), 1024 * 1024);
  recent_orders_put(f->recent, &large, 2);
  assert_null(recent_orders_find(f->recent, large.id, &f->arena));
  recent_orders_put(f->recent, &order, 1);
  assert_non_null(recent_orders_find(f->recent, order.id, &f->arena));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_an_order_is_given_back_whole),
      TEST(test_what_is_not_here),
      TEST(test_the_newest_replaces_the_one_before),
      TEST(test_without_content_it_is_not_taken_in),
      TEST(test_the_oldest_go_first),
      TEST(test_ids_that_are_alike),
      TEST(test_one_that_is_too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
