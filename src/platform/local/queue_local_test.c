/* What only the local queues promise: order, bounded memory, deadlines, figures. The rest is in
 * tests/contract. */
#include "platform/local/queue_local.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/encode.h"
#include "platform/local/queue_local_internal.h"
#include "platform/local/store_sqlite.h"

enum { HOUR_MS = 3600 * 1000 };

struct fixture {
  char folder[64];
  struct store_sqlite *store;
  struct queue *queue;
  struct arena arena;
  atomic_int signals;
  uint32_t next_id;
};

static void on_fatal(void *context, const char *text) {
  (void)context;
  fprintf(stderr, "fatal: %s\n", text);
  abort();
}

static void on_message(void *context) { ((struct fixture *)context)->signals++; }

static void open_store(struct fixture *f) {
  struct store_sqlite_options options = {.data_folder = f->folder, .on_fatal = on_fatal};
  struct failure failure;
  if (!store_sqlite_open(&options, &f->store, &failure)) fail_msg("%s", failure.text);
  f->queue = store_sqlite_queue(f->store);
  store_sqlite_observe(f->store, &(struct store_sqlite_observer){.on_message = on_message, .context = f});
}

static void reopen(struct fixture *f) {
  store_sqlite_close(f->store);
  open_store(f);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->folder, "/tmp/spillway-queue-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  arena_init(&f->arena);
  open_store(f);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  store_sqlite_close(f->store);
  arena_release(&f->arena);
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", f->folder);
  int code = system(command);
  free(f);
  return code;
}

/* An order with one message, whose dispatch_version counts them in the order of their making. */
static struct decision *decide(struct fixture *f, enum message_kind kind, int64_t due_ms, int64_t deadline_ms) {
  struct decision *decision = ARENA_NEW(&f->arena, struct decision);
  uint8_t blob[ORDER_ID_BLOB_BYTES] = {0};
  memcpy(blob, &f->next_id, sizeof f->next_id);
  f->next_id++;
  char *id = arena_allocate(&f->arena, ORDER_ID_CHARACTERS);
  order_id_from_blob(blob, id);
  decision->next = (struct order){.id = bytes_from(id, ORDER_ID_CHARACTERS),
                                  .customer = BYTES("ann"),
                                  .content_json = BYTES("{}"),
                                  .version = 1,
                                  .revision = 1,
                                  .updated_ms = due_ms};
  decision->message_count = 1;
  decision->messages[0] = (struct order_message){.kind = kind,
                                                 .slot = COMMAND_RESERVE,
                                                 .dispatch_version = f->next_id - 1,
                                                 .due_ms = due_ms,
                                                 .deadline_ms = deadline_ms};
  return decision;
}

static void add(struct fixture *f, enum message_kind kind, size_t count, int64_t due_ms, int64_t deadline_ms) {
  enum { BATCH = 500 };
  while (count > 0) {
    struct store_commit commits[BATCH] = {0};
    struct store_result results[BATCH];
    size_t part = count < BATCH ? count : BATCH;
    for (size_t i = 0; i < part; i++) commits[i].decision = decide(f, kind, due_ms, deadline_ms);
    store_commit(store_sqlite_store(f->store), commits, part, results);
    for (size_t i = 0; i < part; i++) assert_int_equal(results[i].status, COMMIT_DONE);
    count -= part;
    arena_reset(&f->arena);
  }
}

static size_t receive_soon(struct fixture *f, int64_t now_ms, size_t most, struct message *messages) {
  size_t count = 0;
  for (int i = 0; i < 100 && count == 0; i++) {
    count = queue_receive(f->queue, 0, now_ms, most, messages);
    if (count == 0) usleep(2000);
  }
  return count;
}

static void acknowledge(struct fixture *f, const struct message *message) {
  struct message_result result = {.settlement = SETTLE_ACK};
  queue_settle(f->queue, message, &result, 1, 0);
}

static size_t in_memory(struct fixture *f) {
  struct queue_local *queue = (struct queue_local *)f->queue;
  pthread_mutex_lock(&queue->mutex);
  size_t count = queue->item_count;
  pthread_mutex_unlock(&queue->mutex);
  return count;
}

/* Until every settlement is written, and nothing is being written. */
static void wait_for_flush(struct fixture *f) {
  struct queue_local *queue = (struct queue_local *)f->queue;
  bool busy = true;
  for (int i = 0; i < 1000 && busy; i++) {
    usleep(5000);
    pthread_mutex_lock(&queue->mutex);
    busy = queue->dirty_count > 0;
    for (size_t j = 0; j < queue->bucket_count; j++)
      for (const struct queue_item *item = queue->buckets[j]; item; item = item->hash_next)
        busy |= item->in_write;
    pthread_mutex_unlock(&queue->mutex);
  }
  assert_false(busy);
}

static void first_in_first_out_across_the_disk(void **state) {
  struct fixture *f = *state;
  enum { COUNT = 3 * LINE_MAX_ITEMS };
  add(f, MESSAGE_CALL, COUNT, 5, HOUR_MS);
  for (int i = 0; i < COUNT;) {
    struct message messages[100];
    size_t count = receive_soon(f, 5, 100, messages);
    assert_true(count > 0);
    for (size_t j = 0; j < count; j++, i++) {
      assert_int_equal(messages[j].dispatch_version, i);
      acknowledge(f, &messages[j]);
    }
    if (i == COUNT / 3) reopen(f);
  }
}

static void memory_is_bounded(void **state) {
  struct fixture *f = *state;
  add(f, MESSAGE_CALL, 5 * LINE_MAX_ITEMS, 5, HOUR_MS);
  add(f, MESSAGE_EXPIRE, 2 * LINE_MAX_ITEMS, 24 * HOUR_MS, 24 * HOUR_MS);
  assert_int_equal(in_memory(f), 2 * LINE_MAX_ITEMS);
  struct queue_local_statistics statistics;
  queue_local_statistics(f->queue, 0, &statistics);
  assert_int_equal(statistics.waiting, 5 * LINE_MAX_ITEMS);
  assert_int_equal(statistics.deadlines, 2 * LINE_MAX_ITEMS);
  /* Everything tried and put back stays on disk. */
  for (int round = 0; round < 10; round++) {
    static struct message messages[2000];
    static struct message_result results[2000];
    size_t count = receive_soon(f, 5, 2000, messages);
    for (size_t i = 0; i < count; i++)
      results[i] = (struct message_result){.settlement = SETTLE_RETRY, .delay_ms = HOUR_MS, .attempts = 1};
    queue_settle(f->queue, messages, results, count, 5);
  }
  wait_for_flush(f);
  assert_true(in_memory(f) <= 2 * LINE_MAX_ITEMS);
  reopen(f);
  assert_true(in_memory(f) <= 2 * LINE_MAX_ITEMS);
}

static void deadlines_wait_behind_no_calls(void **state) {
  struct fixture *f = *state;
  add(f, MESSAGE_CALL, 2 * LINE_MAX_ITEMS, 5, 48 * HOUR_MS);
  add(f, MESSAGE_EXPIRE, 1, 24 * HOUR_MS, 24 * HOUR_MS);
  struct message message;
  assert_int_equal(queue_receive(f->queue, 0, 5, 1, &message), 1);
  assert_int_equal(message.kind, MESSAGE_CALL);
  assert_int_equal(queue_receive(f->queue, 0, 24 * HOUR_MS, 1, &message), 1);
  assert_int_equal(message.kind, MESSAGE_EXPIRE);
}

static void only_what_has_expired(void **state) {
  struct fixture *f = *state;
  add(f, MESSAGE_CALL, 3, 5, 1000);
  add(f, MESSAGE_CALL, 3, 5, 2000);
  add(f, MESSAGE_CALL, 1, 5000, 900); /* put back for later than its deadline */
  add(f, MESSAGE_EXPIRE, 1, 1000, 1000);
  add(f, MESSAGE_EXPIRE, 1, 3000, 3000);
  struct message messages[9];
  assert_int_equal(queue_local_receive_expired(f->queue, 0, 899, 9, messages), 0);
  assert_int_equal(queue_local_receive_expired(f->queue, 0, 1000, 2, messages), 2);
  assert_int_equal(messages[0].kind, MESSAGE_EXPIRE);
  assert_int_equal(queue_local_receive_expired(f->queue, 0, 1000, 9, messages), 3);
  for (int i = 0; i < 3; i++) assert_true(messages[i].deadline_ms <= 1000);
  assert_int_equal(queue_local_receive_expired(f->queue, 0, 1000, 9, messages), 0);
  assert_int_equal(queue_receive(f->queue, 0, 1000, 9, messages), 3);
}

static void the_next_due_time_is_told(void **state) {
  struct fixture *f = *state;
  assert_int_equal(queue_local_next_due(f->queue), INT64_MAX);
  add(f, MESSAGE_CALL, 1, 7000, 9000);
  assert_int_equal(queue_local_next_due(f->queue), 7000);
  add(f, MESSAGE_EXPIRE, 1, 6000, 6000);
  assert_int_equal(queue_local_next_due(f->queue), 6000);
  assert_int_equal(queue_local_next_due_of(f->queue, 0), 6000);
  assert_int_equal(queue_local_next_due_of(f->queue, 1), INT64_MAX);
  struct message message;
  assert_int_equal(queue_receive(f->queue, 0, 6000, 1, &message), 1);
  assert_int_equal(queue_local_next_due(f->queue), 7000);
  struct message_result result = {.settlement = SETTLE_RETRY, .delay_ms = 500, .attempts = 1};
  queue_settle(f->queue, &message, &result, 1, 6000);
  assert_int_equal(queue_local_next_due(f->queue), 6500);
  reopen(f);
  assert_int_equal(queue_local_next_due(f->queue), 6500);
}

static void new_messages_wake_the_runner(void **state) {
  struct fixture *f = *state;
  add(f, MESSAGE_CALL, 1, 5, 10);
  assert_int_equal(f->signals, 1);
  /* An empty line that has more on disk wakes when it was read in. */
  add(f, MESSAGE_CALL, LINE_MAX_ITEMS + 10, 5, 10);
  int signals = f->signals;
  static struct message messages[LINE_MAX_ITEMS];
  assert_int_equal(queue_receive(f->queue, 0, 5, LINE_MAX_ITEMS, messages), LINE_MAX_ITEMS);
  for (int i = 0; i < 200 && f->signals == signals; i++) usleep(5000);
  assert_true(f->signals > signals);
  assert_int_equal(queue_receive(f->queue, 0, 5, LINE_MAX_ITEMS, messages), 11);
}

static void figures_follow_the_messages(void **state) {
  struct fixture *f = *state;
  struct queue_local_statistics statistics;
  queue_local_statistics(f->queue, 0, &statistics);
  assert_int_equal(statistics.waiting, 0);
  assert_int_equal(statistics.oldest_created_ms, INT64_MAX);
  add(f, MESSAGE_CALL, 1, 30, 100);
  add(f, MESSAGE_CALL, 3, 20, 100);
  struct message messages[3];
  assert_int_equal(queue_receive(f->queue, 0, 25, 3, messages), 3);
  queue_local_statistics(f->queue, 0, &statistics);
  assert_int_equal(statistics.waiting, 1);
  assert_int_equal(statistics.leased, 3);
  assert_int_equal(statistics.oldest_created_ms, 30);
  struct message_result results[3] = {{.settlement = SETTLE_ACK},
                                      {.settlement = SETTLE_RETRY, .delay_ms = 5, .attempts = 1},
                                      {.settlement = SETTLE_ACK}};
  queue_settle(f->queue, messages, results, 3, 25);
  for (int i = 0; i < 3; i++) {
    queue_local_statistics(f->queue, 0, &statistics);
    assert_int_equal(statistics.waiting, 2);
    assert_int_equal(statistics.leased, 0);
    assert_int_equal(statistics.oldest_created_ms, 20);
    if (i == 0) wait_for_flush(f);
    if (i == 1) reopen(f);
  }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(first_in_first_out_across_the_disk), TEST(memory_is_bounded),
      TEST(deadlines_wait_behind_no_calls),     TEST(only_what_has_expired),
      TEST(the_next_due_time_is_told),          TEST(new_messages_wake_the_runner),
      TEST(figures_follow_the_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
