/* What the files of the SQLite store and of its queues share. Nothing else includes this. */
#ifndef PLATFORM_LOCAL_STORE_SQLITE_INTERNAL_H
#define PLATFORM_LOCAL_STORE_SQLITE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/arena.h"
#include "platform/local/queue_local.h"
#include "platform/local/store_sqlite.h"
#include "platform/local/store_sqlite_recent.h"

/* Numbers that are stored. A new value goes at the end of its enum; anything else needs a migration. */
_Static_assert(ORDER_ACCEPTED == 0 && ORDER_COMPLETED == 2 && ORDER_ATTENTION == 6, "stored");
_Static_assert(CHANNEL_RETAIL == 0 && CHANNEL_WHOLESALE == 1 && CHANNEL_COUNT == 2, "stored");
_Static_assert(SERVICE_INVENTORY == 0 && SERVICE_ACCOUNTING == 1 && SERVICE_FULFILMENT == 2, "stored");
_Static_assert(SERVICE_COUNT == 3, "lanes are numbered by QUEUE_COUNT");
_Static_assert(COMMAND_RESERVE == 0 && COMMAND_RECORD == 2 && COMMAND_RECALL == 5, "stored");
_Static_assert(MESSAGE_CALL == 0 && MESSAGE_EXPIRE == 1, "stored");

enum {
  ORDER_ID_BLOB_BYTES = 20,
  LANE_COUNT = 2 * QUEUE_COUNT, /* of each queue a line of calls, then of each one of deadlines */
  COMMITS_PER_TRANSACTION_MAX = 2000,
  SETTLEMENTS_PER_TRANSACTION_MAX = 4000,
  READERS_MAX = 8,
  FLUSH_DELAY_US = 100 * 1000, /* of settlements, where no commit takes them along */
};

/* --- statements: a table of texts, prepared once for each connection ----------------------------- */

bool statements_prepare(sqlite3 *db, const char *const *texts, size_t count, sqlite3_stmt **ret_statements);
void statements_finalize(sqlite3_stmt **statements, size_t count);
/* The bound memory must live until the statement was run. An error shows when it is run. */
void bind_int64(sqlite3_stmt *statement, int index, int64_t value);
void bind_text(sqlite3_stmt *statement, int index, struct bytes text);
void bind_blob(sqlite3_stmt *statement, int index, const void *data, size_t size_bytes);
/* Runs a statement that gives no rows and resets it. SQLITE_OK or the error. */
MUST_USE int statement_run(sqlite3_stmt *statement);
/* A view that lives until the statement is stepped or reset. */
struct bytes column_bytes(sqlite3_stmt *statement, int column);
/* Copies the 20 bytes of an id; false where the column is something else. */
MUST_USE bool column_id(sqlite3_stmt *statement, int column, uint8_t ret_id[ORDER_ID_BLOB_BYTES]);

/* "ord_…" to its 20 bytes; false where it is no order id. */
bool order_id_to_blob(struct bytes id, uint8_t ret_blob[ORDER_ID_BLOB_BYTES]);
void order_id_from_blob(const uint8_t blob[ORDER_ID_BLOB_BYTES], char ret_id[ORDER_ID_CHARACTERS]);

/* --- folder and schema ----------------------------------------------------------------------------- */

/* Opens and locks; `ret_lock` is closed to give the folder free. */
MUST_USE bool data_folder_take(const char *folder, int *ret_lock, struct failure *ret_failure);
/* Before the database is opened: what an earlier process has left in its log is on the disk from here on, or is
 * not there. A process that was killed leaves in the kernel's cache what was never synced: it would be read,
 * answered from, and lost with the power. And where an fsync failed the cache may hold what the disk does not,
 * with no fsync to write it any more: so the log is read from the disk. */
MUST_USE bool data_log_settle(const char *database, struct failure *ret_failure);
/* Once the database and its log are there: a power loss leaves new names only in a folder that was synced.
 * SQLite does so too, but does not look whether it succeeds. */
MUST_USE bool data_folder_sync(const char *folder, struct failure *ret_failure);
/* Opens the database for writing: checks what it is, sets the pragmas, migrates. */
MUST_USE bool schema_open(const char *path, sqlite3 **ret_db, struct failure *ret_failure);
MUST_USE bool schema_open_reader(const char *path, sqlite3 **ret_db);
/* Looks for damage. False only where it is damaged (or `failure` tells why it cannot be read). */
MUST_USE bool schema_check(sqlite3 *db, const char *path, struct failure *ret_failure);
/* Tells of the connection's last error; returns false. */
bool schema_failed(sqlite3 *db, const char *path, struct failure *ret_failure);
/* SQLite tells a read that the disk refused as damage; errno, taken at once, tells them apart. */
bool schema_read_refused(int code, int system_error);
void schema_describe_damage(const char *path, const char *detail, struct failure *ret_failure);

/* --- what callers hand to the writer --------------------------------------------------------------- */

struct prepared_commit {
  const struct store_commit *commit;
  struct store_result *result;
  uint8_t id[ORDER_ID_BLOB_BYTES];
  struct bytes state, events; /* encoded by the caller's thread */
  unsigned attention;         /* bits of the commands in SLOT_ATTENTION */
  int64_t seq;                /* DONE: of its row */
  int64_t first_number;       /* DONE: of its messages */
};

struct handoff {
  struct prepared_commit *commits;
  size_t count;
  struct handoff *next;
  unsigned batch; /* which of the two conditions it waits on */
  bool done;
};

struct totals {
  int64_t orders[ORDER_STATUS_COUNT];
  int64_t attention;
  int64_t messages[LANE_COUNT];
};

enum writer_statement {
  WRITE_BEGIN,
  WRITE_COMMIT,
  WRITE_ROLLBACK,
  WRITE_FIND_ORDER,
  WRITE_FIND_CONTENT,
  WRITE_FIND_CLAIM,
  WRITE_ORDER,
  WRITE_CONTENT,
  WRITE_CLAIM,
  WRITE_CHANGE,
  WRITE_EVENTS,
  WRITE_ATTENTION,
  WRITE_ATTENTION_END,
  WRITE_STATE_OF,
  WRITE_MESSAGE,
  WRITE_MESSAGE_MOVE,
  WRITE_MESSAGE_DELETE,
  WRITE_TOTAL,
  WRITE_REFILL,
  WRITER_STATEMENT_COUNT
};

struct writer {
  /* The writer thread's own: */
  sqlite3 *db;
  sqlite3_stmt *statements[WRITER_STATEMENT_COUNT];
  struct arena arena; /* of one transaction */
  struct totals totals, stored_totals;
  int64_t start_to_write; /* the number of this start, until a transaction has written it; then 0 */
  int64_t next_number;
  int wal_pages, checkpoint_pages, checkpoint_at_pages;
  int64_t flush_at_us; /* monotonic */
  /* Under the mutex: */
  pthread_mutex_t mutex;
  pthread_cond_t work;
  pthread_cond_t done[2];
  struct handoff *first, **last;
  size_t waiting; /* commits */
  unsigned gathering;
  bool flush_wanted, refill_wanted, stop, broken;
  struct totals published;
  pthread_t thread;
  bool running;
};

struct reader_pool {
  pthread_mutex_t mutex;
  pthread_cond_t freed;
  struct reader *free;
  size_t open;
};

/* Looks for damage in a large database, while it is in use. */
struct background_check {
  pthread_t thread;
  sqlite3 *db; /* NULL: none runs */
};

struct queue_local;

struct store_sqlite {
  struct store store;
  char *path; /* of the database */
  int lock;
  struct telemetry *telemetry;
  void (*on_fatal)(void *context, const char *text);
  void *fatal_context;
  size_t waiting_max;
  struct writer writer;
  struct recent_orders *recent;
  struct reader_pool readers;
  struct background_check check;
  struct queue_local *queue;
  pthread_mutex_t observer_mutex;
  struct store_sqlite_observer observer;
};

int64_t monotonic_us(void);
/* The commits will never be answered otherwise than FAILED from here on. */
void store_fail_for_good(struct store_sqlite *store, const char *text);

/* --- the writer ---------------------------------------------------------------------------------- */

void writer_init(struct writer *writer, int checkpoint_pages);
/* The database is open: its statements and totals. */
MUST_USE bool writer_prepare(struct store_sqlite *store, struct failure *ret_failure);
MUST_USE bool writer_start(struct store_sqlite *store, struct failure *ret_failure);
void writer_stop(struct store_sqlite *store);
void writer_release(struct store_sqlite *store);
/* The store's commit operation. */
void writer_commit(struct store *store, const struct store_commit *commits, size_t count,
                   struct store_result *ret_results);
/* From any thread: settlements wait to be written; a line has room for messages from disk. */
void writer_want_flush(struct writer *writer);
void writer_want_refill(struct writer *writer);
/* Carries out one commit within the open transaction: SQLITE_OK with its result filled in, or the
 * error for which the transaction must be rolled back. `place`: where the order stands, if that is known;
 * else it is looked up. */
MUST_USE int apply_commit(struct writer *writer, const struct order_place *place,
                          struct prepared_commit *commit);

MUST_USE bool totals_load(struct writer *writer);
/* Writes those that changed. */
MUST_USE int totals_write(struct writer *writer);

/* --- readers ------------------------------------------------------------------------------------- */

enum reader_statement {
  READ_BEGIN,
  READ_END,
  READ_ORDER,
  READ_CONTENT,
  READ_EVENTS,
  READ_ATTENTION,
  READ_LIST,
  READ_LIST_CUSTOMER,
  READER_STATEMENT_COUNT
};

struct reader {
  sqlite3 *db;
  sqlite3_stmt *statements[READER_STATEMENT_COUNT];
  struct reader *next;
};

void readers_init(struct reader_pool *pool);
void readers_release(struct reader_pool *pool);
/* Waits where all are in use. NULL where none can be opened. */
struct reader *reader_take(struct store_sqlite *store);
void reader_give_back(struct store_sqlite *store, struct reader *reader);

/* The columns of an order as reader_order takes them. */
#define ORDER_COLUMNS "seq, id, customer, channel, status, revision, created_ms, traceparent, state, content"
enum order_column {
  COLUMN_SEQ,
  COLUMN_ID,
  COLUMN_CUSTOMER,
  COLUMN_CHANNEL,
  COLUMN_STATUS,
  COLUMN_REVISION,
  COLUMN_CREATED,
  COLUMN_TRACEPARENT,
  COLUMN_STATE,
  COLUMN_CONTENT
};
/* The order of the current row, as much of it as `how` (port/store.h) asks for; false where it cannot be
 * decoded. */
MUST_USE bool reader_order(struct reader *reader, sqlite3_stmt *row, unsigned how, struct arena *arena,
                           struct order *ret_order);

void reader_load(struct store *store, const struct bytes *ids, size_t count, unsigned how, struct arena *arena,
                 struct store_loaded *ret_loaded);
bool reader_list(struct store *store, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure);
bool reader_events(struct store *store, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure);
bool reader_attention(struct store *store, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure);
/* Fills the failure from the connection's last error; returns false. */
bool reader_failed(const struct reader *reader, const char *what, struct failure *ret_failure);

/* --- the queues' side of the writer ---------------------------------------------------------------- */

/* One settled message, as it is to be written. */
struct settlement_write {
  struct queue_item *item;
  int lane;
  int64_t number, stored_due_ms; /* with the lane the row's key */
  bool is_delete;
  int64_t due_ms, attempts; /* where it is no delete */
  const char *note;
};

struct queue_local *queue_local_create(struct writer *writer);
void queue_local_release(struct queue_local *queue);
struct queue *queue_local_port(struct queue_local *queue);

/* All of these are called by the writer thread only (or before it runs). */

/* Takes up to `most` settlements to write, into the arena. */
size_t queue_local_take_settlements(struct queue_local *queue, size_t most, struct arena *arena,
                                    struct settlement_write **ret_writes);
MUST_USE int queue_local_write_settlements(struct writer *writer, const struct settlement_write *writes,
                                           size_t count);
/* How the transaction with them ended. True where settlements are left to write. `ret_has_messages`:
 * whether there may be something to receive that was not before. */
bool queue_local_end_settlements(struct queue_local *queue, const struct settlement_write *writes, size_t count,
                                 bool written, bool *ret_has_messages);
/* The messages of a committed decision. */
void queue_local_add(struct queue_local *queue, const struct prepared_commit *commit);
/* Reads into memory what the lines have room for. True where any message was. */
bool queue_local_refill(struct queue_local *queue);

/* The line of a message. */
int message_lane(const struct order *order, const struct order_message *message);

#endif
