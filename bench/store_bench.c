/* How fast the SQLite store takes orders: creates with one claim and one message, handed in by
 * `threads` threads in batches of `batch`, for `seconds`; durable each.
 *
 *   store_bench FOLDER [THREADS [BATCH [SECONDS]]]
 *
 * Prints creates per second and CPU microseconds per create: of the callers' threads, and of the rest,
 * which is the writer (in a database over 256 MiB also the check for damage, at first). FOLDER is made
 * where it is missing, and used as it is otherwise. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "base/encode.h"
#include "order/content.h"
#include "platform/local/store_sqlite.h"

enum { BATCH_MAX = 1000, THREADS_MAX = 1000, CUSTOMERS = 5000 };

struct bench {
  struct store_sqlite *store;
  size_t batch;
  atomic_bool stop;
  atomic_llong done, refused;
};

struct caller {
  struct bench *bench;
  pthread_t thread;
  double cpu_seconds;
  struct arena arena;
  struct decision decisions[BATCH_MAX];
  struct store_commit commits[BATCH_MAX];
  struct store_result results[BATCH_MAX];
};

static void on_fatal(void *context, const char *text) {
  (void)context;
  fprintf(stderr, "%s\n", text);
  exit(1);
}

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void random_text(char *ret_text) {
  uint8_t data[20];
  if (getrandom(data, sizeof data, 0) != sizeof data) abort();
  base32_encode(data, sizeof data, ret_text);
}

/* About 425 bytes of content, as a usual order has. */
static struct bytes usual_content(struct arena *arena, struct order_content *ret_content) {
  static const struct order_address address = {.name = {"A. Hart", 7},
                                               .line1 = {"1 High St", 9},
                                               .city = {"Leeds", 5},
                                               .postcode = {"LS1 4AP", 7},
                                               .country = {"GB", 2}};
  static struct order_line lines[] = {{{"85123A", 6}, 6, 255},
                                      {{"71053", 5}, 6, 339},
                                      {{"84406B", 6}, 8, 275},
                                      {{"84029G", 6}, 6, 339},
                                      {{"22752", 5}, 2, 765}};
  struct order_payment *payment = ARENA_NEW(arena, struct order_payment);
  payment->reference = BYTES("pay_8Hq2kD93jSlq0a");
  *ret_content = (struct order_content){.currency = BYTES("GBP"),
                                        .lines = {lines, sizeof lines / sizeof lines[0]},
                                        .total = 9328,
                                        .payment = payment,
                                        .ship_to = &address};
  return order_content_write(ret_content, arena);
}

static void make_order(struct caller *caller, size_t i, const struct order_content *content,
                       struct bytes json) {
  struct decision *decision = &caller->decisions[i];
  char *id = arena_allocate(&caller->arena, ORDER_ID_CHARACTERS), *claim = arena_allocate(&caller->arena, 32);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  memcpy(id, "ord_", 4);
  random_text(id + 4);
  random_text(claim);
  struct order *order = &decision->next;
  *order = (struct order){
      .id = bytes_from(id, ORDER_ID_CHARACTERS),
      .customer = arena_printf(&caller->arena, "customer-%d", (uint8_t)id[5] * (uint8_t)id[7] % CUSTOMERS),
      .content = *content,
      .content_json = json,
      .traceparent = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
      .version = 1,
      .revision = 1,
      .created_ms = now_ms,
      .updated_ms = now_ms};
  order->slots[COMMAND_RESERVE] = (struct order_slot){
      .state = SLOT_WAITING, .dispatch_version = 1, .since_ms = now_ms, .deadline_ms = now_ms + 86400000};
  decision->event_count = decision->message_count = 1;
  decision->events[0] = (struct order_event){.sequence = 1, .type = BYTES("order.accepted"), .at_ms = now_ms};
  decision->messages[0] = (struct order_message){
      .slot = COMMAND_RESERVE, .dispatch_version = 1, .due_ms = now_ms, .deadline_ms = now_ms + 86400000};
  caller->commits[i] =
      (struct store_commit){.decision = decision, .claims = {bytes_from(claim, 32)}, .claim_count = 1};
}

static void *run(void *context) {
  struct caller *caller = context;
  struct bench *bench = caller->bench;
  while (!bench->stop) {
    struct order_content content;
    arena_reset(&caller->arena);
    struct bytes json = usual_content(&caller->arena, &content);
    for (size_t i = 0; i < bench->batch; i++) make_order(caller, i, &content, json);
    store_commit(store_sqlite_store(bench->store), caller->commits, bench->batch, caller->results);
    long long done = 0;
    for (size_t i = 0; i < bench->batch; i++) done += caller->results[i].status == COMMIT_DONE;
    bench->done += done;
    bench->refused += (long long)bench->batch - done;
  }
  caller->cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  return NULL;
}

static long argument(int count, char **values, int i, long otherwise, long most) {
  long value = i < count ? strtol(values[i], NULL, 10) : otherwise;
  return value < 1 ? 1 : value > most ? most : value;
}

int main(int count, char **values) {
  struct failure failure;
  struct bench bench = {.batch = (size_t)argument(count, values, 3, 1, BATCH_MAX)};
  size_t threads = (size_t)argument(count, values, 2, 64, THREADS_MAX);
  long seconds = argument(count, values, 4, 5, 86400);
  struct store_sqlite_options options = {.data_folder = count > 1 ? values[1] : "./bench-data",
                                         .on_fatal = on_fatal};
  double start = seconds_of(CLOCK_MONOTONIC);
  if (!store_sqlite_open(&options, &bench.store, &failure)) return fprintf(stderr, "%s\n", failure.text), 1;
  printf("open %.1f ms\n", (seconds_of(CLOCK_MONOTONIC) - start) * 1e3);
  struct caller *callers = calloc(threads, sizeof *callers);
  if (!callers) return 1;
  double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), callers_cpu = 0;
  start = seconds_of(CLOCK_MONOTONIC);
  for (size_t i = 0; i < threads; i++) {
    callers[i].bench = &bench;
    if (pthread_create(&callers[i].thread, NULL, run, &callers[i])) return 1;
  }
  nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
  bench.stop = true;
  for (size_t i = 0; i < threads; i++) {
    pthread_join(callers[i].thread, NULL);
    callers_cpu += callers[i].cpu_seconds;
    arena_release(&callers[i].arena);
  }
  double wall = seconds_of(CLOCK_MONOTONIC) - start, done = (double)bench.done;
  cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf(
      "%zu threads, batches of %zu: %.0f creates/s, %.1f us CPU each (callers %.1f, writer %.1f), %lld "
      "refused, "
      "%ld MiB at most\n",
      threads, bench.batch, done / wall, cpu / done * 1e6, callers_cpu / done * 1e6,
      (cpu - callers_cpu) / done * 1e6, (long long)bench.refused, usage.ru_maxrss / 1024);
  start = seconds_of(CLOCK_MONOTONIC);
  store_sqlite_close(bench.store);
  printf("close %.1f ms\n", (seconds_of(CLOCK_MONOTONIC) - start) * 1e3);
  free(callers);
  return 0;
}
