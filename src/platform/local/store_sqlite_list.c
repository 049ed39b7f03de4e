/* Lists: pages by keyset, so that a page costs the same wherever it is, and each bounded in the rows
 * it looks at. */
#include "base/panic.h"
#include "platform/local/store_sqlite_internal.h"

/* A filter that little matches must not read the whole table for one page. */
enum { ROWS_SCANNED_MAX = 20000 };

struct place {
  int64_t created_ms;
  uint8_t id[ORDER_ID_BLOB_BYTES];
};

/* The page ends before this place: the cursor, or to_ms if that is earlier (no id comes before the
 * empty one). */
static bool bind_query(sqlite3_stmt *list, const struct store_query *query,
                       uint8_t cursor_id[ORDER_ID_BLOB_BYTES]) {
  bool by_cursor = query->has_cursor && query->cursor_ms < query->to_ms;
  if (by_cursor && !order_id_to_blob(bytes_from(query->cursor_id, ORDER_ID_CHARACTERS), cursor_id))
    return false;
  bind_int64(list, 1, query->from_ms);
  bind_int64(list, 2, by_cursor ? query->cursor_ms : query->to_ms);
  bind_blob(list, 3, cursor_id, by_cursor ? ORDER_ID_BLOB_BYTES : 0);
  bind_int64(list, 4, ROWS_SCANNED_MAX + 1);
  if (query->customer.size > 0) bind_text(list, 5, query->customer);
  return true;
}

static bool matches(const struct store_query *query, sqlite3_stmt *row) {
  if (query->has_status && sqlite3_column_int(row, COLUMN_STATUS) != (int)query->status) return false;
  return !query->has_channel || sqlite3_column_int(row, COLUMN_CHANNEL) == (int)query->channel;
}

static bool row_place(sqlite3_stmt *row, struct place *ret_place) {
  ret_place->created_ms = sqlite3_column_int64(row, COLUMN_CREATED);
  return column_id(row, COLUMN_ID, ret_place->id);
}

static bool damaged(struct failure *ret_failure) {
  return failure_set(ret_failure, "the list cannot be read: an order is damaged");
}

/* Goes on past a full page until the next match, so that `more` is usually exact. */
static bool scan(struct reader *reader, sqlite3_stmt *list, const struct store_query *query,
                 struct arena *arena, struct store_page *page, struct failure *ret_failure) {
  struct place last = {0};
  size_t scanned = 0;
  int code;
  while ((code = sqlite3_step(list)) == SQLITE_ROW) {
    bool match = matches(query, list);
    page->more = (match && page->count == query->limit) || scanned == ROWS_SCANNED_MAX;
    if (page->more) break;
    if (match && !reader_order(reader, list, STORE_LOAD_WHOLE, arena, &page->orders[page->count++]))
      return damaged(ret_failure);
    if (!row_place(list, &last)) return damaged(ret_failure);
    scanned++;
  }
  if (code != SQLITE_DONE && code != SQLITE_ROW) return reader_failed(reader, "the list", ret_failure);
  page->cursor_ms = last.created_ms;
  order_id_from_blob(last.id, page->cursor_id);
  return true;
}

bool reader_list(struct store *port, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure) {
  struct store_sqlite *store = (struct store_sqlite *)port;
  ensure(query->limit >= 1 && query->limit <= STORE_PAGE_MAX);
  struct reader *reader = reader_take(store);
  if (!reader) return reader_failed(NULL, "the list", ret_failure);
  sqlite3_stmt *list = reader->statements[query->customer.size > 0 ? READ_LIST_CUSTOMER : READ_LIST];
  uint8_t cursor_id[ORDER_ID_BLOB_BYTES];
  struct store_page page = {.orders = ARENA_ARRAY(arena, query->limit, struct order)};
  bool good = bind_query(list, query, cursor_id);
  if (!good)
    failure_set(ret_failure, "the list's cursor names no order");
  else
    good = scan(reader, list, query, arena, &page, ret_failure);
  sqlite3_reset(list);
  reader_give_back(store, reader);
  if (good) *ret_page = page;
  return good;
}

static bool attention_entry(sqlite3_stmt *row, struct arena *arena, struct store_attention *ret_entry) {
  uint8_t id[ORDER_ID_BLOB_BYTES];
  int command = sqlite3_column_int(row, 2);
  if (!column_id(row, 1, id) || command < 0 || command >= COMMAND_COUNT) return false;
  char *id_text = arena_allocate(arena, ORDER_ID_CHARACTERS + 1);
  order_id_from_blob(id, id_text);
  *ret_entry = (struct store_attention){.order_id = bytes_from(id_text, ORDER_ID_CHARACTERS),
                                        .customer = arena_copy(arena, column_bytes(row, 3)),
                                        .command = (enum order_command)command,
                                        .detail = arena_copy(arena, column_bytes(row, 4)),
                                        .since_ms = sqlite3_column_int64(row, 0)};
  return true;
}

static bool bind_after(sqlite3_stmt *list, const struct store_attention *after, size_t limit,
                       uint8_t id[ORDER_ID_BLOB_BYTES]) {
  if (after && !order_id_to_blob(after->order_id, id)) return false;
  bind_int64(list, 1, after ? after->since_ms : INT64_MIN);
  bind_blob(list, 2, id, after ? ORDER_ID_BLOB_BYTES : 0);
  bind_int64(list, 3, after ? (int64_t)after->command : -1);
  bind_int64(list, 4, (int64_t)limit + 1);
  return true;
}

bool reader_attention(struct store *port, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure) {
  struct store_sqlite *store = (struct store_sqlite *)port;
  ensure(limit >= 1 && limit <= STORE_PAGE_MAX);
  struct reader *reader = reader_take(store);
  if (!reader) return reader_failed(NULL, "the attention list", ret_failure);
  sqlite3_stmt *list = reader->statements[READ_ATTENTION];
  struct store_attention_page page = {.entries = ARENA_ARRAY(arena, limit, struct store_attention)};
  uint8_t id[ORDER_ID_BLOB_BYTES];
  bool good = bind_after(list, after, limit, id);
  if (!good) failure_set(ret_failure, "the attention list's cursor names no order");
  int code = SQLITE_DONE;
  while (good && !page.more && (code = sqlite3_step(list)) == SQLITE_ROW) {
    page.more = page.count == limit;
    if (!page.more) good = attention_entry(list, arena, &page.entries[page.count++]);
    if (!good) failure_set(ret_failure, "the attention list cannot be read: an entry is damaged");
  }
  if (good && code != SQLITE_DONE && code != SQLITE_ROW)
    good = reader_failed(reader, "the attention list", ret_failure);
  sqlite3_reset(list);
  reader_give_back(store, reader);
  if (good) *ret_page = page;
  return good;
}
