/* The queues' memory: a table of all items by number, and the sorted lines. */
#include <stdlib.h>

#include "base/panic.h"
#include "platform/local/queue_local_internal.h"

enum { FIRST_BUCKETS = 1024 };

/* --- the table ------------------------------------------------------------------------------------- */

static struct queue_item **bucket_of(const struct queue_local *queue, int64_t number) {
  return &queue->buckets[(uint64_t)number & (queue->bucket_count - 1)];
}

static void *allocate_zeroed(size_t count, size_t size_bytes) {
  void *memory = calloc(count, size_bytes);
  if (!memory) panic("out of memory");
  return memory;
}

static void grow(struct queue_local *queue) {
  struct queue_item **old = queue->buckets;
  size_t old_count = queue->bucket_count;
  queue->bucket_count = old_count * 2;
  queue->buckets = allocate_zeroed(queue->bucket_count, sizeof *queue->buckets);
  for (size_t i = 0; i < old_count; i++)
    for (struct queue_item *item = old[i], *next; item; item = next) {
      next = item->hash_next;
      struct queue_item **bucket = bucket_of(queue, item->number);
      item->hash_next = *bucket;
      *bucket = item;
    }
  free(old);
}

struct queue_item *item_find(const struct queue_local *queue, int64_t number) {
  struct queue_item *item = *bucket_of(queue, number);
  while (item && item->number != number) item = item->hash_next;
  return item;
}

void item_add(struct queue_local *queue, struct queue_item *item) {
  if (queue->item_count++ == queue->bucket_count) grow(queue);
  struct queue_item **bucket = bucket_of(queue, item->number);
  item->hash_next = *bucket;
  *bucket = item;
}

static void item_free(struct queue_item *item) {
  free(item->note);
  free(item);
}

void item_remove(struct queue_local *queue, struct queue_item *item) {
  struct queue_item **at = bucket_of(queue, item->number);
  while (*at != item) at = &(*at)->hash_next;
  *at = item->hash_next;
  queue->item_count--;
  item_free(item);
}

void item_mark_dirty(struct queue_local *queue, struct queue_item *item) {
  if (item->dirty) return;
  item->dirty = true;
  item->dirty_next = NULL;
  *queue->dirty_last = item;
  queue->dirty_last = &item->dirty_next;
  queue->dirty_count++;
}

/* --- the lines --------------------------------------------------------------------------------------- */

void lanes_init(struct queue_local *queue) {
  queue->bucket_count = FIRST_BUCKETS;
  queue->buckets = allocate_zeroed(FIRST_BUCKETS, sizeof *queue->buckets);
  queue->dirty_last = &queue->dirty;
  for (size_t i = 0; i < LANE_COUNT; i++) {
    queue->lanes[i].horizon_due_ms = INT64_MIN;
    queue->lanes[i].horizon_number = INT64_MIN;
  }
}

void lanes_release(struct queue_local *queue) {
  for (size_t i = 0; i < queue->bucket_count; i++)
    for (struct queue_item *item = queue->buckets[i], *next; item; item = next) {
      next = item->hash_next;
      item_free(item);
    }
  free(queue->buckets);
  for (size_t i = 0; i < LANE_COUNT; i++) free(queue->lanes[i].items);
}

static bool key_is_less(int64_t a_due, int64_t a_number, int64_t b_due, int64_t b_number) {
  return a_due < b_due || (a_due == b_due && a_number < b_number);
}

bool lane_is_within(const struct lane *lane, int64_t due_ms, int64_t number) {
  return lane->complete || !key_is_less(lane->horizon_due_ms, lane->horizon_number, due_ms, number);
}

struct queue_item *lane_at(const struct lane *lane, size_t i) {
  return lane->items[lane->first + i];
}

static void horizon_at_last(struct lane *lane) {
  const struct queue_item *last = lane_at(lane, lane->count - 1);
  lane->complete = false;
  lane->horizon_due_ms = last->due_ms;
  lane->horizon_number = last->number;
}

bool lane_make_room(struct queue_local *queue, struct lane *lane, int64_t due_ms, int64_t number) {
  if (!lane_is_within(lane, due_ms, number)) return false;
  if (lane->count < LINE_MAX_ITEMS) return true;
  struct queue_item *last = lane_at(lane, lane->count - 1);
  if (key_is_less(last->due_ms, last->number, due_ms, number)) {
    horizon_at_last(lane);
    return false;
  }
  lane_take(lane, lane->count - 1);
  horizon_at_last(lane);
  /* The new one may be later than those that are left. */
  if (!lane_is_within(lane, due_ms, number)) {
    lane->horizon_due_ms = due_ms;
    lane->horizon_number = number;
  }
  last->place = PLACE_DISK;
  if (!last->dirty && !last->in_write) item_remove(queue, last);
  return true;
}

/* Room at the end: twice the size, so that moving everything to the front is rare. */
static void make_end_room(struct lane *lane) {
  enum { SLOTS = 2 * LINE_MAX_ITEMS };
  if (!lane->items) lane->items = allocate_zeroed(SLOTS, sizeof *lane->items);
  if (lane->first + lane->count < SLOTS) return;
  memmove(lane->items, lane->items + lane->first, lane->count * sizeof *lane->items);
  lane->first = 0;
}

void lane_insert(struct lane *lane, struct queue_item *item) {
  ensure(lane->count < LINE_MAX_ITEMS);
  make_end_room(lane);
  size_t low = 0, high = lane->count;
  while (low < high) { /* most come last */
    size_t middle = high == lane->count ? high - 1 : low + (high - low) / 2;
    const struct queue_item *at = lane_at(lane, middle);
    if (key_is_less(at->due_ms, at->number, item->due_ms, item->number))
      low = middle + 1;
    else
      high = middle;
  }
  struct queue_item **place = lane->items + lane->first + low;
  memmove(place + 1, place, (lane->count - low) * sizeof *place);
  *place = item;
  lane->count++;
  item->place = PLACE_LINED;
}

struct queue_item *lane_take(struct lane *lane, size_t i) {
  struct queue_item **place = lane->items + lane->first + i;
  struct queue_item *item = *place;
  if (i == 0)
    lane->first++;
  else
    memmove(place, place + 1, (lane->count - i - 1) * sizeof *place);
  lane->count--;
  if (lane->count == 0) lane->first = 0;
  return item;
}
