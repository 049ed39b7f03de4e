#include "platform/local/store_sqlite_recent.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/panic.h"

enum { BUCKET_COUNT = 8192, TEXTS_MAX = 5 + 2 * COMMAND_COUNT };

struct entry {
  struct entry *next;            /* in its bucket */
  struct entry *earlier, *later; /* by when it was written */
  int64_t seq;
  struct order order; /* its texts stand behind it */
  size_t text_bytes;
  char texts[];
};

struct recent_orders {
  pthread_mutex_t mutex;
  struct entry *buckets[BUCKET_COUNT];
  struct entry *earliest, *latest;
  size_t bytes, most_bytes;
};

/* Fibonacci hashing over all words of an id; who sends orders cannot choose ids. */
static struct entry **bucket_of(struct recent_orders *recent, struct bytes id) {
  uint64_t hash = 0, word;
  for (size_t at = 0; at + sizeof word <= id.size; at += sizeof word) {
    memcpy(&word, id.data + id.size - sizeof word - at, sizeof word);
    hash = (hash ^ hash >> 32 ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  }
  return &recent->buckets[hash >> 51];
}
_Static_assert(BUCKET_COUNT == 1 << 13, "what the shift leaves");

/* The texts of an order that its state and its reader need. */
static void texts_of(struct order *order, struct bytes *ret_texts[TEXTS_MAX]) {
  size_t count = 0;
  ret_texts[count++] = &order->id;
  ret_texts[count++] = &order->customer;
  ret_texts[count++] = &order->content_json;
  ret_texts[count++] = &order->traceparent;
  ret_texts[count++] = &order->reason;
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    ret_texts[count++] = &order->slots[i].reference;
    ret_texts[count++] = &order->slots[i].reason;
  }
  ensure(count == TEXTS_MAX);
}

static struct entry *entry_make(const struct order *order) {
  struct bytes *texts[TEXTS_MAX];
  struct order copy = *order;
  size_t text_bytes = 0;
  texts_of(&copy, texts);
  for (size_t i = 0; i < TEXTS_MAX; i++) text_bytes += texts[i]->size + 1;
  struct entry *entry = malloc(sizeof *entry + text_bytes);
  if (!entry) panic("out of memory");
  entry->text_bytes = text_bytes;
  char *at = entry->texts;
  for (size_t i = 0; i < TEXTS_MAX; i++) {
    if (texts[i]->size > 0) memcpy(at, texts[i]->data, texts[i]->size);
    at[texts[i]->size] = '\0';
    texts[i]->data = at;
    at += texts[i]->size + 1;
  }
  copy.content = order_content_outline(order->content.channel, order->content.payment != NULL);
  entry->order = copy;
  return entry;
}

static struct entry **find(struct recent_orders *recent, struct bytes id) {
  struct entry **link = bucket_of(recent, id);
  while (*link && !bytes_equal((*link)->order.id, id)) link = &(*link)->next;
  return link;
}

static struct entry *unlink_entry(struct recent_orders *recent, struct entry **link) {
  struct entry *entry = *link;
  *link = entry->next;
  *(entry->earlier ? &entry->earlier->later : &recent->earliest) = entry->later;
  *(entry->later ? &entry->later->earlier : &recent->latest) = entry->earlier;
  recent->bytes -= sizeof *entry + entry->text_bytes;
  return entry;
}

static void add(struct recent_orders *recent, struct entry *entry) {
  struct entry **bucket = bucket_of(recent, entry->order.id);
  entry->next = *bucket;
  *bucket = entry;
  entry->earlier = recent->latest;
  entry->later = NULL;
  *(recent->latest ? &recent->latest->later : &recent->earliest) = entry;
  recent->latest = entry;
  recent->bytes += sizeof *entry + entry->text_bytes;
}

struct recent_orders *recent_orders_create(size_t most_bytes) {
  struct recent_orders *recent = calloc(1, sizeof *recent);
  if (!recent) panic("out of memory");
  recent->most_bytes = most_bytes;
  pthread_mutex_init(&recent->mutex, NULL);
  return recent;
}

void recent_orders_free(struct recent_orders *recent) {
  if (!recent) return;
  while (recent->earliest) free(unlink_entry(recent, find(recent, recent->earliest->order.id)));
  pthread_mutex_destroy(&recent->mutex);
  free(recent);
}

/* Nobody else changes anything, so the writer looks without the lock, and keeps what costs time out of it. */
void recent_orders_put(struct recent_orders *recent, const struct order *order, int64_t seq) {
  struct order whole = *order;
  struct entry **known = find(recent, order->id), *entry = NULL, *dropped = NULL;
  if (whole.content_json.size == 0 && *known) whole.content_json = (*known)->order.content_json;
  if (whole.content_json.size > 0) {
    entry = entry_make(&whole);
    entry->seq = seq;
  }
  pthread_mutex_lock(&recent->mutex);
  if (*known) {
    dropped = unlink_entry(recent, known);
    dropped->next = NULL;
  }
  if (entry) add(recent, entry);
  while (recent->bytes > recent->most_bytes) {
    struct entry *earliest = unlink_entry(recent, find(recent, recent->earliest->order.id));
    earliest->next = dropped;
    dropped = earliest;
  }
  pthread_mutex_unlock(&recent->mutex);
  while (dropped) {
    struct entry *next = dropped->next;
    free(dropped);
    dropped = next;
  }
}

unsigned order_attention(const struct order *order) {
  unsigned bits = 0;
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (order->slots[i].state == SLOT_ATTENTION) bits |= 1U << i;
  return bits;
}

bool recent_orders_find_place(struct recent_orders *recent, struct bytes id, struct order_place *ret_place) {
  pthread_mutex_lock(&recent->mutex);
  const struct entry *entry = *find(recent, id);
  if (entry)
    *ret_place = (struct order_place){.seq = entry->seq,
                                      .revision = entry->order.revision,
                                      .created_ms = entry->order.created_ms,
                                      .status = entry->order.status,
                                      .attention = order_attention(&entry->order)};
  pthread_mutex_unlock(&recent->mutex);
  return entry != NULL;
}

size_t recent_orders_longest_chain(const struct recent_orders *recent) {
  size_t longest = 0;
  for (size_t i = 0; i < BUCKET_COUNT; i++) {
    size_t count = 0;
    for (const struct entry *entry = recent->buckets[i]; entry; entry = entry->next) count++;
    if (count > longest) longest = count;
  }
  return longest;
}

struct order *recent_orders_find(struct recent_orders *recent, struct bytes id, struct arena *arena) {
  struct order *order = NULL;
  pthread_mutex_lock(&recent->mutex);
  const struct entry *entry = *find(recent, id);
  if (entry) {
    struct bytes *texts[TEXTS_MAX];
    char *copy = arena_allocate_unset(arena, entry->text_bytes);
    memcpy(copy, entry->texts, entry->text_bytes);
    order = arena_allocate_unset(arena, sizeof *order);
    *order = entry->order;
    texts_of(order, texts);
    for (size_t i = 0; i < TEXTS_MAX; i++) texts[i]->data = copy + (texts[i]->data - entry->texts);
  }
  pthread_mutex_unlock(&recent->mutex);
  return order;
}
