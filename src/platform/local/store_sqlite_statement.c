#include "base/encode.h"
#include "platform/local/store_sqlite_internal.h"

bool statements_prepare(sqlite3 *db, const char *const *texts, size_t count, sqlite3_stmt **ret_statements) {
  for (size_t i = 0; i < count; i++)
    if (sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &ret_statements[i], NULL)) return false;
  return true;
}

void statements_finalize(sqlite3_stmt **statements, size_t count) {
  for (size_t i = 0; i < count; i++) sqlite3_finalize(statements[i]);
}

void bind_int64(sqlite3_stmt *statement, int index, int64_t value) {
  sqlite3_bind_int64(statement, index, value);
}

/* An empty view has no address, which SQLite would take for NULL. */
void bind_text(sqlite3_stmt *statement, int index, struct bytes text) {
  sqlite3_bind_text64(statement, index, text.size ? text.data : "", text.size, SQLITE_STATIC, SQLITE_UTF8);
}

void bind_blob(sqlite3_stmt *statement, int index, const void *data, size_t size_bytes) {
  sqlite3_bind_blob64(statement, index, size_bytes ? data : "", size_bytes, SQLITE_STATIC);
}

int statement_run(sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  int reset = sqlite3_reset(statement);
  return code == SQLITE_DONE ? SQLITE_OK : reset != SQLITE_OK ? reset : SQLITE_ERROR;
}

struct bytes column_bytes(sqlite3_stmt *statement, int column) {
  const void *data = sqlite3_column_blob(statement, column);
  return bytes_from(data, (size_t)sqlite3_column_bytes(statement, column));
}

bool column_id(sqlite3_stmt *statement, int column, uint8_t ret_id[ORDER_ID_BLOB_BYTES]) {
  struct bytes id = column_bytes(statement, column);
  if (id.size != ORDER_ID_BLOB_BYTES) return false;
  memcpy(ret_id, id.data, ORDER_ID_BLOB_BYTES);
  return true;
}

bool order_id_to_blob(struct bytes id, uint8_t ret_blob[ORDER_ID_BLOB_BYTES]) {
  return id.size == ORDER_ID_CHARACTERS && bytes_starts_with(id, BYTES("ord_")) &&
         base32_decode(bytes_slice(id, 4, id.size), ret_blob);
}

void order_id_from_blob(const uint8_t blob[ORDER_ID_BLOB_BYTES], char ret_id[ORDER_ID_CHARACTERS]) {
  memcpy(ret_id, "ord_", 4);
  base32_encode(blob, ORDER_ID_BLOB_BYTES, ret_id + 4);
}
