/* Reads by key, and the attention list. */
#include "order/content.h"
#include "order/content_parts.h"
#include "platform/aws/store_dynamodb_internal.h"

enum { BATCH_MAX = 100, ROUNDS_MAX = 40, PAUSE_MS = 100 };

struct wanted {
  struct bytes k, r;
  const struct json *item;
  bool known;  /* answered, found or not */
  size_t same; /* the first wanted key that is equal; itself where none is */
};

static void note_answered(struct wanted *wanted, size_t count, const struct json *items) {
  for (const struct json *item = items ? items->first : NULL; item; item = item->next)
    for (size_t i = 0; i < count; i++)
      if (wanted[i].same == i && bytes_equal(item_text(item, "k"), wanted[i].k) &&
          bytes_equal(item_text(item, "r"), wanted[i].r))
        wanted[i].item = item;
}

/* Those that the table did not come to are asked for again. */
static void note_unprocessed(struct wanted *wanted, size_t count, const struct json *keys) {
  for (const struct json *key = keys ? keys->first : NULL; key; key = key->next)
    for (size_t i = 0; i < count; i++)
      if (bytes_equal(item_text(key, "k"), wanted[i].k) && bytes_equal(item_text(key, "r"), wanted[i].r))
        wanted[i].known = false;
}

static bool ask(struct store_dynamodb *store, struct wanted *wanted, size_t count, bool consistent,
                struct arena *arena) {
  struct request_text request;
  struct json *root;
  struct bytes detail;
  char *table = arena_string(arena, store->table);
  size_t asked = 0;
  request_open(&request, NULL, arena);
  json_open_object(&request.json, "RequestItems");
  json_open_object(&request.json, table);
  json_write_boolean(&request.json, "ConsistentRead", consistent);
  json_open_array(&request.json, "Keys");
  for (size_t i = 0; i < count && asked < BATCH_MAX; i++) {
    if (wanted[i].known || wanted[i].same != i) continue;
    write_key(&request.json, NULL, wanted[i].k, wanted[i].r);
    wanted[i].known = true;
    asked++;
  }
  json_close_array(&request.json);
  json_close_object(&request.json);
  json_close_object(&request.json);
  struct aws_answer answer =
      aws_call_one(store->client, AWS_DYNAMODB, "BatchGetItem", request_close(&request), arena);
  if (answer.outcome != AWS_DONE || !json_parse(answer.body, arena, &root, &detail)) return false;
  note_answered(wanted, count, json_member(json_member(root, "Responses"), table));
  note_unprocessed(wanted, count,
                   json_member(json_member(json_member(root, "UnprocessedKeys"), table), "Keys"));
  return true;
}

bool get_items(struct store_dynamodb *store, const struct bytes *k, const struct bytes *r, size_t count,
               bool consistent, struct arena *arena, const struct json **ret_items) {
  struct wanted *wanted = ARENA_ARRAY(arena, count, struct wanted);
  for (size_t i = 0; i < count; i++) {
    wanted[i] = (struct wanted){.k = k[i], .r = r[i], .same = i};
    for (size_t j = 0; j < i && wanted[i].same == i; j++)
      if (bytes_equal(k[i], k[j]) && bytes_equal(r[i], r[j])) wanted[i].same = j;
  }
  for (int round = 0; round < ROUNDS_MAX; round++) {
    size_t open = 0;
    for (size_t i = 0; i < count; i++) open += !wanted[i].known && wanted[i].same == i;
    if (open == 0) break;
    if (round > 0 && open < BATCH_MAX && !aws_client_pause(store->client, AWS_DYNAMODB, PAUSE_MS)) return false;
    if (!ask(store, wanted, count, consistent, arena)) return false;
  }
  for (size_t i = 0; i < count; i++) {
    const struct wanted *one = &wanted[wanted[i].same];
    if (!one->known) return false;
    ret_items[i] = one->item;
  }
  return true;
}

static void read_one(const struct json *item, unsigned how, struct arena *arena,
                     struct store_loaded *ret_loaded) {
  *ret_loaded = (struct store_loaded){.status = LOAD_MISSING};
  if (!item || !item_is_order(item)) return;
  struct order *order = ARENA_NEW(arena, struct order);
  bool good = item_read_order(item, how, arena, order);
  *ret_loaded = (struct store_loaded){.status = good ? LOAD_FOUND : LOAD_FAILED, .order = good ? order : NULL};
}

/* Contents that are items of their own. They never change, so they need no consistent read; but one that was
 * written a moment ago may not be there yet in an eventual one. */
static void load_contents(struct store_dynamodb *store, const struct json *const *items, size_t count,
                          unsigned how, struct arena *arena, struct store_loaded *loaded) {
  struct bytes *k = ARENA_ARRAY(arena, count, struct bytes), *r = ARENA_ARRAY(arena, count, struct bytes);
  size_t *places = ARENA_ARRAY(arena, count, size_t), asked = 0;
  const struct json **contents = ARENA_ARRAY(arena, count, const struct json *);
  for (size_t i = 0; i < count; i++) {
    if (loaded[i].status != LOAD_FOUND || loaded[i].order->content_json.size) continue;
    k[asked] = loaded[i].order->id;
    r[asked] = arena_printf(arena, "b%.*s", BYTES_PRINTF(item_text(items[i], "z")));
    places[asked++] = i;
  }
  if (asked == 0) return;
  bool good = get_items(store, k, r, asked, true, arena, contents);
  for (size_t i = 0; i < asked; i++) {
    struct store_loaded *one = &loaded[places[i]];
    one->order->content_json = good ? item_text(contents[i], "b") : (struct bytes){NULL, 0};
    if (good)
      good = how & STORE_LOAD_TEXT
                 ? order_content_is_stored_form(one->order->content_json)
                 : order_content_read_stored(one->order->content_json, arena, &one->order->content);
    if (!good) *one = (struct store_loaded){.status = LOAD_FAILED};
  }
}

void dynamodb_load(struct store *port, const struct bytes *ids, size_t count, unsigned how, struct arena *arena,
                   struct store_loaded *ret_loaded) {
  struct store_dynamodb *store = (struct store_dynamodb *)port;
  struct bytes *r = ARENA_ARRAY(arena, count, struct bytes);
  const struct json **items = ARENA_ARRAY(arena, count, const struct json *);
  for (size_t i = 0; i < count; i++) {
    r[i] = BYTES("o");
    ret_loaded[i] = (struct store_loaded){.status = LOAD_FAILED};
  }
  if (!get_items(store, ids, r, count, !(how & STORE_LOAD_RECENT), arena, items)) return;
  for (size_t i = 0; i < count; i++) read_one(items[i], how, arena, &ret_loaded[i]);
  if (!(how & STORE_LOAD_STATE)) load_contents(store, items, count, how, arena, ret_loaded);
}

bool dynamodb_events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                     size_t *ret_count, struct failure *ret_failure) {
  struct store_dynamodb *store = (struct store_dynamodb *)port;
  const struct json *item;
  struct bytes r = BYTES("o");
  if (!get_items(store, &id, &r, 1, true, arena, &item))
    return failure_set(ret_failure, "the table could not be read");
  *ret_count = 0;
  if (!item || !item_is_order(item)) return true;
  if (!item_read_events(item, arena, ret_events, ret_count))
    return failure_set(ret_failure, "the history of %.*s is damaged", BYTES_PRINTF(id));
  return true;
}

/* --- attention ------------------------------------------------------------------------------------- */

static bool read_entry(const struct json *item, struct store_attention *ret_entry) {
  struct bytes rest = item_text(item, "r"), since, id, command;
  unsigned long long since_ms, index;
  if (!bytes_next_part(&rest, '#', &since) || !bytes_next_part(&rest, '#', &id) ||
      !bytes_next_part(&rest, '#', &command) || !bytes_to_uint64(since, &since_ms) ||
      !bytes_to_uint64(command, &index) || index >= COMMAND_COUNT)
    return false;
  *ret_entry = (struct store_attention){.order_id = id,
                                        .customer = item_text(item, "c"),
                                        .command = (enum order_command)index,
                                        .detail = item_text(item, "d"),
                                        .since_ms = (int64_t)since_ms};
  return true;
}

bool dynamodb_attention(struct store *port, const struct store_attention *after, size_t limit,
                        struct arena *arena, struct store_attention_page *ret_page,
                        struct failure *ret_failure) {
  struct store_dynamodb *store = (struct store_dynamodb *)port;
  struct request_text request;
  struct json *root;
  struct bytes detail;
  request_open(&request, store, arena);
  json_write_string(&request.json, "KeyConditionExpression", after ? "k = :k AND r > :r" : "k = :k");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":k", BYTES("attention"));
  if (after)
    attribute_text(&request.json, ":r",
                   arena_printf(arena, "%0*lld#%.*s#%d", CREATED_DIGITS, (long long)after->since_ms,
                                BYTES_PRINTF(after->order_id), (int)after->command));
  json_close_object(&request.json);
  json_write_boolean(&request.json, "ConsistentRead", true);
  json_write_int64(&request.json, "Limit", (int64_t)limit + 1);
  struct aws_answer answer = aws_call_one(store->client, AWS_DYNAMODB, "Query", request_close(&request), arena);
  if (answer.outcome != AWS_DONE || !json_parse(answer.body, arena, &root, &detail))
    return failure_set(ret_failure, "the table could not be queried: %.*s", BYTES_PRINTF(answer.error));
  const struct json *items = json_member(root, "Items");
  *ret_page = (struct store_attention_page){
      .entries = ARENA_ARRAY(arena, limit, struct store_attention),
      .more = json_member(root, "LastEvaluatedKey") != NULL || (items && items->count > limit)};
  for (const struct json *item = items ? items->first : NULL; item && ret_page->count < limit;
       item = item->next)
    if (!read_entry(item, &ret_page->entries[ret_page->count++]))
      return failure_set(ret_failure, "an attention entry is damaged");
  return true;
}
