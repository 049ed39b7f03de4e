/* What the tests of the SQLite store share: a store in a folder of its own, and orders for it. */
#ifndef PLATFORM_LOCAL_STORE_SQLITE_TESTING_H
#define PLATFORM_LOCAL_STORE_SQLITE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/encode.h"
#include "order/content.h"
#include "platform/local/store_sqlite.h"

struct fixture {
  char parent[64], folder[80], database[100];
  struct store_sqlite *store;
  struct arena arena;
  atomic_int fatal_count;
  char fatal[400];
};

static inline void on_fatal(void *context, const char *text) {
  struct fixture *f = context;
  f->fatal_count++;
  snprintf(f->fatal, sizeof f->fatal, "%s", text);
}

static inline bool try_open(struct fixture *f, struct store_sqlite **ret_store, struct failure *ret_failure) {
  struct store_sqlite_options options = {
      .data_folder = f->folder, .on_fatal = on_fatal, .fatal_context = f, .waiting_max = 10};
  return store_sqlite_open(&options, ret_store, ret_failure);
}

static inline void open_store(struct fixture *f) {
  struct failure failure;
  if (!try_open(f, &f->store, &failure)) fail_msg("%s", failure.text);
}

static inline void close_store(struct fixture *f) {
  store_sqlite_close(f->store);
  f->store = NULL;
}

static inline void assert_refused(struct fixture *f, const char *with_text) {
  struct store_sqlite *store;
  struct failure failure;
  assert_false(try_open(f, &store, &failure));
  if (!strstr(failure.text, with_text)) fail_msg("\"%s\" does not say \"%s\"", failure.text, with_text);
}

static inline int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->parent, "/tmp/spillway-store-XXXXXX");
  assert_non_null(mkdtemp(f->parent));
  snprintf(f->folder, sizeof f->folder, "%s/data", f->parent);
  snprintf(f->database, sizeof f->database, "%s/orders.db", f->folder);
  arena_init(&f->arena);
  *state = f;
  return 0;
}

static inline int tear_down(void **state) {
  struct fixture *f = *state;
  close_store(f);
  arena_release(&f->arena);
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", f->parent);
  int code = system(command);
  free(f);
  return code;
}

static inline struct bytes id_of(struct fixture *f, int number) {
  uint8_t digest[SHA256_BYTES];
  sha256(bytes_from(&number, sizeof number), digest);
  char *id = arena_allocate(&f->arena, ORDER_ID_CHARACTERS);
  memcpy(id, "ord_", 4);
  base32_encode(digest, 20, id + 4);
  return bytes_from(id, ORDER_ID_CHARACTERS);
}

static inline struct decision *new_order(struct fixture *f, int number, int64_t now_ms) {
  struct decision *decision = ARENA_NEW(&f->arena, struct decision);
  static const struct order_address address = {
      .name = {"A", 1}, .line1 = {"B", 1}, .city = {"C", 1}, .country = {"GB", 2}};
  struct order_line *line = ARENA_NEW(&f->arena, struct order_line);
  *line = (struct order_line){BYTES("x"), 1, 1};
  struct order_payment *payment = ARENA_NEW(&f->arena, struct order_payment);
  payment->reference = arena_printf(&f->arena, "pay_%d", number);
  struct order *order = &decision->next;
  *order = (struct order){.id = id_of(f, number),
                          .customer = BYTES("ann"),
                          .content = {.currency = BYTES("GBP"),
                                      .lines = {line, 1},
                                      .total = 1,
                                      .payment = payment,
                                      .ship_to = &address},
                          .version = 1,
                          .revision = 1,
                          .created_ms = now_ms,
                          .updated_ms = now_ms};
  order->content_json = order_content_write(&order->content, &f->arena);
  decision->event_count = 1;
  decision->events[0] = (struct order_event){.sequence = 1, .type = BYTES("order.accepted"), .at_ms = now_ms};
  decision->message_count = 1;
  decision->messages[0] = (struct order_message){
      .slot = COMMAND_RESERVE, .dispatch_version = 1, .due_ms = now_ms, .deadline_ms = now_ms + 1000};
  return decision;
}

static inline enum commit_status commit(struct fixture *f, const struct decision *decision) {
  struct store_commit one = {.decision = decision};
  struct store_result result;
  store_commit(store_sqlite_store(f->store), &one, 1, &result);
  return result.status;
}

static inline bool exists(struct fixture *f, int number) {
  struct bytes id = id_of(f, number);
  struct store_loaded loaded;
  store_load(store_sqlite_store(f->store), &id, 1, STORE_LOAD_WHOLE, &f->arena, &loaded);
  assert_int_not_equal(loaded.status, LOAD_FAILED);
  return loaded.status == LOAD_FOUND;
}

#endif
