/* Sending to SQS: the relay's side of the queues (port/queue.h), what a function does with messages that
 * must come again, and the intake.
 *
 * SQS delivers; nobody receives here. A message comes again in one of two ways. As a new message, where
 * there is something to remember (how often it was tried, what the service answered) or where the delay is
 * long: delayed messages do not count against the 120,000 that a queue may have in flight; delays beyond the
 * 15 minutes that SQS allows are made of hops, since a message says itself when it is due. Or the same one,
 * by its visibility time, where nothing has changed. */
#ifndef PLATFORM_AWS_QUEUE_SQS_H
#define PLATFORM_AWS_QUEUE_SQS_H

#include "platform/aws/client.h"
#include "port/intake.h"
#include "port/queue.h"

struct queue_sqs;

struct queue_sqs_options {
  struct aws_client *client;
  struct clock *clock;
  const char *urls[QUEUE_COUNT];
};

struct queue_sqs *queue_sqs_open(const struct queue_sqs_options *options);
void queue_sqs_close(struct queue_sqs *queue);
/* Only queue_send works. */
struct queue *queue_sqs_port(struct queue_sqs *queue);

/* One received message that must come again after result.delay_ms. */
struct sqs_return {
  const struct message *message;
  const struct message_result *result;
  const char *queue_url; /* from where it came */
  struct bytes receipt_handle;
  bool anew; /* as a new message in any case: that it was received does not count as an attempt */
  bool done; /* out: a new message takes its place, and it may be deleted; else it comes again by itself */
};

void queue_sqs_return(struct queue_sqs *queue, struct sqs_return *returns, size_t count);

/* Sets the visibility time of received messages; what fails comes again by the queue's own. */
struct sqs_visibility {
  struct bytes receipt_handle;
  int64_t delay_ms;
};
void sqs_change_visibility(struct aws_client *client, const char *queue_url,
                           const struct sqs_visibility *changes, size_t count);

struct intake_sqs {
  struct intake port;
  struct aws_client *client;
  const char *url;
};
void intake_sqs_init(struct intake_sqs *intake, struct aws_client *client, const char *url);

#endif
