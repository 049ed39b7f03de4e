/* The database file: what it must be, its pragmas, its tables and how they came to be. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/local/sqlite_gather.h"
#include "platform/local/store_sqlite_internal.h"

enum {
  APPLICATION_ID = 0x53706C77, /* "Splw" */
  BUSY_TIMEOUT_MS = 5000,      /* a person may look at the database with other tools */
};

/* Step i brings a database from user_version i to i + 1. Steps are added, never changed.
 * orders.attention: bits of the commands with a row in attention. orders.content is NULL where it is
 * too large to be rewritten with every change; then it is in contents. counters: how many rows of a
 * kind there are, so that a start needs no scan. */
static const char *const migrations[] = {
    "CREATE TABLE orders (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, customer TEXT NOT NULL,"
    " channel INTEGER NOT NULL, status INTEGER NOT NULL, version INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, attention INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " traceparent TEXT NOT NULL, state BLOB NOT NULL, content BLOB);"
    "CREATE INDEX orders_by_customer ON orders (customer, created_ms, id);"
    "CREATE INDEX orders_by_time ON orders (created_ms, id);"
    "CREATE TABLE contents (seq INTEGER PRIMARY KEY, content BLOB NOT NULL);"
    "CREATE TABLE claims (key BLOB PRIMARY KEY, order_seq INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE events (order_seq INTEGER NOT NULL, first_sequence INTEGER NOT NULL, events BLOB NOT NULL,"
    " PRIMARY KEY (order_seq, first_sequence)) WITHOUT ROWID;"
    "CREATE TABLE attention (since_ms INTEGER NOT NULL, order_id BLOB NOT NULL, command INTEGER NOT NULL,"
    " customer TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (since_ms, order_id, command)) WITHOUT ROWID;"
    "CREATE TABLE messages (lane INTEGER NOT NULL, due_ms INTEGER NOT NULL, number INTEGER NOT NULL,"
    " order_id BLOB NOT NULL, kind INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " dispatch_version INTEGER NOT NULL, created_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, note TEXT, PRIMARY KEY (lane, due_ms, number)) WITHOUT ROWID;"
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
};
enum { SCHEMA_VERSION = (int)COUNT_OF(migrations) };

static bool pragma_int64(sqlite3 *db, const char *text, int64_t *ret_value) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK) return false;
  bool found = sqlite3_step(statement) == SQLITE_ROW;
  int64_t value = found ? sqlite3_column_int64(statement, 0) : 0;
  if (sqlite3_finalize(statement) != SQLITE_OK || !found) return false;
  *ret_value = value;
  return true;
}

void schema_describe_damage(const char *path, const char *detail, struct failure *ret_failure) {
  failure_set(ret_failure,
              "database %s is damaged (%.120s): keep a copy of its folder, then restore it from "
              "a backup or rescue it as docs/operations.md says",
              path, detail);
}

bool schema_read_refused(int code, int system_error) {
  bool is_read = system_error == EIO || system_error == ENXIO || system_error == ERANGE;
  return is_read && (code & 0xFF) == SQLITE_CORRUPT;
}

static bool read_refused(const char *path, int system_error, struct failure *ret_failure) {
  return failure_set(ret_failure,
                     "database %s cannot be read (%s): look at the disk's health, then start again", path,
                     strerror(system_error));
}

bool schema_failed(sqlite3 *db, const char *path, struct failure *ret_failure) {
  int error = errno, code = sqlite3_errcode(db) & 0xFF;
  if (schema_read_refused(code, error)) return read_refused(path, error, ret_failure);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    schema_describe_damage(path, sqlite3_errmsg(db), ret_failure);
    return false;
  }
  error = sqlite3_system_errno(db);
  return failure_set(ret_failure, "database %s cannot be used: %s%s%s", path, sqlite3_errmsg(db),
                     error ? ": " : "", error ? strerror(error) : "");
}

/* Reads only: a file that is somebody else's is left as it was. */
static bool check_identity(sqlite3 *db, const char *path, int64_t *ret_version, struct failure *ret_failure) {
  int64_t application, version, tables;
  if (!pragma_int64(db, "PRAGMA application_id", &application) ||
      !pragma_int64(db, "PRAGMA user_version", &version) ||
      !pragma_int64(db, "SELECT count(*) FROM sqlite_schema", &tables))
    return schema_failed(db, path, ret_failure);
  bool is_new = application == 0 && version == 0 && tables == 0;
  if (!is_new && application != APPLICATION_ID)
    return failure_set(ret_failure, "%s is a database of some other program: name another folder with --data",
                       path);
  if (version > SCHEMA_VERSION)
    return failure_set(ret_failure,
                       "database %s was written by a newer Spillway (schema %lld, this one knows "
                       "%d): start that one, or name another folder with --data",
                       path, (long long)version, SCHEMA_VERSION);
  *ret_version = version;
  return true;
}

static bool set_pragmas(sqlite3 *db, const char *path, struct failure *ret_failure) {
  int64_t synchronous = 0, wal = 0;
  /* secure_delete would write every deleted message again as zeros; 16 MiB of pages are taken only as
   * they are used; checkpoints are the writer's, who must see how they end. */
  if (sqlite3_exec(db,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
                   "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY;"
                   "PRAGMA journal_size_limit=67108864",
                   NULL, NULL, NULL) != SQLITE_OK ||
      !pragma_int64(db, "PRAGMA synchronous", &synchronous) ||
      !pragma_int64(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &wal))
    return schema_failed(db, path, ret_failure);
  if (synchronous != 2 || wal != 1)
    return failure_set(ret_failure,
                       "database %s cannot be made durable: SQLite refuses WAL or synchronous=FULL; "
                       "keep the data on a local disk",
                       path);
  return true;
}

static bool migrate(sqlite3 *db, const char *path, int64_t version, struct failure *ret_failure) {
  for (; version < SCHEMA_VERSION; version++) {
    char *end = sqlite3_mprintf("PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION_ID,
                                (int)version + 1);
    bool good = end && sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, migrations[version], NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_exec(db, end, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(end);
    if (good) continue;
    schema_failed(db, path, ret_failure);
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return false;
  }
  return true;
}

bool schema_open(const char *path, sqlite3 **ret_db, struct failure *ret_failure) {
  /* SQLite would make the file readable to all; its -wal and -shm get the same mode. */
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return failure_set(ret_failure,
                       "database %s cannot be opened (%s): mend its permissions, or name another "
                       "folder with --data",
                       path, strerror(errno));
  close(file);
  sqlite3 *db = NULL;
  int64_t version = 0;
  bool good = false;
  errno = 0;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, sqlite_gather_register()) !=
      SQLITE_OK) {
    schema_failed(db, path, ret_failure);
  } else {
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    good = check_identity(db, path, &version, ret_failure) && set_pragmas(db, path, ret_failure) &&
           migrate(db, path, version, ret_failure);
  }
  if (!good) {
    sqlite3_close(db);
    return false;
  }
  *ret_db = db;
  return true;
}

bool schema_open_reader(const char *path, sqlite3 **ret_db) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
      sqlite3_exec(db, "PRAGMA query_only=1; PRAGMA temp_store=MEMORY", NULL, NULL, NULL) != SQLITE_OK) {
    sqlite3_close(db);
    return false;
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
  *ret_db = db;
  return true;
}

/* SQLITE_OK where all is sound or it was interrupted, SQLITE_CORRUPT with what it found, or another error. */
static int look_for_damage(sqlite3 *db, char *ret_detail, size_t size_bytes) {
  sqlite3_stmt *statement;
  int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);
  if (code != SQLITE_OK) return code;
  code = sqlite3_step(statement);
  const char *answer = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  if (answer) snprintf(ret_detail, size_bytes, "%s", answer);
  bool sound = (answer && strcmp(answer, "ok") == 0) || code == SQLITE_INTERRUPT;
  sqlite3_finalize(statement);
  return sound ? SQLITE_OK : code == SQLITE_ROW ? SQLITE_CORRUPT : code;
}

bool schema_check(sqlite3 *db, const char *path, struct failure *ret_failure) {
  char detail[160] = "no answer";
  errno = 0;
  int code = look_for_damage(db, detail, sizeof detail);
  if (code == SQLITE_OK) return true;
  /* A page that could not be read, or for which there was no memory, is told like damage. Damage stays. */
  if (schema_read_refused(code, errno)) return read_refused(path, errno, ret_failure);
  if (code == SQLITE_CORRUPT) code = look_for_damage(db, detail, sizeof detail);
  if (code == SQLITE_OK) return true;
  if (code != SQLITE_CORRUPT) return schema_failed(db, path, ret_failure);
  schema_describe_damage(path, detail, ret_failure);
  return false;
}
