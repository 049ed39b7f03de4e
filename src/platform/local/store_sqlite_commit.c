/* The callers' side of store_commit: everything that needs no database is done here, in their own
 * threads, so that the one writer has less to do. */
#include "base/panic.h"
#include "order/codec.h"
#include "platform/local/store_sqlite_internal.h"

void writer_want_flush(struct writer *writer) {
  pthread_mutex_lock(&writer->mutex);
  if (!writer->flush_wanted) {
    writer->flush_wanted = true;
    writer->flush_at_us = monotonic_us() + FLUSH_DELAY_US;
    pthread_cond_signal(&writer->work);
  }
  pthread_mutex_unlock(&writer->mutex);
}

void writer_want_refill(struct writer *writer) {
  pthread_mutex_lock(&writer->mutex);
  writer->refill_wanted = true;
  pthread_cond_signal(&writer->work);
  pthread_mutex_unlock(&writer->mutex);
}

static struct bytes text_of_events(const struct decision *decision, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  if (decision->event_count > 0) order_events_write(decision->events, decision->event_count, &text);
  return text_view(&text);
}

static struct bytes text_of_state(const struct order *order, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  text_reserve(&text, 512);
  order_state_write(order, &text);
  return text_view(&text);
}

static void prepare(const struct store_commit *commit, struct arena *arena, struct store_result *result,
                    struct prepared_commit *ret_prepared) {
  const struct order *order = &commit->decision->next;
  *ret_prepared = (struct prepared_commit){.commit = commit, .result = result};
  ensure(order_id_to_blob(order->id, ret_prepared->id));
  ensure(commit->claim_count <= STORE_CLAIMS_MAX && (commit->claim_count == 0 || order->revision == 1));
  ensure(order->status >= 0 && order->status < ORDER_STATUS_COUNT);
  ensure(order->content.channel >= 0 && order->content.channel < CHANNEL_COUNT);
  ret_prepared->state = text_of_state(order, arena);
  ret_prepared->events = text_of_events(commit->decision, arena);
  ret_prepared->attention = order_attention(order);
}

/* False where too many wait already, or nothing can be written any more. */
static bool hand_over(struct store_sqlite *store, struct handoff *handoff, enum commit_status *ret_status) {
  struct writer *writer = &store->writer;
  bool taken = false;
  pthread_mutex_lock(&writer->mutex);
  if (writer->broken) {
    *ret_status = COMMIT_FAILED;
  } else if (writer->waiting > 0 && writer->waiting + handoff->count > store->waiting_max) {
    *ret_status = COMMIT_THROTTLED;
  } else {
    bool was_empty = writer->first == NULL;
    *writer->last = handoff;
    writer->last = &handoff->next;
    writer->waiting += handoff->count;
    handoff->batch = writer->gathering;
    if (was_empty) pthread_cond_signal(&writer->work);
    while (!handoff->done) pthread_cond_wait(&writer->done[handoff->batch % 2], &writer->mutex);
    taken = true;
  }
  pthread_mutex_unlock(&writer->mutex);
  return taken;
}

void writer_commit(struct store *port, const struct store_commit *commits, size_t count,
                   struct store_result *ret_results) {
  if (count == 0) return;
  struct store_sqlite *store = (struct store_sqlite *)port;
  struct arena arena;
  arena_init(&arena);
  struct handoff handoff = {.commits = ARENA_ARRAY(&arena, count, struct prepared_commit), .count = count};
  for (size_t i = 0; i < count; i++) prepare(&commits[i], &arena, &ret_results[i], &handoff.commits[i]);
  enum commit_status refusal;
  if (!hand_over(store, &handoff, &refusal))
    for (size_t i = 0; i < count; i++) ret_results[i] = (struct store_result){.status = refusal};
  arena_release(&arena);
}
