#include "platform/local/store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/panic.h"
#include "platform/local/store_sqlite_internal.h"

enum { WAITING_MAX = 20000, RECENT_BYTES = 16 * 1024 * 1024, CHECK_AT_START_BYTES = 256 * 1024 * 1024 };

static const struct store_operations operations = {
    .commit = writer_commit,
    .load = reader_load,
    .list = reader_list,
    .events = reader_events,
    .attention = reader_attention,
};

static void *background_check_run(void *context) {
  struct store_sqlite *store = context;
  struct failure failure;
  if (!schema_check(store->check.db, store->path, &failure)) store_fail_for_good(store, failure.text);
  return NULL;
}

static bool background_check_start(struct store_sqlite *store, struct failure *ret_failure) {
  struct background_check *check = &store->check;
  if (!schema_open_reader(store->path, &check->db))
    return failure_set(ret_failure, "database %s cannot be opened for reading", store->path);
  int error = pthread_create(&check->thread, NULL, background_check_run, store);
  if (!error) return true;
  sqlite3_close(check->db);
  check->db = NULL;
  return failure_set(ret_failure, "the checking thread cannot be started: %s", strerror(error));
}

static void background_check_stop(struct store_sqlite *store) {
  if (!store->check.db) return;
  sqlite3_interrupt(store->check.db);
  pthread_join(store->check.thread, NULL);
  sqlite3_close(store->check.db);
}

/* A large database would hold up the start. */
static bool check_database(struct store_sqlite *store, struct failure *ret_failure) {
  struct stat status;
  if (stat(store->path, &status) == 0 && status.st_size > CHECK_AT_START_BYTES)
    return background_check_start(store, ret_failure);
  return schema_check(store->writer.db, store->path, ret_failure);
}

static struct store_sqlite *store_create(const struct store_sqlite_options *options) {
  struct store_sqlite *store = calloc(1, sizeof *store);
  if (!store || asprintf(&store->path, "%s/orders.db", options->data_folder) < 0) panic("out of memory");
  store->store.operations = &operations;
  store->lock = -1;
  store->telemetry = options->telemetry;
  store->on_fatal = options->on_fatal;
  store->fatal_context = options->fatal_context;
  store->waiting_max = options->waiting_max ? options->waiting_max : WAITING_MAX;
  pthread_mutex_init(&store->observer_mutex, NULL);
  readers_init(&store->readers);
  store->recent = recent_orders_create(RECENT_BYTES);
  writer_init(&store->writer, options->checkpoint_pages);
  store->queue = queue_local_create(&store->writer);
  return store;
}

static bool start(struct store_sqlite *store, const char *folder, struct failure *ret_failure) {
  if (!data_log_settle(store->path, ret_failure) || !schema_open(store->path, &store->writer.db, ret_failure) ||
      !data_folder_sync(folder, ret_failure) || !check_database(store, ret_failure) ||
      !writer_prepare(store, ret_failure))
    return false;
  queue_local_refill(store->queue);
  return writer_start(store, ret_failure);
}

bool store_sqlite_open(const struct store_sqlite_options *options, struct store_sqlite **ret_store,
                       struct failure *ret_failure) {
  ensure(options->on_fatal != NULL);
  /* Counting every allocation costs a lock that all threads share. Refused once SQLite is in use. */
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  struct store_sqlite *store = store_create(options);
  if (!data_folder_take(options->data_folder, &store->lock, ret_failure) ||
      !start(store, options->data_folder, ret_failure)) {
    store_sqlite_close(store);
    return false;
  }
  *ret_store = store;
  return true;
}

void store_sqlite_close(struct store_sqlite *store) {
  if (!store) return;
  writer_stop(store);
  background_check_stop(store);
  readers_release(&store->readers);
  writer_release(store);
  queue_local_release(store->queue);
  recent_orders_free(store->recent);
  pthread_mutex_destroy(&store->observer_mutex);
  if (store->lock >= 0) close(store->lock);
  free(store->path);
  free(store);
}

struct store *store_sqlite_store(struct store_sqlite *store) {
  return &store->store;
}

struct queue *store_sqlite_queue(struct store_sqlite *store) {
  return queue_local_port(store->queue);
}

void store_sqlite_observe(struct store_sqlite *store, const struct store_sqlite_observer *observer) {
  pthread_mutex_lock(&store->observer_mutex);
  store->observer = *observer;
  pthread_mutex_unlock(&store->observer_mutex);
}

void store_sqlite_statistics(struct store_sqlite *store, struct store_sqlite_statistics *ret_statistics) {
  struct writer *writer = &store->writer;
  pthread_mutex_lock(&writer->mutex);
  memcpy(ret_statistics->orders, writer->published.orders, sizeof ret_statistics->orders);
  ret_statistics->attention = writer->published.attention;
  ret_statistics->waiting = (int64_t)writer->waiting;
  pthread_mutex_unlock(&writer->mutex);
}
