/* call: batches of a service's queue: the commands go to the service, their outcomes into the table. */
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "bootstrap/guard.h"
#include "bootstrap/handler.h"
#include "bootstrap/sqs_frame.h"
#include "gateway/tell.h"
#include "order/step.h"
#include "platform/aws/message_json.h"
#include "platform/aws/secrets.h"
#include "platform/aws/services_aws.h"

enum { MARGIN_MS = 2000, EARLY_MS = 500 };

struct call_function {
  struct ports ports;
  struct services_aws *services;
  struct guard *guard;
};

static bool open_services(struct call_function *call, struct failure *ret_failure) {
  struct ports *ports = &call->ports;
  struct services_aws_options options = {
      .client = ports->client, .clock = ports->functions.clock, .credentials = &ports->client_options};
  size_t told = 0;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    enum idempotency idempotency = ports->functions.rules.idempotency[i];
    options.services[i].url = ports->settings.services[i].url;
    options.services[i].timeout_ms = ports->settings.services[i].timeout_ms;
    options.services[i].resend_is_harmful = idempotency != IDEMPOTENCY_KEY;
    options.services[i].is_looked_up = idempotency == IDEMPOTENCY_LOOKUP;
    told += options.services[i].url != NULL;
    const char *token = ports->settings.services[i].token_file;
    if (token &&
        !aws_secret_read(ports->client, token, 1, &ports->arena, &options.services[i].token, ret_failure))
      return false;
  }
  if (told == 0)
    return failure_set(ret_failure, "no service to call: set SPILLWAY_<SERVICE>_URL of at least one");
  if (!services_aws_open(&options, &call->services, ret_failure)) return false;
  call->guard = guard_open(ports, services_aws_port(call->services));
  return true;
}

static void call_close(void *self) {
  struct call_function *call = self;
  guard_close(call->guard);
  services_aws_close(call->services);
  ports_close(&call->ports);
  free(call);
}

static bool call_open(void **ret_self, struct failure *ret_failure) {
  struct call_function *call = calloc(1, sizeof *call);
  if (!call) panic("out of memory");
  *ret_self = call;
  return ports_open(&call->ports, NEEDS_TABLE | NEEDS_QUEUES | NEEDS_ID_SECRET | NEEDS_PUBLIC_URL,
                    ret_failure) &&
         open_services(call, ret_failure);
}

/* The URL of the queue that a record came from: the one whose name its ARN ends with. */
static const char *queue_url_of(const struct ports *ports, const struct sqs_record *record) {
  for (size_t i = 0; i < QUEUE_COUNT; i++) {
    struct bytes url = bytes_of(ports->settings.queue_urls[i]), name = record->queue_name;
    if (url.size > name.size && url.data[url.size - name.size - 1] == '/' &&
        bytes_equal(bytes_slice(url, url.size - name.size, url.size), name))
      return ports->settings.queue_urls[i];
  }
  return NULL;
}

struct batch {
  struct message *messages;
  struct message_result *results;
  size_t *places; /* of each message among the records */
  size_t count;
};

static void batch_add(struct batch *batch, const struct message *message, size_t place, int64_t delay_ms) {
  struct message_result *result = &batch->results[batch->count];
  *result =
      (struct message_result){.settlement = SETTLE_RETRY, .delay_ms = delay_ms, .attempts = message->attempts};
  memcpy(result->note, message->note, sizeof message->note);
  batch->messages[batch->count] = *message;
  batch->places[batch->count++] = place;
}

/* Messages that are due; those that are not yet make another hop; those whose service must be spared are held.
 */
static void read_batch(struct call_function *call, const struct sqs_event *event, struct arena *arena,
                       bool *ret_failed, struct batch *ret_due, struct batch *ret_early,
                       struct batch *ret_held) {
  int64_t now_ms = clock_now_ms(call->ports.functions.clock);
  guard_begin(call->guard);
  for (size_t i = 0; i < event->count; i++) {
    const struct sqs_record *record = &event->records[i];
    struct message message;
    struct bytes detail;
    ret_failed[i] = !message_read(record->body, arena, &message, &detail);
    if (ret_failed[i]) {
      log_event(LOG_ERROR, "message_unreadable", LOG_TEXT("message", record->message_id),
                LOG_TEXT("detail", detail));
      continue;
    }
    /* A delivery that came to no end may have made an attempt. */
    message.attempts += record->receive_count - 1;
    int64_t wait_ms = message.due_ms > now_ms + EARLY_MS ? 0 : guard_wait_ms(call->guard, &message);
    if (message.due_ms > now_ms + EARLY_MS)
      batch_add(ret_early, &message, i, message.due_ms - now_ms);
    else if (wait_ms > 0)
      batch_add(ret_held, &message, i, wait_ms);
    else
      batch_add(ret_due, &message, i, 0);
  }
}

static void settle(struct call_function *call, const struct sqs_event *event, const struct batch *batch,
                   bool anew, struct arena *arena, bool *failed) {
  struct sqs_return *returns = ARENA_ARRAY(arena, batch->count, struct sqs_return);
  size_t *places = ARENA_ARRAY(arena, batch->count, size_t), count = 0;
  for (size_t i = 0; i < batch->count; i++) {
    if (batch->results[i].settlement == SETTLE_ACK) continue;
    const struct sqs_record *record = &event->records[batch->places[i]];
    const char *url = queue_url_of(&call->ports, record);
    failed[batch->places[i]] = true;
    if (!url) continue; /* a queue that this function is not told: its own visibility time brings it back */
    places[count] = batch->places[i];
    returns[count++] = (struct sqs_return){.message = &batch->messages[i],
                                           .result = &batch->results[i],
                                           .queue_url = url,
                                           .anew = anew,
                                           .receipt_handle = record->receipt_handle};
  }
  if (count > 0) queue_sqs_return(call->ports.queue, returns, count);
  for (size_t i = 0; i < count; i++) failed[places[i]] = !returns[i].done;
}

static struct batch batch_make(size_t most, struct arena *arena) {
  return (struct batch){.messages = ARENA_ARRAY(arena, most, struct message),
                        .results = ARENA_ARRAY(arena, most, struct message_result),
                        .places = ARENA_ARRAY(arena, most, size_t)};
}

/* Everybody else believes that no attempt lasts longer than SPILLWAY_CALL_TIME: a function that may run longer
 * would send commands that others have settled. */
static bool time_is_kept(const struct call_function *call, const struct invocation *invocation,
                         struct failure *ret_failure) {
  int64_t left_ms = invocation->deadline_ms - clock_now_ms(call->ports.functions.clock);
  if (invocation->deadline_ms == INT64_MAX || left_ms <= call->ports.settings.call_time_ms) return true;
  return failure_set(ret_failure, "this function may run for %lld ms, longer than SPILLWAY_CALL_TIME says",
                     (long long)left_ms);
}

static void call_batch(void *self, const struct invocation *invocation, const struct sqs_event *event,
                       struct arena *arena, bool *failed) {
  struct call_function *call = self;
  struct batch due = batch_make(event->count, arena), early = batch_make(event->count, arena),
               held = batch_make(event->count, arena);
  (void)invocation;
  read_batch(call, event, arena, failed, &due, &early, &held);
  if (due.count > 0)
    call_run(&call->ports.functions, guard_port(call->guard), due.messages, due.count, tell_call, due.results);
  settle(call, event, &due, false, arena, failed);
  settle(call, event, &early, false, arena, failed);
  settle(call, event, &held, true, arena, failed);
}

static void call_handle(void *self, const struct invocation *invocation, struct invocation_result *ret_result) {
  struct call_function *call = self;
  struct failure failure;
  if (time_is_kept(call, invocation, &failure))
    sqs_frame(&call->ports, call, call_batch, MARGIN_MS, invocation, ret_result);
  else
    ports_refuse_event(invocation, &failure, ret_result);
}

const struct handler handler_call = {
    .name = "call", .open = call_open, .handle = call_handle, .close = call_close};
