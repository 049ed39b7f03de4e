#include "base/panic.h"
#include "platform/local/http_server_parts.h"

void http_queue_init(struct http_queue *queue) {
  ensure(pthread_mutex_init(&queue->mutex, NULL) == 0);
  ensure(pthread_cond_init(&queue->changed, NULL) == 0);
  atomic_init(&queue->count, 0);
  atomic_init(&queue->oldest_us, 0);
}

void http_queue_release(struct http_queue *queue) {
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->mutex);
}

static void publish(struct http_queue *queue) {
  atomic_store_explicit(&queue->count, queue->calls.count, memory_order_relaxed);
  atomic_store_explicit(&queue->oldest_us, queue->calls.first ? queue->calls.first->queued_us : 0,
                        memory_order_relaxed);
}

void http_queue_push(struct http_queue *queue, struct http_calls *calls) {
  int64_t now_us = http_now_us();
  for (struct http_call *call = calls->first; call; call = call->next) call->queued_us = now_us;
  pthread_mutex_lock(&queue->mutex);
  http_calls_append(&queue->calls, calls);
  publish(queue);
  pthread_cond_signal(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
}

void http_queue_end(struct http_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->ending = true;
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
}

/* Waits for work and takes up to `most` of it; 0 once the queue has ended and is empty. */
static size_t take(struct http_queue *queue, struct http_call **ret_calls, size_t most) {
  size_t count = 0;
  pthread_mutex_lock(&queue->mutex);
  while (!queue->calls.first && !queue->ending) pthread_cond_wait(&queue->changed, &queue->mutex);
  while (count < most && queue->calls.first) ret_calls[count++] = http_calls_pop(&queue->calls);
  publish(queue);
  if (queue->calls.first) pthread_cond_signal(&queue->changed); /* another thread takes the rest */
  pthread_mutex_unlock(&queue->mutex);
  return count;
}

/* Bound by number, and by time: what waits longer than its client is likely to is worth nothing, and
 * work spent on it makes the next one wait as long (controlled delay, as in RFC 8289). Those that wait
 * already are kept: they were promised an answer. The stricter time holds in a crowd only: who fits into
 * the next batch would gain nothing from being refused. */
bool http_work_is_full(struct http_server *server, size_t about_to_be_queued, int64_t waited_us,
                       int64_t now_us) {
  struct http_queue *queue = &server->work;
  const struct http_server_settings *settings = &server->settings;
  if (server->work_ended) return true;
  size_t count = atomic_load_explicit(&queue->count, memory_order_relaxed) + about_to_be_queued;
  if (count >= settings->waiting_max) return true;
  int64_t oldest_us = atomic_load_explicit(&queue->oldest_us, memory_order_relaxed);
  int64_t age_us = oldest_us ? now_us - oldest_us : 0;
  if (age_us > settings->waiting_age_max_ms * 1000) return true;
  return waited_us + (count >= HTTP_BATCH_MAX ? age_us : 0) > settings->crowd_age_max_ms * 1000;
}

void http_work_done(struct http_server *server, struct http_calls *calls) {
  if (calls->count == 0) return;
  pthread_mutex_lock(&server->done_mutex);
  bool was_empty = server->done.count == 0; /* else the loop has been woken already */
  http_calls_append(&server->done, calls);
  pthread_mutex_unlock(&server->done_mutex);
  if (was_empty) http_server_wake(server);
}

static void serve(struct http_server *server, struct http_call **calls, size_t count) {
  struct exchange *exchanges[HTTP_BATCH_MAX];
  bool stopping = http_server_is_stopping(server);
  for (size_t i = 0; i < count; i++) {
    struct exchange *exchange = &calls[i]->exchange;
    exchange->hold_ms = 0;
    exchange->stopping = exchange->stopping || stopping;
    exchange->response.status = calls[i]->opened_status;
    exchange->response.header_count = calls[i]->opened_header_count;
    exchange->response.close = calls[i]->opened_close;
    exchange->response.body = (struct bytes){NULL, 0};
    exchanges[i] = exchange;
  }
  gateway_serve(server->gateway, exchanges, count);
}

static bool wants_to_be_held(struct http_server *server, const struct http_call *call) {
  return call->exchange.hold_ms > 0 && !call->hold_over && !call->exchange.stopping &&
         !http_server_is_stopping(server);
}

/* Those that ask to wait are registered and served once more (http_hold.c says why); the others are
 * done. */
static void sort_out(struct http_server *server, struct http_call **calls, size_t count) {
  struct http_calls done = {0}, again = {0};
  struct http_call *held[HTTP_BATCH_MAX];
  size_t held_count = 0;
  for (size_t i = 0; i < count; i++) {
    if (wants_to_be_held(server, calls[i]) && http_hold_register(server, calls[i]))
      held[held_count++] = calls[i];
    else
      http_calls_push(&done, calls[i]);
  }
  http_work_done(server, &done);
  if (held_count == 0) return;
  serve(server, held, held_count);
  for (size_t i = 0; i < held_count; i++) {
    enum http_hold_outcome outcome = http_hold_settle(server, held[i]);
    if (outcome == HOLD_ENDED) http_calls_push(&done, held[i]);
    if (outcome == HOLD_SERVE_AGAIN) http_calls_push(&again, held[i]);
  }
  http_work_done(server, &done);
  if (again.count > 0) http_queue_push(&server->work, &again);
}

static void *work(void *context) {
  struct http_server *server = context;
  struct http_call *calls[HTTP_BATCH_MAX];
  size_t count;
  while ((count = take(&server->work, calls, HTTP_BATCH_MAX)) > 0) {
    serve(server, calls, count);
    sort_out(server, calls, count);
  }
  return NULL;
}

/* One fetch serves all that wait for it. The gateway is opened again on the loop thread. */
static void *fetch_keys(void *context) {
  struct http_server *server = context;
  struct http_call *calls[HTTP_BATCH_MAX];
  size_t count;
  while ((count = take(&server->keys, calls, HTTP_BATCH_MAX)) > 0) {
    gateway_refresh_keys(server->gateway);
    struct http_calls done = {0};
    for (size_t i = 0; i < count; i++) {
      calls[i]->reopen = true;
      http_calls_push(&done, calls[i]);
    }
    http_work_done(server, &done);
  }
  return NULL;
}

bool http_work_start(struct http_server *server, struct failure *ret_failure) {
  size_t wanted = server->settings.workers;
  if (wanted < 1) wanted = 1;
  if (wanted > HTTP_WORKERS_MAX) wanted = HTTP_WORKERS_MAX;
  if (pthread_create(&server->keys_thread, NULL, fetch_keys, server) != 0)
    return failure_set(ret_failure, "cannot start a thread: the limit of threads is reached");
  for (; server->worker_count < wanted; server->worker_count++) {
    if (pthread_create(&server->worker_threads[server->worker_count], NULL, work, server) == 0) continue;
    http_work_join(server);
    return failure_set(ret_failure, "cannot start a thread: the limit of threads is reached");
  }
  return true;
}

void http_work_join(struct http_server *server) {
  http_queue_end(&server->keys);
  http_queue_end(&server->work);
  pthread_join(server->keys_thread, NULL);
  for (size_t i = 0; i < server->worker_count; i++) pthread_join(server->worker_threads[i], NULL);
  server->worker_count = 0;
}
