/* For the tests of the core: its rules, and an order that is told a story. */
#ifndef ORDER_DECIDE_TEST_TOOLS_H
#define ORDER_DECIDE_TEST_TOOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "order/decide.h"
#include "order/step.h"

enum { NOW = 1000000, DEADLINE = 60000 };

static struct arena arena;
static struct order_rules rules;

static inline int set_up(void **state) {
  (void)state;
  arena_init(&arena);
  rules.attempts_unstored = false;
  for (int i = 0; i < SERVICE_COUNT; i++) {
    rules.idempotency[i] = IDEMPOTENCY_KEY;
    rules.deadline_ms[i] = DEADLINE;
  }
  return 0;
}

static inline int tear_down(void **state) {
  (void)state;
  arena_release(&arena);
  return 0;
}

/* --- an order that is told a story --- */

static struct order_line a_line;
static const struct order_payment a_payment = {.reference = {"pay_1", 5}};

static inline struct order new_order(bool paid) {
  a_line = (struct order_line){.sku = BYTES("A"), .quantity = 2, .unit_price = 100};
  return (struct order){.id = BYTES("ord_1"),
                        .customer = BYTES("ada"),
                        .content = {.channel = paid ? CHANNEL_RETAIL : CHANNEL_WHOLESALE,
                                    .currency = BYTES("GBP"),
                                    .lines = {&a_line, 1},
                                    .total = 200,
                                    .payment = paid ? &a_payment : NULL,
                                    .purchase_order = paid ? (struct bytes){NULL, 0} : BYTES("po-1")}};
}

struct story {
  struct order order;
  struct decision decision;
  enum verdict verdict;
  int64_t now_ms;
};

static inline enum verdict tell(struct story *story, struct command command) {
  struct order *before = ARENA_NEW(&arena, struct order);
  *before = story->order;
  story->verdict =
      order_decide(before->version ? before : NULL, &command, &rules, story->now_ms, &arena, &story->decision);
  if (story->verdict == VERDICT_DECIDED) story->order = story->decision.next;
  return story->verdict;
}

static inline struct story created(bool paid) {
  struct order *order = ARENA_NEW(&arena, struct order);
  *order = new_order(paid);
  struct story story = {.now_ms = NOW};
  assert_int_equal(tell(&story, (struct command){.kind = COMMAND_KIND_CREATE, .create = order}),
                   VERDICT_DECIDED);
  return story;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
