#include "platform/net/circuit.h"

#include "base/log.h"
#include "order/step.h"

void circuit_init(struct circuit *circuit, int64_t first_ms, int64_t most_ms) {
  *circuit = (struct circuit){.first_ms = first_ms, .most_ms = most_ms};
}

int64_t circuit_allowance(struct circuit *circuit, int64_t limit, int64_t now_ms) {
  if (circuit->state == CIRCUIT_OPEN && now_ms >= circuit->open_until_ms) circuit->state = CIRCUIT_HALF_OPEN;
  if (circuit->state == CIRCUIT_OPEN) return 0;
  return circuit->state == CIRCUIT_HALF_OPEN ? 1 : limit;
}

static void succeeded(struct circuit *circuit) {
  circuit->state = CIRCUIT_CLOSED;
  circuit->failures = 0;
  circuit->openings = 0;
}

static void failed(struct circuit *circuit, int64_t now_ms) {
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

void circuit_note(struct circuit *circuit, enum service service, const struct service_answer *answer,
                  int64_t now_ms) {
  enum circuit_state before = circuit->state;
  if (answer->transport != TRANSPORT_ANSWERED || answer->status >= 500 || answer->status == 408)
    failed(circuit, now_ms);
  else
    succeeded(circuit);
  if (circuit->state == before) return;
  log_event(circuit->state == CIRCUIT_OPEN ? LOG_WARN : LOG_INFO,
            circuit->state == CIRCUIT_OPEN ? "circuit_opened" : "circuit_closed",
            LOG_STRING("service", service_names[service]), LOG_TEXT("failure", answer->failure),
            LOG_INT("status", answer->status));
}
