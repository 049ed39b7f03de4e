#include "gateway/tell.h"

#include "base/log.h"
#include "order/step.h"
#include "wire/trace.h"

static void log_status(const struct order *order) {
  static const char *const events[ORDER_STATUS_COUNT] = {[ORDER_COMPLETED] = "order_completed",
                                                         [ORDER_REJECTED] = "order_rejected",
                                                         [ORDER_CANCELLED] = "order_cancelled",
                                                         [ORDER_ATTENTION] = "order_attention"};
  if (!events[order->status]) return;
  log_event(order->status == ORDER_ATTENTION ? LOG_WARN : LOG_INFO, events[order->status],
            LOG_TEXT("order", order->id), LOG_INT("version", order->version),
            LOG_TEXT("trace", trace_id(order->traceparent)));
}

bool tell_commit(struct telemetry *telemetry, const struct decision *decision) {
  bool moved = false;
  for (size_t i = 0; i < decision->event_count; i++) {
    if (decision->events[i].step.size > 0) continue;
    moved = true;
    telemetry_count(telemetry, METRIC_TRANSITIONS, order_status_name(decision->events[i].status), NULL, 1);
  }
  if (moved) log_status(&decision->next);
  return moved;
}

void tell_call(const struct call_attempt *attempt, const struct service_answer *answer) {
  bool refused = answer->status == 409 || answer->status == 422;
  if (strcmp(attempt->outcome, "done") == 0 || strcmp(attempt->outcome, "pending") == 0) return;
  log_event(refused ? LOG_INFO : LOG_WARN, refused ? "call_refused" : "call_failed",
            LOG_TEXT("order", bytes_from(attempt->message.order_id, ORDER_ID_CHARACTERS)),
            LOG_STRING("command", command_rules[attempt->message.slot].name),
            LOG_STRING("outcome", attempt->outcome), LOG_INT("attempt", attempt->message.attempts + 1),
            LOG_INT("status", answer->status), LOG_TEXT("failure", answer->failure),
            LOG_INT("retry_in_ms", attempt->result.delay_ms),
            LOG_TEXT("trace", trace_id(attempt->request.traceparent)));
}
