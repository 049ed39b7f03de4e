/* The queues of one machine: port/queue.h over the messages table of store_sqlite.h's database.
 *
 * Order       Each queue hands out by due time, then by the order of commits: what is ready comes
 *             first in, first out, and what is due later blocks nothing. Deadlines (MESSAGE_EXPIRE)
 *             stand in a line of their own, so that they come in time whatever the backlog of calls.
 * Memory      Of each line at most the earliest 4,096 messages are in memory, the rest on disk only,
 *             read in as they are needed; beside them what is leased or settled and not yet written.
 * Durability  Settling is written with the next transaction, at the latest about 100 ms after: a
 *             crash before that delivers an acknowledged message again, and forgets the delay,
 *             attempts and note of a retry.
 * Threads     Every function may be called from any thread. */
#ifndef PLATFORM_LOCAL_QUEUE_LOCAL_H
#define PLATFORM_LOCAL_QUEUE_LOCAL_H

#include "port/queue.h"

struct queue_local_statistics {
  int64_t waiting;           /* calls, due or not, in memory and on disk; leased ones are not counted */
  int64_t leased;            /* received and not yet settled */
  int64_t deadlines;         /* MESSAGE_EXPIRE that wait for their time */
  int64_t oldest_created_ms; /* of the waiting calls in memory; INT64_MAX where there is none */
};

/* `queue` is what store_sqlite_queue gave. */
void queue_local_statistics(struct queue *queue, int index, struct queue_local_statistics *ret_statistics);

/* The earliest due time over all queues, or of one (index), of what waits in memory; INT64_MAX where
 * nothing does. It may have passed. The observer's on_message tells when it may have become earlier. */
int64_t queue_local_next_due(struct queue *queue);
int64_t queue_local_next_due_of(struct queue *queue, int index);

/* As queue_receive, but only what no longer asks for a call: MESSAGE_EXPIRE that are due, and calls
 * whose deadline_ms has passed, due or not. For a queue whose circuit is open. A call that waits on
 * disk behind the 4,096 earliest comes once those before it have gone. */
size_t queue_local_receive_expired(struct queue *queue, int index, int64_t now_ms, size_t most,
                                   struct message *ret_messages);

#endif
