/* Port: the queues between the functions. Each (service, channel) has one. Messages are put in by
 * store_commit, with the order they follow from, or, where the store only keeps them as the order's
 * outbox, by function/relay; a runner (SQS's event source mapping on AWS, the local runner on one
 * machine) receives them, invokes the function, and settles each one.
 *
 * Delivery    At least once, in no promised order, not before due_ms. A message that was received is
 *             delivered to nobody else until it is settled or its lease ends (on one machine a lease
 *             ends with the process).
 * Settling    ACK deletes it, for good soon but not at once: after a crash it may come again.
 *             RETRY delivers it again after a delay, with attempts and note kept as well as may be
 *             (a crash may lose the newest ones). */
#ifndef PORT_QUEUE_H
#define PORT_QUEUE_H

#include "order/decide.h"

enum { MESSAGE_NOTE_BYTES = 200, QUEUE_COUNT = (int)SERVICE_COUNT * (int)CHANNEL_COUNT };

/* The queue of a service and a channel: 0 to QUEUE_COUNT - 1. */
static inline int queue_index(enum service service, int channel) {
  return (int)service * CHANNEL_COUNT + channel;
}

struct message {
  char order_id[ORDER_ID_CHARACTERS];
  enum message_kind kind;
  enum order_command slot;
  int queue;
  int64_t dispatch_version; /* of the order when the message was made: with slot, the message's identity */
  int64_t created_ms;
  int64_t due_ms;
  int64_t deadline_ms;
  int64_t attempts;              /* made before this delivery */
  char note[MESSAGE_NOTE_BYTES]; /* how the last attempt ended; a C string */
  int64_t handle;                /* the implementation's, to settle it */
};

enum settlement { SETTLE_ACK, SETTLE_RETRY };

struct message_result {
  enum settlement settlement;
  int64_t delay_ms;              /* RETRY */
  int64_t attempts;              /* RETRY: made so far */
  char note[MESSAGE_NOTE_BYTES]; /* RETRY */
};

struct queue;

struct queue_operations {
  size_t (*receive)(struct queue *queue, int index, int64_t now_ms, size_t most, struct message *ret_messages);
  void (*settle)(struct queue *queue, const struct message *messages, const struct message_result *results,
                 size_t count, int64_t now_ms);
  void (*send)(struct queue *queue, const struct message *messages, size_t count, bool *ret_sent);
};

struct queue {
  const struct queue_operations *operations;
};

/* Leases up to `most` messages of one queue that are due at `now_ms`; gives how many, 0 at once
 * where none is. */
static inline size_t queue_receive(struct queue *queue, int index, int64_t now_ms, size_t most,
                                   struct message *ret_messages) {
  return queue->operations->receive(queue, index, now_ms, most, ret_messages);
}

static inline void queue_settle(struct queue *queue, const struct message *messages,
                                const struct message_result *results, size_t count, int64_t now_ms) {
  queue->operations->settle(queue, messages, results, count, now_ms);
}

/* Puts messages in, each into its queue; true for each that is surely there. Only where a relay does so
 * (NULL on one machine). */
static inline void queue_send(struct queue *queue, const struct message *messages, size_t count,
                              bool *ret_sent) {
  queue->operations->send(queue, messages, count, ret_sent);
}

#endif
