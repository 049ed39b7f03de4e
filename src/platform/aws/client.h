/* Requests to AWS services: JSON over HTTPS, signed by Signature Version 4 (libcurl's), in parallel, with
 * retries inside a deadline. It knows no service's semantics beyond how each says "not now". One thread.
 *
 * Sources: DynamoDB's and SQS's JSON protocols (X-Amz-Target), the Lambda Invoke API, "Error retries and
 * exponential backoff in AWS" (full jitter). */
#ifndef PLATFORM_AWS_CLIENT_H
#define PLATFORM_AWS_CLIENT_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "port/clock.h"
#include "port/entropy.h"

enum aws_service {
  AWS_DYNAMODB,
  AWS_DYNAMODB_STREAMS,
  AWS_SQS,
  AWS_LAMBDA,
  AWS_SSM,
  AWS_SECRETS_MANAGER,
  AWS_SERVICE_COUNT
};

struct aws_client_options {
  struct clock *clock;
  struct entropy *entropy;
  const char *region;
  const char *access_key, *secret_key, *session_token; /* the session token may be NULL */
  const char *endpoints[AWS_SERVICE_COUNT];            /* NULL: the region's public ones */
  const char *ca_file;                                 /* NULL: libcurl's */
  /* Told of each request that failed in the end, but for conditions that were not met; may be NULL. */
  void (*on_failed)(const char *operation, int status, struct bytes error);
};

struct aws_request {
  enum aws_service service;
  const char *operation; /* "PutItem"; for Lambda the function's name or ARN */
  struct bytes body;     /* JSON */
  bool once;             /* never tried again here: what it does may not be done twice */
};

static inline struct aws_request aws_request(enum aws_service service, const char *operation,
                                             struct bytes body) {
  return (struct aws_request){.service = service, .operation = operation, .body = body};
}

enum aws_outcome {
  AWS_DONE,        /* 2xx */
  AWS_REFUSED,     /* a 4xx that no retry would mend; `error` names it */
  AWS_THROTTLED,   /* surely not carried out; retried until the deadline */
  AWS_UNAVAILABLE, /* 5xx, or no complete answer: may have been carried out; retried until the deadline */
  AWS_UNREACHED    /* not one byte was sent; retried until the deadline */
};

struct aws_answer {
  enum aws_outcome outcome;
  int status;
  struct bytes body;
  struct bytes error;   /* "ConditionalCheckFailedException", without its namespace; or what broke */
  bool function_failed; /* Lambda: X-Amz-Function-Error was set */
  bool in_doubt;        /* an earlier try of this request may have been carried out */
  int64_t elapsed_us;   /* of the last try */
};

struct aws_client;

MUST_USE bool aws_client_open(const struct aws_client_options *options, struct aws_client **ret_client,
                              struct failure *ret_failure);
void aws_client_close(struct aws_client *client);

/* No try of this service goes on after `at_ms` (since 1970); applies until it is set again. */
void aws_client_set_deadline(struct aws_client *client, enum aws_service service, int64_t at_ms);

/* Carries out all of them and returns when each has its final answer. */
void aws_call(struct aws_client *client, const struct aws_request *requests, size_t count, struct arena *arena,
              struct aws_answer *ret_answers);
struct aws_answer aws_call_one(struct aws_client *client, enum aws_service service, const char *operation,
                               struct bytes body, struct arena *arena);

/* Sleeps, but not past the service's deadline; false where that left no time at all. */
bool aws_client_pause(struct aws_client *client, enum aws_service service, int64_t most_ms);

#endif
