/* The queues and the writer: new messages come in, settlements are written, lines are filled up. */
#include <stdlib.h>

#include "base/panic.h"
#include "platform/local/queue_local_internal.h"

static struct queue_item *item_create(void) {
  struct queue_item *item = calloc(1, sizeof *item);
  if (!item) panic("out of memory");
  return item;
}

void queue_local_add(struct queue_local *queue, const struct prepared_commit *commit) {
  const struct decision *decision = commit->commit->decision;
  if (decision->message_count == 0) return;
  pthread_mutex_lock(&queue->mutex);
  for (size_t i = 0; i < decision->message_count; i++) {
    const struct order_message *message = &decision->messages[i];
    int64_t number = commit->first_number + (int64_t)i;
    int lane_index = message_lane(&decision->next, message);
    struct lane *lane = &queue->lanes[lane_index];
    if (!lane_make_room(queue, lane, message->due_ms, number)) continue; /* it is read in later */
    struct queue_item *item = item_create();
    *item = (struct queue_item){.number = number,
                                .due_ms = message->due_ms,
                                .stored_due_ms = message->due_ms,
                                .created_ms = decision->next.updated_ms,
                                .deadline_ms = message->deadline_ms,
                                .dispatch_version = message->dispatch_version,
                                .lane = (uint8_t)lane_index,
                                .kind = (uint8_t)message->kind,
                                .slot = (uint8_t)message->slot};
    memcpy(item->order_id, commit->id, sizeof item->order_id);
    item_add(queue, item);
    lane_insert(lane, item);
  }
  pthread_mutex_unlock(&queue->mutex);
}

/* --- settlements ------------------------------------------------------------------------------------- */

size_t queue_local_take_settlements(struct queue_local *queue, size_t most, struct arena *arena,
                                    struct settlement_write **ret_writes) {
  pthread_mutex_lock(&queue->mutex);
  size_t count = queue->dirty_count < most ? queue->dirty_count : most;
  struct settlement_write *writes = ARENA_ARRAY(arena, count, struct settlement_write);
  for (size_t i = 0; i < count; i++) {
    struct queue_item *item = queue->dirty;
    queue->dirty = item->dirty_next;
    item->dirty = false;
    item->in_write = true;
    writes[i] =
        (struct settlement_write){.item = item,
                                  .lane = item->lane,
                                  .number = item->number,
                                  .stored_due_ms = item->stored_due_ms,
                                  .is_delete = item->place == PLACE_ACKED,
                                  .due_ms = item->due_ms,
                                  .attempts = item->attempts,
                                  .note = item->note ? arena_string(arena, bytes_of(item->note)) : NULL};
  }
  queue->dirty_count -= count;
  if (!queue->dirty) queue->dirty_last = &queue->dirty;
  pthread_mutex_unlock(&queue->mutex);
  *ret_writes = writes;
  return count;
}

int queue_local_write_settlements(struct writer *writer, const struct settlement_write *writes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct settlement_write *write = &writes[i];
    sqlite3_stmt *statement = writer->statements[write->is_delete ? WRITE_MESSAGE_DELETE : WRITE_MESSAGE_MOVE];
    bind_int64(statement, 1, write->lane);
    bind_int64(statement, 2, write->stored_due_ms);
    bind_int64(statement, 3, write->number);
    if (!write->is_delete) {
      bind_int64(statement, 4, write->due_ms);
      bind_int64(statement, 5, write->attempts);
      if (write->note)
        bind_text(statement, 6, bytes_of(write->note));
      else
        sqlite3_bind_null(statement, 6);
    }
    int code = statement_run(statement);
    if (code != SQLITE_OK) return code;
    if (write->is_delete) writer->totals.messages[write->lane] -= sqlite3_changes(writer->db);
  }
  return SQLITE_OK;
}

/* The row is as the item was when it was taken. True where its line got it back. */
static bool end_written(struct queue_local *queue, const struct settlement_write *write) {
  struct queue_item *item = write->item;
  struct lane *lane = &queue->lanes[item->lane];
  if (write->is_delete) {
    lane->acked--;
    item_remove(queue, item);
    return false;
  }
  item->stored_due_ms = write->due_ms;
  if (item->place != PLACE_DISK || item->dirty) return false;
  /* Its line may have been filled up past it meanwhile. */
  bool lined = lane_make_room(queue, lane, item->due_ms, item->number);
  if (lined)
    lane_insert(lane, item);
  else
    item_remove(queue, item);
  return lined;
}

bool queue_local_end_settlements(struct queue_local *queue, const struct settlement_write *writes, size_t count,
                                 bool written, bool *ret_has_messages) {
  pthread_mutex_lock(&queue->mutex);
  *ret_has_messages = written && queue->dirty_count + count >= DIRTY_MAX_ITEMS;
  for (size_t i = 0; i < count; i++) {
    writes[i].item->in_write = false;
    if (written)
      *ret_has_messages = end_written(queue, &writes[i]) || *ret_has_messages;
    else
      item_mark_dirty(queue, writes[i].item);
  }
  bool left = queue->dirty_count > 0;
  pthread_mutex_unlock(&queue->mutex);
  return left;
}

/* --- reading in -------------------------------------------------------------------------------------- */

static bool item_from_row(sqlite3_stmt *row, int lane, struct queue_item *ret_item) {
  struct bytes note = column_bytes(row, 9);
  *ret_item = (struct queue_item){.due_ms = sqlite3_column_int64(row, 0),
                                  .stored_due_ms = sqlite3_column_int64(row, 0),
                                  .number = sqlite3_column_int64(row, 1),
                                  .lane = (uint8_t)lane,
                                  .kind = (uint8_t)sqlite3_column_int(row, 3),
                                  .slot = (uint8_t)sqlite3_column_int(row, 4),
                                  .dispatch_version = sqlite3_column_int64(row, 5),
                                  .created_ms = sqlite3_column_int64(row, 6),
                                  .deadline_ms = sqlite3_column_int64(row, 7),
                                  .attempts = sqlite3_column_int64(row, 8)};
  if (!column_id(row, 2, ret_item->order_id) || note.size >= MESSAGE_NOTE_BYTES) return false;
  if (note.size > 0 && !(ret_item->note = strndup(note.data, note.size))) panic("out of memory");
  return true;
}

/* The row's message, unless it is in memory already. */
static bool take_row(struct queue_local *queue, struct lane *lane, int lane_index, sqlite3_stmt *row) {
  lane->horizon_due_ms = sqlite3_column_int64(row, 0);
  lane->horizon_number = sqlite3_column_int64(row, 1);
  struct queue_item read;
  if (item_find(queue, lane->horizon_number) || !item_from_row(row, lane_index, &read)) return false;
  struct queue_item *item = item_create();
  *item = read;
  item_add(queue, item);
  lane_insert(lane, item);
  return true;
}

/* Rows above the horizon, in their order. False where there is nothing to go on with: all were read,
 * or an error leaves the rest for the next time. */
static bool refill_lane(struct queue_local *queue, int lane_index, bool *any) {
  struct lane *lane = &queue->lanes[lane_index];
  sqlite3_stmt *read = queue->writer->statements[WRITE_REFILL];
  bind_int64(read, 1, lane_index);
  bind_int64(read, 2, lane->horizon_due_ms);
  bind_int64(read, 3, lane->horizon_number);
  bind_int64(read, 4, REFILL_ITEMS);
  size_t rows = 0;
  int code;
  while ((code = sqlite3_step(read)) == SQLITE_ROW) {
    if (take_row(queue, lane, lane_index, read)) *any = true;
    rows++;
  }
  sqlite3_reset(read);
  if (code == SQLITE_DONE && rows < REFILL_ITEMS) lane->complete = true;
  return code == SQLITE_DONE && !lane->complete;
}

bool queue_local_refill(struct queue_local *queue) {
  bool any = false;
  pthread_mutex_lock(&queue->mutex);
  for (int i = 0; i < LANE_COUNT; i++)
    while (lane_is_low(&queue->lanes[i]) && refill_lane(queue, i, &any)) continue;
  pthread_mutex_unlock(&queue->mutex);
  return any;
}
