/* What the functions on AWS share: the settings, the ports that fill a struct function_context, and how each
 * invocation begins and ends. */
#ifndef BOOTSTRAP_PORTS_H
#define BOOTSTRAP_PORTS_H

#include "function/context.h"
#include "platform/aws/client.h"
#include "platform/aws/queue_sqs.h"
#include "platform/aws/runtime.h"
#include "platform/aws/settings.h"
#include "platform/aws/store_dynamodb.h"
#include "platform/aws/telemetry_emf.h"

/* Which settings a handler cannot do without. */
enum {
  NEEDS_TABLE = 1,
  NEEDS_INTAKE = 2,
  NEEDS_QUEUES = 4,
  NEEDS_ID_SECRET = 8,
  NEEDS_PUBLIC_URL = 16,
};

struct ports {
  struct arena arena; /* of the whole life */
  struct aws_settings settings;
  struct aws_client_options client_options;
  struct aws_client *client;
  struct store_dynamodb *store;
  struct queue_sqs *queue;
  struct intake_sqs intake;
  struct telemetry_emf *telemetry;
  struct function_context functions;
};

/* Reads the settings, tells all that is wrong with them, and opens what does not touch the network but for
 * secrets that are kept by AWS. */
MUST_USE bool ports_open(struct ports *ports, unsigned needs, struct failure *ret_failure);
void ports_close(struct ports *ports);

/* Gives every AWS service until `margin_ms` before the invocation's deadline. */
void ports_begin(struct ports *ports, const struct invocation *invocation, int64_t margin_ms);
/* Writes metrics that are due. */
void ports_end(struct ports *ports);

/* The result of an invocation whose event is none of ours; logged. */
void ports_refuse_event(const struct invocation *invocation, const struct failure *failure,
                        struct invocation_result *ret_result);

#endif
