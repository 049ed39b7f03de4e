/* A circuit breaker: after several failures in a row a service is left alone for a while, then tried
 * with one call. The clock is the caller's. */
#ifndef PLATFORM_NET_CIRCUIT_H
#define PLATFORM_NET_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "port/services.h"

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN, CIRCUIT_OPEN };

enum { CIRCUIT_FAILURES_MAX = 10 };

struct circuit {
  enum circuit_state state;
  int failures; /* in a row */
  int openings; /* in a row */
  int64_t open_until_ms;
  int64_t first_ms, most_ms; /* bounds of how long it stays open: doubles with each opening in a row */
};

void circuit_init(struct circuit *circuit, int64_t first_ms, int64_t most_ms);
/* How many calls may be under way at `now_ms`: `limit`, 1 (half open) or 0 (open). */
int64_t circuit_allowance(struct circuit *circuit, int64_t limit, int64_t now_ms);
/* A service in trouble could not be reached, did not answer, or failed by itself; any other answer shows that
 * it works. What opens or closes the circuit is logged. */
void circuit_note(struct circuit *circuit, enum service service, const struct service_answer *answer,
                  int64_t now_ms);

#endif
