/* admit: batches of the intake queue (and of its dead letters) into the table. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/sqs_frame.h"
#include "function/admit.h"
#include "platform/aws/message_json.h"

enum { MARGIN_MS = 1500 };

static bool admit_open(void **ret_self, struct failure *ret_failure) {
  struct ports *ports = calloc(1, sizeof *ports);
  if (!ports) panic("out of memory");
  *ret_self = ports;
  return ports_open(ports, NEEDS_TABLE | NEEDS_INTAKE | NEEDS_ID_SECRET, ret_failure);
}

static void admit_close(void *self) {
  ports_close(self);
  free(self);
}

/* Dead letters have another queue, whose own visibility time brings them back. */
static bool is_of_intake(const struct ports *ports, const struct sqs_record *record) {
  struct bytes url = bytes_of(ports->settings.intake_queue_url), name = record->queue_name;
  return url.size > name.size && bytes_equal(bytes_slice(url, url.size - name.size, url.size), name);
}

static void admit_batch(void *self, const struct invocation *invocation, const struct sqs_event *event,
                        struct arena *arena, bool *failed) {
  struct ports *ports = self;
  (void)invocation;
  struct intake_order *orders = ARENA_ARRAY(arena, event->count, struct intake_order);
  struct message_result *results = ARENA_ARRAY(arena, event->count, struct message_result);
  struct sqs_visibility *later = ARENA_ARRAY(arena, event->count, struct sqs_visibility);
  size_t *places = ARENA_ARRAY(arena, event->count, size_t), count = 0, later_count = 0;
  for (size_t i = 0; i < event->count; i++) {
    struct bytes detail;
    failed[i] = !intake_read(event->records[i].body, arena, &orders[count], &detail);
    if (failed[i])
      log_event(LOG_ERROR, "intake_unreadable", LOG_TEXT("message", event->records[i].message_id),
                LOG_TEXT("detail", detail));
    else
      places[count++] = i;
  }
  admit_run(&ports->functions, orders, count, results);
  for (size_t i = 0; i < count; i++) {
    failed[places[i]] = results[i].settlement != SETTLE_ACK;
    if (failed[places[i]] && is_of_intake(ports, &event->records[places[i]]))
      later[later_count++] =
          (struct sqs_visibility){event->records[places[i]].receipt_handle, results[i].delay_ms};
  }
  if (later_count > 0)
    sqs_change_visibility(ports->client, ports->settings.intake_queue_url, later, later_count);
  if (later_count > 0) log_event(LOG_WARN, "admission_put_off", LOG_INT("orders", later_count));
}

static void admit_handle(void *self, const struct invocation *invocation,
                         struct invocation_result *ret_result) {
  sqs_frame(self, self, admit_batch, MARGIN_MS, invocation, ret_result);
}

const struct handler handler_admit = {
    .name = "admit", .open = admit_open, .handle = admit_handle, .close = admit_close};
