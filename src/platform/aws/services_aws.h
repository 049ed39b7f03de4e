/* Calls to the services (port/services.h) by each one's URL:
 *
 *   https://… http://…  platform/net/services_http; hosts of API Gateway and of function URLs are signed with
 *                       the function's role, unless the service has a token of its own
 *   lambda:<function>   invoked with an HTTP API event (payload 2.0), so that the same code can stand behind a
 *                       gateway; answers {"statusCode", "headers", "body"}
 *   sqs:<queue URL>     sent as {"command", "idempotency_key", "callback_url", "traceparent", "body"}; taken is
 *                       a 202: the callback tells how it ended */
#ifndef PLATFORM_AWS_SERVICES_AWS_H
#define PLATFORM_AWS_SERVICES_AWS_H

#include "platform/aws/client.h"
#include "port/services.h"

struct services_aws;

struct services_aws_options {
  struct aws_client *client;
  struct clock *clock;
  const struct aws_client_options *credentials;
  struct {
    const char *url; /* NULL: this function does not call it */
    struct bytes token;
    int64_t timeout_ms;
    bool resend_is_harmful;
    bool is_looked_up; /* refused for sqs:, which cannot be asked */
  } services[SERVICE_COUNT];
};

MUST_USE bool services_aws_open(const struct services_aws_options *options, struct services_aws **ret_services,
                                struct failure *ret_failure);
void services_aws_close(struct services_aws *services);
struct services *services_aws_port(struct services_aws *services);

#endif
