/* The loop: begin what is due, write the ledger, send, take answers. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/panic.h"
#include "cli/surge_ledger.h"
#include "cli/surge_report.h"

enum { BEGIN_AT_ONCE = 256, POLL_MAX_US = 20000 };

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number) {
  (void)signal_number;
  stop_asked = 1;
}

int64_t surge_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t surge_wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct surge_request **grown(struct surge_request **items, size_t count, size_t *capacity) {
  if (count < *capacity) return items;
  *capacity = *capacity ? *capacity * 2 : 1024;
  items = reallocarray(items, *capacity, sizeof *items);
  if (!items) panic("out of memory");
  return items;
}

void surge_schedule(struct surge *surge, struct surge_request *request) {
  surge->retry = grown(surge->retry, surge->retry_count, &surge->retry_capacity);
  size_t at = surge->retry_count++;
  while (at > 0 && surge->retry[(at - 1) / 2]->due_us > request->due_us) {
    surge->retry[at] = surge->retry[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  surge->retry[at] = request;
}

static struct surge_request *take_scheduled(struct surge *surge) {
  struct surge_request **heap = surge->retry;
  struct surge_request *first = heap[0], *last = heap[--surge->retry_count];
  size_t at = 0;
  for (size_t child = 1; child < surge->retry_count; child = at * 2 + 1) {
    if (child + 1 < surge->retry_count && heap[child + 1]->due_us < heap[child]->due_us) child++;
    if (heap[child]->due_us >= last->due_us) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

static void make_ready(struct surge *surge, struct surge_request *request) {
  request->tries++;
  if (!request->is_cancel) surge->counts.attempts++;
  surge_ledger_attempt(surge, request);
  surge->ready = grown(surge->ready, surge->ready_count, &surge->ready_capacity);
  surge->ready[surge->ready_count++] = request;
}

static void begin_due(struct surge *surge, int64_t now_us) {
  for (int i = 0; i < BEGIN_AT_ONCE && surge->retry_count && surge->retry[0]->due_us <= now_us; i++)
    make_ready(surge, take_scheduled(surge));
  for (int i = 0; i < BEGIN_AT_ONCE && surge->next_action < surge->action_count; i++) {
    int64_t due_us = surge->started_us + surge_curve_due_us(&surge->curve, surge->next_action);
    if (due_us > now_us) break;
    struct surge_request *request = surge_request_new(surge, surge->next_action++, due_us);
    if (request) make_ready(surge, request);
  }
}

static void send_ready(struct surge *surge) {
  for (size_t i = 0; i < surge->ready_count; i++)
    client_send(surge->client, text_view(&surge->ready[i]->message), surge_answered, surge->ready[i]);
  surge->ready_count = 0;
}

static int64_t until_next_us(const struct surge *surge, int64_t now_us) {
  int64_t next_us = now_us + POLL_MAX_US;
  if (surge->retry_count && surge->retry[0]->due_us < next_us) next_us = surge->retry[0]->due_us;
  if (surge->next_action < surge->action_count) {
    int64_t due_us = surge->started_us + surge_curve_due_us(&surge->curve, surge->next_action);
    if (due_us < next_us) next_us = due_us;
  }
  return next_us > now_us ? next_us - now_us : 0;
}

/* True once everything was sent and answered, or the time to settle is over. */
static bool is_over(const struct surge *surge, int64_t now_us) {
  if (surge->interrupted) return true;
  if (surge->next_action < surge->action_count) return false;
  if (surge->under_way == 0) return true;
  int64_t end_us = surge->started_us + (int64_t)(surge->curve.duration_s * 1e6);
  return now_us > end_us + surge->settings.settle_ms * 1000;
}

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = ask_to_stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool surge_run(struct surge *surge, struct failure *ret_failure) {
  catch_signals();
  surge->started_us = surge_now_us();
  surge->started_ms = surge_wall_ms();
  struct surge_progress_view view;
  surge_progress_start(&view, surge);
  bool good = true;
  for (;;) {
    int64_t now_us = surge_now_us();
    if (stop_asked) surge->interrupted = true;
    if (is_over(surge, now_us)) break;
    begin_due(surge, now_us);
    good = surge_ledger_write(surge, ret_failure);
    if (!good) break;
    send_ready(surge);
    client_poll(surge->client, until_next_us(surge, surge_now_us()));
    surge_progress_show(&view, surge, surge_now_us());
  }
  surge_progress_end(&view, surge, surge_now_us());
  /* What is still under way has no answer, as far as this run is concerned. */
  surge->counts.unanswered = surge->counts.sent - surge->counts.acknowledged - surge->counts.refused;
  return good;
}
