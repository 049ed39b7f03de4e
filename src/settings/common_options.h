/* Rows that the tables of both platforms have (settings/options.h): what is asked of a service, back-off, logs.
 * `at` is where the value goes; `lower` and `Title` are the service's name. */
#ifndef SETTINGS_COMMON_OPTIONS_H
#define SETTINGS_COMMON_OPTIONS_H

#include "settings/options.h"

/* Ends with NULL; in the order of enum idempotency and enum log_level. */
extern const char *const option_idempotency_names[], *const option_log_level_names[];

/* The ends of helps of which one is longer. */
#define OPTION_SERVICE_TIMEOUT(lower, Title, at, rest)                                              \
  {                                                                                                 \
    .name = lower "-timeout", .type = OPTION_DURATION, .offset_bytes = (at), .default_text = "10s", \
    .least = 1, .most = INT64_C(600000), .value_name = "TIME",                                      \
    .help = Title ": how long one call may take" rest "."                                           \
  }

#define OPTION_SERVICE_RATE(lower, Title, at, rest)                                                       \
  {                                                                                                       \
    .name = lower "-rate", .type = OPTION_INTEGER, .offset_bytes = (at), .default_text = "0", .least = 0, \
    .most = 1000000, .value_name = "N", .help = Title ": calls a second" rest "; 0 means no limit."       \
  }

#define OPTION_SERVICE_DEADLINE(lower, Title, at)                                                    \
  {                                                                                                  \
    .name = lower "-deadline", .type = OPTION_DURATION, .offset_bytes = (at), .default_text = "24h", \
    .least = 1, .most = INT64_C(31536000000), .value_name = "TIME",                                  \
    .help = Title                                                                                    \
        ": how long a command is tried, or waited for after a 202, before a "                        \
        "person must decide."                                                                        \
  }

#define OPTION_SERVICE_IDEMPOTENCY(lower, Title, at)                                                \
  {                                                                                                 \
    .name = lower "-idempotency", .type = OPTION_NAME, .offset_bytes = (at), .default_text = "key", \
    .names = option_idempotency_names, .value_name = "HOW",                                         \
    .help = Title                                                                                   \
        ": key (honours Idempotency-Key), lookup (is asked GET /commands/{key} "                    \
        "first) or none (an attempt whose outcome is unknown goes to attention)."                   \
  }

#define OPTION_RETRY_FIRST(at)                                                                                 \
  {                                                                                                            \
    .name = "retry-first", .type = OPTION_DURATION, .offset_bytes = (at), .default_text = "500ms", .least = 1, \
    .most = INT64_C(3600000), .value_name = "TIME",                                                            \
    .help =                                                                                                    \
        "Back-off: the first retry comes at a random moment within this time; the bound "                      \
        "doubles each time."                                                                                   \
  }

#define OPTION_RETRY_MAX(at)                                                                                   \
  {                                                                                                            \
    .name = "retry-max", .type = OPTION_DURATION, .offset_bytes = (at), .default_text = "5m", .least = 1,      \
    .most = INT64_C(86400000), .value_name = "TIME", .help = "Back-off: the bound grows no further than this." \
  }

#define OPTION_LOG_LEVEL(at)                                                                \
  {                                                                                         \
    .name = "log-level", .type = OPTION_NAME, .offset_bytes = (at), .default_text = "info", \
    .names = option_log_level_names, .value_name = "LEVEL",                                 \
    .help = "Log events of this level and above: debug, info, warn, error."                 \
  }

#endif
