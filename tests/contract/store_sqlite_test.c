/* One machine's store and queues under the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract/contract.h"
#include "platform/local/store_sqlite.h"

struct local {
  char folder[64];
  struct store_sqlite *store;
};

static void on_fatal(void *context, const char *text) {
  (void)context;
  fprintf(stderr, "fatal: %s\n", text);
  abort();
}

static void open_store(struct local *local) {
  struct failure failure;
  struct store_sqlite_options options = {.data_folder = local->folder, .on_fatal = on_fatal};
  if (!store_sqlite_open(&options, &local->store, &failure)) fail_msg("%s", failure.text);
}

static void new_folder(struct local *local) {
  strcpy(local->folder, "/tmp/spillway-contract-XXXXXX");
  assert_non_null(mkdtemp(local->folder));
}

static void *make(void) {
  struct local *local = calloc(1, sizeof *local);
  assert_non_null(local);
  new_folder(local);
  open_store(local);
  return local;
}

static void remove_folder(const char *folder) {
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

static void reopen(void *self) {
  struct local *local = self;
  store_sqlite_close(local->store);
  open_store(local);
}

/* What is in the files at this moment is what kill -9 leaves. */
static void crash_store(void *self) {
  struct local *local = self;
  struct local after = {0};
  new_folder(&after);
  char command[300];
  snprintf(command, sizeof command, "cp %s/orders.db* %s/ && rm -f %s/orders.db-shm", local->folder,
           after.folder, after.folder);
  assert_int_equal(system(command), 0);
  store_sqlite_close(local->store);
  remove_folder(local->folder);
  *local = after;
  open_store(local);
}

static void destroy(void *self) {
  struct local *local = self;
  store_sqlite_close(local->store);
  remove_folder(local->folder);
  free(local);
}

static struct store *store(void *self) { return store_sqlite_store(((struct local *)self)->store); }
static struct queue *queue(void *self) { return store_sqlite_queue(((struct local *)self)->store); }

static void wait_a_moment(void *self) {
  (void)self;
  usleep(150 * 1000);
}

int main(void) {
  const struct store_under_test sqlite = {.name = "store_sqlite",
                                          .has_threads = true,
                                          .has_queues = true,
                                          .make = make,
                                          .store = store,
                                          .queue = queue,
                                          .reopen = reopen,
                                          .crash = crash_store,
                                          .destroy = destroy,
                                          .wait = wait_a_moment};
  return contract_run(&sqlite);
}
