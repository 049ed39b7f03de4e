#include "platform/net/circuit.h"

void circuit_init(struct circuit *circuit, int64_t first_ms, int64_t most_ms) {
  *circuit = (struct circuit){.first_ms = first_ms, .most_ms = most_ms};
}

int64_t circuit_allowance(struct circuit *circuit, int64_t limit, int64_t now_ms) {
  if (circuit->state == CIRCUIT_OPEN && now_ms >= circuit->open_until_ms) circuit->state = CIRCUIT_HALF_OPEN;
  if (circuit->state == CIRCUIT_OPEN) return 0;
  return circuit->state == CIRCUIT_HALF_OPEN ? 1 : limit;
}

void circuit_succeeded(struct circuit *circuit) {
  circuit->state = CIRCUIT_CLOSED;
  circuit->failures = 0;
  circuit->openings = 0;
}

void circuit_failed(struct circuit *circuit, int64_t now_ms) {
  circuit->failures++;
  bool opens = circuit->state == CIRCUIT_HALF_OPEN ||
               (circuit->state == CIRCUIT_CLOSED && circuit->failures >= CIRCUIT_FAILURES_MAX);
  if (!opens) return;
  int64_t open_ms = circuit->first_ms;
  for (int i = 0; i < circuit->openings && open_ms < circuit->most_ms; i++) open_ms *= 2;
  if (open_ms > circuit->most_ms) open_ms = circuit->most_ms;
  circuit->openings++;
  circuit->state = CIRCUIT_OPEN;
  circuit->open_until_ms = now_ms + open_ms;
}
