/* The Lambda runtime API, version 2018-06-01: asks for the next invocation, hands it to a handler,
 * sends what comes of it as the response or as an error, and asks again. One invocation at a time, in
 * the thread that calls runtime_run; everything in plain HTTP/1.1 over one kept connection to the
 * address that Lambda gives.
 *
 * A connection that was closed is made anew, and what was not answered on it is sent again: the API
 * takes one answer for an invocation and refuses a second, so nothing is answered twice. A process
 * that was frozen for long goes on where it was. */
#ifndef PLATFORM_AWS_RUNTIME_H
#define PLATFORM_AWS_RUNTIME_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"

enum { RUNTIME_EVENT_BYTES_MAX = 32 * 1024 * 1024 };

struct invocation {
  struct bytes request_id;
  struct bytes event;    /* the payload as it came */
  struct bytes trace_id; /* X-Ray's header value; empty where there is none */
  struct bytes function_arn;
  int64_t deadline_ms; /* since 1970; INT64_MAX where the API told none */
  struct arena *arena; /* for the answer; released after it was sent */
};

/* All views must hold until the answer was sent: static, or in the invocation's arena. */
struct invocation_result {
  struct bytes body;          /* JSON; the response, where error_type is empty */
  struct bytes error_type;    /* "Runtime.BadEvent": the invocation failed. ASCII, a token. */
  struct bytes error_message; /* what is wrong, for whoever invoked; valid UTF-8 */
};

/* Called once an invocation, with an empty result. The invocation holds until it returns. */
typedef void runtime_handler(void *context, const struct invocation *invocation,
                             struct invocation_result *ret_result);

struct runtime_options {
  const char *api; /* host:port, what AWS_LAMBDA_RUNTIME_API says */
  runtime_handler *handler;
  void (*on_stop)(void *context); /* after the last answer, before the end; may be NULL */
  void *context;
};

/* Runs until SIGTERM, which lets the invocation under way come to its end (exit code 0), or until the
 * API fails for good (exit code 1, with a line in the log): it can't be reached, or answers `next` with
 * something other than an invocation. A response that the API refuses is logged, and the loop goes on.
 * Blocks SIGTERM in the calling thread. */
int runtime_run(const struct runtime_options *options);

/* Tells Lambda that initialisation failed. The caller ends the process with a code other than 0. */
void runtime_fail_init(const char *api, struct bytes error_type, struct bytes message);

#endif
