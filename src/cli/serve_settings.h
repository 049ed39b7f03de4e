/* The settings of `spillway serve`. */
#ifndef CLI_SERVE_SETTINGS_H
#define CLI_SERVE_SETTINGS_H

#include "order/order.h"
#include "settings/options.h"

struct service_settings {
  const char *url;
  int64_t concurrency, rate;
  int64_t timeout_ms, deadline_ms;
  int idempotency; /* enum idempotency */
  const char *token_file;
};

struct serve_settings {
  const char *listen, *admin_listen, *data, *public_url;
  const char *tls_certificate_file, *tls_key_file;
  const char *jwt_secret_file, *jwks, *jwt_issuer, *jwt_audience, *id_secret_file, *receipt_jwks;
  struct service_settings services[SERVICE_COUNT];
  int64_t retry_first_ms, retry_max_ms;
  const char *cors_origins;
  int64_t customer_rate, customer_burst;
  int64_t connections, workers, waiting;
  int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms;
  int log_level; /* enum log_level */
};

extern const struct option_table serve_options;

/* Reads and checks them all; tells everything that is wrong on standard error, a line each. */
enum options_result serve_settings_read(int argument_count, char **arguments,
                                        struct serve_settings *ret_settings);

#endif
