/* What every store and its queues must do (port/store.h, port/queue.h), as tests that know only the
 * ports. An implementation fills a struct store_under_test and calls contract_run from its main. */
#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "order/decide.h"
#include "port/queue.h"
#include "port/store.h"

struct store_under_test {
  const char *name;
  bool has_threads; /* may be called from several threads at once */
  bool has_queues;  /* its queues are its own, and are tested; else `queue` only gives what commits brought */
  void *(*make)(void); /* a fresh, empty store with its queues */
  struct store *(*store)(void *self);
  struct queue *(*queue)(void *self);
  void (*reopen)(void *self); /* ends as it should, and starts again */
  void (*crash)(void *self);  /* ends as by kill -9 while no call is under way, and starts again */
  void (*destroy)(void *self);
  void (*wait)(void *self); /* gives what happens by itself a moment (SQS redelivers, rows are read in) */
};

/* Runs all; the number of failed tests. */
int contract_run(const struct store_under_test *under);

/* --- for the tests: one store, and orders to put into it -------------------------------------------- */

struct world {
  const struct store_under_test *under;
  void *self;
  struct arena arena;
  uint64_t random; /* state; the same in every run */
};

struct store *world_store(struct world *world);
struct queue *world_queue(struct world *world);
uint64_t world_random(struct world *world, uint64_t below);

/* A new order: the same number and variant give the same order, another variant the same id with
 * other content. It has one event and one message, a call of reserve that is due at created_ms. */
struct new_order {
  int number, variant;
  const char *customer; /* NULL: "ann" */
  int channel;
  int64_t created_ms;
  size_t lines; /* 0: one */
  const char *claims[STORE_CLAIMS_MAX];
};

struct bytes order_id_of(struct world *world, int number);
struct decision *decision_create(struct world *world, const struct new_order *new_order);
/* The next version of it: another status, one event, no message. */
struct decision *decision_change(struct world *world, const struct order *order, enum order_status status,
                                 int64_t now_ms);
void decision_add_message(struct decision *decision, enum message_kind kind, enum order_command slot,
                          int64_t due_ms, int64_t deadline_ms);

struct store_commit commit_of(const struct decision *decision, const struct new_order *claims);
/* One commit. */
struct store_result commit_one(struct world *world, const struct decision *decision,
                               const struct new_order *claims);
/* Makes the order and gives it as loaded. */
struct order *create(struct world *world, const struct new_order *new_order);
/* NULL where it is missing. */
struct order *load(struct world *world, struct bytes id);
void assert_orders_equal(const struct order *a, const struct order *b);
void assert_bytes_equal(struct bytes a, struct bytes b);

/* Receives up to `most` of one queue, waiting a moment where none comes at once. */
size_t receive(struct world *world, int queue, int64_t now_ms, size_t most, struct message *ret_messages);
void acknowledge(struct world *world, const struct message *messages, size_t count, int64_t now_ms);
void put_back(struct world *world, const struct message *message, int64_t delay_ms, const char *note,
              int64_t now_ms);

/* The tests, by file. */
struct contract_test {
  const char *name;
  void (*function)(void **state);
  bool needs_threads;
};
extern const struct contract_test commit_tests[], list_tests[], queue_tests[]; /* each ends with a NULL name */

#endif
