/* The connection to the runtime API: one request and its answer at a time. Part of runtime.h. */
#ifndef PLATFORM_AWS_RUNTIME_API_H
#define PLATFORM_AWS_RUNTIME_API_H

#include "base/attributes.h"
#include "base/failure.h"
#include "platform/net/http_reader.h"

enum { RUNTIME_HEADER_BYTES_MAX = 2048 };

struct runtime_api {
  const char *address; /* host:port */
  int socket;          /* -1: none */
  struct text request;
  struct http_reader reader; /* holds the last answer: status and body */
  struct bytes unread;       /* received behind it */
  bool sent_ahead;           /* the request that comes next was sent already, behind the last one */
  int wakes_at_bytes;        /* the socket wakes this process once it holds so many (SO_RCVLOWAT) */
  size_t answer_bytes;       /* size of the last answer to a request that another one followed; 0: not known */
  bool interrupted;          /* the wait ended by SIGTERM */

  /* the headers of the last answer; empty where they were not there */
  struct text request_id, trace_id, function_arn, deadline;
};

/* Blocks SIGTERM in the calling thread but for the interruptible waits below, so that it can't come
 * between an event and its answer. */
void runtime_stop_hold(void);
/* SIGTERM has come since. */
bool runtime_stop_wanted(void);

void runtime_api_init(struct runtime_api *api, const char *address);
void runtime_api_release(struct runtime_api *api);

struct runtime_request {
  const char *method;
  struct bytes path_start, path_middle, path_end; /* the path is these three */
  struct bytes error_type;                        /* empty, or the header for it */
  struct bytes body;
  bool interruptible; /* SIGTERM ends the wait for the answer; only after runtime_stop_hold */
  /* The request that will come next, to be sent at once, without waiting for the answer to this one
   * (RFC 9112 section 9.3.2): that saves both sides a wake-up. NULL where that is not known. */
  const struct runtime_request *followed_by;
};

/* Sends the request and waits for the whole answer, however long it takes; on a new connection where
 * the old one breaks. False where that doesn't help either, or with `interrupted` set. */
MUST_USE bool runtime_api_exchange(struct runtime_api *api, const struct runtime_request *request,
                                   struct failure *ret_failure);

#endif
