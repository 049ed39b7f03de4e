/* Port: the store of orders. One machine's SQLite, DynamoDB and the simulator implement it, and all
 * must pass tests/contract.
 *
 * Effect      One commit writes an order's next state, its history entries, its claims (only when it
 *             is created) and its messages.
 * Atomicity   Each commit is all or nothing, and independent of the others of the batch. Two commits
 *             for the same order in one batch are carried out in their order.
 * Durability  When store_commit returns, every COMMIT_DONE survives kill -9 and power loss, and its
 *             messages will be delivered (port/queue.h).
 * Isolation   A create is done once an id, a claim once a key: concurrent commits see one another's
 *             results, never both succeed. A change is done only if the stored revision is the one
 *             expected.
 * Idempotence A commit that is handed in again after COMMIT_FAILED (which may have been written) is
 *             answered EXISTS_SAME (create) or CONFLICT (change); it is never carried out twice.
 * Threads     Every function may be called from any thread at any time. */
#ifndef PORT_STORE_H
#define PORT_STORE_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "order/decide.h"

enum { STORE_CLAIMS_MAX = 2, STORE_PAGE_MAX = 200 };

/* How a load may save: bits. */
enum {
  STORE_LOAD_WHOLE = 0,
  STORE_LOAD_RECENT = 1, /* may be some moments old (a change decided on it meets CONFLICT) */
  STORE_LOAD_STATE = 2,  /* of the content only the channel and whether there is a payment are needed */
  STORE_LOAD_TEXT = 4,   /* as STATE, and content_json */
  STORE_LOAD_COUNT = 8   /* of combinations; STATE and TEXT are not combined */
};

struct store_commit {
  const struct decision *decision;       /* next.revision == 1 makes it a create */
  struct bytes claims[STORE_CLAIMS_MAX]; /* keys that must be unused; create only */
  size_t claim_count;
};

enum commit_status {
  COMMIT_DONE,
  COMMIT_EXISTS_SAME,  /* create: the id exists with the same content_json */
  COMMIT_EXISTS_OTHER, /* create: the id exists with other content */
  COMMIT_CLAIM_TAKEN,  /* create: by the order in holder_id */
  COMMIT_CONFLICT,     /* change: the revision moved on (or the order is gone): load and decide again */
  COMMIT_THROTTLED,    /* surely not written; more load would not help: answer 503 or spill */
  COMMIT_FAILED        /* the environment failed; it may or may not have been written */
};

struct store_result {
  enum commit_status status;
  int64_t created_ms;                  /* DONE and EXISTS_SAME of a create: of the stored order */
  char holder_id[ORDER_ID_CHARACTERS]; /* CLAIM_TAKEN */
};

enum load_status { LOAD_FOUND, LOAD_MISSING, LOAD_FAILED };

struct store_loaded {
  enum load_status status;
  struct order *order; /* FOUND: in the caller's arena */
};

/* Newest first: by creation time, then id, both descending. */
struct store_query {
  struct bytes customer; /* empty: of everybody */
  bool has_status, has_channel, has_cursor;
  enum order_status status;
  enum order_channel channel;
  int64_t from_ms, to_ms;              /* from inclusive, to exclusive; INT64_MIN, INT64_MAX for none */
  int64_t cursor_ms;                   /* continue after this place: creation time … */
  char cursor_id[ORDER_ID_CHARACTERS]; /* … and id of the last one given */
  size_t limit;                        /* 1 to STORE_PAGE_MAX */
};

struct store_page {
  struct order *orders; /* content and slots filled */
  size_t count;
  bool more; /* continue after (cursor_ms, cursor_id); a page may be short and still have more */
  int64_t cursor_ms;
  char cursor_id[ORDER_ID_CHARACTERS];
};

/* One command that waits for a person. */
struct store_attention {
  struct bytes order_id, customer;
  enum order_command command;
  struct bytes detail;
  int64_t since_ms;
};

struct store_attention_page {
  struct store_attention *entries; /* oldest first: by since, then order id, then command */
  size_t count;
  bool more;
};

struct store;

struct store_operations {
  void (*commit)(struct store *store, const struct store_commit *commits, size_t count,
                 struct store_result *ret_results);
  void (*load)(struct store *store, const struct bytes *ids, size_t count, unsigned how, struct arena *arena,
               struct store_loaded *ret_loaded);
  bool (*list)(struct store *store, const struct store_query *query, struct arena *arena,
               struct store_page *ret_page, struct failure *ret_failure);
  bool (*events)(struct store *store, struct bytes id, struct arena *arena, struct order_event **ret_events,
                 size_t *ret_count, struct failure *ret_failure);
  bool (*attention)(struct store *store, const struct store_attention *after, size_t limit, struct arena *arena,
                    struct store_attention_page *ret_page, struct failure *ret_failure);
};

/* Implementations embed this as their first member. */
struct store {
  const struct store_operations *operations;
};

static inline void store_commit(struct store *store, const struct store_commit *commits, size_t count,
                                struct store_result *ret_results) {
  store->operations->commit(store, commits, count, ret_results);
}

static inline void store_load(struct store *store, const struct bytes *ids, size_t count, unsigned how,
                              struct arena *arena, struct store_loaded *ret_loaded) {
  store->operations->load(store, ids, count, how, arena, ret_loaded);
}

MUST_USE static inline bool store_list(struct store *store, const struct store_query *query,
                                       struct arena *arena, struct store_page *ret_page,
                                       struct failure *ret_failure) {
  return store->operations->list(store, query, arena, ret_page, ret_failure);
}

/* The whole history, by sequence; count 0 where the order does not exist. */
MUST_USE static inline bool store_events(struct store *store, struct bytes id, struct arena *arena,
                                         struct order_event **ret_events, size_t *ret_count,
                                         struct failure *ret_failure) {
  return store->operations->events(store, id, arena, ret_events, ret_count, ret_failure);
}

/* `after` is the last entry of the page before; NULL for the first page. */
MUST_USE static inline bool store_list_attention(struct store *store, const struct store_attention *after,
                                                 size_t limit, struct arena *arena,
                                                 struct store_attention_page *ret_page,
                                                 struct failure *ret_failure) {
  return store->operations->attention(store, after, limit, arena, ret_page, ret_failure);
}

#endif
