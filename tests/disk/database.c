#include "disk/database.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/encode.h"
#include "base/panic.h"
#include "order/decide.h"
#include "order/step.h"

struct database {
  sqlite3 *db;
  char text[300];
};

/* Each gives no row where all is well. */
static const char *const checks[] = {
    "SELECT 'integrity: ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "SELECT 'a claim without its order' FROM claims WHERE order_seq NOT IN (SELECT seq FROM orders)",
    "SELECT 'an order without its content' FROM orders o"
    " WHERE (content IS NULL) <> EXISTS (SELECT 1 FROM contents c WHERE c.seq = o.seq)",
    "SELECT 'a content without its order' FROM contents WHERE seq NOT IN (SELECT seq FROM orders)",
    "SELECT 'an order without a history' FROM orders WHERE seq NOT IN (SELECT order_seq FROM events)",
    "SELECT 'a history without its order' FROM events WHERE order_seq NOT IN (SELECT seq FROM orders)",
    "SELECT 'attention does not agree: ' || (SELECT count(*) FROM attention a WHERE a.order_id = o.id)"
    " FROM orders o WHERE (attention & 1) + (attention >> 1 & 1) + (attention >> 2 & 1) + (attention >> 3 & 1)"
    " + (attention >> 4 & 1) + (attention >> 5 & 1) <>"
    " (SELECT count(*) FROM attention a WHERE a.order_id = o.id)",
    "SELECT 'a message twice' FROM messages GROUP BY order_id, kind, slot, dispatch_version"
    " HAVING count(*) > 1",
    "SELECT 'a message without its order' FROM messages WHERE order_id NOT IN (SELECT id FROM orders)",
    "SELECT 'counted orders: ' || coalesce(sum(value), 0) FROM counters WHERE name LIKE 'orders.%'"
    " HAVING coalesce(sum(value), 0) <> (SELECT count(*) FROM orders)",
    "SELECT 'counted ' || c.name || ': ' || c.value FROM counters c WHERE name LIKE 'messages.%'"
    " AND value <> (SELECT count(*) FROM messages WHERE 'messages.' || lane = c.name)",
    "SELECT 'uncounted messages' FROM messages WHERE 'messages.' || lane NOT IN (SELECT name FROM counters)",
    "SELECT 'counted attention' FROM counters WHERE name = 'attention'"
    " AND value <> (SELECT count(*) FROM attention)",
};

struct database *database_open(const char *folder) {
  struct database *database = calloc(1, sizeof *database);
  char path[256];
  snprintf(path, sizeof path, "%s/orders.db", folder);
  ensure(database != NULL);
  ensure(sqlite3_open_v2(path, &database->db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
  return database;
}

void database_close(struct database *database) {
  ensure(sqlite3_close(database->db) == SQLITE_OK);
  free(database);
}

static sqlite3_stmt *prepare(struct database *database, const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL) != SQLITE_OK)
    snprintf(database->text, sizeof database->text, "%s: %s", sqlite3_errmsg(database->db), sql);
  return statement;
}

static const char *run(struct database *database, const char *sql) {
  sqlite3_stmt *statement = prepare(database, sql);
  if (!statement) return database->text;
  int code = sqlite3_step(statement);
  const char *found = NULL;
  if (code != SQLITE_DONE) {
    const unsigned char *text = code == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    snprintf(database->text, sizeof database->text, "%s",
             text ? (const char *)text : sqlite3_errmsg(database->db));
    found = database->text;
  }
  sqlite3_finalize(statement);
  return found;
}

/* Each status by its counter. */
static const char *check_statuses(struct database *database) {
  for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
    char sql[300];
    snprintf(sql, sizeof sql,
             "SELECT 'counted %s' WHERE coalesce((SELECT value FROM counters WHERE name = 'orders.%s'), 0)"
             " <> (SELECT count(*) FROM orders WHERE status = %d)",
             order_status_name((enum order_status)status), order_status_name((enum order_status)status),
             status);
    const char *wrong = run(database, sql);
    if (wrong) return wrong;
  }
  return NULL;
}

const char *database_check(struct database *database) {
  for (size_t i = 0; i < COUNT_OF(checks); i++) {
    const char *wrong = run(database, checks[i]);
    if (wrong) return wrong;
  }
  return check_statuses(database);
}

static int64_t count_by_id(struct database *database, const char *sql, struct bytes id, int kind, size_t slot,
                           int64_t version) {
  uint8_t blob[20];
  ensure(base32_decode(bytes_slice(id, 4, id.size), blob));
  sqlite3_stmt *statement = prepare(database, sql);
  if (!statement) return -1;
  sqlite3_bind_blob(statement, 1, blob, sizeof blob, SQLITE_STATIC);
  if (sqlite3_bind_parameter_count(statement) > 1) {
    sqlite3_bind_int(statement, 2, kind);
    sqlite3_bind_int64(statement, 3, (int64_t)slot);
    sqlite3_bind_int64(statement, 4, version);
  }
  int64_t count = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
  sqlite3_finalize(statement);
  return count;
}

const char *database_check_messages(struct database *database, const struct order *order) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *slot = &order->slots[i];
    /* Once it is to be undone, what was never sent never will be. */
    if (slot->state == SLOT_WAITING && order->target != ORDER_ACCEPTED && !command_rules[i].is_undo) continue;
    bool is_out = slot->dispatch_version > 0 && (slot->state == SLOT_WAITING || slot->state == SLOT_RUNNING);
    if (!is_out && slot->state != SLOT_PENDING) continue;
    int kind = slot->state == SLOT_PENDING ? MESSAGE_EXPIRE : MESSAGE_CALL;
    int64_t count = count_by_id(database,
                                "SELECT count(*) FROM messages WHERE order_id = ?1 AND kind = ?2 AND slot = ?3"
                                " AND dispatch_version = ?4",
                                order->id, kind, i, slot->dispatch_version);
    if (count == 1) continue;
    snprintf(database->text, sizeof database->text, "%.*s: %s is %s and has %lld messages",
             BYTES_PRINTF(order->id), command_rules[i].name, order_slot_state_name(slot->state),
             (long long)count);
    return database->text;
  }
  return NULL;
}

int64_t database_count_claims(struct database *database, struct bytes order_id) {
  return count_by_id(database,
                     "SELECT count(*) FROM claims WHERE order_seq = (SELECT seq FROM orders WHERE id = ?1)",
                     order_id, 0, 0, 0);
}
