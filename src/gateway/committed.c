#include "gateway/committed.h"

#include "base/log.h"
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

bool committed_tell(struct telemetry *telemetry, const struct decision *decision) {
  bool moved = false;
  for (size_t i = 0; i < decision->event_count; i++) {
    if (decision->events[i].step.size > 0) continue;
    moved = true;
    telemetry_count(telemetry, METRIC_TRANSITIONS, order_status_name(decision->events[i].status), NULL, 1);
  }
  if (moved) log_status(&decision->next);
  return moved;
}
