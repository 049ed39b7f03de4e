/* The directory: the ids of all orders by the second in which they were created, some hundred an item, so
 * that a list of everybody's orders costs almost nothing to keep. The relay writes it from the table's stream,
 * a moment after the orders themselves; what the stream hands over twice stands in it twice, and is read once.
 *
 *   d          <month>              a month of which there are orders
 *   d#<month>  <second>#<first id>  x = <ms of the second>|<id>|<ms>|<id> … */
#include <stdlib.h>

#include "base/time.h"
#include "platform/aws/store_dynamodb_internal.h"

enum { SECOND_MS = 1000, MONTH_CHARACTERS = 7, ENTRIES_MAX = 400, ITEMS_A_QUERY = 40 };

static int64_t second_of(int64_t instant_ms) { return instant_ms - instant_ms % SECOND_MS; }

static struct bytes month_of(int64_t instant_ms, struct arena *arena) {
  char text[TIME_TEXT_BYTES + 1];
  time_format(instant_ms, text);
  return arena_copy(arena, bytes_from(text, MONTH_CHARACTERS));
}

/* --- writing --------------------------------------------------------------------------------------- */

static struct bytes put_month(const struct store_dynamodb *store, struct bytes month, struct arena *arena) {
  struct request_text request;
  request_open(&request, store, arena);
  json_open_object(&request.json, "Item");
  attribute_text(&request.json, "k", BYTES("d"));
  attribute_text(&request.json, "r", month);
  json_close_object(&request.json);
  return request_close(&request);
}

static struct bytes put_entries(const struct store_dynamodb *store, int64_t second_ms,
                                const struct store_dynamodb_image *const *images, size_t count,
                                struct arena *arena) {
  struct request_text request;
  struct text entries;
  text_init(&entries, arena);
  for (size_t i = 0; i < count; i++)
    text_printf(&entries, "%s%lld|%.*s", i ? "|" : "", (long long)(images[i]->created_ms - second_ms),
                BYTES_PRINTF(images[i]->id));
  request_open(&request, store, arena);
  json_open_object(&request.json, "Item");
  attribute_text(&request.json, "k", arena_printf(arena, "d#%.*s", BYTES_PRINTF(month_of(second_ms, arena))));
  attribute_text(
      &request.json, "r",
      arena_printf(arena, "%0*lld#%.*s", CREATED_DIGITS, (long long)second_ms, BYTES_PRINTF(images[0]->id)));
  attribute_text(&request.json, "x", text_view(&entries));
  json_close_object(&request.json);
  return request_close(&request);
}

static int by_created(const void *a, const void *b) {
  const struct store_dynamodb_image *x = *(const struct store_dynamodb_image *const *)a;
  const struct store_dynamodb_image *y = *(const struct store_dynamodb_image *const *)b;
  if (x->created_ms != y->created_ms) return x->created_ms < y->created_ms ? -1 : 1;
  return bytes_compare(x->id, y->id);
}

bool store_dynamodb_note_created(struct store_dynamodb *store, const struct store_dynamodb_image *images,
                                 size_t count, struct failure *ret_failure) {
  struct arena arena;
  bool good = true;
  arena_init(&arena);
  const struct store_dynamodb_image **sorted = ARENA_ARRAY(&arena, count, const struct store_dynamodb_image *);
  struct aws_request *requests = ARENA_ARRAY(&arena, 2 * count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(&arena, 2 * count, struct aws_answer);
  size_t created = 0, asked = 0;
  struct bytes last_month = {NULL, 0};
  for (size_t i = 0; i < count; i++)
    if (images[i].is_new) sorted[created++] = &images[i];
  qsort(sorted, created, sizeof *sorted, by_created);
  for (size_t first = 0, next; first < created; first = next) {
    int64_t second_ms = second_of(sorted[first]->created_ms);
    struct bytes month = month_of(second_ms, &arena);
    for (next = first; next < created && next - first < ENTRIES_MAX; next++)
      if (second_of(sorted[next]->created_ms) != second_ms) break;
    if (!bytes_equal(month, last_month) && !bytes_equal_string(month, store->month_noted))
      requests[asked++] = aws_request(AWS_DYNAMODB, "PutItem", put_month(store, month, &arena));
    last_month = month;
    requests[asked++] = aws_request(AWS_DYNAMODB, "PutItem",
                                    put_entries(store, second_ms, sorted + first, next - first, &arena));
  }
  if (asked > 0) aws_call(store->client, requests, asked, &arena, answers);
  for (size_t i = 0; i < asked && good; i++)
    if (answers[i].outcome != AWS_DONE)
      good =
          failure_set(ret_failure, "the directory could not be written: %.*s", BYTES_PRINTF(answers[i].error));
  if (good && last_month.size == MONTH_CHARACTERS)
    memcpy(store->month_noted, last_month.data, MONTH_CHARACTERS);
  arena_release(&arena);
  return good;
}

/* --- reading --------------------------------------------------------------------------------------- */

struct reading {
  struct store_dynamodb *store;
  const struct store_query *query;
  struct arena *arena;
  struct listed *listed; /* limit + 1 places */
  size_t count;
  struct listed *second; /* the entries of the second that is being read, over several items */
  size_t second_count, second_room;
  struct bytes second_digits;
};

static bool is_full(const struct reading *reading) { return reading->count > reading->query->limit; }

static int newest_first(const void *a, const void *b) {
  const struct listed *x = a, *y = b;
  if (x->created_ms != y->created_ms) return x->created_ms > y->created_ms ? -1 : 1;
  return memcmp(y->id, x->id, ORDER_ID_CHARACTERS);
}

/* A second has been read whole: its orders in their order, each once. */
static void end_second(struct reading *reading) {
  const struct store_query *query = reading->query;
  if (reading->second_count > 0)
    qsort(reading->second, reading->second_count, sizeof *reading->second, newest_first);
  for (size_t i = 0; i < reading->second_count && !is_full(reading); i++) {
    const struct listed *one = &reading->second[i];
    if (i > 0 && newest_first(one, one - 1) == 0) continue;
    if (one->created_ms < query->from_ms || one->created_ms >= query->to_ms) continue;
    if (query->has_cursor) {
      struct listed cursor = {.created_ms = query->cursor_ms};
      memcpy(cursor.id, query->cursor_id, ORDER_ID_CHARACTERS);
      if (newest_first(one, &cursor) <= 0) continue;
    }
    reading->listed[reading->count++] = *one;
  }
  reading->second_count = 0;
}

static void add_entry(struct reading *reading, int64_t created_ms, struct bytes id) {
  if (reading->second_count == reading->second_room) {
    size_t room = reading->second_room ? reading->second_room * 2 : ENTRIES_MAX;
    struct listed *longer = ARENA_ARRAY(reading->arena, room, struct listed);
    if (reading->second_count) memcpy(longer, reading->second, reading->second_count * sizeof *longer);
    reading->second = longer;
    reading->second_room = room;
  }
  struct listed *entry = &reading->second[reading->second_count++];
  entry->created_ms = created_ms;
  memcpy(entry->id, id.data, ORDER_ID_CHARACTERS);
}

static void read_item(struct reading *reading, const struct json *item) {
  struct bytes digits = bytes_slice(item_text(item, "r"), 0, CREATED_DIGITS), rest = item_text(item, "x");
  struct bytes offset, id;
  unsigned long long second_ms, offset_ms;
  if (!bytes_to_uint64(digits, &second_ms)) return;
  if (!bytes_equal(digits, reading->second_digits)) end_second(reading);
  reading->second_digits = digits;
  while (bytes_next_part(&rest, '|', &offset) && bytes_next_part(&rest, '|', &id))
    if (bytes_to_uint64(offset, &offset_ms) && id.size == ORDER_ID_CHARACTERS)
      add_entry(reading, (int64_t)(second_ms + offset_ms), id);
}

static bool read_month(struct reading *reading, struct bytes month, struct bytes oldest, struct bytes newest,
                       struct failure *ret_failure) {
  const struct json *last = NULL;
  do {
    struct request_text request;
    struct json *root;
    struct bytes detail;
    request_open(&request, reading->store, reading->arena);
    json_write_string(&request.json, "KeyConditionExpression", "k = :k AND r BETWEEN :o AND :n");
    json_open_object(&request.json, "ExpressionAttributeValues");
    attribute_text(&request.json, ":k", arena_printf(reading->arena, "d#%.*s", BYTES_PRINTF(month)));
    attribute_text(&request.json, ":o", oldest);
    attribute_text(&request.json, ":n", newest);
    json_close_object(&request.json);
    json_write_boolean(&request.json, "ScanIndexForward", false);
    json_write_int64(&request.json, "Limit", ITEMS_A_QUERY);
    if (last) write_key(&request.json, "ExclusiveStartKey", item_text(last, "k"), item_text(last, "r"));
    struct aws_answer answer =
        aws_call_one(reading->store->client, AWS_DYNAMODB, "Query", request_close(&request), reading->arena);
    if (answer.outcome != AWS_DONE || !json_parse(answer.body, reading->arena, &root, &detail))
      return failure_set(ret_failure, "the directory could not be read: %.*s", BYTES_PRINTF(answer.error));
    const struct json *items = json_member(root, "Items");
    for (const struct json *item = items ? items->first : NULL; item && !is_full(reading); item = item->next)
      read_item(reading, item);
    last = json_member(root, "LastEvaluatedKey");
  } while (last && !is_full(reading));
  end_second(reading);
  return true;
}

static const struct json *query_months(struct store_dynamodb *store, struct arena *arena,
                                       struct failure *ret_failure) {
  struct request_text request;
  struct json *root;
  struct bytes detail;
  request_open(&request, store, arena);
  json_write_string(&request.json, "KeyConditionExpression", "k = :k");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":k", BYTES("d"));
  json_close_object(&request.json);
  json_write_boolean(&request.json, "ScanIndexForward", false);
  struct aws_answer answer = aws_call_one(store->client, AWS_DYNAMODB, "Query", request_close(&request), arena);
  if (answer.outcome == AWS_DONE && json_parse(answer.body, arena, &root, &detail) &&
      json_member(root, "Items"))
    return json_member(root, "Items");
  failure_set(ret_failure, "the directory could not be read: %.*s", BYTES_PRINTF(answer.error));
  return NULL;
}

bool directory_list(struct store_dynamodb *store, const struct store_query *query, struct arena *arena,
                    struct listed *ret_listed, size_t *ret_count, bool *ret_more, struct failure *ret_failure) {
  struct reading reading = {.store = store,
                            .query = query,
                            .arena = arena,
                            .listed = ARENA_ARRAY(arena, query->limit + 1, struct listed)};
  int64_t newest_ms =
      query->to_ms > 0 && query->to_ms < INT64_C(9999999999999) ? query->to_ms : INT64_C(9999999999999);
  if (query->has_cursor && query->cursor_ms < newest_ms) newest_ms = query->cursor_ms;
  int64_t oldest_ms = query->from_ms > 0 ? query->from_ms : 0;
  struct bytes newest = arena_printf(arena, "%0*lld#~", CREATED_DIGITS, (long long)second_of(newest_ms));
  struct bytes oldest = arena_printf(arena, "%0*lld", CREATED_DIGITS, (long long)second_of(oldest_ms));
  struct bytes newest_month = month_of(newest_ms, arena), oldest_month = month_of(oldest_ms, arena);
  const struct json *months = query_months(store, arena, ret_failure);
  if (!months) return false;
  for (const struct json *item = months->first; item && !is_full(&reading); item = item->next) {
    struct bytes month = item_text(item, "r");
    if (bytes_compare(month, newest_month) > 0 || bytes_compare(month, oldest_month) < 0) continue;
    if (bytes_compare(oldest, newest) <= 0 && !read_month(&reading, month, oldest, newest, ret_failure))
      return false;
  }
  *ret_more = is_full(&reading);
  *ret_count = reading.count < query->limit ? reading.count : query->limit;
  if (*ret_count) memcpy(ret_listed, reading.listed, *ret_count * sizeof *ret_listed);
  return true;
}

/* --- the stream ------------------------------------------------------------------------------------ */

bool store_dynamodb_read_image(const struct json *attributes, struct arena *arena,
                               struct store_dynamodb_image *ret_image, struct bytes *ret_detail) {
  struct order order;
  *ret_image = (struct store_dynamodb_image){.is_order = false};
  if (!attributes || attributes->type != JSON_OBJECT) {
    *ret_detail = BYTES("the image is no object");
    return false;
  }
  if (!item_is_order(attributes)) return true;
  if (!item_read_order(attributes, STORE_LOAD_STATE, arena, &order)) {
    *ret_detail = BYTES("the order's state cannot be read");
    return false;
  }
  if (!item_read_outbox(&order, item_text(attributes, "o"), ret_image->messages, &ret_image->message_count)) {
    *ret_detail = BYTES("the order's outbox cannot be read");
    return false;
  }
  ret_image->is_order = true;
  ret_image->is_new = order.revision == 1;
  ret_image->id = order.id;
  ret_image->created_ms = order.created_ms;
  return true;
}
