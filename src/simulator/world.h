/* One simulated world: the functions and the gateway of production over simulated ports, the services, the
 * customers and operators, and what each of them knows. Part of the simulator only. */
#ifndef SIMULATOR_WORLD_H
#define SIMULATOR_WORLD_H

#include <stdio.h>

#include "function/context.h"
#include "gateway/config.h"
#include "platform/sim/queue_sim.h"
#include "platform/sim/sim.h"
#include "platform/sim/store_sim.h"
#include "port/services.h"

enum shape { SHAPE_LOCAL, SHAPE_AWS };
enum { PROCESS = 1, CUSTOMERS = 4, SKUS = 3, WORLD_REFERENCE_BYTES = 24, WORLD_LINE_MAX = 32 };

struct retail;
struct serving;

/* Rare paths that a run must have taken; a run of some size that misses one fails. */
#define WORLD_MARKS(X)    \
  X(ACCEPTED)             \
  X(REPLAYED)             \
  X(KEY_REUSED)           \
  X(PAYMENT_USED)         \
  X(PAYMENT_OF_ANOTHER)   \
  X(PURCHASE_ORDER_USED)  \
  X(REFUSED_INVALID)      \
  X(REAL_ORDER)           \
  X(ON_TERMS_COMPLETED)   \
  X(ON_TERMS_UNDONE)      \
  X(REFUSED_EARLY)        \
  X(SPILLED)              \
  X(ADMITTED)             \
  X(CONTESTED)            \
  X(COMPLETED)            \
  X(REJECTED)             \
  X(CANCELLED)            \
  X(ATTENTION)            \
  X(RETRIED_BY_HAND)      \
  X(SKIPPED_AS_APPLIED)   \
  X(SKIPPED_UNAPPLIED)    \
  X(CANCEL_TOO_LATE)      \
  X(CALLBACK_TAKEN)       \
  X(CALLBACK_TWICE)       \
  X(CALLBACK_CONFLICT)    \
  X(CALLBACK_EXPIRED)     \
  X(LOOKED_UP_APPLIED)    \
  X(LOOKED_UP_UNKNOWN)    \
  X(UNKNOWN_WITHOUT_KEYS) \
  X(APPLIED_THEN_LOST)    \
  X(SENT_AGAIN)           \
  X(UNDONE_AFTER_REFUSAL) \
  X(DEAD_LETTER)          \
  X(PROCESS_KILLED)       \
  X(STREAM_REPLAYED)      \
  X(ZOMBIE)               \
  X(FOREIGN_ASKED)        \
  X(COMMIT_CONFLICT)      \
  X(REDELIVERED_RUNNING)  \
  X(PROCESS_STOPPED)      \
  X(CLOCK_BACK)           \
  X(CLOCK_AHEAD)          \
  X(SERVED_IN_ONE_BATCH)  \
  X(LISTED_OWN)           \
  X(LISTED_ALL)           \
  X(LISTED_FILTERED)      \
  X(LISTED_SAME_TIME)     \
  X(LISTED_WHILE_GROWING) \
  X(LISTED_ATTENTION)     \
  X(LISTED_EVENTS)        \
  X(NOT_MODIFIED)         \
  X(WAITED_FOR_THE_END)   \
  X(WAITED_IN_VAIN)

enum world_mark {
#define X(name) MARK_##name,
  WORLD_MARKS(X)
#undef X
      MARK_COUNT
};
extern const char *const world_mark_names[MARK_COUNT];

/* What the services know of an order, and what the customer knows: one record for each id ever attempted. */
struct record {
  struct record *next;
  struct arena arena;
  char id[ORDER_ID_CHARACTERS];
  int customer;
  struct bytes key, content_json; /* of the first attempt that was acknowledged; empty: none was */
  struct bytes payment;           /* reference */
  struct bytes bodies[4];         /* what was ever sent under this key, as canonical JSON */
  size_t body_count;
  bool acknowledged;
  struct bytes first_answer; /* the body of the first 202 */
  /* the services' side */
  struct {
    int applied, calls;
    bool refused, asked, pending;
    char reference[WORLD_REFERENCE_BYTES];
  } commands[COMMAND_COUNT];
  int64_t units[SKUS], total;
  bool on_terms; /* no payment was taken */
};

/* What an order that was sent asks to have for itself. */
struct used {
  int customer;
  char id[ORDER_ID_CHARACTERS];
  struct bytes payment, purchase_order;
};

struct world_options {
  uint64_t seed;
  enum shape shape;
  size_t orders;
  struct sim_faults faults;
  enum idempotency idempotency[SERVICE_COUNT];
  bool jumps;                    /* the wall clock jumps */
  bool operators;                /* persons work on attention */
  bool readers;                  /* customers and operators page through lists, and look at orders */
  const struct retail *invoices; /* real orders are made of them; NULL: none */
  /* For shrinking: only these faults (sorted by name; NULL: by chance), without these orders, and without
   * delays that no fault makes. */
  const struct sim_strike *only;
  size_t only_count;
  const bool *left_out; /* by customer and number; NULL: none */
  bool prompt;
  uint64_t exact_point;
  enum sim_fault exact_fault;
  bool exact_for_ever;
  unsigned *allowed; /* sim.h */
  size_t allowed_room;
  const char *story; /* tell about this order (a prefix of its id; "" for all); NULL: none */
};

struct world {
  struct sim sim;
  struct world_options options;
  struct store_sim *store;
  struct queue_sim *queue;
  struct services services;
  struct telemetry telemetry;
  struct function_context functions;
  struct gateway *gateway;
  struct jwt_keys *keys;
  struct bytes tokens[CUSTOMERS + 1]; /* the last one is the operator's */
  struct arena arena;
  struct record **records; /* buckets */
  size_t record_count;
  struct record **all;
  struct used *used;
  size_t used_count, used_room;
  size_t attempted, acknowledged, customers_busy;
  int64_t stock[SKUS], stock_at_first;
  int64_t money_recorded, money_refunded;
  size_t stream_position;
  uint64_t status_changes;
  struct serving *line[WORLD_LINE_MAX]; /* one machine: requests that wait to be served as one batch */
  size_t line_count;
  bool line_is_served;
  bool relay_is_on, quiet;
  int next_environment;
  uint64_t marks[MARK_COUNT];
  /* the first violation */
  const char *violated;
  char violation[600];
};

void world_open(struct world *world, const struct world_options *options);
/* Lets everything happen; then the faults stop, and everything must come to its end. False: a violation. */
bool world_run(struct world *world);
void world_close(struct world *world);

static inline void world_mark(struct world *world, enum world_mark mark) { world->marks[mark]++; }
/* Notes a broken invariant, once, and tells it. */
void world_violate(struct world *world, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line of the story of an order, and a mark in the trace's hash. */
void world_tell(struct world *world, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int world_environment(struct world *world);

struct record *record_find(struct world *world, struct bytes id);
struct record *record_make(struct world *world, struct bytes id);

/* services.c */
void services_open(struct world *world);
/* customers.c */
void customers_start(struct world *world);
/* The place of a customer's order in world_options.left_out. */
static inline size_t customers_place(int customer, size_t number) {
  return number * CUSTOMERS + (size_t)customer;
}
/* Everybody's orders, page by page, as an operator sees them, when nothing happens any more. */
void customers_list_all(struct world *world);
/* orders.c */
struct bytes order_body(struct world *world, bool wholesale, struct bytes payment, struct bytes purchase_order,
                        int variant, struct arena *arena);
/* Of a real invoice, which may be one that must be refused. */
struct bytes order_body_real(struct world *world, struct bytes payment, struct bytes purchase_order,
                             struct arena *arena);
/* readers.c */
void readers_start(struct world *world);

/* requests.c: one request through the gateway, as a server would serve it. */
struct ask {
  const char *method;
  struct bytes target, key, body, none_match;
  int who;         /* a customer, CUSTOMERS: the operator, -1: nobody */
  int wait_s;      /* Prefer: wait */
  int64_t most_ms; /* how long it is waited for; 0: half a minute */
  /* the answer, in the caller's arena; status 0: none came */
  int status;
  struct bytes answer, etag;
  bool replayed;
};
int world_ask(struct world *world, struct ask *ask, struct arena *arena);
int world_request(struct world *world, const char *method, struct bytes target, int who, struct bytes key,
                  struct bytes body, struct arena *arena, struct bytes *ret_body, bool *ret_replayed);
/* The process is gone, and with it all requests that waited. */
void requests_forget(struct world *world);
/* invariants.c */
void invariants_on_commit(struct world *world, struct stored *stored, const struct store_commit *commit);
void invariants_at_end(struct world *world);
/* A callback was taken (204) at this time, by the world's wall clock. */
void invariants_on_callback(struct world *world, const struct record *record, int64_t deadline_ms);
void invariants_on_applied(struct world *world, struct record *record, enum order_command command);

#endif
