/* Several functions that create and change orders at once through the DynamoDB store, each of whose requests is
 * a step of its own; and everything that may happen to a request. One run is a list of choices: which request
 * is carried out next, what befalls it, who dies, when time passes. All lists of choices, or some by chance. */
#ifndef TESTS_PROTOCOL_EXPLORE_H
#define TESTS_PROTOCOL_EXPLORE_H

#include "function/context.h"
#include "platform/sim/sim.h"
#include "protocol/table.h"

enum {
  ACTORS_MAX = 3,
  WISHES_MAX = 3,
  CLAIMS_MAX = 2,
  PENDING_MAX = 64,
  CHOICES_MAX = 600,
  ACKNOWLEDGED_MAX = 16
};
enum { ORDERS_MAX = 3, CONTENTS_MAX = 3 };

enum wish_kind {
  WISH_NOTHING,
  WISH_CREATE,
  WISH_CONTEST, /* as function/admit makes an order for a person to decide: no claims, an entry in attention */
  WISH_CANCEL,
  WISH_RESERVED,      /* the outcome of its first command: done */
  WISH_RESERVE_FAILED /* … or nothing that a retry would mend: it waits for a person */
};

struct wish {
  enum wish_kind kind;
  int order, content;             /* which id, with which content */
  bool large;                     /* its content is an item of its own */
  const char *claims[CLAIMS_MAX]; /* CREATE */
};

struct scenario {
  const char *name;
  struct wish first[WISHES_MAX]; /* carried out beforehand, alone */
  struct wish wishes[ACTORS_MAX][WISHES_MAX];
};

extern const struct scenario scenarios[];

/* What may befall a request; each but the first takes one of the run's mishaps. */
enum mishap {
  WELL,
  LOST,       /* carried out; the answer does not come, it is tried again */
  LOST_LAST,  /* … and the function's time is over */
  LATE,       /* no answer; it is tried again; and the first may be carried out at any time after */
  LATE_LAST,  /* … and the function's time is over */
  THROTTLED,  /* not carried out */
  COLLIDED,   /* a write: with a transaction that is under way, not carried out */
  DIED,       /* the function dies; its requests may be carried out at any time after */
  DIED_AFTER, /* it dies when this one has been carried out */
  TORN,       /* a read of two items: one now, the other later */
  STALE,      /* a read that may be a moment old is */
  MISHAP_COUNT
};

struct limits {
  int mishaps, jumps; /* of one run: time that passes while others stand still */
};

struct choices {
  bool by_chance;
  uint64_t random;
  size_t taken[CHOICES_MAX], of[CHOICES_MAX], count, fixed;
};

struct run;
struct actor {
  struct run *run;
  int number, environment;
  size_t wish;
  int tries;
  uint64_t history;
  bool ended, paused, is_over;
  bool has_read; /* its last request was a read */
  uint64_t saw_writes;
  struct sim_task *task;
};

/* A request that was sent. */
struct pending {
  int by;
  bool is_read;
  uint64_t hash;
  struct actor *actor; /* NULL: nobody waits for it any more */
  struct aws_request request;
  struct aws_answer *answer;
  struct arena *arena; /* of the answer */
  size_t *left;        /* how many answers of its round are still to come */
  size_t keys_read;
};

struct acknowledged {
  int order, content;
};

struct run {
  struct sim sim;
  struct table *table;
  struct arena arena;
  const struct scenario *scenario;
  struct limits limits;
  struct choices *choices;
  struct telemetry telemetry;
  bool told;      /* the story is printed */
  bool alone;     /* what comes first: no choice */
  bool redundant; /* it came to what was gone through already */
  struct actor actors[ACTORS_MAX];
  struct pending *pending[PENDING_MAX];
  size_t pending_count, steps, waits;
  int environments;
  /* what was promised and seen */
  struct acknowledged acknowledged[ACKNOWLEDGED_MAX];
  size_t acknowledged_count;
  int changes_done[ORDERS_MAX], changes_unknown[ORDERS_MAX];
  int64_t revisions[ORDERS_MAX];
  size_t entries[ORDERS_MAX];
  uint64_t checked_writes;
  const char *violated;
  char violation[300];
  uint64_t struck[MISHAP_COUNT];
};

/* One run by these choices, which it writes down; false: a rule was broken. */
bool explore_run(const struct scenario *scenario, struct limits limits, struct choices *choices, bool told,
                 struct run *ret_run);
/* Of another scenario nothing was gone through yet. */
void seen_forget(void);
/* The next list of choices after that of the last run; false: there is none. */
bool choices_next(struct choices *choices);

/* states.c: true where everything that matters is as it was in a run before, so that what may follow is known.
 */
bool was_here_before(struct run *run);
uint64_t text_hash(struct bytes text);

/* Carries one wish out, as production's functions do; false: nothing definite came of it. */
bool wish_with(struct actor *actor, const struct wish *wish, const struct function_context *context);
struct bytes wish_order_id(int order);
/* The content's canonical JSON. */
struct bytes wish_content(const struct wish *wish);

/* rules.c: what must hold after every effect, and at the end. */
void rules_check(struct run *run);
void rules_check_end(struct run *run);
void rules_note_result(struct run *run, const struct wish *wish, const struct store_result *result);
void run_violate(struct run *run, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void run_tell(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
