/* HTTP requests as Lambda events, and answers in the shape that each wants:
 *   HTTP_EVENT_2    HTTP API with payload 2.0, and function URLs
 *   HTTP_EVENT_1    REST API, and HTTP API with payload 1.0
 *   HTTP_EVENT_ALB  Application Load Balancer; HTTP_EVENT_ALB_MULTI with multi-value headers switched on
 * (Lambda developer guide, "Using AWS Lambda with …"; API Gateway developer guide, "Working with AWS Lambda
 * proxy integrations"; Elastic Load Balancing guide, "Lambda functions as targets"). */
#ifndef PLATFORM_AWS_HTTP_EVENT_H
#define PLATFORM_AWS_HTTP_EVENT_H

#include "base/attributes.h"
#include "base/failure.h"
#include "wire/http.h"
#include "wire/json.h"

enum http_event_shape { HTTP_EVENT_2, HTTP_EVENT_1, HTTP_EVENT_ALB, HTTP_EVENT_ALB_MULTI };

/* What an authoriser in front has verified: the JWT authoriser of an HTTP API, or a REST API's Cognito
 * authoriser. Whoever may invoke the function can write anything here: believe it only where the setting
 * says that an authoriser stands in front. */
struct http_event_claims {
  bool present;
  struct bytes subject, scope; /* "sub" and "scope" (or "scp"); empty where the token has none */
  const struct json *all;      /* the claims as an object of texts */
};

struct http_event {
  enum http_event_shape shape;
  struct http_request request;
  struct http_event_claims claims;
};

/* Header lines come one by one where the event tells them so (1.0 and multi-value), else joined by commas,
 * as the event has them. A path is given without its stage, and with what can't stand in a path
 * percent-encoded. A body is decoded from base64; beyond GATEWAY_BODY_BYTES_MAX it is body_too_large.
 * Everything lives in the arena. False, with what is wrong, where it is no HTTP event of these shapes. */
MUST_USE bool http_event_read(struct bytes event, struct arena *arena, struct http_event *ret_event,
                              struct failure *ret_failure);

/* The answer as JSON. Without a body for HEAD, 204 and 304; a body that is not UTF-8 goes as base64. */
struct bytes http_event_answer(const struct http_event *event, const struct http_response *response,
                               struct arena *arena);

#endif
