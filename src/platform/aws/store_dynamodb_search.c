/* A walk through the whole table, page by page; how far it has come is an item of the table itself. */
#include "platform/aws/store_dynamodb_internal.h"

enum { PAGE_ITEMS = 250 };

static const struct bytes search_k = {"search", 6}, search_r = {"relay", 5};

bool store_dynamodb_search_read(struct store_dynamodb *store, struct arena *arena,
                                struct store_dynamodb_search *ret_search) {
  const struct json *item;
  if (!get_items(store, &search_k, &search_r, 1, true, arena, &item)) return false;
  *ret_search = (struct store_dynamodb_search){.began_ms = item ? item_number(item, "n") : 0,
                                               .ended = !item || item_number(item, "z") != 0,
                                               .k = item_text(item, "pk"),
                                               .r = item_text(item, "pr")};
  return true;
}

/* What is stored, in a form that a condition can compare. */
static struct bytes place_of(const struct store_dynamodb_search *search, struct arena *arena) {
  return arena_printf(arena, "%lld|%d|%.*s|%.*s", (long long)search->began_ms, search->ended,
                      BYTES_PRINTF(search->k), BYTES_PRINTF(search->r));
}

bool store_dynamodb_search_write(struct store_dynamodb *store, const struct store_dynamodb_search *search,
                                 const struct store_dynamodb_search *next, struct arena *arena) {
  struct request_text request;
  request_open(&request, store, arena);
  json_open_object(&request.json, "Item");
  attribute_text(&request.json, "k", search_k);
  attribute_text(&request.json, "r", search_r);
  attribute_number(&request.json, "n", next->began_ms);
  attribute_number(&request.json, "z", next->ended);
  if (next->k.size) attribute_text(&request.json, "pk", next->k);
  if (next->r.size) attribute_text(&request.json, "pr", next->r);
  attribute_text(&request.json, "w", place_of(next, arena));
  json_close_object(&request.json);
  if (search->began_ms == 0) {
    json_write_string(&request.json, "ConditionExpression", "attribute_not_exists(k)");
  } else {
    json_write_string(&request.json, "ConditionExpression", "w = :w");
    json_open_object(&request.json, "ExpressionAttributeValues");
    attribute_text(&request.json, ":w", place_of(search, arena));
    json_close_object(&request.json);
  }
  return aws_call_one(store->client, AWS_DYNAMODB, "PutItem", request_close(&request), arena).outcome ==
         AWS_DONE;
}

bool store_dynamodb_search_page(struct store_dynamodb *store, struct store_dynamodb_search *search,
                                struct arena *arena, struct order **ret_orders, size_t *ret_count) {
  struct request_text request;
  struct json *root;
  struct bytes detail;
  request_open(&request, store, arena);
  json_write_int64(&request.json, "Limit", PAGE_ITEMS);
  json_write_string(&request.json, "FilterExpression", "r = :r");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":r", BYTES("o"));
  json_close_object(&request.json);
  if (search->k.size) write_key(&request.json, "ExclusiveStartKey", search->k, search->r);
  struct aws_answer answer = aws_call_one(store->client, AWS_DYNAMODB, "Scan", request_close(&request), arena);
  if (answer.outcome != AWS_DONE || !json_parse(answer.body, arena, &root, &detail)) return false;
  const struct json *items = json_member(root, "Items"), *last = json_member(root, "LastEvaluatedKey");
  struct order *orders = ARENA_ARRAY(arena, items ? items->count : 0, struct order);
  size_t count = 0;
  for (const struct json *item = items ? items->first : NULL; item; item = item->next)
    if (item_is_order(item) && item_read_order(item, false, arena, &orders[count])) count++;
  search->k = item_text(last, "k");
  search->r = item_text(last, "r");
  search->ended = search->k.size == 0;
  *ret_orders = orders;
  *ret_count = count;
  return true;
}
