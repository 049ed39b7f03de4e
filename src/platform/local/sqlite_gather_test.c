/* The log in large pieces: fewer writes, none of them after its sync, and the same database as without. */
#include "platform/local/sqlite_gather.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake/testing.h"

/* --- a VFS below that counts what is written to the log, and fails when it is told to --- */

static struct {
  sqlite3_vfs vfs;
  sqlite3_io_methods methods;
  const sqlite3_io_methods *real;
  int writes, largest, unsynced, fail_writes;
} below;

static int below_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at) {
  if (below.fail_writes) return SQLITE_FULL;
  below.writes++;
  below.unsynced++;
  if (size > below.largest) below.largest = size;
  return below.real->xWrite(file, data, size, at);
}

static int below_sync(sqlite3_file *file, int flags) {
  below.unsynced = 0;
  return below.real->xSync(file, flags);
}

static int below_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
  sqlite3_vfs *real = vfs->pAppData;
  int code = real->xOpen(real, name, file, flags, ret_flags);
  if (code != SQLITE_OK || !(flags & SQLITE_OPEN_WAL)) return code;
  below.real = file->pMethods;
  below.methods = *file->pMethods;
  below.methods.xWrite = below_write;
  below.methods.xSync = below_sync;
  file->pMethods = &below.methods;
  return SQLITE_OK;
}

/* --- a database --- */

struct fixture {
  char folder[40], path[60];
  sqlite3 *db;
};

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static int64_t number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement;
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return value;
}

static sqlite3 *open_with(const char *path, const char *vfs) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
  run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
  return db;
}

static int set_up(void **state) {
  static struct fixture fixture;
  strcpy(fixture.folder, "/tmp/spillway-gather-XXXXXX");
  assert_non_null(mkdtemp(fixture.folder));
  snprintf(fixture.path, sizeof fixture.path, "%s/db", fixture.folder);
  below.fail_writes = 0;
  fixture.db = open_with(fixture.path, sqlite_gather_register());
  run(fixture.db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)");
  *state = &fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  char command[60];
  sqlite3_close(f->db);
  snprintf(command, sizeof command, "rm -r %s", f->folder);
  return system(command);
}

static void count_anew(void) { below.writes = below.largest = below.unsynced = 0; }

static void test_a_transaction_is_few_writes_and_all_before_its_sync(void **state) {
  struct fixture *f = *state;
  count_anew();
  run(f->db, "BEGIN; INSERT INTO t VALUES (1, zeroblob(400000)); COMMIT");
  /* Some hundred pages; without gathering, twice as many writes. */
  assert_true(below.writes >= 4 && below.writes <= 8);
  assert_true(below.largest > 100000 && below.largest < 128 * 1024);
  assert_int_equal(below.unsynced, 0);
  count_anew();
  run(f->db, "INSERT INTO t VALUES (2, 'small')");
  assert_int_equal(below.writes, 1);
  assert_int_equal(below.unsynced, 0);
}

/* What was written and not synced is read by the connection itself. */
static void test_a_transaction_reads_its_own_writes(void **state) {
  struct fixture *f = *state;
  run(f->db, "PRAGMA cache_size=5; BEGIN"); /* so few pages fit that they go to the log and come back */
  for (int i = 0; i < 300; i++) run(f->db, "INSERT INTO t SELECT count(*), randomblob(3000) FROM t");
  run(f->db, "UPDATE t SET v = zeroblob(3000) WHERE k % 3 = 0");
  assert_int_equal(number(f->db, "SELECT count(*) FROM t WHERE v = zeroblob(3000)"), 100);
  run(f->db, "COMMIT");
  sqlite3 *other = open_with(f->path, NULL);
  assert_int_equal(number(other, "SELECT count(*) FROM t WHERE v = zeroblob(3000)"), 100);
  assert_int_equal(number(other, "SELECT count(*) FROM t"), 300);
  sqlite3_close(other);
}

/* A reader of another VFS sees each transaction once it was answered, through checkpoints and new logs. */
static void test_readers_see_what_was_committed(void **state) {
  struct fixture *f = *state;
  sqlite3 *other = open_with(f->path, NULL);
  for (int i = 1; i <= 200; i++) {
    run(f->db, "INSERT INTO t (v) VALUES (randomblob(2000))");
    assert_int_equal(number(other, "SELECT count(*) FROM t"), i);
    if (i % 20 == 0) run(f->db, "PRAGMA wal_checkpoint(RESTART)");
    if (i % 50 == 0) run(f->db, "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  assert_int_equal(
      number(other, "SELECT count(*) = 1 FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
  sqlite3_close(other);
}

/* A write that fails, at the latest when it is synced, fails the transaction, and nothing of it is left. */
static void test_a_failed_write_fails_its_transaction(void **state) {
  struct fixture *f = *state;
  for (int bytes = 10; bytes <= 1000000; bytes *= 10) {
    char sql[80];
    snprintf(sql, sizeof sql, "INSERT INTO t (v) VALUES (zeroblob(%d))", bytes);
    below.fail_writes = 1;
    assert_int_equal(sqlite3_exec(f->db, sql, NULL, NULL, NULL), SQLITE_FULL);
    below.fail_writes = 0;
    assert_int_equal(number(f->db, "SELECT count(*) FROM t WHERE length(v) > 5"), 0);
    run(f->db, "INSERT INTO t (v) VALUES ('x')");
  }
  sqlite3_close(f->db);
  f->db = open_with(f->path, NULL);
  assert_int_equal(number(f->db, "SELECT count(*) FROM t"), 6);
  assert_int_equal(
      number(f->db, "SELECT count(*) = 1 FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

int main(void) {
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  below.vfs = *real;
  below.vfs.zName = "below";
  below.vfs.pAppData = real;
  below.vfs.xOpen = below_open;
  if (sqlite3_vfs_register(&below.vfs, 1) != SQLITE_OK) return 1;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_a_transaction_is_few_writes_and_all_before_its_sync),
      TEST(test_a_transaction_reads_its_own_writes),
      TEST(test_readers_see_what_was_committed),
      TEST(test_a_failed_write_fails_its_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
