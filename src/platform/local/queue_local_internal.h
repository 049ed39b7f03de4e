/* What the files of the local queues share.
 *
 * A message in memory is a queue_item. It is in one place: in its line (LINED), with whoever received
 * it (LEASED), settled for good (ACKED), or only on disk as soon as its settlement is written
 * (DISK). Apart from that its row may be out of date (dirty), and is then on the list of what the
 * writer takes along next; while the writer has it, it is in_write.
 *
 * The invariant of a lane: every row on disk whose key (due, number) is not above the lane's horizon
 * is in memory, in one of these places. Reading on from the horizon therefore never misses one, and
 * a row that is in memory already is recognised by its number. */
#ifndef PLATFORM_LOCAL_QUEUE_LOCAL_INTERNAL_H
#define PLATFORM_LOCAL_QUEUE_LOCAL_INTERNAL_H

#include "platform/local/store_sqlite_internal.h"

enum {
  LINE_MAX_ITEMS = 4096,
  LINE_LOW_ITEMS = 1024,  /* below it more is read from disk */
  REFILL_ITEMS = 1024,    /* at once */
  DIRTY_MAX_ITEMS = 8192, /* with as many unwritten settlements nothing more is handed out */
};

enum place { PLACE_LINED, PLACE_LEASED, PLACE_ACKED, PLACE_DISK };

struct queue_item {
  struct queue_item *hash_next, *dirty_next;
  int64_t number; /* its identity, for good */
  int64_t due_ms;
  int64_t stored_due_ms; /* as the row has it: part of its key */
  int64_t created_ms, deadline_ms, dispatch_version, attempts;
  char *note; /* NULL for none; owned */
  uint8_t order_id[ORDER_ID_BLOB_BYTES];
  uint8_t lane, kind, slot;
  uint8_t place;
  bool dirty, in_write;
};

/* Sorted by (due, number). items[first] is the earliest. */
struct lane {
  struct queue_item **items;
  size_t first, count;
  bool complete; /* all rows are in memory: the horizon is infinite */
  int64_t horizon_due_ms, horizon_number;
  int64_t leased, acked;
};

struct queue_local {
  struct queue queue;
  struct writer *writer;
  pthread_mutex_t mutex; /* never held together with the writer's */
  struct lane lanes[LANE_COUNT];
  struct queue_item **buckets; /* by number; a power of two of them */
  size_t bucket_count, item_count;
  struct queue_item *dirty, **dirty_last;
  size_t dirty_count;
};

/* --- memory: the table of all items and the lines. All under the mutex. --- */

struct queue_item *item_find(const struct queue_local *queue, int64_t number);
/* Takes the item over. */
void item_add(struct queue_local *queue, struct queue_item *item);
void item_remove(struct queue_local *queue, struct queue_item *item);
void item_mark_dirty(struct queue_local *queue, struct queue_item *item);

void lanes_init(struct queue_local *queue);
void lanes_release(struct queue_local *queue);
bool lane_is_within(const struct lane *lane, int64_t due_ms, int64_t number);
/* Whether a message of that key belongs in memory: it is within the horizon. Makes room where the
 * line is full, by leaving the last one (which may be this one) to the disk. */
bool lane_make_room(struct queue_local *queue, struct lane *lane, int64_t due_ms, int64_t number);
/* There is room. */
void lane_insert(struct lane *lane, struct queue_item *item);
struct queue_item *lane_at(const struct lane *lane, size_t i);
/* Takes the i-th out. */
struct queue_item *lane_take(struct lane *lane, size_t i);
static inline bool lane_is_low(const struct lane *lane) {
  return !lane->complete && lane->count < LINE_LOW_ITEMS;
}

#endif
