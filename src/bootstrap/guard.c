#include "bootstrap/guard.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "order/step.h"
#include "platform/net/circuit.h"

enum { OPEN_MS_MAX = 30000, WAIT_MS_MIN = 1000 /* less would come back at once, and cost as much */ };

struct gate {
  struct circuit circuit;
  int64_t taken;       /* calls of this batch */
  int64_t interval_us; /* between two calls of this environment; 0: no limit */
  int64_t next_us;     /* not before, on the monotonic clock */
  int64_t waiting;     /* messages of this batch that were put back for the rate */
};

struct guard {
  struct services port;
  struct services *services;
  struct clock *clock;
  struct gate gates[SERVICE_COUNT];
};

static void call(struct services *port, const struct service_call *calls, size_t count, struct arena *arena,
                 struct service_answer *ret_answers) {
  struct guard *guard = (struct guard *)port;
  services_call(guard->services, calls, count, arena, ret_answers);
  int64_t now_ms = clock_now_ms(guard->clock);
  for (size_t i = 0; i < count; i++)
    circuit_note(&guard->gates[calls[i].service].circuit, calls[i].service, &ret_answers[i], now_ms);
}

/* This environment's part of the rate, where as many run as may. The first call comes at any time of the first
 * interval: environments that start together must not call together. */
static void set_rate(struct gate *gate, const struct ports *ports, size_t service) {
  int64_t rate = ports->settings.services[service].rate, environments = 0;
  for (size_t i = 0; i < CHANNEL_COUNT; i++) environments += ports->settings.services[service].concurrency[i];
  if (rate == 0) return;
  gate->interval_us = 1000000 * environments / rate;
  gate->next_us = clock_monotonic_us(ports->functions.clock) +
                  (int64_t)entropy_below(ports->functions.entropy, (uint64_t)gate->interval_us + 1);
}

struct guard *guard_open(const struct ports *ports, struct services *services) {
  static const struct services_operations operations = {.call = call};
  const struct function_context *functions = &ports->functions;
  struct guard *guard = calloc(1, sizeof *guard);
  if (!guard) panic("out of memory");
  guard->port.operations = &operations;
  guard->services = services;
  guard->clock = functions->clock;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    circuit_init(&guard->gates[i].circuit, functions->retry_first_ms,
                 functions->retry_max_ms < OPEN_MS_MAX ? functions->retry_max_ms : OPEN_MS_MAX);
    set_rate(&guard->gates[i], ports, i);
  }
  return guard;
}

void guard_close(struct guard *guard) { free(guard); }
struct services *guard_port(struct guard *guard) {
  return &guard->port;
}

void guard_begin(struct guard *guard) {
  for (size_t i = 0; i < SERVICE_COUNT; i++) guard->gates[i].taken = guard->gates[i].waiting = 0;
}

static int64_t wait_of(struct gate *gate, int64_t now_ms, int64_t now_us) {
  int64_t allowed = circuit_allowance(&gate->circuit, INT64_MAX, now_ms);
  if (gate->taken >= allowed) {
    int64_t left_ms = gate->circuit.open_until_ms - now_ms; /* past, where one call is being tried */
    return left_ms > WAIT_MS_MIN ? left_ms : WAIT_MS_MIN;
  }
  if (gate->interval_us > 0 && gate->next_us > now_us) {
    int64_t left_ms = (gate->next_us - now_us + gate->waiting++ * gate->interval_us) / 1000;
    return left_ms > WAIT_MS_MIN ? left_ms : WAIT_MS_MIN;
  }
  gate->next_us = now_us + gate->interval_us;
  gate->taken++;
  return 0;
}

int64_t guard_wait_ms(struct guard *guard, const struct message *message) {
  int64_t now_ms = clock_now_ms(guard->clock), left_ms = message->deadline_ms - now_ms;
  if (message->kind != MESSAGE_CALL || left_ms <= 0) return 0;
  int64_t wait_ms =
      wait_of(&guard->gates[command_service(message->slot)], now_ms, clock_monotonic_us(guard->clock));
  return wait_ms < left_ms ? wait_ms : left_ms;
}
