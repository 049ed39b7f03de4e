#include "protocol/table.h"

#include <stdlib.h>

#include "base/panic.h"
#include "protocol/item.h"
#include "wire/json_write.h"

enum { TRANSACTION_MAX = 25, TOKENS_MAX = 64, BATCH_MAX = 100 };

struct table {
  struct item **items;
  size_t count, room;
  uint64_t writes;
  struct arena tokens_arena;
  struct bytes tokens[TOKENS_MAX]; /* of transactions that were carried out */
  size_t token_count;
};

static uint64_t hash_of_key(struct bytes k, struct bytes r) { return hash_add(hash_add(1, k), r); }

size_t table_find(const struct table *table, struct bytes k, struct bytes r) {
  uint64_t hash = hash_of_key(k, r);
  size_t i = 0;
  while (i < table->count &&
         (table->items[i]->key_hash != hash || !bytes_equal(item_text_of(table->items[i], BYTES("k")), k) ||
          !bytes_equal(item_text_of(table->items[i], BYTES("r")), r)))
    i++;
  return i;
}

static struct item **find_item(struct table *table, struct bytes k, struct bytes r) {
  size_t index = table_find(table, k, r);
  return index < table->count ? &table->items[index] : NULL;
}

static void put_item(struct table *table, struct item *item) {
  struct item **place = find_item(table, item_text_of(item, BYTES("k")), item_text_of(item, BYTES("r")));
  table->writes++;
  item->key_hash = hash_of_key(item_text_of(item, BYTES("k")), item_text_of(item, BYTES("r")));
  item->hash = item_hash(item);
  if (bytes_equal_string(item_text_of(item, BYTES("r")), "o")) /* only orders are read as they were */
    item->hash = hash_spread(item->hash + 3 * item_hash(place ? *place : NULL));
  if (place) {
    item_free((*place)->before);
    (*place)->before = NULL;
    item->before = *place;
    *place = item;
    return;
  }
  if (table->count == table->room) {
    table->room = table->room ? table->room * 2 : 16;
    table->items = realloc(table->items, table->room * sizeof *table->items);
    if (!table->items) panic("out of memory");
  }
  table->items[table->count++] = item;
}

/* --- writes ---------------------------------------------------------------------------------------- */

static struct item *read_item(const struct json *object, struct arena *arena) {
  struct item *item = item_make();
  for (const struct json *member = object->first; member; member = member->next) {
    struct attribute attribute = attribute_read(member, member->name, arena);
    item_set(item, &attribute);
  }
  ensure(item_text_of(item, BYTES("k")).size > 0 && item_text_of(item, BYTES("r")).size > 0);
  return item;
}

static struct bytes key_part(const struct json *write, const char *part) {
  const struct json *of = json_member(write, "Key");
  return json_member_text(json_member(of ? of : json_member(write, "Item"), part), "S");
}

static struct item *current(struct table *table, const struct json *write) {
  struct item **place = find_item(table, key_part(write, "k"), key_part(write, "r"));
  return place ? *place : NULL;
}

enum kind { PUT, UPDATE, DELETE };

static void apply(struct table *table, enum kind kind, const struct json *write, struct arena *arena) {
  struct item *before = current(table, write);
  if (kind == PUT) {
    put_item(table, read_item(json_member(write, "Item"), arena));
  } else if (kind == UPDATE) {
    struct item *after = item_make();
    struct attribute k = {.name = BYTES("k"), .type = 'S', .text = key_part(write, "k")};
    struct attribute r = {.name = BYTES("r"), .type = 'S', .text = key_part(write, "r")};
    item_set(after, &k);
    item_set(after, &r);
    for (size_t i = 0; before && i < before->count; i++) item_set(after, &before->attributes[i]);
    item_update(after, write, arena);
    put_item(table, after);
  } else if (before) {
    struct item **place = find_item(table, key_part(write, "k"), key_part(write, "r"));
    item_free(*place);
    *place = table->items[--table->count];
    table->writes++;
  }
}

static void answer_text(struct aws_answer *answer, int status, struct bytes body, struct bytes error) {
  *answer = (struct aws_answer){.outcome = status == 200 ? AWS_DONE : AWS_REFUSED,
                                .status = status,
                                .body = body,
                                .error = error,
                                .in_doubt = answer->in_doubt};
}

static void write_met(struct json_writer *json, const struct json *write, const struct item *item,
                      struct arena *arena) {
  struct bytes wanted = json_member_text(write, "ReturnValuesOnConditionCheckFailure");
  if (item && bytes_equal_string(wanted, "ALL_OLD")) item_write(json, "Item", item, arena);
}

static void write_one(struct table *table, enum kind kind, const struct json *root, struct arena *arena,
                      struct aws_answer *answer) {
  struct item *item = current(table, root);
  struct text text;
  struct json_writer json;
  if (condition_holds(root, item, arena)) {
    apply(table, kind, root, arena);
    answer_text(answer, 200, BYTES("{}"), (struct bytes){NULL, 0});
    return;
  }
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, "__type", "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
  write_met(&json, root, item, arena);
  json_close_object(&json);
  answer_text(answer, 400, text_view(&text), BYTES("ConditionalCheckFailedException"));
}

struct part {
  enum kind kind;
  const struct json *write;
  bool holds;
};

static bool was_carried_out(const struct table *table, struct bytes token) {
  for (size_t i = 0; i < table->token_count; i++)
    if (bytes_equal(table->tokens[i], token)) return true;
  return false;
}

static size_t read_parts(struct table *table, const struct json *root, struct arena *arena, struct part *parts,
                         bool *ret_all_hold) {
  size_t count = 0;
  *ret_all_hold = true;
  for (const struct json *one = json_member(root, "TransactItems")->first; one; one = one->next) {
    struct part *part = &parts[count++];
    ensure(count <= TRANSACTION_MAX && one->count == 1);
    struct bytes name = one->first->name;
    *part = (struct part){.kind = bytes_equal_string(name, "Put")      ? PUT
                                  : bytes_equal_string(name, "Update") ? UPDATE
                                                                       : DELETE,
                          .write = one->first};
    ensure(part->kind != DELETE || bytes_equal_string(name, "Delete"));
    for (size_t i = 0; i + 1 < count; i++) /* a transaction names no item twice */
      ensure(!bytes_equal(key_part(parts[i].write, "k"), key_part(part->write, "k")) ||
             !bytes_equal(key_part(parts[i].write, "r"), key_part(part->write, "r")));
    part->holds = condition_holds(part->write, current(table, part->write), arena);
    *ret_all_hold = *ret_all_hold && part->holds;
  }
  return count;
}

static void transact(struct table *table, const struct json *root, struct arena *arena,
                     struct aws_answer *answer) {
  struct part parts[TRANSACTION_MAX];
  struct text text;
  struct json_writer json;
  bool all_hold;
  struct bytes token = json_member_text(root, "ClientRequestToken");
  ensure(token.size > 0 && token.size <= 36);
  answer_text(answer, 200, BYTES("{}"), (struct bytes){NULL, 0});
  if (was_carried_out(table, token)) return;
  size_t count = read_parts(table, root, arena, parts, &all_hold);
  if (all_hold) {
    for (size_t i = 0; i < count; i++) apply(table, parts[i].kind, parts[i].write, arena);
    table->tokens[table->token_count++ % TOKENS_MAX] = arena_copy(&table->tokens_arena, token);
    if (table->token_count > TOKENS_MAX) table->token_count = TOKENS_MAX;
    return;
  }
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_write_string(&json, "__type", "com.amazonaws.dynamodb.v20120810#TransactionCanceledException");
  json_open_array(&json, "CancellationReasons");
  for (size_t i = 0; i < count; i++) {
    json_open_object(&json, NULL);
    json_write_string(&json, "Code", parts[i].holds ? "None" : "ConditionalCheckFailed");
    if (!parts[i].holds) write_met(&json, parts[i].write, current(table, parts[i].write), arena);
    json_close_object(&json);
  }
  json_close_array(&json);
  json_close_object(&json);
  answer_text(answer, 400, text_view(&text), BYTES("TransactionCanceledException"));
}

/* --- reads ----------------------------------------------------------------------------------------- */

static const struct json *parsed(struct bytes body, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  ensure(json_parse(body, arena, &root, &detail));
  return root;
}

static const struct json *batch_keys(const struct aws_request *request, struct arena *arena) {
  const struct json *tables = json_member(parsed(request->body, arena), "RequestItems");
  ensure(tables && tables->count == 1);
  return json_member(tables->first, "Keys");
}

size_t table_batch_keys(const struct aws_request *request, struct arena *arena) {
  return batch_keys(request, arena)->count;
}

void table_read_batch(struct table *table, const struct aws_request *request, size_t from, size_t to,
                      bool stale, struct arena *arena, struct aws_answer *answer) {
  const struct json *root = parsed(request->body, arena), *keys = batch_keys(request, arena);
  struct bytes name = json_member(root, "RequestItems")->first->name;
  struct bytes before = answer->body; /* the items that were read earlier, with a comma after each */
  struct text text;
  ensure(keys->count <= BATCH_MAX);
  text_init(&text, arena);
  text_append(&text, before);
  size_t index = 0;
  for (const struct json *key = keys->first; key; key = key->next, index++) {
    struct item **place = find_item(table, json_member_text(json_member(key, "k"), "S"),
                                    json_member_text(json_member(key, "r"), "S"));
    struct json_writer json;
    if (index < from || index >= to || !place || (stale && !(*place)->before)) continue;
    json_writer_init(&json, &text);
    item_write(&json, NULL, stale ? (*place)->before : *place, arena);
    text_append_char(&text, ',');
  }
  if (to < keys->count) {
    answer->body = text_view(&text);
    return;
  }
  struct bytes items = bytes_slice(text_view(&text), 0, text.size ? text.size - 1 : 0);
  answer_text(answer, 200,
              arena_printf(arena, "{\"Responses\":{\"%.*s\":[%.*s]},\"UnprocessedKeys\":{}}",
                           BYTES_PRINTF(name), BYTES_PRINTF(items)),
              (struct bytes){NULL, 0});
}

static void get(struct table *table, const struct json *root, struct arena *arena, struct aws_answer *answer) {
  struct text text;
  struct json_writer json;
  struct item *item = current(table, root);
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  if (item) item_write(&json, "Item", item, arena);
  json_close_object(&json);
  answer_text(answer, 200, text_view(&text), (struct bytes){NULL, 0});
}

struct range {
  struct bytes hash_name, hash, sort_name, low, high;
  bool low_is_open;
};

/* "k = :k", "k = :k AND r > :r", "k = :k AND r BETWEEN :o AND :n" */
static struct range read_range(const struct json *root, struct arena *arena) {
  struct bytes rest = json_member_text(root, "KeyConditionExpression"), hash, part;
  struct range range = {.high = BYTES("\xff")};
  ensure(text_cut(&rest, " AND ", &hash) && text_cut(&hash, " = ", &range.hash_name));
  range.hash = json_member_text(expression_value(root, hash, arena), "S");
  if (!rest.data) return range;
  range.low_is_open = bytes_find(rest, '>', 0) < rest.size;
  ensure(text_cut(&rest, range.low_is_open ? " > " : " BETWEEN ", &range.sort_name) &&
         text_cut(&rest, " AND ", &part));
  range.low = json_member_text(expression_value(root, part, arena), "S");
  ensure(range.low_is_open == (rest.data == NULL));
  if (!range.low_is_open) range.high = json_member_text(expression_value(root, rest, arena), "S");
  return range;
}

static bool is_in(const struct range *range, const struct item *item) {
  if (!bytes_equal(item_text_of(item, range->hash_name), range->hash)) return false;
  if (range->sort_name.size == 0) return true;
  struct bytes sort = item_text_of(item, range->sort_name);
  int low = bytes_compare(sort, range->low);
  return item_attribute(item, range->sort_name) && (low > 0 || (low == 0 && !range->low_is_open)) &&
         bytes_compare(sort, range->high) <= 0;
}

struct found {
  struct bytes sort;
  struct item *item;
};

static int by_sort(const void *a, const void *b) {
  return bytes_compare(((const struct found *)a)->sort, ((const struct found *)b)->sort);
}

/* An index holds keys only. */
static void write_found(struct json_writer *json, const char *name, const struct item *item, bool keys_only,
                        struct arena *arena) {
  static const char *const keys[] = {"k", "r", "c", "t"};
  struct item some = {.count = 0};
  for (size_t i = 0; keys_only && i < sizeof keys / sizeof *keys; i++) {
    const struct attribute *attribute = item_attribute(item, bytes_of(keys[i]));
    if (attribute) some.attributes[some.count++] = *attribute;
  }
  item_write(json, name, keys_only ? &some : item, arena);
}

static void query(struct table *table, const struct json *root, struct arena *arena,
                  struct aws_answer *answer) {
  bool index = json_member(root, "IndexName") != NULL;
  const struct json *forward = json_member(root, "ScanIndexForward");
  const struct json *start = json_member(root, "ExclusiveStartKey");
  bool backwards = forward && !forward->boolean;
  int64_t limit = json_member_int64(root, "Limit", INT64_MAX), given = 0;
  struct range range = read_range(root, arena);
  struct bytes sort_by = index ? BYTES("t") : BYTES("r");
  struct found *found = ARENA_ARRAY(arena, table->count, struct found);
  struct text text;
  struct json_writer json;
  size_t count = 0;
  for (size_t i = 0; i < table->count; i++)
    if (is_in(&range, table->items[i]))
      found[count++] = (struct found){item_text_of(table->items[i], sort_by), table->items[i]};
  if (count > 0) qsort(found, count, sizeof *found, by_sort);
  text_init(&text, arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  json_open_array(&json, "Items");
  const struct item *last = NULL;
  bool started = start == NULL;
  for (size_t i = 0; i < count && given < limit; i++) {
    const struct item *item = found[backwards ? count - 1 - i : i].item;
    if (started) {
      write_found(&json, NULL, item, index, arena);
      given++;
      last = item;
    }
    started =
        started || bytes_equal(item_text_of(item, BYTES("r")), json_member_text(json_member(start, "r"), "S"));
  }
  json_close_array(&json);
  if (last && given == limit) write_found(&json, "LastEvaluatedKey", last, true, arena);
  json_close_object(&json);
  answer_text(answer, 200, text_view(&text), (struct bytes){NULL, 0});
}

/* --- requests -------------------------------------------------------------------------------------- */

static void forget_all(struct table *table) {
  for (size_t i = 0; i < table->count; i++) item_free(table->items[i]);
  table->count = table->token_count = 0;
}

void table_carry_out(struct table *table, const struct aws_request *request, struct arena *arena,
                     struct aws_answer *ret_answer) {
  struct bytes operation = bytes_of(request->operation);
  if (bytes_equal_string(operation, "BatchGetItem")) {
    ret_answer->body = (struct bytes){NULL, 0};
    table_read_batch(table, request, 0, SIZE_MAX, false, arena, ret_answer);
    return;
  }
  const struct json *root = parsed(request->body, arena);
  if (bytes_equal_string(operation, "PutItem")) {
    write_one(table, PUT, root, arena, ret_answer);
  } else if (bytes_equal_string(operation, "UpdateItem")) {
    write_one(table, UPDATE, root, arena, ret_answer);
  } else if (bytes_equal_string(operation, "TransactWriteItems")) {
    transact(table, root, arena, ret_answer);
  } else if (bytes_equal_string(operation, "GetItem")) {
    get(table, root, arena, ret_answer);
  } else if (bytes_equal_string(operation, "Query")) {
    query(table, root, arena, ret_answer);
  } else {
    ensure(bytes_equal_string(operation, "CreateTable") || bytes_equal_string(operation, "DeleteTable"));
    forget_all(table);
    answer_text(ret_answer, 200, BYTES("{}"), (struct bytes){NULL, 0});
  }
}

struct table *table_make(void) {
  struct table *table = calloc(1, sizeof *table);
  if (!table) panic("out of memory");
  arena_init(&table->tokens_arena);
  return table;
}

void table_free(struct table *table) {
  forget_all(table);
  free(table->items);
  arena_release(&table->tokens_arena);
  free(table);
}

uint64_t table_writes(const struct table *table) { return table->writes; }

uint64_t table_hash(const struct table *table) {
  uint64_t sum = 0;
  for (size_t i = 0; i < table->count; i++) sum += table->items[i]->hash;
  for (size_t i = 0; i < table->token_count; i++) sum += hash_spread(hash_add(3, table->tokens[i]));
  return sum;
}

size_t table_count(const struct table *table) { return table->count; }

struct bytes table_text(const struct table *table, size_t index, const char *name) {
  return item_text_of(table->items[index], bytes_of(name));
}

size_t table_list_count(const struct table *table, size_t index, const char *name) {
  const struct attribute *attribute = item_attribute(table->items[index], bytes_of(name));
  return attribute ? attribute->count : 0;
}

const struct json *table_item(const struct table *table, size_t index, struct arena *arena) {
  struct text text;
  struct json_writer json;
  text_init(&text, arena);
  json_writer_init(&json, &text);
  item_write(&json, NULL, table->items[index], arena);
  return parsed(text_view(&text), arena);
}
