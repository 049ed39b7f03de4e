/* Lists of orders: a customer's from the index by_customer, everybody's from the directory. Both give ids,
 * newest first; the orders themselves are loaded and filtered afterwards. */
#include <stdlib.h>

#include "platform/aws/store_dynamodb_internal.h"

enum { ROUNDS_MAX = 10 };

static const int64_t CREATED_MAX_MS = INT64_C(9999999999999);

static int64_t clamped(int64_t instant_ms) {
  return instant_ms < 0 ? 0 : instant_ms > CREATED_MAX_MS ? CREATED_MAX_MS : instant_ms;
}

static struct bytes digits_of(int64_t instant_ms, struct arena *arena) {
  return arena_printf(arena, "%0*lld", CREATED_DIGITS, (long long)clamped(instant_ms));
}

/* --- a customer's ---------------------------------------------------------------------------------- */

static bool list_customer(struct store_dynamodb *store, const struct store_query *query, struct arena *arena,
                          struct listed *ret_listed, size_t *ret_count, bool *ret_more,
                          struct failure *ret_failure) {
  struct request_text request;
  struct json *root;
  struct bytes detail, cursor = {NULL, 0}, newest = digits_of(query->to_ms, arena);
  if (query->to_ms > CREATED_MAX_MS) newest = BYTES("a");
  if (query->has_cursor) {
    cursor = sort_key(query->cursor_ms, bytes_from(query->cursor_id, ORDER_ID_CHARACTERS), arena);
    if (bytes_compare(cursor, newest) < 0) newest = cursor;
  }
  *ret_count = 0;
  *ret_more = false;
  struct bytes oldest = digits_of(query->from_ms, arena);
  if (bytes_compare(oldest, newest) > 0) return true;
  request_open(&request, store, arena);
  json_write_string(&request.json, "IndexName", "by_customer");
  json_write_string(&request.json, "KeyConditionExpression", "c = :c AND t BETWEEN :o AND :n");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":c", query->customer);
  attribute_text(&request.json, ":o", oldest);
  attribute_text(&request.json, ":n", newest);
  json_close_object(&request.json);
  json_write_boolean(&request.json, "ScanIndexForward", false);
  json_write_int64(&request.json, "Limit", (int64_t)query->limit + 2);
  struct aws_answer answer = aws_call_one(store->client, AWS_DYNAMODB, "Query", request_close(&request), arena);
  if (answer.outcome != AWS_DONE || !json_parse(answer.body, arena, &root, &detail))
    return failure_set(ret_failure, "the table could not be queried: %.*s", BYTES_PRINTF(answer.error));
  const struct json *items = json_member(root, "Items");
  *ret_more = json_member(root, "LastEvaluatedKey") != NULL;
  for (const struct json *item = items ? items->first : NULL; item; item = item->next) {
    struct bytes id = item_text(item, "k"), t = item_text(item, "t");
    if (id.size != ORDER_ID_CHARACTERS || (cursor.size && bytes_equal(t, cursor))) continue;
    if (*ret_count == query->limit) {
      *ret_more = true;
      break;
    }
    struct listed *listed = &ret_listed[(*ret_count)++];
    listed->created_ms = item_created_ms(item);
    memcpy(listed->id, id.data, ORDER_ID_CHARACTERS);
  }
  return true;
}

/* --- both ------------------------------------------------------------------------------------------ */

static bool is_wanted(const struct store_query *query, const struct order *order) {
  return (!query->has_status || order->status == query->status) &&
         (!query->has_channel || order->content.channel == (int)query->channel) &&
         (query->customer.size == 0 || bytes_equal(order->customer, query->customer));
}

static bool load_listed(struct store_dynamodb *store, const struct store_query *query,
                        const struct listed *listed, size_t count, struct arena *arena, struct store_page *page,
                        struct failure *ret_failure) {
  struct bytes *ids = ARENA_ARRAY(arena, count, struct bytes);
  struct store_loaded *loaded = ARENA_ARRAY(arena, count, struct store_loaded);
  for (size_t i = 0; i < count; i++) ids[i] = bytes_from(listed[i].id, ORDER_ID_CHARACTERS);
  dynamodb_load(&store->port, ids, count, STORE_LOAD_WHOLE, arena, loaded);
  for (size_t i = 0; i < count; i++) {
    if (loaded[i].status == LOAD_FAILED)
      return failure_set(ret_failure, "the order %.*s could not be read", BYTES_PRINTF(ids[i]));
    if (page->count == query->limit) {
      page->more = true;
      return true;
    }
    page->cursor_ms = listed[i].created_ms;
    memcpy(page->cursor_id, listed[i].id, ORDER_ID_CHARACTERS);
    if (loaded[i].status == LOAD_FOUND && is_wanted(query, loaded[i].order))
      page->orders[page->count++] = *loaded[i].order;
  }
  return true;
}

bool dynamodb_list(struct store *port, const struct store_query *query, struct arena *arena,
                   struct store_page *ret_page, struct failure *ret_failure) {
  struct store_dynamodb *store = (struct store_dynamodb *)port;
  struct store_query next = *query;
  struct store_page page = {.orders = ARENA_ARRAY(arena, query->limit, struct order)};
  struct listed *listed = ARENA_ARRAY(arena, query->limit, struct listed);
  for (int round = 0; round < ROUNDS_MAX; round++) {
    size_t count = 0;
    bool more = false;
    page.more = false;
    bool good = query->customer.size ? list_customer(store, &next, arena, listed, &count, &more, ret_failure)
                                     : directory_list(store, &next, arena, listed, &count, &more, ret_failure);
    if (!good || !load_listed(store, query, listed, count, arena, &page, ret_failure)) return false;
    if (page.more || !more) break;
    page.more = true;
    if (page.count == query->limit || count == 0) break;
    next.has_cursor = true;
    next.cursor_ms = page.cursor_ms;
    memcpy(next.cursor_id, page.cursor_id, ORDER_ID_CHARACTERS);
  }
  *ret_page = page;
  return true;
}
