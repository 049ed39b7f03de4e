/* What the audit asks the server and the sandbox for. */
#ifndef CLI_AUDIT_FETCH_H
#define CLI_AUDIT_FETCH_H

#include "base/text.h"
#include "cli/audit.h"
#include "cli/client.h"

struct audit_fetch {
  struct client *client;
  struct bytes token; /* empty: none is sent */
  struct audit_world *world;
  int64_t patience_ms; /* how long one thing is asked for again while there is no good answer */
};

/* Asks until it is 2xx or 4xx (other than 408, 425, 429) or the patience is over. `ret_body` is on
 * the heap, of the caller. */
MUST_USE bool audit_get(struct audit_fetch *fetch, struct bytes path, int *ret_status, struct text *ret_body,
                        struct failure *ret_failure);

/* Waits until no order since the ledger's start is accepted, processing or reversing, at most
 * `wait_ms`. True as well where they are not all final by then: the judge will say so. */
MUST_USE bool audit_wait(struct audit_fetch *fetch, int64_t wait_ms, struct failure *ret_failure);

/* Every order since the ledger's start, and every id that was acknowledged, into the world. */
MUST_USE bool audit_fetch_ids(struct audit_fetch *fetch, struct failure *ret_failure);
MUST_USE bool audit_fetch_orders(struct audit_fetch *fetch, struct failure *ret_failure);

/* The sandbox's ledger; `fetch->client` is the sandbox's. */
MUST_USE bool audit_fetch_effects(struct audit_fetch *fetch, struct failure *ret_failure);

#endif
