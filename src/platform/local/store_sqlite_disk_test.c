/* The SQLite store on full and failing disks, and after kill -9. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "platform/local/queue_local.h"
#include "platform/local/store_sqlite_testing.h"

/* --- a file system that fails on request ------------------------------------------------------------ */

enum { METHODS_MAX = 4 }; /* database, WAL and temporary files have different ones */

static struct {
  atomic_int write_error, sync_error; /* SQLite codes; 0: none */
  atomic_int syncs;
  sqlite3_vfs vfs;
  struct {
    sqlite3_io_methods methods;
    const sqlite3_io_methods *real;
  } kinds[METHODS_MAX];
} faulty;

static const sqlite3_io_methods *real_methods(const sqlite3_file *file) {
  for (int i = 0;; i++)
    if (file->pMethods == &faulty.kinds[i].methods) return faulty.kinds[i].real;
}

static int faulty_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at) {
  return faulty.write_error ? faulty.write_error : real_methods(file)->xWrite(file, data, size, at);
}

static int faulty_sync(sqlite3_file *file, int flags) {
  faulty.syncs++;
  return faulty.sync_error ? faulty.sync_error : real_methods(file)->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  sqlite3_vfs *real = vfs->pAppData;
  int code = real->xOpen(real, name, file, flags, ret_flags);
  if (code != SQLITE_OK || !file->pMethods) return code;
  pthread_mutex_lock(&mutex);
  int kind = 0;
  while (faulty.kinds[kind].real && faulty.kinds[kind].real != file->pMethods) kind++;
  assert_true(kind < METHODS_MAX);
  if (!faulty.kinds[kind].real) {
    faulty.kinds[kind].real = file->pMethods;
    faulty.kinds[kind].methods = *file->pMethods;
    faulty.kinds[kind].methods.xWrite = faulty_write;
    faulty.kinds[kind].methods.xSync = faulty_sync;
  }
  file->pMethods = &faulty.kinds[kind].methods;
  pthread_mutex_unlock(&mutex);
  return SQLITE_OK;
}

static void faulty_install(void) {
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  faulty.vfs = *real;
  faulty.vfs.zName = "faulty";
  faulty.vfs.pAppData = real;
  faulty.vfs.xOpen = faulty_open;
  assert_int_equal(sqlite3_vfs_register(&faulty.vfs, 1), SQLITE_OK);
}

/* --- a full or failing disk --------------------------------------------------------------------------- */

static void a_full_disk_throttles_until_there_is_space(void **state) {
  struct fixture *f = *state;
  open_store(f);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
  for (int i = 0; i < 3; i++) {
    faulty.write_error = SQLITE_FULL;
    assert_int_equal(commit(f, new_order(f, 2 + i, 1)), COMMIT_THROTTLED);
    assert_false(exists(f, 2 + i));
    faulty.write_error = 0;
    assert_int_equal(commit(f, new_order(f, 2 + i, 1)), COMMIT_DONE);
  }
  struct store_sqlite_statistics statistics;
  store_sqlite_statistics(f->store, &statistics);
  assert_int_equal(statistics.orders[ORDER_ACCEPTED], 4);
  assert_int_equal(f->fatal_count, 0);
  struct message messages[9];
  assert_int_equal(queue_receive(store_sqlite_queue(f->store), 0, 5, 9, messages), 4);
}

static void settlements_outlive_a_full_disk(void **state) {
  struct fixture *f = *state;
  open_store(f);
  for (int i = 0; i < 2; i++) assert_int_equal(commit(f, new_order(f, i, 1)), COMMIT_DONE);
  struct queue *queue = store_sqlite_queue(f->store);
  struct message messages[2];
  struct message_result results[2] = {{.settlement = SETTLE_ACK},
                                      {.settlement = SETTLE_RETRY, .attempts = 3, .note = "503"}};
  assert_int_equal(queue_receive(queue, 0, 5, 2, messages), 2);
  faulty.write_error = SQLITE_FULL;
  queue_settle(queue, messages, results, 2, 5);
  usleep(250 * 1000);
  assert_int_equal(commit(f, new_order(f, 7, 1)), COMMIT_THROTTLED);
  faulty.write_error = 0;
  usleep(1200 * 1000);
  close_store(f);
  open_store(f);
  queue = store_sqlite_queue(f->store);
  assert_int_equal(queue_receive(queue, 0, 5, 2, messages), 1);
  assert_int_equal(messages[0].attempts, 3);
  assert_string_equal(messages[0].note, "503");
}

static void a_file_size_limit_is_a_full_disk(void **state) {
  struct fixture *f = *state;
  open_store(f);
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit before, small = {.rlim_cur = 100 * 1024};
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  enum commit_status status = COMMIT_DONE;
  int number = 0;
  while (status == COMMIT_DONE && number < 500) status = commit(f, new_order(f, ++number, 1));
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(status, COMMIT_THROTTLED);
  assert_false(exists(f, number));
  assert_true(exists(f, number - 1));
  assert_int_equal(commit(f, new_order(f, number, 1)), COMMIT_DONE);
  assert_int_equal(f->fatal_count, 0);
}

static void a_failed_write_is_told_and_may_be_tried_again(void **state) {
  struct fixture *f = *state;
  open_store(f);
  faulty.write_error = SQLITE_IOERR_WRITE;
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_FAILED);
  faulty.write_error = 0;
  assert_int_equal(f->fatal_count, 0);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
}

static void a_failed_fsync_ends_everything(void **state) {
  struct fixture *f = *state;
  open_store(f);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
  faulty.sync_error = SQLITE_IOERR_FSYNC;
  assert_int_equal(commit(f, new_order(f, 2, 1)), COMMIT_FAILED);
  faulty.sync_error = 0;
  assert_int_equal(f->fatal_count, 1);
  assert_non_null(strstr(f->fatal, f->database));
  assert_int_equal(commit(f, new_order(f, 3, 1)), COMMIT_FAILED);
  assert_int_equal(f->fatal_count, 1);
  close_store(f);
  open_store(f);
  assert_true(exists(f, 1));
  assert_false(exists(f, 3));
}

static void every_commit_is_synced(void **state) {
  struct fixture *f = *state;
  open_store(f);
  for (int i = 0; i < 5; i++) {
    int before = faulty.syncs;
    assert_int_equal(commit(f, new_order(f, i, 1)), COMMIT_DONE);
    assert_true(faulty.syncs > before);
  }
}

/* --- kill -9 ------------------------------------------------------------------------------------------- */

/* Commits one after the other, and says each that is done. */
_Noreturn static void commit_until_killed(struct fixture *f, int pipe_end) {
  open_store(f);
  for (int i = 0;; i++) {
    arena_reset(&f->arena);
    if (commit(f, new_order(f, i, 1)) != COMMIT_DONE || write(pipe_end, &i, sizeof i) != sizeof i) _exit(1);
  }
}

static void what_was_answered_survives_kill_9(void **state) {
  struct fixture *f = *state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) commit_until_killed(f, ends[1]);
  close(ends[1]);
  int last = -1, number;
  while (last < 400 && read(ends[0], &number, sizeof number) == sizeof number) last = number;
  assert_int_equal(kill(child, SIGKILL), 0);
  while (read(ends[0], &number, sizeof number) == sizeof number) last = number;
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  open_store(f);
  for (int i = 0; i <= last; i++) assert_true(exists(f, i));
  assert_false(exists(f, last + 2)); /* one may have been on its way */
  struct store_sqlite_statistics statistics;
  store_sqlite_statistics(f->store, &statistics);
  int64_t stored = exists(f, last + 1) ? last + 2 : last + 1;
  assert_int_equal(statistics.orders[ORDER_ACCEPTED], stored);
  struct queue_local_statistics queue;
  queue_local_statistics(store_sqlite_queue(f->store), 0, &queue);
  assert_int_equal(queue.waiting, stored);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  faulty_install();
  const struct CMUnitTest tests[] = {
      TEST(what_was_answered_survives_kill_9),
      TEST(a_full_disk_throttles_until_there_is_space),
      TEST(settlements_outlive_a_full_disk),
      TEST(a_file_size_limit_is_a_full_disk),
      TEST(a_failed_write_is_told_and_may_be_tried_again),
      TEST(a_failed_fsync_ends_everything),
      TEST(every_commit_is_synced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
