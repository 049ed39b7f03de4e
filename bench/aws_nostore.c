/* The api function with a store that says "done" to every commit and forgets it: what bench/aws measures the
 * CPU of an invocation with, without the network. */
#include <stdlib.h>

#include "base/panic.h"
#include "bootstrap/handler.h"
#include "bootstrap/ports.h"

static void commit(struct store *store, const struct store_commit *commits, size_t count,
                   struct store_result *ret_results) {
  (void)store;
  for (size_t i = 0; i < count; i++)
    ret_results[i] =
        (struct store_result){.status = COMMIT_DONE, .created_ms = commits[i].decision->next.created_ms};
}

int main(void) {
  static const struct store_operations operations = {.commit = commit};
  static struct store store = {&operations};
  const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
  struct failure failure;
  void *self;
  if (!api || !handler_api.open(&self, &failure))
    panic(api ? failure.text : "AWS_LAMBDA_RUNTIME_API is not set");
  ((struct ports *)self)->functions.store = &store; /* the first member of what the handler opened */
  return runtime_run(&(struct runtime_options){.api = api, .handler = handler_api.handle, .context = self});
}
