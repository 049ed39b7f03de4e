/* The late answers of the sandbox: a thread of its own that posts outcomes to callback URLs through
 * libcurl, each again until the answer is 2xx or a 4xx other than 408 and 429. */
#ifndef CLI_SANDBOX_CALLBACK_H
#define CLI_SANDBOX_CALLBACK_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/failure.h"

enum { CALLBACK_BODY_BYTES_MAX = 256, CALLBACK_IN_FLIGHT_MAX = 64 };

struct callbacks;

/* Starts the thread. */
MUST_USE bool callbacks_start(struct callbacks **ret_callbacks, struct failure *ret_failure);
/* Ends the thread; what was not delivered is dropped. */
void callbacks_stop(struct callbacks *callbacks);

/* Posts `body` (JSON, at most CALLBACK_BODY_BYTES_MAX) to `url` after `delay_ms`, `times` times.
 * `told` (it must stay; may be NULL) is set after the first that came through. Any thread. */
void callbacks_add(struct callbacks *callbacks, struct bytes url, struct bytes body, int64_t delay_ms,
                   int times, _Atomic bool *told);

struct callback_counts {
  uint64_t waiting, delivered, refused /* 4xx */, failed /* attempts that will be made again */;
};
struct callback_counts callbacks_count(struct callbacks *callbacks);

#endif
