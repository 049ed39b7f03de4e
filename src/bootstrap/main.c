/* bootstrap: the program of every Lambda function of Spillway. _HANDLER says which one it is. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bootstrap/handler.h"

static const struct handler *const handlers[] = {&handler_api, &handler_admit, &handler_call, &handler_relay,
                                                 &handler_sweep};

static const struct handler *find_handler(const char *name) {
  for (size_t i = 0; name && i < COUNT_OF(handlers); i++)
    if (strcmp(handlers[i]->name, name) == 0) return handlers[i];
  return NULL;
}

static int fail_init(const char *api, struct bytes type, const char *message) {
  log_event(LOG_ERROR, "init_failed", LOG_TEXT("type", type), LOG_STRING("detail", message));
  runtime_fail_init(api, type, bytes_of(message));
  return 1;
}

static int fail_handler(const char *api, const char *name) {
  char message[256];
  int size = snprintf(message, sizeof message, "_HANDLER is %s%.40s%s, and should be one of:", name ? "\"" : "",
                      name ? name : "not set", name ? "\"" : "");
  for (size_t i = 0; i < COUNT_OF(handlers); i++)
    size += snprintf(message + size, sizeof message - (size_t)size, " %s", handlers[i]->name);
  return fail_init(api, BYTES("Runtime.NoSuchHandler"), message);
}

int main(void) {
  const char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *name = getenv("_HANDLER");
  if (!api || !*api) {
    fputs("bootstrap is run by AWS Lambda: AWS_LAMBDA_RUNTIME_API is not set.\n", stderr);
    return 2;
  }
  const struct handler *handler = find_handler(name);
  if (!handler) return fail_handler(api, name);
  void *self = NULL;
  struct failure failure;
  if (!handler->open(&self, &failure)) return fail_init(api, BYTES("Runtime.InitFailed"), failure.text);
  struct runtime_options options = {
      .api = api, .handler = handler->handle, .on_stop = handler->close, .context = self};
  return runtime_run(&options);
}
