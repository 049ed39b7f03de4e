/* The core: one pure function decides everything that happens to an order. Its decision is the
 * order's next state and the messages that must follow from it; whoever asked stores both in one
 * atomic write (port/store.h), so nothing is half done, only not yet done.
 *
 * Rules, in the contract's words: forward, a command is sent when the steps before it are done; the
 * order is completed when all are. A refusal or a cancel sets the target; what is unsettled is
 * settled first, then what was applied is undone, in the table's order, the refund last and always
 * where money was taken. A command that only a person can settle brings the order to attention.
 *
 * The function is total: whatever the state and the command, it answers with a verdict and never
 * asserts on its input. Messages may come twice, late and out of order: what no longer fits the
 * state is VERDICT_STALE. */
#ifndef ORDER_DECIDE_H
#define ORDER_DECIDE_H

#include "base/arena.h"
#include "order/order.h"

/* What a service promises about a command sent twice (contract section 2). */
enum idempotency { IDEMPOTENCY_KEY, IDEMPOTENCY_LOOKUP, IDEMPOTENCY_NONE };

struct order_rules {
  enum idempotency idempotency[SERVICE_COUNT];
  int64_t deadline_ms[SERVICE_COUNT]; /* duration, from a dispatch until a person must decide */
  /* Attempts are not stored before they are made, where the service honours keys: a command whose
   * message is out then counts as one that may have been sent. For platforms where a write is dear. */
  bool attempts_unstored;
  /* How long an attempt may be under way, where a message may be delivered to two at once; 0 where it may not.
   * A service that is looked up is not asked before an attempt that was begun must have ended; and a command
   * that came to attention is not taken for surely unapplied before another delivery of it must have ended. */
  int64_t attempt_ms;
};

enum command_kind {
  COMMAND_KIND_CREATE,  /* order must be NULL; `create` is the new order. With a reason it is made for a
                           person to decide: acknowledged, but in conflict with another order */
  COMMAND_KIND_BEGIN,   /* an attempt is about to be made for a message */
  COMMAND_KIND_OUTCOME, /* an attempt ended, or a callback or look-up told how */
  COMMAND_KIND_CANCEL,
  COMMAND_KIND_RETRY,   /* a person: try the command in attention again */
  COMMAND_KIND_SKIP,    /* a person: it was done by hand, or go on without it */
  COMMAND_KIND_EXPIRE,  /* a pending command's deadline came */
  COMMAND_KIND_ABANDON, /* a message could not be worked on, however often it was delivered */
  COMMAND_KIND_COUNT
};

enum outcome {
  OUTCOME_DONE,        /* applied, with the service's reference */
  OUTCOME_REFUSED,     /* refused, nothing applied */
  OUTCOME_PENDING,     /* 202: a callback will tell */
  OUTCOME_NOT_APPLIED, /* surely not applied, try again: 429, 425, a connection never made, look-up 404 */
  OUTCOME_UNKNOWN,     /* may have been applied: 408, 5xx, a redirect, no complete answer */
  OUTCOME_INVALID,     /* surely not applied, and trying again is of no use: any other 4xx */
  OUTCOME_GARBAGE,     /* a 2xx not of the agreed form: may have been applied, a person must look */
  OUTCOME_COUNT
};

struct command {
  enum command_kind kind;
  const struct order *create; /* CREATE: id, customer, content, content_json, traceparent set */
  enum order_command slot;    /* BEGIN, OUTCOME, EXPIRE, ABANDON */
  enum step step;             /* RETRY, SKIP */
  int64_t dispatch_version;   /* BEGIN, OUTCOME, EXPIRE, ABANDON: the message's; 0 for a callback: fits any */
  int64_t attempts;           /* BEGIN, OUTCOME: this attempt's number, from 1; 0: not an attempt's */
  enum outcome outcome;       /* OUTCOME */
  int64_t begun_ms;           /* OUTCOME not applied: the slot's since_ms as the attempt or look-up found it; of
                                 an attempt that was begun later it says nothing */
  bool is_callback;           /* OUTCOME */
  bool in_doubt;              /* OUTCOME: an earlier attempt's outcome is unknown (BEGIN said VERDICT_SEND) */
  struct bytes reference;     /* OUTCOME done, SKIP applied */
  struct bytes
      reason;   /* OUTCOME: of the refusal, or what the service answered; CREATE; SKIP; CANCEL; ABANDON */
  bool applied; /* SKIP */
};

/* By precedence: where several apply, the first is given. */
enum verdict {
  VERDICT_DECIDED,          /* store ret_decision */
  VERDICT_UNCHANGED,        /* already so: nothing to store, answer as if it had just been done */
  VERDICT_SEND,             /* BEGIN: send it (again, with the same key); nothing to store */
  VERDICT_LOOK_UP,          /* BEGIN: ask the service how the earlier attempt ended; nothing to store */
  VERDICT_WAIT,             /* BEGIN: an earlier attempt may still be under way: come again; nothing to store */
  VERDICT_STALE,            /* the message is out of date: drop it */
  VERDICT_MISSING,          /* there is no such order */
  VERDICT_FINAL,            /* cancel: the order is final */
  VERDICT_STEP_UNSETTLED,   /* cancel: a step's outcome is unknown and its service cannot tell */
  VERDICT_STEP_NOT_WAITING, /* retry, skip: the step does not wait for a person */
  VERDICT_CONFLICT,         /* callback: contradicts what is settled */
  VERDICT_COUNT
};

enum message_kind {
  MESSAGE_CALL,  /* send a command to its service */
  MESSAGE_EXPIRE /* a pending command's deadline */
};

/* What must follow from a decision: handed to the queue of (service, channel) with the write. */
struct order_message {
  enum message_kind kind;
  enum order_command slot;
  int64_t dispatch_version; /* with order and slot, the message's identity */
  int64_t due_ms;           /* not to be delivered before */
  int64_t deadline_ms;      /* after it, no further attempt */
};

enum { DECISION_EVENTS_MAX = 24, DECISION_MESSAGES_MAX = COMMAND_COUNT + 2 };

struct decision {
  const struct order *previous; /* as it was decided on; NULL where it is created */
  struct order next;            /* revision is one more than before; version the last event's sequence */
  struct order_event events[DECISION_EVENTS_MAX];
  size_t event_count; /* may be 0: only what is not visible changed */
  struct order_message messages[DECISION_MESSAGES_MAX];
  size_t message_count;
  bool send; /* BEGIN: once stored, send the attempt */
};

/* `order` is NULL where it does not exist. `ret_decision` is filled only on VERDICT_DECIDED; its
 * views point into `order`, `command` and the arena. */
enum verdict order_decide(const struct order *order, const struct command *command,
                          const struct order_rules *rules, int64_t now_ms, struct arena *arena,
                          struct decision *ret_decision);

/* An attempt of the command may be under way: what is told of its outcome counts. */
bool order_slot_is_open(const struct order *order, enum order_command slot, const struct order_rules *rules);

/* What the API shows of a step, derived from its two slots (contract section 5, "Shapes"). */
const char *order_step_state(const struct order *order, enum step step);
/* NULL where the order shows no refund; else waiting, running, pending, done or attention. */
const char *order_refund_state(const struct order *order);
/* The command of a step that waits for a person; false where none does. */
bool order_step_attention(const struct order *order, enum step step, enum order_command *ret_command);

#endif
