/* call: sends the commands that wait in the queues to their services and decides what their answers
 * mean. Lambda invokes call_run on a batch; one machine's runner, which need not wait for the slowest
 * of a batch, calls call_begin and call_finish around its own client. A crash between the two leaves
 * the attempt recorded as unsettled, and the message is delivered again. */
#ifndef FUNCTION_CALL_H
#define FUNCTION_CALL_H

#include "function/context.h"
#include "port/queue.h"
#include "port/services.h"

struct call_attempt {
  struct arena arena; /* of the request; call_attempt_release gives it back */
  struct message message;
  bool send;     /* there is a request to send; otherwise `result` says how it ended */
  bool in_doubt; /* an earlier attempt's outcome is unknown */
  struct service_call request;
  const struct order
      *order; /* as call_begin left it, without its content; NULL where there is nothing to send */
  struct message_result result;
  bool stored;         /* after call_finish: false where the store failed; call it again with the
                          same answer, or let the message come again */
  const char *outcome; /* after call_finish: a word for logs and metrics */
};

/* Records that attempts are about to be made, and makes the requests. */
void call_begin(const struct function_context *context, const struct message *messages, size_t count,
                struct call_attempt *ret_attempts);

/* Decides and stores what the answers mean. Takes only attempts with `send` set. */
void call_finish(const struct function_context *context, struct call_attempt *const *attempts,
                 const struct service_answer *const *answers, size_t count);

void call_attempt_release(struct call_attempt *attempt);

/* All of it for a batch, through the services port. `on_answer` is told of each call made (NULL: nobody). */
typedef void call_observer(const struct call_attempt *attempt, const struct service_answer *answer);
void call_run(const struct function_context *context, struct services *services, const struct message *messages,
              size_t count, call_observer *on_answer, struct message_result *ret_results);

#endif
