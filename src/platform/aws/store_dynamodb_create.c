/* Creates: claims and large contents first, then the order, whose conditional write is the point at which it
 * is done. A claim counts only if the order it names exists and names it in turn (attribute h), so what a
 * crash leaves behind between the two is no claim:
 *
 *   - the order it names exists, but is another one (the same id with other content): the claim is moved.
 *   - the order it names does not exist: it may still be on its way, so it is waited for; after a while it is
 *     taken for dead. One transaction puts a bar where that order would be and moves the claim. If it was
 *     not dead after all, its write meets the bar and begins anew, with a claim it finds taken.
 *
 * An order takes its claims one after the other, all orders in the same order: taken at once, two orders that
 * want the same two could each get one and wait for the other, until both give up. */
#include <stdlib.h>

#include "base/digest.h"
#include "base/encode.h"
#include "platform/aws/store_dynamodb_internal.h"

enum { CLAIM_GRACE_MS = 3000, WAIT_MS = 60, ROUNDS_MAX = 120 };

struct creating {
  const struct store_commit *commit;
  struct store_result *result;
  enum { TO_WRITE, TO_RESOLVE, SETTLED } state;
  int64_t bar;                   /* what the bar says that was seen where the order belongs; 0: none */
  struct bytes claim, holder;    /* TO_RESOLVE: the claim that another order has, and which */
  int64_t claimed_ms;            /* when it took it */
  bool asks_claim, asks_content; /* of the round of requests under way */
};

static const struct order *order_of(const struct creating *creating) {
  return &creating->commit->decision->next;
}

static void settle(struct creating *creating, enum commit_status status) {
  creating->state = SETTLED;
  creating->result->status = status;
  creating->result->created_ms = order_of(creating)->created_ms;
}

static struct bytes put_claim(const struct store_dynamodb *store, struct bytes claim, struct bytes id,
                              int64_t now_ms, struct arena *arena) {
  struct request_text request;
  request_open(&request, store, arena);
  json_open_object(&request.json, "Item");
  attribute_text(&request.json, "k", claim);
  attribute_text(&request.json, "r", BYTES("h"));
  attribute_text(&request.json, "i", id);
  attribute_number(&request.json, "a", now_ms);
  json_close_object(&request.json);
  json_write_string(&request.json, "ConditionExpression", "attribute_not_exists(k) OR i = :i");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":i", id);
  json_close_object(&request.json);
  json_write_string(&request.json, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
  return request_close(&request);
}

static struct bytes put_content(const struct store_dynamodb *store, const struct order *order,
                                struct arena *arena) {
  struct request_text request;
  struct bytes digest = content_digest(order->content_json, arena);
  request_open(&request, store, arena);
  json_open_object(&request.json, "Item");
  attribute_text(&request.json, "k", order->id);
  attribute_text(&request.json, "r", arena_printf(arena, "b%.*s", BYTES_PRINTF(digest)));
  attribute_text(&request.json, "b", order->content_json);
  json_close_object(&request.json);
  return request_close(&request);
}

static void write_put_order(struct json_writer *json, const struct creating *creating, struct arena *arena) {
  json_open_object(json, "Item");
  item_write_order(json, creating->commit, arena);
  json_close_object(json);
  json_write_string(json, "ConditionExpression",
                    creating->bar ? "attribute_not_exists(k) OR v = :v" : "attribute_not_exists(k)");
  if (creating->bar) {
    json_open_object(json, "ExpressionAttributeValues");
    attribute_number(json, ":v", creating->bar);
    json_close_object(json);
  }
  json_write_string(json, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

static void token_for(struct json_writer *json, struct bytes of, struct arena *arena) {
  uint8_t digest[SHA256_BYTES];
  sha256(of, digest);
  json_write_text(json, "ClientRequestToken", base64url_encode(bytes_from((char *)digest, 16), arena));
}

/* An order that begins in attention (function/admit) brings its entry with it, in a transaction. */
static struct aws_request put_order(const struct store_dynamodb *store, const struct creating *creating,
                                    struct arena *arena) {
  struct request_text request;
  if (write_attention_changes(NULL, store, creating->commit->decision, arena) == 0) {
    request_open(&request, store, arena);
    write_put_order(&request.json, creating, arena);
    return aws_request(AWS_DYNAMODB, "PutItem", request_close(&request));
  }
  request_open(&request, NULL, arena);
  json_open_array(&request.json, "TransactItems");
  json_open_object(&request.json, NULL);
  json_open_object(&request.json, "Put");
  json_write_text(&request.json, "TableName", store->table);
  write_put_order(&request.json, creating, arena);
  json_close_object(&request.json);
  json_close_object(&request.json);
  write_attention_changes(&request.json, store, creating->commit->decision, arena);
  json_close_array(&request.json);
  token_for(&request.json, text_view(&request.text), arena);
  return aws_request(AWS_DYNAMODB, "TransactWriteItems", request_close(&request));
}

/* The item that a condition met: of a single write, or of a transaction's first one. */
static const struct json *met_item(const struct aws_answer *answer, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  const struct json *item;
  if (bytes_equal_string(answer->error, "TransactionCanceledException")) {
    cancellation_reason(answer, 0, arena, &item);
    return item;
  }
  return json_parse(answer->body, arena, &root, &detail) ? json_member(root, "Item") : NULL;
}

/* The id is taken: by a replay of this order, by other content, or by this very write, whose answer was
 * lost (its state is then ours to the letter, in its first revision). */
static void settle_existing(struct creating *creating, const struct json *item, bool in_doubt,
                            struct arena *arena) {
  const struct order *order = order_of(creating);
  struct bytes stored = item_text(item, "b");
  bool same = stored.size ? bytes_equal(stored, order->content_json)
                          : bytes_equal(item_text(item, "z"), content_digest(order->content_json, arena));
  bool ours = same && in_doubt && item_number(item, "n") == 1 && item_created_ms(item) == order->created_ms &&
              bytes_equal(item_text(item, "s"), item_state(order, arena));
  settle(creating, ours ? COMMIT_DONE : same ? COMMIT_EXISTS_SAME : COMMIT_EXISTS_OTHER);
  creating->result->created_ms = item_created_ms(item);
}

static void read_order_answer(struct creating *creating, const struct aws_answer *answer, struct arena *arena) {
  enum commit_status status = commit_status_of(answer);
  const struct json *item = status == COMMIT_CONFLICT ? met_item(answer, arena) : NULL;
  if (!item) {
    if (status == COMMIT_CONFLICT)
      creating->state = TO_RESOLVE; /* with a transaction that is under way */
    else
      settle(creating, status);
  } else if (item_is_order(item)) {
    settle_existing(creating, item, answer->in_doubt, arena);
  } else {
    creating->bar = item_number(item, "v");
    creating->state = TO_RESOLVE;
  }
}

static void read_claim_answer(struct creating *creating, struct bytes claim, const struct aws_answer *answer,
                              struct arena *arena) {
  if (answer->outcome == AWS_DONE || creating->state == SETTLED) return;
  enum commit_status status = commit_status_of(answer);
  if (status != COMMIT_CONFLICT) {
    settle(creating, status == COMMIT_FAILED && answer->outcome == AWS_UNAVAILABLE ? COMMIT_THROTTLED : status);
    return; /* the order itself was surely not written */
  }
  const struct json *item = met_item(answer, arena);
  creating->state = TO_RESOLVE;
  creating->claim = item ? claim : (struct bytes){NULL, 0};
  creating->holder = item_text(item, "i");
  creating->claimed_ms = item_number(item, "a");
}

static struct bytes claim_at(const struct store_commit *commit, size_t place) {
  bool swapped = commit->claim_count == 2 && bytes_compare(commit->claims[0], commit->claims[1]) > 0;
  return commit->claims[swapped ? 1 - place : place];
}

/* The claims of this place of all that have state TO_WRITE; with the first ones, their large contents. */
static void claim_all(struct store_dynamodb *store, struct creating *const *creating, size_t count,
                      size_t place, struct arena *arena) {
  struct aws_request *requests = ARENA_ARRAY(arena, 2 * count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(arena, 2 * count, struct aws_answer);
  int64_t now_ms = clock_now_ms(store->clock);
  size_t asked = 0, answered = 0;
  for (size_t i = 0; i < count; i++) {
    const struct store_commit *commit = creating[i]->commit;
    creating[i]->asks_claim = creating[i]->state == TO_WRITE && place < commit->claim_count;
    creating[i]->asks_content = place == 0 && !content_is_inline(order_of(creating[i]));
    if (creating[i]->asks_claim)
      requests[asked++] =
          aws_request(AWS_DYNAMODB, "PutItem",
                      put_claim(store, claim_at(commit, place), order_of(creating[i])->id, now_ms, arena));
    if (creating[i]->asks_content)
      requests[asked++] =
          aws_request(AWS_DYNAMODB, "PutItem", put_content(store, order_of(creating[i]), arena));
  }
  if (asked > 0) aws_call(store->client, requests, asked, arena, answers);
  for (size_t i = 0; i < count; i++) {
    if (creating[i]->asks_claim)
      read_claim_answer(creating[i], claim_at(creating[i]->commit, place), &answers[answered++], arena);
    if (creating[i]->asks_content && answers[answered++].outcome != AWS_DONE && creating[i]->state == TO_WRITE)
      settle(creating[i], COMMIT_THROTTLED);
  }
}

/* One round of what has state TO_WRITE. */
static void write_all(struct store_dynamodb *store, struct creating *const *creating, size_t count,
                      struct arena *arena) {
  struct aws_request *requests = ARENA_ARRAY(arena, count, struct aws_request);
  struct aws_answer *answers = ARENA_ARRAY(arena, count, struct aws_answer);
  struct creating **writing = ARENA_ARRAY(arena, count, struct creating *);
  size_t ready = 0;
  for (size_t place = 0; place < STORE_CLAIMS_MAX; place++) claim_all(store, creating, count, place, arena);
  for (size_t i = 0; i < count; i++)
    if (creating[i]->state == TO_WRITE) writing[ready++] = creating[i];
  if (ready == 0) return;
  for (size_t i = 0; i < ready; i++) requests[i] = put_order(store, writing[i], arena);
  aws_call(store->client, requests, ready, arena, answers);
  for (size_t i = 0; i < ready; i++) read_order_answer(writing[i], &answers[i], arena);
}

/* Moves a claim whose order exists and does not name it. */
static void move_claim(struct store_dynamodb *store, const struct creating *creating, struct arena *arena) {
  struct request_text request;
  request_open(&request, store, arena);
  write_key(&request.json, "Key", creating->claim, BYTES("h"));
  json_write_string(&request.json, "UpdateExpression", "SET i = :i, a = :a");
  json_write_string(&request.json, "ConditionExpression", "i = :h");
  json_open_object(&request.json, "ExpressionAttributeValues");
  attribute_text(&request.json, ":i", order_of(creating)->id);
  attribute_text(&request.json, ":h", creating->holder);
  attribute_number(&request.json, ":a", clock_now_ms(store->clock));
  json_close_object(&request.json);
  aws_call_one(store->client, AWS_DYNAMODB, "UpdateItem", request_close(&request), arena);
}

/* Bars the order that never came, and moves its claim, both or neither. */
static void bar_and_move(struct store_dynamodb *store, const struct creating *creating, int64_t bar,
                         struct arena *arena) {
  struct request_text request;
  struct json_writer *json = &request.json;
  request_open(&request, NULL, arena);
  json_open_array(json, "TransactItems");
  json_open_object(json, NULL);
  json_open_object(json, "Update");
  json_write_text(json, "TableName", store->table);
  write_key(json, "Key", creating->holder, BYTES("o"));
  json_write_string(json, "UpdateExpression", "SET v = :v");
  json_write_string(json, "ConditionExpression", bar ? "v = :w" : "attribute_not_exists(k)");
  json_open_object(json, "ExpressionAttributeValues");
  attribute_number(json, ":v", bar + 1);
  if (bar) attribute_number(json, ":w", bar);
  json_close_object(json);
  json_close_object(json);
  json_close_object(json);
  json_open_object(json, NULL);
  json_open_object(json, "Update");
  json_write_text(json, "TableName", store->table);
  write_key(json, "Key", creating->claim, BYTES("h"));
  json_write_string(json, "UpdateExpression", "SET i = :i, a = :a");
  json_write_string(json, "ConditionExpression", "i = :h");
  json_open_object(json, "ExpressionAttributeValues");
  attribute_text(json, ":i", order_of(creating)->id);
  attribute_text(json, ":h", creating->holder);
  attribute_number(json, ":a", clock_now_ms(store->clock));
  json_close_object(json);
  json_close_object(json);
  json_close_object(json);
  json_close_array(json);
  token_for(json, text_view(&request.text), arena);
  aws_call_one(store->client, AWS_DYNAMODB, "TransactWriteItems", request_close(&request), arena);
}

static bool pause_a_moment(struct store_dynamodb *store) {
  return aws_client_pause(store->client, AWS_DYNAMODB, 1 + (int64_t)entropy_below(store->entropy, WAIT_MS));
}

/* Looks at what is in the way; afterwards it is settled, or to be written again. */
static void resolve(struct store_dynamodb *store, struct creating *creating, struct arena *arena) {
  const struct bytes k[] = {order_of(creating)->id, creating->holder}, r[] = {BYTES("o"), BYTES("o")};
  const struct json *items[2] = {NULL, NULL};
  creating->state = TO_WRITE;
  if (creating->claim.size == 0) { /* barred, or a transaction was under way */
    if (!pause_a_moment(store)) settle(creating, COMMIT_CONFLICT);
    return;
  }
  if (!get_items(store, k, r, creating->holder.size ? 2 : 1, true, arena, items)) {
    settle(creating, COMMIT_THROTTLED);
    return;
  }
  if (item_is_order(items[0])) {
    settle_existing(creating, items[0], false, arena);
  } else if (item_is_order(items[1])) {
    if (!claims_digest_has(item_text(items[1], "h"), creating->claim, arena)) {
      move_claim(store, creating, arena);
      return;
    }
    settle(creating, COMMIT_CLAIM_TAKEN);
    memcpy(creating->result->holder_id, creating->holder.data, ORDER_ID_CHARACTERS);
  } else if (creating->claimed_ms + CLAIM_GRACE_MS <= clock_now_ms(store->clock)) {
    bar_and_move(store, creating, item_number(items[1], "v"), arena);
  } else if (!pause_a_moment(store)) {
    settle(creating, COMMIT_CONFLICT);
  }
}

void create_all(struct store_dynamodb *store, const struct store_commit *const *commits, size_t count,
                struct arena *arena, struct store_result *const *results) {
  struct creating *creating = ARENA_ARRAY(arena, count, struct creating);
  struct creating **open = ARENA_ARRAY(arena, count, struct creating *);
  for (size_t i = 0; i < count; i++)
    creating[i] = (struct creating){.commit = commits[i], .result = results[i]};
  for (int round = 0; round < ROUNDS_MAX; round++) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
      if (creating[i].state == TO_RESOLVE) resolve(store, &creating[i], arena);
      creating[i].claim = (struct bytes){NULL, 0};
      if (creating[i].state == TO_WRITE) open[left++] = &creating[i];
    }
    if (left == 0) return;
    write_all(store, open, left, arena);
  }
  for (size_t i = 0; i < count; i++)
    if (creating[i].state != SETTLED) settle(&creating[i], COMMIT_CONFLICT);
}
