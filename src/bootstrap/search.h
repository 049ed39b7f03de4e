/* What sweep does about changes of the table that the relay could not carry out and that the stream no longer
 * has (it keeps 24 hours): it looks through all orders for commands whose messages should be out, and sends
 * those again. Messages carry the version of their order, so that one too many does no harm. */
#ifndef BOOTSTRAP_SEARCH_H
#define BOOTSTRAP_SEARCH_H

#include "bootstrap/ports.h"

/* Goes on with the search, or begins one, until `until_ms`. True once one has ended that began long enough
 * after `failed_ms`, when the relay gave up: it has met all that was lost then. */
MUST_USE bool search_unsent(struct ports *ports, int64_t failed_ms, int64_t until_ms, struct arena *arena);

#endif
