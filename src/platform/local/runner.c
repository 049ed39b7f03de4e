#include "platform/local/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "function/call.h"
#include "gateway/tell.h"
#include "order/step.h"
#include "platform/local/queue_local.h"

enum { BATCH_MAX = 256, IDLE_POLL_MS = 1000, UNSTORED_RETRY_MS = 200, OPEN_MS_MAX = 30000 };

/* One attempt under way, or ended and not yet stored. */
struct flight {
  struct call_attempt attempt;
  struct service_answer answer;
  enum service service;
  struct flight *next;              /* in the list of those to be finished */
  struct flight *newer, **to_newer; /* in the list of all */
};

struct lane {
  struct circuit circuit;
  int64_t under_way, under_way_of[CHANNEL_COUNT];
  double rate_tokens;
  int64_t rate_at_us;
  int turn; /* the channel that is asked first */
};

/* What one turn works with. Not on the stack, where the compiler would zero all of it each time. */
struct scratch {
  struct services_http_answered answered[BATCH_MAX];
  struct call_attempt begun[BATCH_MAX], *attempts[BATCH_MAX];
  const struct service_answer *answers[BATCH_MAX];
  struct flight *flights[BATCH_MAX];
  struct message messages[BATCH_MAX], settled[BATCH_MAX];
  struct message_result results[BATCH_MAX];
};

struct runner {
  struct runner_options options;
  struct services_http *client;
  pthread_t thread;
  atomic_bool stopping;
  _Atomic int64_t stop_at_us;
  struct lane lanes[SERVICE_COUNT];
  struct flight *ended;   /* to be finished */
  struct flight *flights; /* all */
  size_t under_way;
  struct scratch scratch;
  pthread_mutex_t mutex; /* of the statistics */
  struct runner_statistics statistics;
};

static int64_t now_ms(const struct runner *runner) { return clock_now_ms(runner->options.functions->clock); }
static int64_t now_us(const struct runner *runner) {
  return clock_monotonic_us(runner->options.functions->clock);
}

/* --- ended attempts --- */

static void collect(struct runner *runner, int64_t timeout_ms) {
  struct services_http_answered *answered = runner->scratch.answered;
  size_t count = services_http_poll(runner->client, timeout_ms, answered, BATCH_MAX);
  for (size_t i = 0; i < count; i++) {
    struct flight *flight = answered[i].tag;
    flight->answer = answered[i].answer;
    circuit_note(&runner->lanes[flight->service].circuit, flight->service, &flight->answer, now_ms(runner));
    flight->next = runner->ended;
    runner->ended = flight;
  }
}

static void land(struct runner *runner, struct flight *flight) {
  struct lane *lane = &runner->lanes[flight->service];
  lane->under_way--;
  lane->under_way_of[flight->attempt.message.queue % CHANNEL_COUNT]--;
  runner->under_way--;
  *flight->to_newer = flight->newer;
  if (flight->newer) flight->newer->to_newer = flight->to_newer;
  call_attempt_release(&flight->attempt);
  free(flight);
}

/* Stores what the answers mean. What could not be stored is kept and tried again: the answer must
 * not be lost over a full disk. True where something was kept. */
static bool finish_ended(struct runner *runner) {
  struct call_attempt **attempts = runner->scratch.attempts;
  const struct service_answer **answers = runner->scratch.answers;
  struct flight **flights = runner->scratch.flights;
  struct message *messages = runner->scratch.messages;
  struct message_result *results = runner->scratch.results;
  size_t count = 0, stored = 0;
  while (runner->ended && count < BATCH_MAX) {
    flights[count] = runner->ended;
    attempts[count] = &runner->ended->attempt;
    answers[count++] = &runner->ended->answer;
    runner->ended = runner->ended->next;
  }
  if (count == 0) return false;
  call_finish(runner->options.functions, attempts, answers, count);
  for (size_t i = 0; i < count; i++) {
    if (!attempts[i]->stored) {
      flights[i]->next = runner->ended;
      runner->ended = flights[i];
      continue;
    }
    tell_call(&flights[i]->attempt, &flights[i]->answer);
    messages[stored] = attempts[i]->message;
    results[stored++] = attempts[i]->result;
    land(runner, flights[i]);
  }
  if (stored > 0) queue_settle(runner->options.queue, messages, results, stored, now_ms(runner));
  return stored < count;
}

/* --- new attempts --- */

/* How many calls of a channel may begin: no channel takes the whole of a service's concurrency while
 * the other one could use a quarter of it. */
static int64_t room_of(const struct runner *runner, enum service service, int channel, int64_t allowance) {
  const struct lane *lane = &runner->lanes[service];
  int64_t limit = runner->options.limits[service].concurrency;
  int64_t reserved = limit >= 2 && allowance == limit ? (limit + 3) / 4 : 0;
  int64_t room = allowance - lane->under_way;
  int64_t of_channel = allowance - reserved - lane->under_way_of[channel];
  if (of_channel < room) room = of_channel;
  if (room > (int64_t)lane->rate_tokens) room = (int64_t)lane->rate_tokens;
  return room > 0 ? room : 0;
}

static void refill_rate(struct runner *runner, enum service service) {
  struct lane *lane = &runner->lanes[service];
  int64_t rate = runner->options.limits[service].rate;
  if (rate == 0) {
    lane->rate_tokens = BATCH_MAX;
    return;
  }
  double burst = rate >= 40 ? (double)rate / 20.0 : 1.0;
  int64_t at_us = now_us(runner);
  lane->rate_tokens += (double)(at_us - lane->rate_at_us) * (double)rate / 1e6;
  if (lane->rate_tokens > burst) lane->rate_tokens = burst;
  lane->rate_at_us = at_us;
}

static size_t receive_lane(struct runner *runner, enum service service, struct message *messages, size_t most) {
  struct lane *lane = &runner->lanes[service];
  int64_t at_ms = now_ms(runner);
  int64_t allowance = circuit_allowance(&lane->circuit, runner->options.limits[service].concurrency, at_ms);
  size_t count = 0;
  refill_rate(runner, service);
  for (int i = 0; i < CHANNEL_COUNT; i++) {
    int channel = (lane->turn + i) % CHANNEL_COUNT, index = queue_index(service, channel);
    size_t got =
        queue_local_receive_expired(runner->options.queue, index, at_ms, most - count, messages + count);
    int64_t room = room_of(runner, service, channel, allowance);
    if (room > (int64_t)(most - count - got)) room = (int64_t)(most - count - got);
    if (room > 0) {
      size_t calls = queue_receive(runner->options.queue, index, at_ms, (size_t)room, messages + count + got);
      if (runner->options.limits[service].rate > 0) lane->rate_tokens -= (double)calls;
      got += calls;
    }
    lane->under_way += (int64_t)got;
    lane->under_way_of[channel] += (int64_t)got;
    runner->under_way += got;
    count += got;
  }
  lane->turn = (lane->turn + 1) % CHANNEL_COUNT;
  return count;
}

static struct flight *take_off(struct runner *runner, const struct call_attempt *attempt) {
  struct flight *flight = calloc(1, sizeof *flight);
  if (!flight) panic("out of memory");
  flight->attempt = *attempt;
  flight->service = command_service(attempt->message.slot);
  flight->newer = runner->flights;
  flight->to_newer = &runner->flights;
  if (runner->flights) runner->flights->to_newer = &flight->newer;
  runner->flights = flight;
  return flight;
}

/* Begins what has become due; gives how many messages were taken. */
static size_t begin_due(struct runner *runner) {
  struct message *messages = runner->scratch.messages, *settled = runner->scratch.settled;
  struct message_result *results = runner->scratch.results;
  struct call_attempt *attempts = runner->scratch.begun;
  size_t count = 0, settled_count = 0;
  for (size_t service = 0; service < SERVICE_COUNT; service++)
    count += receive_lane(runner, (enum service)service, messages + count,
                          (BATCH_MAX - count) / (SERVICE_COUNT - service));
  if (count == 0) return 0;
  call_begin(runner->options.functions, messages, count, attempts);
  for (size_t i = 0; i < count; i++) {
    struct flight *flight = take_off(runner, &attempts[i]);
    if (attempts[i].send) {
      services_http_start(runner->client, &flight->attempt.request, &flight->attempt.arena, flight);
      continue;
    }
    settled[settled_count] = messages[i];
    results[settled_count++] = attempts[i].result;
    land(runner, flight);
  }
  if (settled_count > 0) queue_settle(runner->options.queue, settled, results, settled_count, now_ms(runner));
  return count;
}

/* --- the loop --- */

static int64_t until_next_ms(struct runner *runner) {
  int64_t at_ms = now_ms(runner), wait_ms = IDLE_POLL_MS;
  for (size_t service = 0; service < SERVICE_COUNT; service++) {
    struct lane *lane = &runner->lanes[service];
    int64_t allowance = circuit_allowance(&lane->circuit, runner->options.limits[service].concurrency, at_ms);
    int64_t rate = runner->options.limits[service].rate;
    for (int channel = 0; channel < CHANNEL_COUNT; channel++) {
      int64_t due_ms =
          queue_local_next_due_of(runner->options.queue, queue_index((enum service)service, channel));
      if (due_ms == INT64_MAX) continue;
      int64_t left_ms = due_ms - at_ms;
      if (allowance == 0 && lane->circuit.open_until_ms - at_ms > left_ms)
        left_ms = lane->circuit.open_until_ms - at_ms;
      if (allowance > 0 && room_of(runner, (enum service)service, channel, allowance) == 0) {
        if (lane->rate_tokens >= 1.0) continue; /* an answer will make room, and end the wait */
        int64_t token_ms = rate > 0 ? 1000 / rate + 1 : 1;
        if (token_ms > left_ms) left_ms = token_ms;
      }
      if (left_ms < wait_ms) wait_ms = left_ms;
    }
  }
  return wait_ms > 0 ? wait_ms : 0;
}

static void publish_statistics(struct runner *runner) {
  pthread_mutex_lock(&runner->mutex);
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    runner->statistics.circuit[i] = runner->lanes[i].circuit.state;
    runner->statistics.under_way[i] = runner->lanes[i].under_way;
  }
  pthread_mutex_unlock(&runner->mutex);
}

static void *run(void *context) {
  struct runner *runner = context;
  bool kept = false;
  for (;;) {
    bool stopping = atomic_load(&runner->stopping);
    if (stopping && (runner->under_way == 0 || now_us(runner) >= atomic_load(&runner->stop_at_us))) break;
    size_t begun = stopping ? 0 : begin_due(runner);
    int64_t wait_ms = begun > 0 ? 0 : stopping ? 20 : until_next_ms(runner);
    if (kept && wait_ms > UNSTORED_RETRY_MS) wait_ms = UNSTORED_RETRY_MS;
    collect(runner, runner->ended && !kept ? 0 : wait_ms);
    kept = finish_ended(runner);
    publish_statistics(runner);
  }
  return NULL;
}

bool runner_start(const struct runner_options *options, struct runner **ret_runner,
                  struct failure *ret_failure) {
  struct runner *runner = calloc(1, sizeof *runner);
  if (!runner) panic("out of memory");
  runner->options = *options;
  if (!services_http_open(&options->services, &runner->client, ret_failure)) {
    free(runner);
    return false;
  }
  const struct function_context *functions = options->functions;
  int64_t most_ms = functions->retry_max_ms < OPEN_MS_MAX ? functions->retry_max_ms : OPEN_MS_MAX;
  for (size_t i = 0; i < SERVICE_COUNT; i++) {
    circuit_init(&runner->lanes[i].circuit, functions->retry_first_ms, most_ms);
    runner->lanes[i].rate_at_us = now_us(runner);
  }
  pthread_mutex_init(&runner->mutex, NULL);
  if (pthread_create(&runner->thread, NULL, run, runner) != 0) {
    services_http_close(runner->client);
    free(runner);
    return failure_set(ret_failure, "a thread could not be started");
  }
  *ret_runner = runner;
  return true;
}

void runner_stop(struct runner *runner, int64_t grace_ms) {
  atomic_store(&runner->stop_at_us, now_us(runner) + grace_ms * 1000);
  atomic_store(&runner->stopping, true);
  services_http_wake(runner->client);
  pthread_join(runner->thread, NULL);
  services_http_close(runner->client);
  while (runner->flights) land(runner, runner->flights);
  pthread_mutex_destroy(&runner->mutex);
  free(runner);
}

void runner_wake(struct runner *runner) { services_http_wake(runner->client); }

void runner_statistics(struct runner *runner, struct runner_statistics *ret_statistics) {
  pthread_mutex_lock(&runner->mutex);
  *ret_statistics = runner->statistics;
  pthread_mutex_unlock(&runner->mutex);
}
