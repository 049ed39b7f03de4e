/* spillway audit: what a surge attempted, held against what the server stored and what the services
 * applied.
 *
 * lost: acknowledged, but not in the store or with other content. duplicated: an effect applied
 * twice, or two orders for one key or payment. half-finished: not final and not in attention, or
 * final with effects that do not match. foreign: stored (or an effect applied) but never attempted,
 * or stored though refused. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "base/key_index.h"
#include "order/step.h"
#include "wire/json.h"

enum audit_outcome { AUDIT_UNANSWERED, AUDIT_ACKNOWLEDGED, AUDIT_REFUSED };

/* One key of the ledger. */
struct audit_attempt {
  struct bytes key, customer, payment, purchase_order;
  struct bytes body; /* what was sent; empty where the ledger was cut off within it */
  enum audit_outcome outcome;
  struct bytes id;       /* of the order acknowledged */
  struct bytes other_id; /* a second, different one: there must be none */
  struct bytes code;     /* of the refusal */
  int64_t order;         /* the stored order that matches; -1: none */
};

struct audit_tally {
  uint32_t count;
  struct bytes reference; /* of the first */
  enum { SAID_NOTHING, SAID_NOT_RECORDED, SAID_RECORDED } recorded;
};

struct audit_step {
  struct bytes state, reference, undo_reference;
};

/* One order of the store, or one id that was acknowledged. */
struct audit_order {
  struct bytes id;
  bool found;    /* the server has it */
  bool readable; /* and its answer made sense */
  enum order_status status;
  bool has_payment;
  struct audit_step steps[STEP_COUNT];
  struct bytes refund_reference;
  int64_t attempt;         /* -1: none */
  bool second;             /* another order matches that attempt already */
  struct bytes difference; /* between what was sent and what is stored; empty: none */
  struct audit_tally effects[COMMAND_COUNT];
};

struct audit_world {
  struct arena arena, scratch;
  int64_t started_ms; /* the first run of the ledger */
  struct audit_attempt *attempts;
  size_t attempt_count, attempt_capacity;
  struct key_index by_key, by_payment, by_purchase; /* to attempts */
  struct audit_order *orders;
  size_t order_count, order_capacity;
  struct key_index by_id;   /* to orders */
  uint64_t strange_effects; /* of orders that are not in the store */
  struct bytes strange_example;
};

void audit_world_init(struct audit_world *world);
void audit_world_release(struct audit_world *world);

/* audit_ledger.c: one line of the surge's ledger; false if it is no such line. `line` must outlive
 * the world (bodies point into it). */
MUST_USE bool audit_take_line(struct audit_world *world, struct bytes line);

/* audit_world.c: the order of that id, made where it is new. */
size_t audit_order_of(struct audit_world *world, struct bytes id);
/* An order as GET /v1/orders/{id} gives it: fills in what the judge needs, finds the attempt it
 * belongs to and compares contents. */
void audit_take_order(struct audit_world *world, size_t order, const struct json *json);
/* One line of the sandbox's ledger. False if it is no such line. Effects from before the ledger
 * began are passed over where their order is unknown. */
MUST_USE bool audit_take_effect(struct audit_world *world, struct bytes line);

/* audit_compare.c: the first member of `sent` that `stored` lacks or has otherwise, as a JSON
 * pointer; empty where there is none. An absent member, null, 0, "" and {} are alike. */
struct bytes audit_difference(const struct json *sent, const struct json *stored, struct arena *arena);

/* audit_judge.c */
enum audit_violation {
  AUDIT_LOST,
  AUDIT_DUPLICATED,
  AUDIT_HALF_FINISHED,
  AUDIT_FOREIGN,
  AUDIT_VIOLATION_COUNT
};
enum {
  AUDIT_EXAMPLES_EACH = 5,
  AUDIT_EXAMPLES_MAX = AUDIT_EXAMPLES_EACH * AUDIT_VIOLATION_COUNT,
  AUDIT_CODES_MAX = 32
};

struct audit_verdict {
  uint64_t attempted, acknowledged, refused, unanswered;
  struct {
    struct bytes code;
    uint64_t count;
  } codes[AUDIT_CODES_MAX]; /* the last one takes what has no room */
  size_t code_count;
  uint64_t violations[AUDIT_VIOLATION_COUNT];
  struct {
    enum audit_violation violation;
    struct bytes text; /* order or key, and why */
  } examples[AUDIT_EXAMPLES_MAX];
  size_t example_count;
};

void audit_judge(struct audit_world *world, struct audit_verdict *ret_verdict);
bool audit_is_clean(const struct audit_verdict *verdict);

/* audit_print.c: the table of the contract, and the examples. */
void audit_print(const struct audit_verdict *verdict);

#endif
