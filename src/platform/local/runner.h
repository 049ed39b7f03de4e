/* The runner: the local twin of Lambda's event source mapping and of the call function's environment.
 * One thread takes what is due from the queues, within each service's limits (concurrency shared by
 * its channels, rate, circuit), begins and finishes attempts in batches (function/call.h), and
 * drives the calls between (platform/net/services_http.h). */
#ifndef PLATFORM_LOCAL_RUNNER_H
#define PLATFORM_LOCAL_RUNNER_H

#include "function/context.h"
#include "platform/net/circuit.h"
#include "platform/net/services_http.h"
#include "port/queue.h"

struct runner;

struct runner_options {
  const struct function_context *functions;
  struct queue *queue; /* the local one */
  struct services_http_options services;
  struct {
    int64_t concurrency; /* calls under way, at least 1 */
    int64_t rate;        /* calls a second; 0: no limit */
  } limits[SERVICE_COUNT];
};

MUST_USE bool runner_start(const struct runner_options *options, struct runner **ret_runner,
                           struct failure *ret_failure);
/* Takes nothing more, waits up to `grace_ms` for the calls under way, then leaves them: their
 * messages come again at the next start. Frees the runner. */
void runner_stop(struct runner *runner, int64_t grace_ms);
/* Something may have become due; from any thread, cheap. */
void runner_wake(struct runner *runner);

struct runner_statistics {
  enum circuit_state circuit[SERVICE_COUNT];
  int64_t under_way[SERVICE_COUNT];
};
void runner_statistics(struct runner *runner, struct runner_statistics *ret_statistics);

#endif
