#include "base/panic.h"
#include "platform/local/http_server_parts.h"

/* How no wake-up is lost. A worker that got hold_ms from gateway_serve registers the call and then
 * serves it once more. The store tells of a final order after its readers see it. So either the
 * registration comes first, and http_server_order_final finds the call here; or it comes after, and
 * the second gateway_serve sees the final order. While that one runs the call is SETTLING: it may be
 * marked, but belongs to the worker. */

void http_holds_init(struct http_holds *holds) {
  ensure(pthread_mutex_init(&holds->mutex, NULL) == 0);
  atomic_init(&holds->count, 0);
  atomic_init(&holds->next_due_us, INT64_MAX);
}

void http_holds_release(struct http_holds *holds) { pthread_mutex_destroy(&holds->mutex); }

/* Order ids end in a MAC's base32: any of its bytes are as good as a hash. FNV-1a, for test ids. */
static size_t bucket_of(struct bytes id) {
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < id.size; i++) hash = (hash ^ (uint8_t)id.data[i]) * 16777619U;
  return hash % HOLD_BUCKETS;
}

static struct bytes id_of(const struct http_call *call) {
  return bytes_from(call->hold_id, sizeof call->hold_id);
}

static void take_out(struct http_holds *holds, struct http_call *call) {
  struct http_call **at = &holds->buckets[bucket_of(id_of(call))];
  while (*at != call) at = &(*at)->hold_next;
  *at = call->hold_next;
  call->hold = HOLD_NONE;
  call->hold_woken = false;
  atomic_fetch_sub(&holds->count, 1);
}

bool http_hold_register(struct http_server *server, struct http_call *call) {
  struct http_holds *holds = &server->holds;
  pthread_mutex_lock(&holds->mutex);
  bool room = atomic_load(&holds->count) < server->settings.held_max;
  if (room) {
    memcpy(call->hold_id, call->exchange.hold_id, sizeof call->hold_id);
    struct http_call **bucket = &holds->buckets[bucket_of(id_of(call))];
    call->hold_next = *bucket;
    *bucket = call;
    call->hold = HOLD_SETTLING;
    call->hold_due_us = call->exchange.started_us + call->exchange.hold_ms * 1000;
    atomic_fetch_add(&holds->count, 1);
  }
  pthread_mutex_unlock(&holds->mutex);
  return room;
}

enum http_hold_outcome http_hold_settle(struct http_server *server, struct http_call *call) {
  struct http_holds *holds = &server->holds;
  bool wake_loop = false;
  pthread_mutex_lock(&holds->mutex);
  enum http_hold_outcome outcome = HOLD_RESTS;
  if (call->exchange.hold_ms <= 0) {
    outcome = HOLD_ENDED;
    take_out(holds, call);
  } else if (call->hold_woken || http_server_is_stopping(server)) {
    outcome = HOLD_SERVE_AGAIN;
    take_out(holds, call);
  } else {
    call->hold = HOLD_RESTING;
    if (call->hold_due_us < atomic_load(&holds->next_due_us)) {
      atomic_store(&holds->next_due_us, call->hold_due_us);
      wake_loop = true;
    }
  }
  pthread_mutex_unlock(&holds->mutex);
  if (wake_loop) http_server_wake(server);
  return outcome;
}

void http_server_order_final(struct http_server *server, const struct bytes *ids, size_t count) {
  struct http_holds *holds = &server->holds;
  if (atomic_load(&holds->count) == 0) return;
  struct http_calls woken = {0};
  pthread_mutex_lock(&holds->mutex);
  for (size_t i = 0; i < count; i++) {
    struct http_call *next;
    for (struct http_call *call = holds->buckets[bucket_of(ids[i])]; call; call = next) {
      next = call->hold_next;
      if (!bytes_equal(id_of(call), ids[i])) continue;
      call->hold_woken = true;
      if (call->hold != HOLD_RESTING) continue;
      take_out(holds, call);
      http_calls_push(&woken, call);
    }
  }
  pthread_mutex_unlock(&holds->mutex);
  if (woken.count > 0) http_queue_push(&server->work, &woken);
}

/* Moves those due to `ended`; the earliest time of those that stay. */
static int64_t collect_due(struct http_holds *holds, int64_t now_us, bool all, struct http_calls *ended) {
  int64_t next_due_us = INT64_MAX;
  for (size_t i = 0; i < HOLD_BUCKETS; i++) {
    struct http_call *next;
    for (struct http_call *call = holds->buckets[i]; call; call = next) {
      next = call->hold_next;
      if (call->hold != HOLD_RESTING) continue; /* its worker looks at the time when it settles */
      if (all || call->hold_due_us <= now_us) {
        take_out(holds, call);
        call->hold_over = true;
        http_calls_push(ended, call);
      } else if (call->hold_due_us < next_due_us) {
        next_due_us = call->hold_due_us;
      }
    }
  }
  return next_due_us;
}

int64_t http_holds_expire(struct http_server *server, int64_t now_us) {
  struct http_holds *holds = &server->holds;
  bool stopping = http_server_is_stopping(server);
  int64_t next_due_us = atomic_load(&holds->next_due_us);
  if (stopping ? atomic_load(&holds->count) > 0 : next_due_us <= now_us) {
    struct http_calls ended = {0};
    pthread_mutex_lock(&holds->mutex);
    next_due_us = collect_due(holds, now_us, stopping, &ended);
    atomic_store(&holds->next_due_us, next_due_us);
    pthread_mutex_unlock(&holds->mutex);
    if (ended.count > 0) http_queue_push(&server->work, &ended);
  }
  return next_due_us == INT64_MAX ? -1 : (next_due_us - now_us) / 1000 + 1;
}
