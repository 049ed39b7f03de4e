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
enum { PROCESS = 1, CUSTOMERS = 4, SKUS = 3, WORLD_REFERENCE_BYTES = 24 };

/* Rare paths that a run must have taken; a run of some size that misses one fails. */
#define WORLD_MARKS(X)    \
  X(ACCEPTED)             \
  X(REPLAYED)             \
  X(KEY_REUSED)           \
  X(PAYMENT_USED)         \
  X(REFUSED_EARLY)        \
  X(SPILLED)              \
  X(ADMITTED)             \
  X(CONTESTED)            \
  X(COMPLETED)            \
  X(REJECTED)             \
  X(CANCELLED)            \
  X(ATTENTION)            \
  X(RETRIED_BY_HAND)      \
  X(SKIPPED_BY_HAND)      \
  X(CANCEL_TOO_LATE)      \
  X(CALLBACK_TAKEN)       \
  X(CALLBACK_CONFLICT)    \
  X(CALLBACK_EXPIRED)     \
  X(LOOKED_UP)            \
  X(APPLIED_THEN_LOST)    \
  X(SENT_AGAIN)           \
  X(UNDONE_AFTER_REFUSAL) \
  X(DEAD_LETTER)          \
  X(PROCESS_KILLED)       \
  X(STREAM_REPLAYED)      \
  X(ZOMBIE)               \
  X(FOREIGN_ASKED)

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
    int applied;
    bool refused, asked, pending;
    char reference[WORLD_REFERENCE_BYTES];
  } commands[COMMAND_COUNT];
  int64_t quantity, sku, total;
};

struct world_options {
  uint64_t seed;
  enum shape shape;
  size_t orders;
  struct sim_faults faults;
  enum idempotency idempotency[SERVICE_COUNT];
  bool jumps;     /* the wall clock jumps */
  bool operators; /* persons work on attention */
  uint64_t exact_point;
  enum sim_fault exact_fault;
  bool exact_for_ever;
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
  size_t attempted, acknowledged, customers_busy;
  int64_t stock[SKUS], stock_at_first;
  int64_t money_recorded, money_refunded;
  size_t stream_position;
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
/* One request through the gateway, in an environment of its own; 0: no answer came. The body is in `arena`. */
int world_request(struct world *world, const char *method, struct bytes target, int who, struct bytes key,
                  struct bytes body, struct arena *arena, struct bytes *ret_body, bool *ret_replayed);
/* invariants.c */
void invariants_on_commit(struct world *world, struct stored *stored, const struct store_commit *commit);
void invariants_at_end(struct world *world);
/* A callback was taken (204) at this time, by the world's wall clock. */
void invariants_on_callback(struct world *world, const struct record *record, int64_t deadline_ms);
/* Everybody's orders, page by page, as an operator sees them. */
void customers_list_all(struct world *world);
void invariants_on_applied(struct world *world, struct record *record, enum order_command command);

#endif
