#include "settings/common_options.h"

const char *const option_idempotency_names[] = {"key", "lookup", "none", NULL};
const char *const option_log_level_names[] = {"debug", "info", "warn", "error", NULL};
