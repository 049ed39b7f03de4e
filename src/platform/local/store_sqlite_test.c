/* What only the SQLite store promises: starting, refusing, figures. Failing disks are in
 * store_sqlite_disk_test.c, the rest in tests/contract. */
#include "platform/local/store_sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "platform/local/store_sqlite_testing.h"

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
  close_store(f);
  execute(f, "UPDATE orders SET status = 99");
  open_store(f);
  struct decision *change = new_order(f, 1, 2);
  change->next.revision = 2;
  assert_int_equal(commit(f, change), COMMIT_FAILED);
  assert_int_equal(f->fatal_count, 1);
  assert_non_null(strstr(f->fatal, "orders.db is damaged"));
}

/* Text that goes on to services as it stands is still looked into before it does. */
static void damaged_content_is_not_sent_on(void **state) {
  struct fixture *f = *state;
  open_store(f);
  assert_int_equal(commit(f, new_order(f, 1, 1)), COMMIT_DONE);
  close_store(f);
  execute(f, "UPDATE orders SET content = CAST(replace(content, '\"quantity\"', '\"quantitx\"') AS BLOB)");
  open_store(f);
  struct bytes id = id_of(f, 1);
  struct store_loaded loaded;
  store_load(store_sqlite_store(f->store), &id, 1, STORE_LOAD_TEXT, &f->arena, &loaded);
  assert_int_equal(loaded.status, LOAD_FAILED);
  store_load(store_sqlite_store(f->store), &id, 1, STORE_LOAD_STATE, &f->arena, &loaded);
  assert_int_equal(loaded.status, LOAD_FOUND);
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
  const struct CMUnitTest tests[] = {
      TEST(the_folder_is_made_and_private),
      TEST(a_second_user_of_the_folder_is_refused),
      TEST(folders_that_cannot_be_are_refused),
      TEST(a_newer_schema_is_refused),
      TEST(a_foreign_database_is_refused_and_left_alone),
      TEST(an_empty_file_is_a_new_database),
      TEST(damage_is_named_at_the_start),
      TEST(damage_found_later_is_fatal),
      TEST(damaged_content_is_not_sent_on),
      TEST(figures_are_kept),
      TEST(the_observer_hears_before_the_caller),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
