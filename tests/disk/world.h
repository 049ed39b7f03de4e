/* What is known outside of the machine: what its store has answered, what the services have applied.
 * It holds no pointers, so that it can lie in memory that outlives the process.
 *
 * The witness is a store that stands before the real one and remembers every answer: a commit that was
 * answered DONE, or that was seen by a reader or by a replay, must be there from then on, whatever
 * happens; one that was answered FAILED, or never, may be there or not, whole; any other may not. */
#ifndef TESTS_DISK_WORLD_H
#define TESTS_DISK_WORLD_H

#include "function/context.h"
#include "order/step.h"
#include "port/services.h"

enum { KNOWN_MAX = 16, MAYBES_MAX = 512, VIOLATION_BYTES = 500 };

/* An order's state after a commit; the hashes are of all that is stored of it. */
struct mark {
  int64_t revision; /* 0: the order does not exist */
  uint64_t state, events;
};

struct known {
  char id[ORDER_ID_CHARACTERS];
  uint64_t content;
  uint64_t claims[STORE_CLAIMS_MAX];
  size_t claim_count;
  struct mark done;
  struct mark maybes[MAYBES_MAX];
  size_t maybe_count;
  bool has_payment;
  int asked[COMMAND_COUNT], applied[COMMAND_COUNT]; /* by the services */
};

struct world {
  struct known known[KNOWN_MAX];
  size_t known_count;
  int64_t now_ms; /* the outside's clock goes on */
  bool memory_is_short;
  int64_t fillers; /* orders that are there to make the log long, of somebody else */
  int64_t commits_done, calls;
  char violation[VIOLATION_BYTES]; /* the first one; empty: none */
};

void world_init(struct world *world);
/* Notes what does not hold; the first one stays. */
void world_violate(struct world *world, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct known *world_find(struct world *world, struct bytes id);
uint64_t hash_bytes(uint64_t seed, struct bytes bytes);

struct witness {
  struct store port;
  struct store *real;
  struct world *world;
};
void witness_init(struct witness *witness, struct store *real, struct world *world);

/* After a start, with nothing under way: every order is as it must be, by the store's port; what may have
 * been written is settled from here on. */
void witness_check(struct witness *witness, size_t *ret_stored);

#endif
