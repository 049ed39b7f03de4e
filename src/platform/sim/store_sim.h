/* The simulated store: port/store.h to the letter, in memory, with the faults that a real one has. In two
 * shapes: messages reach the queues with the commit (one machine), or stand in a stream that a relay reads
 * (AWS's outbox). Reads may be of some moments ago where the caller allows it. With a stream, everybody's list
 * shows the orders that the relay has noted, and a customer's follows the table within STORE_SIM_INDEX_MS. */
#ifndef PLATFORM_SIM_STORE_SIM_H
#define PLATFORM_SIM_STORE_SIM_H

#include "platform/sim/sim.h"
#include "port/queue.h"
#include "port/store.h"

enum { STORE_SIM_INDEX_MS = 1000 };

/* One order as it is stored; what it points to is in an arena of its own. */
struct stored {
  struct stored *next; /* in the bucket */
  struct arena arena;  /* of what never changes */
  size_t number;       /* in the order of creation */
  int64_t stored_ms;   /* when it was created, on the world's own time */
  int64_t indexed_ms;  /* from when on its customer's list shows it */
  bool is_noted;       /* everybody's list shows it */
  struct bytes claims[STORE_CLAIMS_MAX];
  size_t claim_count;
  struct order order;     /* the newest state */
  struct arena states[2]; /* the newest state's texts, and the one before's */
  int newest;             /* which of the two */
  struct order previous;  /* for stale reads; revision 0: none */
  struct order_event *events;
  size_t event_count, event_room;
  /* the test's */
  bool contested;          /* it was made for a person to decide */
  uint64_t status_changed; /* the world's number of the last change of its status */
};

struct store_sim;

struct store_sim_options {
  struct sim *sim;
  bool has_stream; /* messages go into the stream, not to the queues */
  /* Puts messages into the queues, as part of the commit. */
  void (*put)(void *context, const struct message *message);
  /* Told of each commit, after it was applied; `stored` has the new state. */
  void (*on_applied)(void *context, struct stored *stored, const struct store_commit *commit);
  void *context;
};

struct store_sim *store_sim_make(const struct store_sim_options *options);
void store_sim_free(struct store_sim *store);
struct store *store_sim_port(struct store_sim *store);
struct stored *store_sim_find(struct store_sim *store, struct bytes id);
size_t store_sim_count(const struct store_sim *store);
struct stored *store_sim_at(struct store_sim *store, size_t number);

/* Whether lists show it now: its customer's, or everybody's. */
bool store_sim_is_listed(const struct store_sim *store, const struct stored *stored, bool everybodys);
/* How often a change met a newer revision. */
size_t store_sim_conflicts(const struct store_sim *store);

/* The stream, in the order of the commits: a new order, or a message. */
struct stream_entry {
  struct stored *created; /* NULL: a message */
  struct message message;
};
size_t store_sim_stream(const struct store_sim *store, size_t from, size_t most,
                        struct stream_entry *ret_entries);
/* The relay enters new orders into the directory; false where that failed. */
bool store_sim_note_created(struct store_sim *store, struct stored *const *created, size_t count);

#endif
