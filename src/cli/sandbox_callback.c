#include "cli/sandbox_callback.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"

enum { RETRY_FIRST_MS = 250, RETRY_MAX_MS = 10000, REQUEST_TIMEOUT_MS = 10000, IDLE_WAIT_MS = 1000 };

struct callback {
  int64_t due_ms;
  int times_left, tries;
  _Atomic bool *told;
  char body[CALLBACK_BODY_BYTES_MAX];
  size_t body_size;
  char url[]; /* ends with NUL */
};

struct callbacks {
  pthread_t thread;
  pthread_mutex_t lock; /* guards the heap, the counts and `stopping` */
  struct callback **heap;
  size_t heap_count, heap_capacity;
  struct callback_counts counts;
  bool stopping;
  CURLM *multi;
  struct curl_slist *headers;
  CURL *idle[CALLBACK_IN_FLIGHT_MAX];
  size_t idle_count, in_flight;
};

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void heap_push(struct callbacks *callbacks, struct callback *callback) {
  if (callbacks->heap_count == callbacks->heap_capacity) {
    callbacks->heap_capacity = callbacks->heap_capacity ? callbacks->heap_capacity * 2 : 64;
    callbacks->heap = reallocarray(callbacks->heap, callbacks->heap_capacity, sizeof *callbacks->heap);
    if (!callbacks->heap) panic("out of memory");
  }
  size_t at = callbacks->heap_count++;
  while (at > 0 && callbacks->heap[(at - 1) / 2]->due_ms > callback->due_ms) {
    callbacks->heap[at] = callbacks->heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  callbacks->heap[at] = callback;
}

static struct callback *heap_pop(struct callbacks *callbacks) {
  struct callback **heap = callbacks->heap;
  struct callback *first = heap[0], *last = heap[--callbacks->heap_count];
  size_t at = 0;
  for (size_t child = 1; child < callbacks->heap_count; child = at * 2 + 1) {
    if (child + 1 < callbacks->heap_count && heap[child + 1]->due_ms < heap[child]->due_ms) child++;
    if (heap[child]->due_ms >= last->due_ms) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

static size_t discard(char *data, size_t size, size_t count, void *context) {
  (void)data;
  (void)context;
  return size * count;
}

static void send_one(struct callbacks *callbacks, struct callback *callback) {
  CURL *easy = callbacks->idle_count ? callbacks->idle[--callbacks->idle_count] : curl_easy_init();
  if (!easy) panic("out of memory");
  curl_easy_setopt(easy, CURLOPT_URL, (char *)callback->url);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, callback->body);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)callback->body_size);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, callbacks->headers);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)REQUEST_TIMEOUT_MS);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, callback);
  curl_multi_add_handle(callbacks->multi, easy);
  callbacks->in_flight++;
}

/* Sends what is due; gives how long nothing else will be. */
static int64_t send_due(struct callbacks *callbacks) {
  int64_t wait_ms = IDLE_WAIT_MS;
  for (;;) {
    struct callback *due = NULL;
    pthread_mutex_lock(&callbacks->lock);
    if (callbacks->heap_count && callbacks->in_flight < CALLBACK_IN_FLIGHT_MAX) {
      int64_t left_ms = callbacks->heap[0]->due_ms - monotonic_ms();
      if (left_ms <= 0)
        due = heap_pop(callbacks);
      else if (left_ms < wait_ms)
        wait_ms = left_ms;
    }
    pthread_mutex_unlock(&callbacks->lock);
    if (!due) return wait_ms;
    send_one(callbacks, due);
  }
}

static bool settled(long status) {
  return (status >= 200 && status < 300) || (status >= 400 && status < 500 && status != 408 && status != 429);
}

/* One answer, or none (status 0): the callback goes back into the heap unless it is done. */
static void on_end(struct callbacks *callbacks, struct callback *callback, long status) {
  bool again = !settled(status);
  if (!again && callback->told) atomic_store(callback->told, true);
  pthread_mutex_lock(&callbacks->lock);
  if (again) {
    int64_t delay_ms = RETRY_FIRST_MS << (callback->tries < 6 ? callback->tries : 6);
    callback->tries++;
    callback->due_ms = monotonic_ms() + (delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS);
    callbacks->counts.failed++;
  } else {
    callbacks->counts.delivered += status < 300;
    callbacks->counts.refused += status >= 400;
    again = --callback->times_left > 0;
  }
  if (again)
    heap_push(callbacks, callback);
  else
    callbacks->counts.waiting--;
  pthread_mutex_unlock(&callbacks->lock);
  if (!again) free(callback);
}

static void reap(struct callbacks *callbacks) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(callbacks->multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    struct callback *callback;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&callback);
    if (message->data.result == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(callbacks->multi, easy);
    callbacks->idle[callbacks->idle_count++] = easy;
    callbacks->in_flight--;
    on_end(callbacks, callback, status);
  }
}

static bool is_stopping(struct callbacks *callbacks) {
  pthread_mutex_lock(&callbacks->lock);
  bool stopping = callbacks->stopping;
  pthread_mutex_unlock(&callbacks->lock);
  return stopping;
}

static void *run(void *context) {
  struct callbacks *callbacks = context;
  while (!is_stopping(callbacks)) {
    int running;
    int64_t wait_ms = send_due(callbacks);
    curl_multi_perform(callbacks->multi, &running);
    reap(callbacks);
    if (callbacks->in_flight < CALLBACK_IN_FLIGHT_MAX || running)
      curl_multi_poll(callbacks->multi, NULL, 0, (int)wait_ms, NULL);
  }
  return NULL;
}

bool callbacks_start(struct callbacks **ret_callbacks, struct failure *ret_failure) {
  struct callbacks *callbacks = calloc(1, sizeof *callbacks);
  if (!callbacks) panic("out of memory");
  pthread_mutex_init(&callbacks->lock, NULL);
  callbacks->multi = curl_multi_init();
  callbacks->headers = curl_slist_append(NULL, "Content-Type: application/json");
  if (callbacks->multi && callbacks->headers && pthread_create(&callbacks->thread, NULL, run, callbacks) == 0) {
    *ret_callbacks = callbacks;
    return true;
  }
  curl_multi_cleanup(callbacks->multi);
  curl_slist_free_all(callbacks->headers);
  free(callbacks);
  return failure_set(ret_failure, "cannot start the thread that sends callbacks");
}

void callbacks_stop(struct callbacks *callbacks) {
  pthread_mutex_lock(&callbacks->lock);
  callbacks->stopping = true;
  pthread_mutex_unlock(&callbacks->lock);
  curl_multi_wakeup(callbacks->multi);
  pthread_join(callbacks->thread, NULL);
  for (size_t i = 0; i < callbacks->heap_count; i++) free(callbacks->heap[i]);
  free(callbacks->heap);
  for (size_t i = 0; i < callbacks->idle_count; i++) curl_easy_cleanup(callbacks->idle[i]);
  curl_multi_cleanup(callbacks->multi);
  curl_slist_free_all(callbacks->headers);
  pthread_mutex_destroy(&callbacks->lock);
  free(callbacks);
}

void callbacks_add(struct callbacks *callbacks, struct bytes url, struct bytes body, int64_t delay_ms,
                   int times, _Atomic bool *told) {
  ensure(body.size <= CALLBACK_BODY_BYTES_MAX);
  struct callback *callback = calloc(1, sizeof *callback + url.size + 1);
  if (!callback) panic("out of memory");
  callback->due_ms = monotonic_ms() + delay_ms;
  callback->times_left = times;
  callback->told = told;
  callback->body_size = body.size;
  memcpy(callback->body, body.data, body.size);
  memcpy(callback->url, url.data, url.size);
  pthread_mutex_lock(&callbacks->lock);
  heap_push(callbacks, callback);
  bool first = callbacks->heap[0] == callback;
  callbacks->counts.waiting++;
  pthread_mutex_unlock(&callbacks->lock);
  if (first) curl_multi_wakeup(callbacks->multi);
}

struct callback_counts callbacks_count(struct callbacks *callbacks) {
  pthread_mutex_lock(&callbacks->lock);
  struct callback_counts counts = callbacks->counts;
  pthread_mutex_unlock(&callbacks->lock);
  return counts;
}
