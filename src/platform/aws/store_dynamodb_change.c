/* Changes: one conditional write of the order's item; a transaction only where commands come to attention or
 * leave it, since each has an entry of its own. */
#include "base/digest.h"
#include "base/encode.h"
#include "platform/aws/store_dynamodb_internal.h"

static struct bytes entry_sort(const struct order *order, size_t command, struct arena *arena) {
  return arena_printf(arena, "%0*lld#%.*s#%zu", CREATED_DIGITS, (long long)order->slots[command].since_ms,
                      BYTES_PRINTF(order->id), command);
}

static bool waits(const struct order *order, size_t command) {
  return order && order->slots[command].state == SLOT_ATTENTION;
}

static void write_entry(struct json_writer *json, const struct store_dynamodb *store, const struct order *order,
                        size_t command, bool put, struct arena *arena) {
  json_open_object(json, NULL);
  json_open_object(json, put ? "Put" : "Delete");
  json_write_text(json, "TableName", store->table);
  if (put) {
    json_open_object(json, "Item");
    attribute_text(json, "k", BYTES("attention"));
    attribute_text(json, "r", entry_sort(order, command, arena));
    attribute_text(json, "c", order->customer);
    attribute_text(json, "d", order->slots[command].reason);
    json_close_object(json);
  } else {
    write_key(json, "Key", BYTES("attention"), entry_sort(order, command, arena));
  }
  json_close_object(json);
  json_close_object(json);
}

size_t write_attention_changes(struct json_writer *json, const struct store_dynamodb *store,
                               const struct decision *decision, struct arena *arena) {
  const struct order *before = decision->previous, *after = &decision->next;
  size_t count = 0;
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    bool was = waits(before, i), is = waits(after, i);
    bool moved = was && is && before->slots[i].since_ms != after->slots[i].since_ms;
    if (was && (!is || moved)) {
      if (json) write_entry(json, store, before, i, false, arena);
      count++;
    }
    if (is && (!was || moved || !bytes_equal(before->slots[i].reason, after->slots[i].reason))) {
      if (json) write_entry(json, store, after, i, true, arena);
      count++;
    }
  }
  return count;
}

static void write_update(struct json_writer *json, const struct store_commit *commit, struct arena *arena) {
  const struct decision *decision = commit->decision;
  bool events = decision->event_count > 0, messages = decision->message_count > 0;
  struct text expression;
  text_init(&expression, arena);
  text_append_string(&expression, "SET s = :s, n = :n");
  if (events) text_append_string(&expression, ", e = list_append(e, :e)");
  text_append_string(&expression, messages ? ", o = :o" : " REMOVE o");
  write_key(json, "Key", decision->next.id, BYTES("o"));
  json_write_text(json, "UpdateExpression", text_view(&expression));
  json_write_string(json, "ConditionExpression", "n = :m");
  json_open_object(json, "ExpressionAttributeValues");
  attribute_text(json, ":s", item_state(&decision->next, arena));
  attribute_number(json, ":n", decision->next.revision);
  attribute_number(json, ":m", decision->next.revision - 1);
  if (events) item_write_events(json, ":e", decision, arena);
  if (messages) attribute_text(json, ":o", item_outbox(decision, arena));
  json_close_object(json);
  json_write_string(json, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

static struct aws_request update_of(const struct store_dynamodb *store, const struct store_commit *commit,
                                    struct arena *arena) {
  struct request_text request;
  uint8_t digest[SHA256_BYTES];
  if (write_attention_changes(NULL, store, commit->decision, arena) == 0) {
    request_open(&request, store, arena);
    write_update(&request.json, commit, arena);
    return aws_request(AWS_DYNAMODB, "UpdateItem", request_close(&request));
  }
  request_open(&request, NULL, arena);
  json_open_array(&request.json, "TransactItems");
  json_open_object(&request.json, NULL);
  json_open_object(&request.json, "Update");
  json_write_text(&request.json, "TableName", store->table);
  write_update(&request.json, commit, arena);
  json_close_object(&request.json);
  json_close_object(&request.json);
  write_attention_changes(&request.json, store, commit->decision, arena);
  json_close_array(&request.json);
  sha256(text_view(&request.text), digest);
  json_write_text(&request.json, "ClientRequestToken", base64url_encode(bytes_from((char *)digest, 16), arena));
  return aws_request(AWS_DYNAMODB, "TransactWriteItems", request_close(&request));
}

/* The answer of an earlier try was lost, and that try was carried out. */
static bool is_ours(const struct store_commit *commit, const struct aws_answer *answer, struct arena *arena) {
  const struct order *next = &commit->decision->next;
  struct json *root;
  struct bytes detail;
  const struct json *item;
  if (!answer->in_doubt) return false;
  if (bytes_equal_string(answer->error, "TransactionCanceledException"))
    cancellation_reason(answer, 0, arena, &item);
  else
    item = json_parse(answer->body, arena, &root, &detail) ? json_member(root, "Item") : NULL;
  return item_number(item, "n") == next->revision && bytes_equal(item_text(item, "s"), item_state(next, arena));
}

void change_all(struct store_dynamodb *store, const struct store_commit *const *commits, size_t count,
                struct arena *arena, struct store_result *const *results) {
  struct aws_request *requests = ARENA_ARRAY(arena, count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(arena, count, struct aws_answer);
  for (size_t i = 0; i < count; i++) requests[i] = update_of(store, commits[i], arena);
  aws_call(store->client, requests, count, arena, answers);
  for (size_t i = 0; i < count; i++) {
    results[i]->status = commit_status_of(&answers[i]);
    if (results[i]->status == COMMIT_CONFLICT && is_ours(commits[i], &answers[i], arena))
      results[i]->status = COMMIT_DONE;
  }
}
