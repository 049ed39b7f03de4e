/* The writer thread: gathers what callers hand in while the transaction before is on its way to the
 * disk, and makes one transaction of it. */
#include <errno.h>
#include <time.h>

#include "base/panic.h"
#include "order/codec.h"
#include "platform/local/store_sqlite_internal.h"

enum {
  CHECKPOINT_PAGES = 4096,      /* 16 MiB of WAL: a page changed often is written to its place once */
  CHECK_LOG_PAGES_MAX = 65536,  /* 256 MiB */
  FLUSH_RETRY_US = 1000 * 1000, /* of settlements, after a failed transaction */
};

struct batch {
  struct handoff *first;
  size_t count; /* commits */
  unsigned number;
  bool flush;  /* a transaction is to be made */
  bool broken; /* nothing may be written any more */
};

/* What one transaction did. */
struct transaction {
  int code;
  int system_error;
  struct settlement_write *settlements;
  size_t settlement_count;
};

static const char *const statement_texts[WRITER_STATEMENT_COUNT] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_FIND_ORDER] = "SELECT seq, revision, status, attention, created_ms FROM orders WHERE id = ?1",
    [WRITE_FIND_CONTENT] =
        "SELECT coalesce(o.content, c.content) FROM orders o LEFT JOIN contents c ON c.seq = o.seq"
        " WHERE o.seq = ?1",
    [WRITE_FIND_CLAIM] = "SELECT o.id FROM claims c JOIN orders o ON o.seq = c.order_seq WHERE c.key = ?1",
    [WRITE_ORDER] =
        "INSERT INTO orders (id, customer, channel, status, version, revision, attention, created_ms,"
        " traceparent, state, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [WRITE_CONTENT] = "INSERT INTO contents VALUES (?1, ?2)",
    [WRITE_CLAIM] = "INSERT INTO claims VALUES (?1, ?2)",
    [WRITE_CHANGE] =
        "UPDATE orders SET status = ?1, version = ?2, revision = ?3, attention = ?4, state = ?5"
        " WHERE seq = ?6 AND revision = ?3 - 1",
    [WRITE_EVENTS] = "INSERT INTO events VALUES (?1, ?2, ?3)",
    [WRITE_ATTENTION] = "INSERT INTO attention VALUES (?1, ?2, ?3, ?4, ?5)",
    [WRITE_ATTENTION_END] = "DELETE FROM attention WHERE since_ms = ?1 AND order_id = ?2 AND command = ?3",
    [WRITE_STATE_OF] = "SELECT state FROM orders WHERE seq = ?1",
    [WRITE_MESSAGE] = "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, NULL)",
    [WRITE_MESSAGE_MOVE] =
        "UPDATE messages SET due_ms = ?4, attempts = ?5, note = ?6 WHERE lane = ?1 AND due_ms = ?2"
        " AND number = ?3",
    [WRITE_MESSAGE_DELETE] = "DELETE FROM messages WHERE lane = ?1 AND due_ms = ?2 AND number = ?3",
    [WRITE_TOTAL] =
        "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [WRITE_REFILL] =
        "SELECT due_ms, number, order_id, kind, slot, dispatch_version, created_ms, deadline_ms, attempts,"
        " note FROM messages WHERE lane = ?1 AND (due_ms, number) > (?2, ?3) ORDER BY due_ms, number LIMIT ?4",
};

int64_t monotonic_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- one transaction ----------------------------------------------------------------------------- */

/* An order mostly stands where it was written last, which saves looking for it; the change itself finds out
 * whether an earlier one of this transaction has moved it on. */
static int apply(struct store_sqlite *store, struct prepared_commit *commit) {
  struct order_place place;
  const struct order *next = &commit->commit->decision->next;
  bool known = next->revision > 1 && recent_orders_find_place(store->recent, next->id, &place) &&
               place.revision == next->revision - 1 && place.attention == 0;
  return apply_commit(&store->writer, known ? &place : NULL, commit);
}

static int write_batch(struct store_sqlite *store, const struct batch *batch, struct transaction *transaction) {
  struct writer *writer = &store->writer;
  int code = statement_run(writer->statements[WRITE_BEGIN]);
  for (struct handoff *handoff = batch->first; handoff && code == SQLITE_OK; handoff = handoff->next)
    for (size_t i = 0; i < handoff->count && code == SQLITE_OK; i++) code = apply(store, &handoff->commits[i]);
  if (code == SQLITE_OK)
    code = queue_local_write_settlements(writer, transaction->settlements, transaction->settlement_count);
  if (code == SQLITE_OK) code = totals_write(writer);
  if (code == SQLITE_OK) code = statement_run(writer->statements[WRITE_COMMIT]);
  return code;
}

static void roll_back(struct writer *writer) {
  int code = SQLITE_OK;
  if (!sqlite3_get_autocommit(writer->db)) code = statement_run(writer->statements[WRITE_ROLLBACK]);
  (void)code; /* it ends the transaction whatever it answers */
  writer->totals = writer->stored_totals;
}

/* What was written may or may not be on the disk, or the database is damaged. */
static bool is_fatal(int code) {
  return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC || code == SQLITE_IOERR_TRUNCATE ||
         (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB;
}

/* The transaction was rolled back, so nothing of it is stored, and it may be tried again. Not so where the
 * disk was full only as the log was synced, or as its index grew, which comes after: a restart may find it. */
static bool is_throttled(const struct transaction *transaction) {
  int code = transaction->code & 0xFF, error = transaction->system_error;
  if (is_fatal(transaction->code) || transaction->code == SQLITE_IOERR_SHMSIZE) return false;
  if (code == SQLITE_FULL || code == SQLITE_BUSY) return true;
  return code == SQLITE_IOERR && (error == ENOSPC || error == EDQUOT || error == EFBIG);
}

static void answer_all(const struct batch *batch, enum commit_status status) {
  for (struct handoff *handoff = batch->first; handoff; handoff = handoff->next)
    for (size_t i = 0; i < handoff->count; i++)
      *handoff->commits[i].result = (struct store_result){.status = status};
}

void store_fail_for_good(struct store_sqlite *store, const char *text) {
  pthread_mutex_lock(&store->writer.mutex);
  store->writer.broken = true;
  pthread_mutex_unlock(&store->writer.mutex);
  store->on_fatal(store->fatal_context, text);
}

static void end_process(struct store_sqlite *store, const char *what, int code) {
  struct failure failure;
  if ((code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB)
    schema_describe_damage(store->path, sqlite3_errstr(code), &failure);
  else
    failure_set(&failure,
                "%s database %s failed (%s): the disk may have lost what was written; look at its "
                "health, then start again",
                what, store->path, sqlite3_errstr(code));
  store_fail_for_good(store, failure.text);
}

static void run_transaction(struct store_sqlite *store, const struct batch *batch,
                            struct transaction *transaction) {
  struct writer *writer = &store->writer;
  int64_t start_us = monotonic_us();
  transaction->settlement_count = queue_local_take_settlements(store->queue, SETTLEMENTS_PER_TRANSACTION_MAX,
                                                               &writer->arena, &transaction->settlements);
  errno = 0; /* sqlite3_system_errno knows nothing of a COMMIT that failed */
  transaction->code = batch->broken ? SQLITE_READONLY : write_batch(store, batch, transaction);
  if (transaction->code == SQLITE_OK) {
    writer->stored_totals = writer->totals;
    writer->start_to_write = 0;
    if (store->telemetry && batch->count > 0) {
      telemetry_observe(store->telemetry, METRIC_COMMIT_BATCH, NULL, (double)batch->count);
      telemetry_observe(store->telemetry, METRIC_COMMIT_SECONDS, NULL,
                        (double)(monotonic_us() - start_us) / 1e6);
    }
    return;
  }
  transaction->system_error = errno;
  roll_back(writer);
  bool is_unread = schema_read_refused(transaction->code, transaction->system_error);
  if (is_fatal(transaction->code) && !is_unread && !batch->broken)
    end_process(store, "writing to", transaction->code);
  answer_all(batch, is_throttled(transaction) ? COMMIT_THROTTLED : COMMIT_FAILED);
}

/* --- after the transaction ------------------------------------------------------------------------ */

static void observe(struct store_sqlite *store, const struct batch *batch, bool has_messages) {
  struct writer *writer = &store->writer;
  const struct decision **decisions = ARENA_ARRAY(&writer->arena, batch->count, const struct decision *);
  size_t count = 0;
  for (struct handoff *handoff = batch->first; handoff; handoff = handoff->next)
    for (size_t i = 0; i < handoff->count; i++)
      if (handoff->commits[i].result->status == COMMIT_DONE)
        decisions[count++] = handoff->commits[i].commit->decision;
  pthread_mutex_lock(&store->observer_mutex);
  const struct store_sqlite_observer *observer = &store->observer;
  if (count > 0 && observer->on_committed) observer->on_committed(observer->context, decisions, count);
  if (has_messages && observer->on_message) observer->on_message(observer->context);
  pthread_mutex_unlock(&store->observer_mutex);
}

/* The orders and their messages first, then the observer, then the callers: whoever hears of a commit finds
 * all of it. */
static void publish(struct store_sqlite *store, const struct batch *batch,
                    const struct transaction *transaction) {
  bool written = transaction->code == SQLITE_OK, has_messages;
  bool left = queue_local_end_settlements(store->queue, transaction->settlements, transaction->settlement_count,
                                          written, &has_messages);
  for (struct handoff *handoff = batch->first; handoff && written; handoff = handoff->next)
    for (size_t i = 0; i < handoff->count; i++) {
      if (handoff->commits[i].result->status != COMMIT_DONE) continue;
      has_messages = has_messages || handoff->commits[i].commit->decision->message_count > 0;
      recent_orders_put(store->recent, &handoff->commits[i].commit->decision->next, handoff->commits[i].seq);
      queue_local_add(store->queue, &handoff->commits[i]);
    }
  if (queue_local_refill(store->queue)) has_messages = true;
  observe(store, batch, has_messages);
  struct writer *writer = &store->writer;
  pthread_mutex_lock(&writer->mutex);
  writer->published = writer->totals;
  if (left && !writer->flush_wanted) {
    writer->flush_wanted = true;
    writer->flush_at_us = monotonic_us() + (written ? FLUSH_DELAY_US : FLUSH_RETRY_US);
  }
  for (struct handoff *handoff = batch->first, *next; handoff; handoff = next) {
    next = handoff->next; /* once it is done its caller may return, and the hand-off is gone */
    handoff->done = true;
  }
  if (batch->first) pthread_cond_broadcast(&writer->done[batch->number % 2]);
  pthread_mutex_unlock(&writer->mutex);
  arena_reset(&writer->arena);
}

/* Brings the WAL's pages to their place, so that it can begin anew. A full disk or a long reader only
 * leaves that for later. */
static void checkpoint(struct store_sqlite *store) {
  struct writer *writer = &store->writer;
  int in_log = 0, moved = 0;
  int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
  bool whole = code == SQLITE_OK && in_log == moved;
  writer->checkpoint_at_pages = writer->checkpoint_pages + (whole ? 0 : writer->wal_pages);
  /* The check's long look keeps the log from beginning anew: better no check than a full disk. */
  if (!whole && writer->wal_pages > CHECK_LOG_PAGES_MAX && store->check.db) sqlite3_interrupt(store->check.db);
  if (is_fatal(code)) end_process(store, "bringing the log into", code);
}

static int on_wal(void *context, sqlite3 *db, const char *name, int pages) {
  (void)db;
  (void)name;
  ((struct writer *)context)->wal_pages = pages;
  return SQLITE_OK;
}

/* --- the thread ------------------------------------------------------------------------------------ */

static bool flush_is_due(const struct writer *writer) {
  return writer->flush_wanted && (writer->stop || monotonic_us() >= writer->flush_at_us);
}

static void wait_for_more(struct writer *writer) {
  if (!writer->flush_wanted) {
    pthread_cond_wait(&writer->work, &writer->mutex);
    return;
  }
  struct timespec until = {.tv_sec = (time_t)(writer->flush_at_us / 1000000),
                           .tv_nsec = (long)(writer->flush_at_us % 1000000 * 1000)};
  pthread_cond_timedwait(&writer->work, &writer->mutex, &until);
}

/* Takes hand-offs, whole ones, up to the cap; at least one. */
static void take_handoffs(struct writer *writer, struct batch *batch) {
  struct handoff **end = &writer->first;
  while (*end && (batch->count == 0 || batch->count + (*end)->count <= COMMITS_PER_TRANSACTION_MAX)) {
    batch->count += (*end)->count;
    end = &(*end)->next;
  }
  batch->first = writer->first;
  writer->first = *end;
  *end = NULL;
  if (!writer->first) writer->last = &writer->first;
  writer->waiting -= batch->count;
  batch->number = writer->gathering++;
  for (struct handoff *left = writer->first; left; left = left->next) left->batch = writer->gathering;
}

/* False once the writer is to stop and nothing is left to do. */
static bool next_batch(struct writer *writer, struct batch *ret_batch) {
  *ret_batch = (struct batch){0};
  pthread_mutex_lock(&writer->mutex);
  while (!writer->first && !writer->stop && !writer->refill_wanted && !flush_is_due(writer))
    wait_for_more(writer);
  bool more = writer->first || writer->refill_wanted || flush_is_due(writer);
  ret_batch->broken = writer->broken;
  if (writer->first) take_handoffs(writer, ret_batch);
  /* Settlements ride along with every transaction; where there is none, only when it is time. */
  ret_batch->flush = ret_batch->first || flush_is_due(writer);
  if (ret_batch->flush) writer->flush_wanted = false;
  writer->refill_wanted = false;
  pthread_mutex_unlock(&writer->mutex);
  return more;
}

static void *writer_run(void *context) {
  struct store_sqlite *store = context;
  struct writer *writer = &store->writer;
  struct batch batch;
  while (next_batch(writer, &batch)) {
    struct transaction transaction = {0};
    if (batch.flush) run_transaction(store, &batch, &transaction);
    publish(store, &batch, &transaction);
    bool is_full = batch.flush && transaction.code != SQLITE_OK && is_throttled(&transaction);
    if (writer->wal_pages >= writer->checkpoint_at_pages || is_full) checkpoint(store);
    if (transaction.code != SQLITE_OK && !batch.first && writer->stop) break; /* tried; it will come again */
  }
  return NULL;
}

void writer_init(struct writer *writer, int checkpoint_pages) {
  writer->checkpoint_pages = checkpoint_pages ? checkpoint_pages : CHECKPOINT_PAGES;
  writer->checkpoint_at_pages = writer->checkpoint_pages;
  writer->last = &writer->first;
  arena_init(&writer->arena);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&writer->mutex, NULL);
  pthread_cond_init(&writer->work, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_cond_init(&writer->done[0], NULL);
  pthread_cond_init(&writer->done[1], NULL);
}

bool writer_prepare(struct store_sqlite *store, struct failure *ret_failure) {
  struct writer *writer = &store->writer;
  sqlite3_wal_hook(writer->db, on_wal, writer);
  return (statements_prepare(writer->db, statement_texts, WRITER_STATEMENT_COUNT, writer->statements) &&
          totals_load(writer)) ||
         schema_failed(writer->db, store->path, ret_failure);
}

bool writer_start(struct store_sqlite *store, struct failure *ret_failure) {
  struct writer *writer = &store->writer;
  int error = pthread_create(&writer->thread, NULL, writer_run, store);
  if (error) return failure_set(ret_failure, "the writer thread cannot be started: %s", strerror(error));
  writer->running = true;
  return true;
}

void writer_stop(struct store_sqlite *store) {
  struct writer *writer = &store->writer;
  if (!writer->running) return;
  pthread_mutex_lock(&writer->mutex);
  writer->stop = true;
  pthread_cond_signal(&writer->work);
  pthread_mutex_unlock(&writer->mutex);
  pthread_join(writer->thread, NULL);
  writer->running = false;
}

void writer_release(struct store_sqlite *store) {
  struct writer *writer = &store->writer;
  statements_finalize(writer->statements, WRITER_STATEMENT_COUNT);
  /* The last connection brings the whole WAL to its place as it closes. */
  sqlite3_close(writer->db);
  arena_release(&writer->arena);
  pthread_cond_destroy(&writer->done[1]);
  pthread_cond_destroy(&writer->done[0]);
  pthread_cond_destroy(&writer->work);
  pthread_mutex_destroy(&writer->mutex);
}
