/* spillway surge: a coupon spike of real orders, open loop. Each action (an order, or the
 * cancellation of an earlier one) has its time set beforehand; how long it took counts from that
 * time, whether or not the server kept up. */
#ifndef CLI_SURGE_H
#define CLI_SURGE_H

#include "base/failure.h"
#include "base/key_index.h"
#include "cli/client.h"
#include "cli/histogram.h"
#include "cli/surge_curve.h"
#include "retail/retail.h"

struct surge_settings {
  const char *url, *orders_file, *secret_file, *token_file, *issuer, *audience, *ledger, *run;
  int64_t connections, orders, duration_ms, settle_ms, timeout_ms, retries, seed;
  double base_rate, peak_rate, scale, coupon_rate;
  bool no_cancels;
};

/* How far an order has come; of the orders only, for the cancellations that wait for them. */
enum surge_progress { SURGE_PLANNED, SURGE_SENT, SURGE_ACKNOWLEDGED, SURGE_GIVEN_UP };

enum { SURGE_ID_BYTES = 40, SURGE_KEY_BYTES = 48 };

struct surge_action {
  uint32_t invoice;
  uint32_t cycle;       /* how often the file was gone through before */
  int64_t target;       /* the action that a cancellation cancels; -1 for an order */
  int64_t cancelled_by; /* the action that waits for this order's id; -1: none */
  enum surge_progress progress;
  char id[SURGE_ID_BYTES]; /* once acknowledged */
};

/* An action under way. */
struct surge_request {
  size_t action;
  int tries;
  bool is_cancel;
  int64_t intended_us, due_us; /* on the monotonic clock; due: of the next try */
  struct text message;         /* on the heap: the whole HTTP request */
  size_t body_at;              /* where in it the body begins */
  char key[SURGE_KEY_BYTES];
  struct surge *surge;
  struct surge_request *before, *after; /* among those under way */
};

enum { SURGE_CODES_MAX = 64, SURGE_CODE_BYTES = 48, SURGE_SECONDS_MAX = 24 * 3600 };

struct surge_code {
  char code[SURGE_CODE_BYTES];
  uint64_t count;
};

struct surge_counts {
  uint64_t sent;     /* orders begun */
  uint64_t attempts; /* requests for orders, retries included */
  uint64_t acknowledged, refused, unanswered, retried;
  uint64_t overloaded; /* 503 and 429 answers */
  uint64_t failed;     /* other 5xx answers */
  uint64_t broken;     /* requests without an answer */
  uint64_t cancels_sent, cancels_taken, cancels_late /* 409 */, cancels_refused, cancels_unanswered,
      cancels_skipped;
};

struct surge {
  struct surge_settings settings;
  struct retail retail;
  struct surge_curve curve;
  struct surge_action *actions;
  size_t action_count, next_action;
  struct client *client;
  struct bytes secret, token; /* one of them */
  struct arena arena, scratch;
  struct key_index customers;
  struct bytes *tokens; /* by customer number */
  size_t token_capacity;
  int64_t started_us, started_ms;
  struct surge_request **retry; /* a heap by due_us */
  size_t retry_count, retry_capacity;
  struct surge_request **ready; /* to be sent once the ledger holds them */
  size_t ready_count, ready_capacity;
  size_t under_way; /* requests begun and not ended */
  struct surge_request *first_under_way;
  uint64_t random;
  int ledger; /* descriptor */
  struct text ledger_text;
  char run[24];
  bool interrupted;
  struct surge_counts counts;
  struct surge_code codes[SURGE_CODES_MAX];
  size_t code_count;
  struct histogram all, admitted; /* microseconds: to the last answer; to a 202 on the first try */
  struct histogram recent;        /* of the second in progress */
};

/* surge_plan.c: makes the list of actions. */
void surge_plan(struct surge *surge);

/* surge_request.c: a request of the action, ready to be sent; NULL for a cancellation whose order
 * has no id (it is then counted as skipped, or waits for the order). */
struct surge_request *surge_request_new(struct surge *surge, size_t action, int64_t intended_us);
void surge_request_free(struct surge_request *request);

/* surge_answer.c: told by the client. */
void surge_answered(void *request, const struct client_answer *answer);

/* surge_run.c */
MUST_USE bool surge_run(struct surge *surge, struct failure *ret_failure);
/* Puts a request into the heap of those to be sent at request->due_us. */
void surge_schedule(struct surge *surge, struct surge_request *request);
int64_t surge_now_us(void);  /* monotonic */
int64_t surge_wall_ms(void); /* since 1970 */

#endif
