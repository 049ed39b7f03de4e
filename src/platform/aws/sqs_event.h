/* Batches of SQS messages as Lambda events, and the answer that names the failed ones (Lambda developer
 * guide, "Using Lambda with Amazon SQS" and "Implementing partial batch responses"). */
#ifndef PLATFORM_AWS_SQS_EVENT_H
#define PLATFORM_AWS_SQS_EVENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"

struct sqs_record {
  struct bytes message_id;
  struct bytes receipt_handle;
  struct bytes body;
  int64_t receive_count; /* how often it was received, this time included: from 1 */
  int64_t sent_ms;       /* since 1970 */
  struct bytes queue_arn;
  struct bytes queue_name;
  bool is_fifo;
  struct bytes group_id; /* MessageGroupId; empty where there is none */
};

struct sqs_event {
  struct sqs_record *records;
  size_t count;
};

/* Everything lives in the arena. False, with what is wrong, where it is no batch of SQS. */
MUST_USE bool sqs_event_read(struct bytes event, struct arena *arena, struct sqs_event *ret_event,
                             struct failure *ret_failure);

/* failed[i] says whether records[i] must come again. Of a FIFO queue, what comes after a failed message of
 * its group fails with it: otherwise the order would be lost. */
struct bytes sqs_event_answer(const struct sqs_event *event, const bool *failed, struct arena *arena);

#endif
