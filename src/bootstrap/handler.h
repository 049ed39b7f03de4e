/* The functions that `bootstrap` can be; _HANDLER says which. Each is a file handler_<name>.c here.
 *
 * open    Runs once, in Lambda's init phase: reads the settings, makes the ports, opens what can be
 *         opened. On failure false, with a text for the person who must mend it; Lambda is told and the
 *         process ends.
 * handle  Runs once an invocation (platform/aws/runtime.h), with what `open` gave as its context. Never
 *         fails the process: what is wrong with an event is a result with an error type.
 * close   After SIGTERM and the last answer; NULL where there is nothing to do. */
#ifndef BOOTSTRAP_HANDLER_H
#define BOOTSTRAP_HANDLER_H

#include "base/failure.h"
#include "platform/aws/runtime.h"

struct handler {
  const char *name;
  bool (*open)(void **ret_self, struct failure *ret_failure);
  runtime_handler *handle;
  void (*close)(void *self);
};

extern const struct handler handler_api, handler_admit, handler_call, handler_relay, handler_sweep;

#endif
