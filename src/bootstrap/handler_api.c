/* api: HTTP events. */
#include "bootstrap/handler.h"

static bool open_api(void **ret_self, struct failure *ret_failure) {
  (void)ret_failure;
  *ret_self = NULL;
  return true;
}

static void handle_api(void *self, const struct invocation *invocation, struct invocation_result *ret_result) {
  (void)self;
  (void)invocation;
  ret_result->body = BYTES(
      "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},"
      "\"body\":\"{\\\"status\\\":\\\"ok\\\"}\",\"isBase64Encoded\":false}");
}

const struct handler handler_api = {.name = "api", .open = open_api, .handle = handle_api};
