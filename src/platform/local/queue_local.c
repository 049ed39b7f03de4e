/* The queues as the runner sees them: receiving, settling, figures. */
#include "platform/local/queue_local.h"

#include <stdlib.h>

#include "base/panic.h"
#include "platform/local/queue_local_internal.h"

static struct lane *calls_of(struct queue_local *queue, int index) {
  ensure(index >= 0 && index < QUEUE_COUNT);
  return &queue->lanes[index];
}

static struct lane *deadlines_of(struct queue_local *queue, int index) {
  return &queue->lanes[QUEUE_COUNT + index];
}

/* --- receiving ------------------------------------------------------------------------------------- */

static void lease(struct lane *lane, struct queue_item *item, struct message *ret_message) {
  item->place = PLACE_LEASED;
  lane->leased++;
  *ret_message = (struct message){.kind = (enum message_kind)item->kind,
                                  .slot = (enum order_command)item->slot,
                                  .queue = item->lane % QUEUE_COUNT,
                                  .dispatch_version = item->dispatch_version,
                                  .created_ms = item->created_ms,
                                  .due_ms = item->due_ms,
                                  .deadline_ms = item->deadline_ms,
                                  .attempts = item->attempts,
                                  .handle = item->number};
  order_id_from_blob(item->order_id, ret_message->order_id);
  /* Its size was checked when it came in. */
  if (item->note) memcpy(ret_message->note, item->note, strlen(item->note) + 1);
}

static size_t take_due(struct lane *lane, int64_t now_ms, size_t most, struct message *ret_messages) {
  size_t count = 0;
  while (count < most && lane->count > 0 && lane_at(lane, 0)->due_ms <= now_ms)
    lease(lane, lane_take(lane, 0), &ret_messages[count++]);
  return count;
}

static size_t take_past_deadline(struct lane *lane, int64_t now_ms, size_t most, struct message *ret_messages) {
  size_t count = 0;
  for (size_t i = 0; i < lane->count && count < most;) {
    if (lane_at(lane, i)->deadline_ms <= now_ms)
      lease(lane, lane_take(lane, i), &ret_messages[count++]);
    else
      i++;
  }
  return count;
}

static size_t receive_with(struct queue *port, int index, int64_t now_ms, size_t most,
                           struct message *ret_messages,
                           size_t (*take_calls)(struct lane *, int64_t, size_t, struct message *)) {
  struct queue_local *queue = (struct queue_local *)port;
  struct lane *calls = calls_of(queue, index), *deadlines = deadlines_of(queue, index);
  size_t count = 0;
  pthread_mutex_lock(&queue->mutex);
  if (queue->dirty_count < DIRTY_MAX_ITEMS) {
    count = take_due(deadlines, now_ms, most, ret_messages);
    count += take_calls(calls, now_ms, most - count, ret_messages + count);
  }
  /* Also where nothing was there: reading a line in may have failed. */
  bool low = lane_is_low(calls) || lane_is_low(deadlines);
  pthread_mutex_unlock(&queue->mutex);
  if (low) writer_want_refill(queue->writer);
  return count;
}

static size_t receive(struct queue *port, int index, int64_t now_ms, size_t most,
                      struct message *ret_messages) {
  return receive_with(port, index, now_ms, most, ret_messages, take_due);
}

size_t queue_local_receive_expired(struct queue *port, int index, int64_t now_ms, size_t most,
                                   struct message *ret_messages) {
  return receive_with(port, index, now_ms, most, ret_messages, take_past_deadline);
}

/* --- settling -------------------------------------------------------------------------------------- */

static void keep_note(struct queue_item *item, const char note[MESSAGE_NOTE_BYTES]) {
  free(item->note);
  size_t size = strnlen(note, MESSAGE_NOTE_BYTES - 1);
  item->note = size > 0 ? strndup(note, size) : NULL;
  if (size > 0 && !item->note) panic("out of memory");
}

static void retry(struct queue_local *queue, struct queue_item *item, const struct message_result *result,
                  int64_t now_ms) {
  int64_t delay_ms = result->delay_ms > 0 ? result->delay_ms : 0;
  if (__builtin_add_overflow(now_ms, delay_ms, &item->due_ms)) item->due_ms = INT64_MAX;
  item->attempts = result->attempts;
  keep_note(item, result->note);
  struct lane *lane = &queue->lanes[item->lane];
  item->place = PLACE_DISK;
  item_mark_dirty(queue, item);
  if (lane_make_room(queue, lane, item->due_ms, item->number)) lane_insert(lane, item);
}

static void settle(struct queue *port, const struct message *messages, const struct message_result *results,
                   size_t count, int64_t now_ms) {
  struct queue_local *queue = (struct queue_local *)port;
  pthread_mutex_lock(&queue->mutex);
  for (size_t i = 0; i < count; i++) {
    struct queue_item *item = item_find(queue, messages[i].handle);
    if (!item || item->place != PLACE_LEASED) continue;
    struct lane *lane = &queue->lanes[item->lane];
    lane->leased--;
    if (results[i].settlement == SETTLE_RETRY) {
      retry(queue, item, &results[i], now_ms);
      continue;
    }
    item->place = PLACE_ACKED;
    lane->acked++;
    item_mark_dirty(queue, item);
  }
  pthread_mutex_unlock(&queue->mutex);
  if (count > 0) writer_want_flush(queue->writer);
}

/* --- figures --------------------------------------------------------------------------------------- */

static int64_t lane_next_due(const struct lane *lane) {
  return lane->count > 0 ? lane_at(lane, 0)->due_ms : INT64_MAX;
}

/* The earlier one of both lines. */
static int64_t next_due_of(struct queue_local *queue, int index) {
  int64_t calls = lane_next_due(calls_of(queue, index)), deadlines = lane_next_due(deadlines_of(queue, index));
  return calls < deadlines ? calls : deadlines;
}

int64_t queue_local_next_due_of(struct queue *port, int index) {
  struct queue_local *queue = (struct queue_local *)port;
  pthread_mutex_lock(&queue->mutex);
  bool may_receive = queue->dirty_count < DIRTY_MAX_ITEMS;
  int64_t due_ms = may_receive ? next_due_of(queue, index) : INT64_MAX;
  pthread_mutex_unlock(&queue->mutex);
  return due_ms;
}

int64_t queue_local_next_due(struct queue *port) {
  int64_t earliest_ms = INT64_MAX;
  for (int i = 0; i < QUEUE_COUNT; i++) {
    int64_t due_ms = queue_local_next_due_of(port, i);
    if (due_ms < earliest_ms) earliest_ms = due_ms;
  }
  return earliest_ms;
}

void queue_local_statistics(struct queue *port, int index, struct queue_local_statistics *ret_statistics) {
  struct queue_local *queue = (struct queue_local *)port;
  pthread_mutex_lock(&queue->writer->mutex);
  int64_t call_rows = queue->writer->published.messages[index];
  int64_t deadline_rows = queue->writer->published.messages[QUEUE_COUNT + index];
  pthread_mutex_unlock(&queue->writer->mutex);
  struct queue_local_statistics statistics = {.oldest_created_ms = INT64_MAX};
  pthread_mutex_lock(&queue->mutex);
  const struct lane *calls = calls_of(queue, index), *deadlines = deadlines_of(queue, index);
  for (size_t i = 0; i < calls->count; i++)
    if (lane_at(calls, i)->created_ms < statistics.oldest_created_ms)
      statistics.oldest_created_ms = lane_at(calls, i)->created_ms;
  statistics.waiting = call_rows - calls->leased - calls->acked;
  statistics.deadlines = deadline_rows - deadlines->leased - deadlines->acked;
  statistics.leased = calls->leased + deadlines->leased;
  pthread_mutex_unlock(&queue->mutex);
  /* Rows and memory are looked at one after the other, and may differ by what happened between. */
  if (statistics.waiting < 0) statistics.waiting = 0;
  if (statistics.deadlines < 0) statistics.deadlines = 0;
  *ret_statistics = statistics;
}

static const struct queue_operations operations = {.receive = receive, .settle = settle};

struct queue_local *queue_local_create(struct writer *writer) {
  struct queue_local *queue = calloc(1, sizeof *queue);
  if (!queue) panic("out of memory");
  queue->queue.operations = &operations;
  queue->writer = writer;
  pthread_mutex_init(&queue->mutex, NULL);
  lanes_init(queue);
  return queue;
}

void queue_local_release(struct queue_local *queue) {
  lanes_release(queue);
  pthread_mutex_destroy(&queue->mutex);
  free(queue);
}

struct queue *queue_local_port(struct queue_local *queue) {
  return &queue->queue;
}
