/* Readers: a few read-only connections, each used by one thread at a time. */
#include <stdlib.h>

#include "base/panic.h"
#include "order/codec.h"
#include "order/content.h"
#include "order/content_parts.h"
#include "platform/local/store_sqlite_internal.h"

#define KEYSET "created_ms >= ?1 AND (created_ms, id) < (?2, ?3) ORDER BY created_ms DESC, id DESC LIMIT ?4"

static const char *const statement_texts[READER_STATEMENT_COUNT] = {
    [READ_BEGIN] = "BEGIN",
    [READ_END] = "COMMIT",
    [READ_ORDER] = "SELECT " ORDER_COLUMNS " FROM orders WHERE id = ?1",
    [READ_CONTENT] = "SELECT content FROM contents WHERE seq = ?1",
    [READ_EVENTS] =
        "SELECT e.events FROM orders o JOIN events e ON e.order_seq = o.seq WHERE o.id = ?1"
        " ORDER BY e.first_sequence",
    [READ_ATTENTION] =
        "SELECT since_ms, order_id, command, customer, detail FROM attention"
        " WHERE (since_ms, order_id, command) > (?1, ?2, ?3) ORDER BY since_ms, order_id, command LIMIT ?4",
    [READ_LIST] = "SELECT " ORDER_COLUMNS " FROM orders INDEXED BY orders_by_time WHERE " KEYSET,
    [READ_LIST_CUSTOMER] =
        "SELECT " ORDER_COLUMNS " FROM orders INDEXED BY orders_by_customer WHERE customer = ?5 AND " KEYSET,
};

void readers_init(struct reader_pool *pool) {
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->freed, NULL);
}

static void reader_close(struct reader *reader) {
  statements_finalize(reader->statements, READER_STATEMENT_COUNT);
  sqlite3_close(reader->db);
  free(reader);
}

void readers_release(struct reader_pool *pool) {
  while (pool->free) {
    struct reader *reader = pool->free;
    pool->free = reader->next;
    pool->open--;
    reader_close(reader);
  }
  ensure(pool->open == 0);
  pthread_cond_destroy(&pool->freed);
  pthread_mutex_destroy(&pool->mutex);
}

static struct reader *reader_open(const char *path) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) panic("out of memory");
  if (schema_open_reader(path, &reader->db) &&
      statements_prepare(reader->db, statement_texts, READER_STATEMENT_COUNT, reader->statements))
    return reader;
  reader_close(reader);
  return NULL;
}

struct reader *reader_take(struct store_sqlite *store) {
  struct reader_pool *pool = &store->readers;
  pthread_mutex_lock(&pool->mutex);
  while (!pool->free && pool->open == READERS_MAX) pthread_cond_wait(&pool->freed, &pool->mutex);
  struct reader *reader = pool->free;
  if (reader)
    pool->free = reader->next;
  else
    pool->open++;
  pthread_mutex_unlock(&pool->mutex);
  if (reader) return reader;
  reader = reader_open(store->path);
  if (reader) return reader;
  pthread_mutex_lock(&pool->mutex);
  pool->open--;
  pthread_cond_signal(&pool->freed);
  pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

void reader_give_back(struct store_sqlite *store, struct reader *reader) {
  struct reader_pool *pool = &store->readers;
  bool clean = sqlite3_get_autocommit(reader->db); /* else it would see the same moment for ever */
  if (!clean) reader_close(reader);
  pthread_mutex_lock(&pool->mutex);
  if (clean) {
    reader->next = pool->free;
    pool->free = reader;
  } else {
    pool->open--;
  }
  pthread_cond_signal(&pool->freed);
  pthread_mutex_unlock(&pool->mutex);
}

bool reader_failed(const struct reader *reader, const char *what, struct failure *ret_failure) {
  return failure_set(ret_failure, "%s cannot be read: %s", what,
                     reader ? sqlite3_errmsg(reader->db) : "the database cannot be opened");
}

static bool read_content(struct reader *reader, int64_t seq, struct arena *arena, struct bytes *ret_content) {
  sqlite3_stmt *read = reader->statements[READ_CONTENT];
  bind_int64(read, 1, seq);
  bool found = sqlite3_step(read) == SQLITE_ROW;
  if (found) *ret_content = arena_copy(arena, column_bytes(read, 0));
  sqlite3_reset(read);
  return found;
}

bool reader_order(struct reader *reader, sqlite3_stmt *row, unsigned how, struct arena *arena,
                  struct order *ret_order) {
  struct order order = {0};
  uint8_t id[ORDER_ID_BLOB_BYTES];
  if (!column_id(row, COLUMN_ID, id)) return false;
  char *id_text = arena_allocate(arena, ORDER_ID_CHARACTERS + 1);
  order_id_from_blob(id, id_text);
  order.id = bytes_from(id_text, ORDER_ID_CHARACTERS);
  order.customer = arena_copy(arena, column_bytes(row, COLUMN_CUSTOMER));
  order.revision = sqlite3_column_int64(row, COLUMN_REVISION);
  order.created_ms = sqlite3_column_int64(row, COLUMN_CREATED);
  order.traceparent = arena_copy(arena, column_bytes(row, COLUMN_TRACEPARENT));
  if (sqlite3_column_type(row, COLUMN_CONTENT) != SQLITE_NULL)
    order.content_json = arena_copy(arena, column_bytes(row, COLUMN_CONTENT));
  else if (!read_content(reader, sqlite3_column_int64(row, COLUMN_SEQ), arena, &order.content_json))
    return false;
  /* What is sent on as text is read all the same: damage must not go out to a service. */
  bool whole = !(how & STORE_LOAD_STATE);
  if (!order_state_read(column_bytes(row, COLUMN_STATE), arena, &order) ||
      !(whole ? order_content_read_stored(order.content_json, arena, &order.content)
              : order_content_read_outline(order.content_json, &order.content)))
    return false;
  *ret_order = order;
  return true;
}

static void load_one(struct reader *reader, struct bytes id, unsigned how, struct arena *arena,
                     struct store_loaded *ret_loaded) {
  uint8_t blob[ORDER_ID_BLOB_BYTES];
  *ret_loaded = (struct store_loaded){.status = LOAD_MISSING};
  if (!order_id_to_blob(id, blob)) return;
  sqlite3_stmt *read = reader->statements[READ_ORDER];
  bind_blob(read, 1, blob, sizeof blob);
  int code = sqlite3_step(read);
  if (code == SQLITE_ROW) {
    struct order *order = ARENA_NEW(arena, struct order);
    bool good = reader_order(reader, read, how, arena, order);
    *ret_loaded =
        (struct store_loaded){.status = good ? LOAD_FOUND : LOAD_FAILED, .order = good ? order : NULL};
  } else if (code != SQLITE_DONE) {
    ret_loaded->status = LOAD_FAILED;
  }
  sqlite3_reset(read);
}

/* What the writer has still at hand needs no database. */
static bool load_recent(struct store_sqlite *store, struct bytes id, unsigned how, struct arena *arena,
                        struct store_loaded *ret_loaded) {
  struct order *order = recent_orders_find(store->recent, id, arena);
  if (!order) return false;
  bool whole = !(how & (STORE_LOAD_STATE | STORE_LOAD_TEXT));
  bool good = !whole || order_content_read_stored(order->content_json, arena, &order->content);
  *ret_loaded = (struct store_loaded){.status = good ? LOAD_FOUND : LOAD_FAILED, .order = good ? order : NULL};
  return true;
}

/* All in one transaction: each one of its own would lock and look at the log anew. An order that cannot be
 * read says so itself. */
static void load_stored(struct reader *reader, const struct bytes *ids, const size_t *places, size_t count,
                        unsigned how, struct arena *arena, struct store_loaded *loaded) {
  int begun = statement_run(reader->statements[READ_BEGIN]), ended = SQLITE_OK;
  for (size_t i = 0; i < count; i++) load_one(reader, ids[places[i]], how, arena, &loaded[places[i]]);
  if (begun == SQLITE_OK) ended = statement_run(reader->statements[READ_END]);
  (void)ended; /* reader_give_back sees whether it has */
}

void reader_load(struct store *port, const struct bytes *ids, size_t count, unsigned how, struct arena *arena,
                 struct store_loaded *ret_loaded) {
  struct store_sqlite *store = (struct store_sqlite *)port;
  size_t *places = ARENA_ARRAY(arena, count, size_t), left = 0;
  for (size_t i = 0; i < count; i++) {
    ret_loaded[i] = (struct store_loaded){.status = LOAD_FAILED};
    if (!load_recent(store, ids[i], how, arena, &ret_loaded[i])) places[left++] = i;
  }
  if (left == 0) return;
  struct reader *reader = reader_take(store);
  if (!reader) return;
  load_stored(reader, ids, places, left, how, arena, ret_loaded);
  reader_give_back(store, reader);
}

/* The rows of events hold a list each; all of them are one list. */
static bool append_events(struct bytes json, struct arena *arena, struct order_event **events, size_t *count,
                          size_t *room) {
  struct order_event *part;
  size_t part_count;
  if (!order_events_read(json, arena, &part, &part_count)) return false;
  if (*count + part_count > *room) {
    *room = (*count + part_count) * 2;
    struct order_event *grown = ARENA_ARRAY(arena, *room, struct order_event);
    if (*count) memcpy(grown, *events, *count * sizeof *grown);
    *events = grown;
  }
  if (part_count) memcpy(*events + *count, part, part_count * sizeof *part);
  *count += part_count;
  return true;
}

bool reader_events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure) {
  struct store_sqlite *store = (struct store_sqlite *)port;
  uint8_t blob[ORDER_ID_BLOB_BYTES];
  struct order_event *events = ARENA_NEW(arena, struct order_event);
  size_t count = 0, room = 1;
  if (order_id_to_blob(id, blob)) {
    struct reader *reader = reader_take(store);
    if (!reader) return reader_failed(NULL, "the order's history", ret_failure);
    sqlite3_stmt *read = reader->statements[READ_EVENTS];
    bind_blob(read, 1, blob, sizeof blob);
    int code;
    bool good = true;
    while (good && (code = sqlite3_step(read)) == SQLITE_ROW)
      good = append_events(column_bytes(read, 0), arena, &events, &count, &room);
    if (!good)
      failure_set(ret_failure, "the order's history cannot be read: an entry is damaged");
    else if (code != SQLITE_DONE)
      good = reader_failed(reader, "the order's history", ret_failure);
    sqlite3_reset(read);
    reader_give_back(store, reader);
    if (!good) return false;
  }
  *ret_events = events;
  *ret_count = count;
  return true;
}
