#include "bootstrap/ports.h"

#include <stdlib.h>

#include "base/log.h"
#include "gateway/tell.h"
#include "order/step.h"
#include "platform/aws/secrets.h"
#include "platform/net/system.h"
#include "wire/jwt.h"

static void on_failed(const char *operation, int status, struct bytes error) {
  log_event(LOG_WARN, "aws_request_failed", LOG_STRING("operation", operation), LOG_INT("status", status),
            LOG_TEXT("error", error));
}

static void on_committed(void *context, const struct decision *decision) {
  struct ports *ports = context;
  tell_commit(ports->functions.telemetry, decision);
}

static bool is_missing(const char *value, const char *name) {
  if (value) return false;
  log_event(LOG_ERROR, "setting_missing", LOG_STRING("name", name));
  return true;
}

static bool check_needs(const struct aws_settings *settings, unsigned needs, struct failure *ret_failure) {
  bool missing = false;
  if (needs & NEEDS_TABLE) missing |= is_missing(settings->table, "SPILLWAY_TABLE");
  if (needs & NEEDS_INTAKE) missing |= is_missing(settings->intake_queue_url, "SPILLWAY_INTAKE_QUEUE_URL");
  if (needs & NEEDS_ID_SECRET) missing |= is_missing(settings->id_secret_file, "SPILLWAY_ID_SECRET_FILE");
  if (needs & NEEDS_PUBLIC_URL) missing |= is_missing(settings->public_url, "SPILLWAY_PUBLIC_URL");
  if (needs & NEEDS_QUEUES)
    for (size_t i = 0; i < QUEUE_COUNT; i++)
      if (!settings->queue_urls[i]) {
        log_event(LOG_ERROR, "setting_missing", LOG_STRING("service", service_names[i / CHANNEL_COUNT]),
                  LOG_STRING("channel", order_channel_name((int)(i % CHANNEL_COUNT))),
                  LOG_STRING("name", "SPILLWAY_<SERVICE>_<CHANNEL>_QUEUE_URL"));
        missing = true;
      }
  return !missing ||
         failure_set(ret_failure, "settings are missing: the lines before this one in the log name them");
}

/* Times that contradict each other. A function that gives up a call must still have time to say so. */
static bool check_times(const struct aws_settings *settings, struct failure *ret_failure) {
  bool good = settings->retry_first_ms <= settings->retry_max_ms;
  if (!good)
    log_event(LOG_ERROR, "setting_wrong", LOG_STRING("name", "SPILLWAY_RETRY_FIRST"),
              LOG_STRING("detail", "must not be longer than SPILLWAY_RETRY_MAX"));
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    if (!settings->services[i].url || settings->services[i].timeout_ms < settings->call_time_ms) continue;
    log_event(LOG_ERROR, "setting_wrong", LOG_STRING("service", service_names[i]),
              LOG_STRING("name", "SPILLWAY_<SERVICE>_TIMEOUT"),
              LOG_STRING("detail", "a call must take less than SPILLWAY_CALL_TIME"));
    good = false;
  }
  return good || failure_set(ret_failure,
                             "settings contradict each other: the lines before this one in the log say which");
}

static void set_functions(struct ports *ports) {
  struct function_context *functions = &ports->functions;
  const struct aws_settings *settings = &ports->settings;
  functions->clock = system_clock();
  functions->entropy = system_entropy();
  functions->telemetry = telemetry_emf_port(ports->telemetry);
  functions->retry_first_ms = settings->retry_first_ms;
  functions->retry_max_ms = settings->retry_max_ms;
  functions->public_url = bytes_of(settings->public_url);
  functions->rules.attempts_unstored = true;
  functions->rules.attempt_ms = settings->call_time_ms;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    functions->rules.idempotency[i] = (enum idempotency)settings->services[i].idempotency;
    functions->rules.deadline_ms[i] = settings->services[i].deadline_ms;
  }
}

bool ports_open(struct ports *ports, unsigned needs, struct failure *ret_failure) {
  const char *function = getenv("AWS_LAMBDA_FUNCTION_NAME");
  *ports = (struct ports){.client = NULL};
  arena_init(&ports->arena);
  if (!aws_settings_read(&ports->settings, ret_failure)) return false;
  bool complete = check_needs(&ports->settings, needs, ret_failure); /* all that is wrong is told at once */
  if (!check_times(&ports->settings, ret_failure) || !complete) return false;
  log_set_level((enum log_level)ports->settings.log_level);
  aws_settings_client(&ports->client_options);
  ports->client_options.on_failed = on_failed;
  if (!aws_client_open(&ports->client_options, &ports->client, ret_failure)) return false;
  ports->telemetry = telemetry_emf_open(function ? function : "unnamed");
  set_functions(ports);
  if (needs & NEEDS_TABLE) {
    ports->store = store_dynamodb_open(&(struct store_dynamodb_options){.client = ports->client,
                                                                        .clock = system_clock(),
                                                                        .entropy = system_entropy(),
                                                                        .table = ports->settings.table,
                                                                        .on_committed = on_committed,
                                                                        .context = ports});
    ports->functions.store = store_dynamodb_port(ports->store);
  }
  if (needs & NEEDS_INTAKE) {
    intake_sqs_init(&ports->intake, ports->client, ports->settings.intake_queue_url);
    ports->functions.intake = &ports->intake.port;
  }
  if (needs & NEEDS_QUEUES) {
    struct queue_sqs_options queue = {.client = ports->client, .clock = system_clock()};
    memcpy(queue.urls, ports->settings.queue_urls, sizeof queue.urls);
    ports->queue = queue_sqs_open(&queue);
  }
  return !(needs & NEEDS_ID_SECRET) ||
         aws_secret_read(ports->client, ports->settings.id_secret_file, JWT_SECRET_BYTES_MIN, &ports->arena,
                         &ports->functions.id_secret, ret_failure);
}

void ports_close(struct ports *ports) {
  if (ports->telemetry) telemetry_emf_write(ports->telemetry, clock_now_ms(system_clock()), true);
  telemetry_emf_close(ports->telemetry);
  store_dynamodb_close(ports->store);
  queue_sqs_close(ports->queue);
  aws_client_close(ports->client);
  arena_release(&ports->arena);
}

void ports_begin(struct ports *ports, const struct invocation *invocation, int64_t margin_ms) {
  for (int service = 0; service < AWS_SERVICE_COUNT; service++)
    aws_client_set_deadline(
        ports->client, (enum aws_service)service,
        invocation->deadline_ms == INT64_MAX ? INT64_MAX : invocation->deadline_ms - margin_ms);
}

void ports_end(struct ports *ports) {
  telemetry_emf_write(ports->telemetry, clock_now_ms(system_clock()), false);
}

void ports_refuse_event(const struct invocation *invocation, const struct failure *failure,
                        struct invocation_result *ret_result) {
  log_event(LOG_ERROR, "event_refused", LOG_TEXT("request", invocation->request_id),
            LOG_STRING("detail", failure->text));
  ret_result->error_type = BYTES("Spillway.BadEvent");
  ret_result->error_message = arena_copy(invocation->arena, bytes_of(failure->text));
}
