/* How many rows of each kind there are, kept in the counters table with every transaction, so that
 * neither a start nor the metrics have to count them. */
#include <stdio.h>

#include "base/panic.h"
#include "platform/local/store_sqlite_internal.h"

enum { TOTAL_COUNT = (int)(sizeof(struct totals) / sizeof(int64_t)), NAME_BYTES = 40 };
_Static_assert(TOTAL_COUNT == ORDER_STATUS_COUNT + 1 + LANE_COUNT, "every total has a name");

static int64_t *total_at(struct totals *totals, int i) {
  if (i < ORDER_STATUS_COUNT) return &totals->orders[i];
  return i == ORDER_STATUS_COUNT ? &totals->attention : &totals->messages[i - ORDER_STATUS_COUNT - 1];
}

static void total_name(int i, char ret_name[NAME_BYTES]) {
  if (i < ORDER_STATUS_COUNT)
    snprintf(ret_name, NAME_BYTES, "orders.%s", order_status_name((enum order_status)i));
  else if (i == ORDER_STATUS_COUNT)
    snprintf(ret_name, NAME_BYTES, "attention");
  else
    snprintf(ret_name, NAME_BYTES, "messages.%d", i - ORDER_STATUS_COUNT - 1);
}

static int write_total(struct writer *writer, const char *name, int64_t value) {
  sqlite3_stmt *write = writer->statements[WRITE_TOTAL];
  bind_text(write, 1, bytes_of(name));
  bind_int64(write, 2, value);
  return statement_run(write);
}

int totals_write(struct writer *writer) {
  if (writer->start_to_write != 0) {
    int code = write_total(writer, "starts", writer->start_to_write);
    if (code != SQLITE_OK) return code;
  }
  for (int i = 0; i < TOTAL_COUNT; i++) {
    int64_t value = *total_at(&writer->totals, i);
    if (value == *total_at(&writer->stored_totals, i)) continue;
    char name[NAME_BYTES];
    total_name(i, name);
    int code = write_total(writer, name, value);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

/* The value of a counter; 0 where it was never written. */
static bool read_total(sqlite3 *db, const char *name, int64_t *ret_value) {
  sqlite3_stmt *read;
  if (sqlite3_prepare_v2(db, "SELECT value FROM counters WHERE name = ?1", -1, &read, NULL)) return false;
  bind_text(read, 1, bytes_of(name));
  int64_t value = sqlite3_step(read) == SQLITE_ROW ? sqlite3_column_int64(read, 0) : 0;
  if (sqlite3_finalize(read) != SQLITE_OK) return false;
  *ret_value = value;
  return true;
}

bool totals_load(struct writer *writer) {
  for (int i = 0; i < TOTAL_COUNT; i++) {
    char name[NAME_BYTES];
    total_name(i, name);
    if (!read_total(writer->db, name, total_at(&writer->totals, i))) return false;
  }
  writer->stored_totals = writer->published = writer->totals;
  /* Messages are numbered without a look at those there are: each start has its own range, taken with
   * the first transaction that succeeds, so that a start itself writes nothing (a disk may be full). */
  int64_t starts;
  if (!read_total(writer->db, "starts", &starts)) return false;
  writer->next_number = (starts + 1) << 40;
  writer->start_to_write = starts + 1;
  return true;
}
