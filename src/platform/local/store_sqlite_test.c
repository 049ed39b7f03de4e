/* What only the SQLite store promises: starting, refusing, full and failing disks, kill -9. The rest
 * is in tests/contract. */
#include "platform/local/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/encode.h"
#include "order/content.h"
#include "platform/local/queue_local.h"

struct fixture {
  char parent[64], folder[80], database[100];
  struct store_sqlite *store;
  struct arena arena;
  atomic_int fatal_count;
  char fatal[400];
};

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

/* --- the fixture -------------------------------------------------------------------------------------- */

static void on_fatal(void *context, const char *text) {
  struct fixture *f = context;
  f->fatal_count++;
  snprintf(f->fatal, sizeof f->fatal, "%s", text);
}

static bool try_open(struct fixture *f, struct store_sqlite **ret_store, struct failure *ret_failure) {
  struct store_sqlite_options options = {
      .data_folder = f->folder, .on_fatal = on_fatal, .fatal_context = f, .waiting_max = 10};
  return store_sqlite_open(&options, ret_store, ret_failure);
}

static void open_store(struct fixture *f) {
  struct failure failure;
  if (!try_open(f, &f->store, &failure)) fail_msg("%s", failure.text);
}

static void close_store(struct fixture *f) {
  store_sqlite_close(f->store);
  f->store = NULL;
}

static void assert_refused(struct fixture *f, const char *with_text) {
  struct store_sqlite *store;
  struct failure failure;
  assert_false(try_open(f, &store, &failure));
  if (!strstr(failure.text, with_text)) fail_msg("\"%s\" does not say \"%s\"", failure.text, with_text);
}

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  strcpy(f->parent, "/tmp/spillway-store-XXXXXX");
  assert_non_null(mkdtemp(f->parent));
  snprintf(f->folder, sizeof f->folder, "%s/data", f->parent);
  snprintf(f->database, sizeof f->database, "%s/orders.db", f->folder);
  arena_init(&f->arena);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  faulty.write_error = faulty.sync_error = 0;
  close_store(f);
  arena_release(&f->arena);
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", f->parent);
  int code = system(command);
  free(f);
  return code;
}

static struct bytes id_of(struct fixture *f, int number) {
  uint8_t digest[SHA256_BYTES];
  sha256(bytes_from(&number, sizeof number), digest);
  char *id = arena_allocate(&f->arena, ORDER_ID_CHARACTERS);
  memcpy(id, "ord_", 4);
  base32_encode(digest, 20, id + 4);
  return bytes_from(id, ORDER_ID_CHARACTERS);
}

static struct decision *new_order(struct fixture *f, int number, int64_t now_ms) {
  struct decision *decision = ARENA_NEW(&f->arena, struct decision);
  static const struct order_address address = {
      .name = {"A", 1}, .line1 = {"B", 1}, .city = {"C", 1}, .country = {"GB", 2}};
  struct order_line *line = ARENA_NEW(&f->arena, struct order_line);
  *line = (struct order_line){BYTES("x"), 1, 1};
  struct order_payment *payment = ARENA_NEW(&f->arena, struct order_payment);
  payment->reference = arena_printf(&f->arena, "pay_%d", number);
  struct order *order = &decision->next;
  *order = (struct order){.id = id_of(f, number),
                          .customer = BYTES("ann"),
                          .content = {.currency = BYTES("GBP"),
                                      .lines = {line, 1},
                                      .total = 1,
                                      .payment = payment,
                                      .ship_to = &address},
                          .version = 1,
                          .revision = 1,
                          .created_ms = now_ms,
                          .updated_ms = now_ms};
  order->content_json = order_content_write(&order->content, &f->arena);
  decision->event_count = 1;
  decision->events[0] = (struct order_event){.sequence = 1, .type = BYTES("order.accepted"), .at_ms = now_ms};
  decision->message_count = 1;
  decision->messages[0] = (struct order_message){
      .slot = COMMAND_RESERVE, .dispatch_version = 1, .due_ms = now_ms, .deadline_ms = now_ms + 1000};
  return decision;
}

static enum commit_status commit(struct fixture *f, const struct decision *decision) {
  struct store_commit one = {.decision = decision};
  struct store_result result;
  store_commit(store_sqlite_store(f->store), &one, 1, &result);
  return result.status;
}

static bool exists(struct fixture *f, int number) {
  struct bytes id = id_of(f, number);
  struct store_loaded loaded;
  store_load(store_sqlite_store(f->store), &id, 1, &f->arena, &loaded);
  assert_int_not_equal(loaded.status, LOAD_FAILED);
  return loaded.status == LOAD_FOUND;
}

static void execute(struct fixture *f, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->database, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void overwrite(struct fixture *f, long at, const char *text, size_t size) {
  FILE *file = fopen(f->database, "r+");
  assert_non_null(file);
  assert_int_equal(fseek(file, at, SEEK_SET), 0);
  assert_int_equal(fwrite(text, 1, size, file), size);
  fclose(file);
}

/* --- starting ------------------------------------------------------------------------------------------ */

static void the_folder_is_made_and_private(void **state) {
  struct fixture *f = *state;
  open_store(f);
  struct stat status;
  assert_int_equal(stat(f->folder, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0700);
  assert_int_equal(stat(f->database, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_second_user_of_the_folder_is_refused(void **state) {
  struct fixture *f = *state;
  open_store(f);
  char text[200];
  snprintf(text, sizeof text, "data folder %s is in use by process %ld: stop it first or give another --data",
           f->folder, (long)getpid());
  assert_refused(f, text);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
  close_store(f);
  open_store(f);
}

static void folders_that_cannot_be_are_refused(void **state) {
  struct fixture *f = *state;
  char folder[80];
  strcpy(folder, f->folder);
  snprintf(f->folder, sizeof f->folder, "%s/missing/data", f->parent);
  assert_refused(f, "cannot be made (No such file or directory)");
  strcpy(f->folder, "/proc/self");
  assert_refused(f, "cannot be written to");
  strcpy(f->folder, "/dev/null");
  assert_refused(f, "is a file");
  strcpy(f->folder, folder);
}

static void a_newer_schema_is_refused(void **state) {
  struct fixture *f = *state;
  open_store(f);
  close_store(f);
  execute(f, "PRAGMA user_version = 1000");
  assert_refused(f, "was written by a newer Spillway (schema 1000");
  assert_refused(f, f->database);
}

static void a_foreign_database_is_refused_and_left_alone(void **state) {
  struct fixture *f = *state;
  assert_int_equal(mkdir(f->folder, 0700), 0);
  execute(f, "CREATE TABLE theirs (x)");
  assert_refused(f, "some other program");
  execute(f, "DROP TABLE theirs; PRAGMA application_id = 7");
  assert_refused(f, "some other program");
}

static void an_empty_file_is_a_new_database(void **state) {
  struct fixture *f = *state;
  assert_int_equal(mkdir(f->folder, 0700), 0);
  fclose(fopen(f->database, "w"));
  open_store(f);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
}

static void damage_is_named_at_the_start(void **state) {
  struct fixture *f = *state;
  open_store(f);
  for (int i = 0; i < 300; i++) assert_int_equal(commit(f, new_order(f, i, i)), COMMIT_DONE);
  close_store(f);
  struct stat status;
  assert_int_equal(stat(f->database, &status), 0);
  char page[4096];
  memset(page, 0x5A, sizeof page);
  /* Every page in turn, as far as it is not free. */
  for (long at = status.st_size - 4096; at > 4096; at -= 4096 * 7) {
    FILE *file = fopen(f->database, "r");
    char saved[4096];
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fread(saved, 1, sizeof saved, file), sizeof saved);
    fclose(file);
    overwrite(f, at, page, sizeof page);
    assert_refused(f, "orders.db is damaged");
    overwrite(f, at, saved, sizeof saved);
  }
  open_store(f);
  close_store(f);
  overwrite(f, 0, page, 100);
  assert_refused(f, "orders.db is damaged");
  assert_int_equal(truncate(f->database, 5000), 0);
  assert_refused(f, "orders.db is damaged");
}

static void damage_found_later_is_fatal(void **state) {
  struct fixture *f = *state;
  open_store(f);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
  execute(f, "UPDATE orders SET status = 99");
  struct decision *change = new_order(f, 1, 2);
  change->next.revision = 2;
  assert_int_equal(commit(f, change), COMMIT_FAILED);
  assert_int_equal(f->fatal_count, 1);
  assert_non_null(strstr(f->fatal, "orders.db is damaged"));
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

/* --- figures and observers ------------------------------------------------------------------------------ */

static void figures_are_kept(void **state) {
  struct fixture *f = *state;
  open_store(f);
  for (int i = 0; i < 3; i++) assert_int_equal(commit(f, new_order(f, i, 1)), COMMIT_DONE);
  struct decision *change = new_order(f, 1, 2);
  change->next.revision = change->next.version = 2;
  change->next.status = ORDER_ATTENTION;
  change->events[0].sequence = 2;
  change->next.slots[COMMAND_SHIP].state = SLOT_ATTENTION;
  assert_int_equal(commit(f, change), COMMIT_DONE);
  for (int i = 0; i < 2; i++) {
    struct store_sqlite_statistics statistics;
    store_sqlite_statistics(f->store, &statistics);
    assert_int_equal(statistics.orders[ORDER_ACCEPTED], 2);
    assert_int_equal(statistics.orders[ORDER_ATTENTION], 1);
    assert_int_equal(statistics.attention, 1);
    assert_int_equal(statistics.waiting, 0);
    close_store(f);
    open_store(f);
  }
}

struct seen {
  int committed, messages;
  const struct decision *last;
};

static void see_committed(void *context, const struct decision *const *decisions, size_t count) {
  struct seen *seen = context;
  seen->committed += (int)count;
  seen->last = decisions[count - 1];
}

static void see_message(void *context) { ((struct seen *)context)->messages++; }

static void the_observer_hears_before_the_caller(void **state) {
  struct fixture *f = *state;
  open_store(f);
  struct seen seen = {0};
  store_sqlite_observe(f->store, &(struct store_sqlite_observer){see_committed, see_message, &seen});
  struct decision *decision = new_order(f, 1, 1);
  assert_int_equal(commit(f, decision), COMMIT_DONE);
  assert_int_equal(seen.committed, 1);
  assert_int_equal(seen.messages, 1);
  assert_ptr_equal(seen.last, decision);
  assert_int_equal(commit(f, decision), COMMIT_EXISTS_SAME);
  assert_int_equal(seen.committed, 1);
  store_sqlite_observe(f->store, &(struct store_sqlite_observer){0});
  assert_int_equal(commit(f, new_order(f, 2, 1)), COMMIT_DONE);
  assert_int_equal(seen.committed, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  faulty_install();
  const struct CMUnitTest tests[] = {
      TEST(what_was_answered_survives_kill_9),
      TEST(the_folder_is_made_and_private),
      TEST(a_second_user_of_the_folder_is_refused),
      TEST(folders_that_cannot_be_are_refused),
      TEST(a_newer_schema_is_refused),
      TEST(a_foreign_database_is_refused_and_left_alone),
      TEST(an_empty_file_is_a_new_database),
      TEST(damage_is_named_at_the_start),
      TEST(damage_found_later_is_fatal),
      TEST(a_full_disk_throttles_until_there_is_space),
      TEST(settlements_outlive_a_full_disk),
      TEST(a_file_size_limit_is_a_full_disk),
      TEST(a_failed_write_is_told_and_may_be_tried_again),
      TEST(a_failed_fsync_ends_everything),
      TEST(every_commit_is_synced),
      TEST(figures_are_kept),
      TEST(the_observer_hears_before_the_caller),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
