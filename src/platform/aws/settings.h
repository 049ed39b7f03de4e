/* What a function on Lambda is told by its environment: Spillway's own settings as one table (settings/
 * options.h), the standard names of AWS as they are. Which of them a function needs is its handler's affair:
 * settings_require tells all that is missing at once. */
#ifndef PLATFORM_AWS_SETTINGS_H
#define PLATFORM_AWS_SETTINGS_H

#include <stdint.h>

#include "base/failure.h"
#include "platform/aws/client.h"
#include "port/queue.h"
#include "settings/options.h"

enum authorizer { AUTHORIZER_NONE, AUTHORIZER_GATEWAY };

struct aws_settings {
  const char *table, *intake_queue_url;
  const char *queue_urls[QUEUE_COUNT]; /* by queue_index() */
  const char *id_secret_file, *jwt_secret_file, *jwks, *jwt_issuer, *jwt_audience, *receipt_jwks;
  int authorizer; /* enum authorizer */
  const char *public_url, *cors_origins;
  int64_t retry_first_ms, retry_max_ms, call_time_ms, spill_after_ms;
  int log_level;
  struct {
    const char *url, *token_file;
    int64_t timeout_ms, deadline_ms;
    int64_t rate, concurrency[CHANNEL_COUNT];
    int idempotency; /* enum idempotency */
  } services[SERVICE_COUNT];
};

extern const struct option_table aws_option_table;

/* False where something is wrong; all of it has been told on standard error. */
MUST_USE bool aws_settings_read(struct aws_settings *ret_settings, struct failure *ret_failure);

/* The client's options from AWS_REGION, AWS_ACCESS_KEY_ID, …, AWS_ENDPOINT_URL(_<SERVICE>), AWS_CA_BUNDLE.
 * Without the latter, the bundle of the Lambda image, or Debian's. */
void aws_settings_client(struct aws_client_options *ret_options);

#endif
