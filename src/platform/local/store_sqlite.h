/* The store and the queues of one machine, in one SQLite database in the data folder.
 *
 * One writer thread owns the only connection that writes or checkpoints: SQLite before 3.51.3 can
 * corrupt a WAL when two connections do at once. It merges what all callers of store_commit hand in
 * meanwhile into one transaction with one fsync (WAL, synchronous=FULL). Readers have read-only
 * connections of their own. The queues (queue_local.h) live in the same database and are fed by the
 * same thread.
 *
 * Beside what port/store.h promises:
 *   Full disk   The commits of that transaction are answered COMMIT_THROTTLED; once there is space
 *               the next ones succeed, without a restart. RLIMIT_FSIZE counts as a full disk if the
 *               process ignores SIGXFSZ.
 *   Bound       At most options.waiting_max commits wait; further ones are COMMIT_THROTTLED at once.
 *   Fatal       After a failed fsync, or when the database turns out to be damaged, going on would
 *               risk what was promised: options.on_fatal is called, from any thread, and should end
 *               the process. If it returns, every further commit is COMMIT_FAILED. */
#ifndef PLATFORM_LOCAL_STORE_SQLITE_H
#define PLATFORM_LOCAL_STORE_SQLITE_H

#include "base/attributes.h"
#include "base/failure.h"
#include "port/queue.h"
#include "port/store.h"
#include "port/telemetry.h"

struct store_sqlite;

struct store_sqlite_options {
  const char *data_folder;     /* made, mode 0700, where it is missing; its parent must exist */
  size_t waiting_max;          /* commits; 0 means 20,000 */
  int checkpoint_pages;        /* of the log, before they are brought to their place; 0 means 4,096 */
  struct telemetry *telemetry; /* NULL: none. COMMIT_BATCH (commits), COMMIT_SECONDS */
  void (*on_fatal)(void *context, const char *text); /* required; text says what to do */
  void *fatal_context;
};

/* Called by the writer thread, outside its locks; must be quick and must not call store_commit. */
struct store_sqlite_observer {
  /* The transaction is durable; the decisions are those done, valid during the call only. Comes
   * before the callers of store_commit return. */
  void (*on_committed)(void *context, const struct decision *const *decisions, size_t count);
  /* Some queue got a message: ask queue_local_next_due again. Not called for what queue_settle put
   * back: whoever settles asks by itself. */
  void (*on_message)(void *context);
  void *context;
};

struct store_sqlite_statistics {
  int64_t orders[ORDER_STATUS_COUNT];
  int64_t attention; /* commands that wait for a person */
  int64_t waiting;   /* commits handed in and not yet taken up */
};

/* Takes the data folder for this process alone, checks and migrates the database and starts the
 * writer. A database larger than 256 MiB is checked for damage in the background, as long as the log
 * does not grow too much meanwhile. */
MUST_USE bool store_sqlite_open(const struct store_sqlite_options *options, struct store_sqlite **ret_store,
                                struct failure *ret_failure);
/* Finishes what was handed in, checkpoints, closes and gives the folder free. No call may be under
 * way, and nothing obtained from the store may be used afterwards. NULL is fine. */
void store_sqlite_close(struct store_sqlite *store);

struct store *store_sqlite_store(struct store_sqlite *store);
struct queue *store_sqlite_queue(struct store_sqlite *store);

/* Replaces the observer (each function may be NULL). After it returned the one before is no longer
 * called and none of its calls is under way. Not to be called from within an observer. */
void store_sqlite_observe(struct store_sqlite *store, const struct store_sqlite_observer *observer);

void store_sqlite_statistics(struct store_sqlite *store, struct store_sqlite_statistics *ret_statistics);

#endif
