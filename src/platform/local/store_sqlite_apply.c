/* One commit, within the writer's open transaction. Everything that could refuse it (the id, the
 * claims, the revision) is looked at before anything is written, so a refused commit leaves nothing
 * to undo, and no savepoint is needed. */
#include "base/panic.h"
#include "order/codec.h"
#include "order/step.h"
#include "platform/local/store_sqlite_internal.h"

/* Larger contents stand in a table of their own, so that a change of state does not write them again. */
enum { CONTENT_INLINE_BYTES = 1024 };

struct found {
  bool exists;
  struct order_place place;
};

/* Steps a statement that gives at most one row: true where there is one, which lives until the
 * caller resets the statement. `ret_code` is SQLITE_OK or the error. */
static bool row_found(sqlite3_stmt *statement, int *ret_code) {
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) {
    *ret_code = SQLITE_OK;
    return true;
  }
  int reset = sqlite3_reset(statement);
  *ret_code = code == SQLITE_DONE ? SQLITE_OK : reset;
  return false;
}

static int find_order(struct writer *writer, const struct prepared_commit *commit, struct found *ret_found) {
  sqlite3_stmt *find = writer->statements[WRITE_FIND_ORDER];
  bind_blob(find, 1, commit->id, sizeof commit->id);
  int code;
  *ret_found = (struct found){0};
  if (!row_found(find, &code)) return code;
  *ret_found = (struct found){.exists = true,
                              .place = {.seq = sqlite3_column_int64(find, 0),
                                        .revision = sqlite3_column_int64(find, 1),
                                        .status = (enum order_status)sqlite3_column_int(find, 2),
                                        .attention = (unsigned)sqlite3_column_int(find, 3),
                                        .created_ms = sqlite3_column_int64(find, 4)}};
  sqlite3_reset(find);
  return ret_found->place.status < ORDER_STATUS_COUNT ? SQLITE_OK : SQLITE_CORRUPT;
}

static int compare_content(struct writer *writer, const struct found *found, struct prepared_commit *commit) {
  sqlite3_stmt *find = writer->statements[WRITE_FIND_CONTENT];
  bind_int64(find, 1, found->place.seq);
  int code;
  if (!row_found(find, &code)) return code == SQLITE_OK ? SQLITE_CORRUPT : code;
  bool same = bytes_equal(column_bytes(find, 0), commit->commit->decision->next.content_json);
  sqlite3_reset(find);
  commit->result->status = same ? COMMIT_EXISTS_SAME : COMMIT_EXISTS_OTHER;
  commit->result->created_ms = found->place.created_ms;
  return SQLITE_OK;
}

/* Leaves the result at DONE where all are free. */
static int check_claims(struct writer *writer, struct prepared_commit *commit) {
  sqlite3_stmt *find = writer->statements[WRITE_FIND_CLAIM];
  for (size_t i = 0; i < commit->commit->claim_count; i++) {
    struct bytes key = commit->commit->claims[i];
    bind_blob(find, 1, key.data, key.size);
    int code;
    if (!row_found(find, &code)) {
      if (code != SQLITE_OK) return code;
      continue;
    }
    uint8_t holder[ORDER_ID_BLOB_BYTES];
    bool good = column_id(find, 0, holder);
    sqlite3_reset(find);
    if (!good) return SQLITE_CORRUPT;
    commit->result->status = COMMIT_CLAIM_TAKEN;
    order_id_from_blob(holder, commit->result->holder_id);
    return SQLITE_OK;
  }
  return SQLITE_OK;
}

static int write_order(struct writer *writer, const struct prepared_commit *commit, int64_t *ret_seq) {
  const struct order *order = &commit->commit->decision->next;
  bool is_inline = order->content_json.size <= CONTENT_INLINE_BYTES;
  sqlite3_stmt *write = writer->statements[WRITE_ORDER];
  bind_blob(write, 1, commit->id, sizeof commit->id);
  bind_text(write, 2, order->customer);
  bind_int64(write, 3, order->content.channel);
  bind_int64(write, 4, order->status);
  bind_int64(write, 5, order->version);
  bind_int64(write, 6, order->revision);
  bind_int64(write, 7, commit->attention);
  bind_int64(write, 8, order->created_ms);
  bind_text(write, 9, order->traceparent);
  bind_blob(write, 10, commit->state.data, commit->state.size);
  if (is_inline)
    bind_blob(write, 11, order->content_json.data, order->content_json.size);
  else
    sqlite3_bind_null(write, 11);
  int code = statement_run(write);
  if (code != SQLITE_OK) return code;
  *ret_seq = sqlite3_last_insert_rowid(writer->db);
  writer->totals.orders[order->status]++;
  if (is_inline) return SQLITE_OK;
  sqlite3_stmt *content = writer->statements[WRITE_CONTENT];
  bind_int64(content, 1, *ret_seq);
  bind_blob(content, 2, order->content_json.data, order->content_json.size);
  return statement_run(content);
}

static int write_claims(struct writer *writer, const struct store_commit *commit, int64_t seq) {
  sqlite3_stmt *write = writer->statements[WRITE_CLAIM];
  for (size_t i = 0; i < commit->claim_count; i++) {
    if (i > 0 && bytes_equal(commit->claims[i], commit->claims[0])) continue;
    bind_blob(write, 1, commit->claims[i].data, commit->claims[i].size);
    bind_int64(write, 2, seq);
    int code = statement_run(write);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

static int write_events(struct writer *writer, const struct prepared_commit *commit, int64_t seq) {
  const struct decision *decision = commit->commit->decision;
  if (decision->event_count == 0) return SQLITE_OK;
  sqlite3_stmt *write = writer->statements[WRITE_EVENTS];
  bind_int64(write, 1, seq);
  bind_int64(write, 2, decision->events[0].sequence);
  bind_blob(write, 3, commit->events.data, commit->events.size);
  return statement_run(write);
}

int message_lane(const struct order *order, const struct order_message *message) {
  int queue = queue_index(command_service(message->slot), order->content.channel);
  return message->kind == MESSAGE_EXPIRE ? QUEUE_COUNT + queue : queue;
}

static int write_messages(struct writer *writer, struct prepared_commit *commit) {
  const struct decision *decision = commit->commit->decision;
  sqlite3_stmt *write = writer->statements[WRITE_MESSAGE];
  commit->first_number = writer->next_number;
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *message = &decision->messages[i];
    int lane = message_lane(&decision->next, message);
    bind_int64(write, 1, lane);
    bind_int64(write, 2, message->due_ms);
    bind_int64(write, 3, writer->next_number++);
    bind_blob(write, 4, commit->id, sizeof commit->id);
    bind_int64(write, 5, message->kind);
    bind_int64(write, 6, message->slot);
    bind_int64(write, 7, message->dispatch_version);
    bind_int64(write, 8, decision->next.updated_ms);
    bind_int64(write, 9, message->deadline_ms);
    int code = statement_run(write);
    if (code != SQLITE_OK) return code;
    writer->totals.messages[lane]++;
  }
  return SQLITE_OK;
}

static int end_attention(struct writer *writer, const struct prepared_commit *commit,
                         const struct found *found) {
  sqlite3_stmt *find = writer->statements[WRITE_STATE_OF];
  bind_int64(find, 1, found->place.seq);
  int code;
  if (!row_found(find, &code)) return code == SQLITE_OK ? SQLITE_CORRUPT : code;
  struct order before = {0};
  bool good = order_state_read(column_bytes(find, 0), &writer->arena, &before);
  sqlite3_reset(find);
  if (!good) return SQLITE_CORRUPT;
  sqlite3_stmt *end = writer->statements[WRITE_ATTENTION_END];
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (!(found->place.attention & 1U << i)) continue;
    bind_int64(end, 1, before.slots[i].since_ms);
    bind_blob(end, 2, commit->id, sizeof commit->id);
    bind_int64(end, 3, (int64_t)i);
    code = statement_run(end);
    if (code != SQLITE_OK) return code;
    writer->totals.attention -= sqlite3_changes(writer->db);
  }
  return SQLITE_OK;
}

static int write_attention(struct writer *writer, const struct prepared_commit *commit) {
  const struct order *order = &commit->commit->decision->next;
  sqlite3_stmt *write = writer->statements[WRITE_ATTENTION];
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (!(commit->attention & 1U << i)) continue;
    bind_int64(write, 1, order->slots[i].since_ms);
    bind_blob(write, 2, commit->id, sizeof commit->id);
    bind_int64(write, 3, (int64_t)i);
    bind_text(write, 4, order->customer);
    bind_text(write, 5, order->slots[i].reason);
    int code = statement_run(write);
    if (code != SQLITE_OK) return code;
    writer->totals.attention++;
  }
  return SQLITE_OK;
}

static int apply_create(struct writer *writer, const struct found *found, struct prepared_commit *commit) {
  if (found->exists) return compare_content(writer, found, commit);
  commit->result->status = COMMIT_DONE;
  commit->result->created_ms = commit->commit->decision->next.created_ms;
  int code = check_claims(writer, commit);
  if (code != SQLITE_OK || commit->result->status != COMMIT_DONE) return code;
  code = write_order(writer, commit, &commit->seq);
  if (code == SQLITE_OK) code = write_claims(writer, commit->commit, commit->seq);
  if (code == SQLITE_OK) code = write_events(writer, commit, commit->seq);
  if (code == SQLITE_OK) code = write_attention(writer, commit);
  return code == SQLITE_OK ? write_messages(writer, commit) : code;
}

static int apply_change(struct writer *writer, const struct found *found, struct prepared_commit *commit) {
  const struct order *order = &commit->commit->decision->next;
  if (!found->exists || found->place.revision != order->revision - 1) {
    commit->result->status = COMMIT_CONFLICT;
    return SQLITE_OK;
  }
  commit->result->status = COMMIT_DONE;
  commit->seq = found->place.seq;
  int code = found->place.attention ? end_attention(writer, commit, found) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  sqlite3_stmt *write = writer->statements[WRITE_CHANGE];
  bind_int64(write, 1, order->status);
  bind_int64(write, 2, order->version);
  bind_int64(write, 3, order->revision);
  bind_int64(write, 4, commit->attention);
  bind_blob(write, 5, commit->state.data, commit->state.size);
  bind_int64(write, 6, found->place.seq);
  code = statement_run(write);
  if (code != SQLITE_OK) return code;
  if (sqlite3_changes(writer->db) == 0) {
    commit->result->status = COMMIT_CONFLICT;
    return SQLITE_OK;
  }
  writer->totals.orders[found->place.status]--;
  writer->totals.orders[order->status]++;
  code = write_events(writer, commit, found->place.seq);
  if (code == SQLITE_OK) code = write_attention(writer, commit);
  return code == SQLITE_OK ? write_messages(writer, commit) : code;
}

int apply_commit(struct writer *writer, const struct order_place *place, struct prepared_commit *commit) {
  struct found found = {.exists = place != NULL};
  int code = SQLITE_OK;
  if (place)
    found.place = *place;
  else
    code = find_order(writer, commit, &found);
  if (code != SQLITE_OK) return code;
  *commit->result = (struct store_result){0};
  return commit->commit->decision->next.revision == 1 ? apply_create(writer, &found, commit)
                                                      : apply_change(writer, &found, commit);
}
