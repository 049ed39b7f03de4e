/* What every function behind a queue does around its batch: reads the event, tells SQS which messages must come
 * again. */
#ifndef BOOTSTRAP_SQS_FRAME_H
#define BOOTSTRAP_SQS_FRAME_H

#include "bootstrap/ports.h"
#include "platform/aws/sqs_event.h"

/* Works on a batch. `failed` is all false when it is called. */
typedef void sqs_batch(void *self, const struct invocation *invocation, const struct sqs_event *event,
                       struct arena *arena, bool *failed);

/* `margin_ms` of the invocation's time is kept for the answer. */
void sqs_frame(struct ports *ports, void *self, sqs_batch *work, int64_t margin_ms,
               const struct invocation *invocation, struct invocation_result *ret_result);

#endif
