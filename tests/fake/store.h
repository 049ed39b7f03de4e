/* A store in memory that does what port/store.h promises, unless the test has scripted otherwise. It
 * keeps orders in their stored form, so that what cannot be written and read again fails the test. */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include "port/queue.h"
#include "port/store.h"

enum { FAKE_ORDERS_MAX = 64, FAKE_SCRIPT_MAX = 32, FAKE_MESSAGES_MAX = 256, FAKE_EVENTS_MAX = 64 };

struct fake_row {
  struct order order;
  struct bytes state;
  struct bytes claims[STORE_CLAIMS_MAX];
  size_t claim_count;
  struct order_event events[FAKE_EVENTS_MAX];
  size_t event_count;
};

struct fake_store {
  struct store port;
  struct arena arena;
  struct fake_row *rows[FAKE_ORDERS_MAX];
  size_t count;
  struct message messages[FAKE_MESSAGES_MAX]; /* all that were ever made, in order */
  size_t message_count;

  /* What the next commits are answered, one each; DONE: as the port promises. */
  enum commit_status script[FAKE_SCRIPT_MAX];
  size_t script_count, script_next;
  bool fails_loads, fails_reads; /* reads: lists, events, attention */
  /* Called before each batch of commits: another writer who comes first. */
  void (*before_commit)(struct fake_store *store, void *context);
  void *context;

  size_t commit_calls, commits, last_batch;
  size_t load_calls, ids_loaded;
  size_t list_calls, events_calls, attention_calls;
  struct store_query last_query;
  bool last_has_after;
  struct store_attention last_after;
};

void fake_store_init(struct fake_store *store);
void fake_store_release(struct fake_store *store);
void fake_store_script(struct fake_store *store, enum commit_status status);
/* How often the store was asked anything. */
size_t fake_store_accesses(const struct fake_store *store);
/* The row of that id; NULL where it is missing. */
struct fake_row *fake_store_row(struct fake_store *store, struct bytes id);
/* Puts a state in place as it is, past decide and the revision check. */
void fake_store_overwrite(struct fake_store *store, const struct order *order);
/* The newest message of an order's command; NULL where there is none. */
const struct message *fake_store_message(const struct fake_store *store, struct bytes id,
                                         enum message_kind kind, enum order_command slot);

#endif
