/* Shared by the files of the DynamoDB store only. */
#ifndef PLATFORM_AWS_STORE_DYNAMODB_INTERNAL_H
#define PLATFORM_AWS_STORE_DYNAMODB_INTERNAL_H

#include "platform/aws/store_dynamodb.h"
#include "wire/json_write.h"

enum { CREATED_DIGITS = 13, SORT_ID_CHARACTERS = 16 };

struct store_dynamodb {
  struct store port;
  struct aws_client *client;
  struct clock *clock;
  struct entropy *entropy;
  struct bytes table;
  void (*on_committed)(void *context, const struct decision *decision);
  void *context;
  char month_noted[8]; /* of the directory: its newest month that was surely entered; a C string */
};

/* --- requests: JSON in pieces ---------------------------------------------------------------------- */

struct request_text {
  struct text text;
  struct json_writer json;
};

/* Opens {"TableName": …, and closes it. */
void request_open(struct request_text *request, const struct store_dynamodb *store, struct arena *arena);
struct bytes request_close(struct request_text *request);
/* "name": {"S": value} and {"N": value}. */
void attribute_text(struct json_writer *json, const char *name, struct bytes value);
void attribute_number(struct json_writer *json, const char *name, int64_t value);
/* "Key": {"k": …, "r": …} under that name. */
void write_key(struct json_writer *json, const char *name, struct bytes k, struct bytes r);
/* The text of attribute `name` in an item; empty where there is none. */
struct bytes item_text(const struct json *item, const char *name);
int64_t item_number(const struct json *item, const char *name);

/* What an answer that is not AWS_DONE means for a commit. */
enum commit_status commit_status_of(const struct aws_answer *answer);
/* One of the reasons of a TransactionCanceledException: "None", "ConditionalCheckFailed" … and its item. */
struct bytes cancellation_reason(const struct aws_answer *answer, size_t index, struct arena *arena,
                                 const struct json **ret_item);

/* --- items ----------------------------------------------------------------------------------------- */

bool content_is_inline(const struct order *order);
/* 128 bits of SHA-256 in base64url. */
struct bytes content_digest(struct bytes content_json, struct arena *arena);
struct bytes claims_digest(const struct bytes *claims, size_t count, struct arena *arena);
bool claims_digest_has(struct bytes digests, struct bytes claim, struct arena *arena);
/* The sort key of the index: creation time, then the id's first characters. */
struct bytes sort_key(int64_t created_ms, struct bytes id, struct arena *arena);

/* The attributes of a new order's item, as members of an object that is open. */
void item_write_order(struct json_writer *json, const struct store_commit *commit, struct arena *arena);
/* The attributes that a change sets: s, n, e, o. */
struct bytes item_state(const struct order *order, struct arena *arena);
void item_write_events(struct json_writer *json, const char *name, const struct decision *decision,
                       struct arena *arena);
struct bytes item_outbox(const struct decision *decision, struct arena *arena);

/* The order of an item, as much of it as `how` (port/store.h) asks for; its content only where it is inline.
 * False where it is damaged. */
MUST_USE bool item_read_order(const struct json *item, unsigned how, struct arena *arena,
                              struct order *ret_order);
MUST_USE bool item_read_events(const struct json *item, struct arena *arena, struct order_event **ret_events,
                               size_t *ret_count);
MUST_USE bool item_read_outbox(const struct order *order, struct bytes outbox, struct message *ret_messages,
                               size_t *ret_count);
bool item_is_order(const struct json *item);
int64_t item_created_ms(const struct json *item);

/* --- operations ------------------------------------------------------------------------------------ */

/* One wave: no order id twice. */
void create_all(struct store_dynamodb *store, const struct store_commit *const *commits, size_t count,
                struct arena *arena, struct store_result *const *results);
void change_all(struct store_dynamodb *store, const struct store_commit *const *commits, size_t count,
                struct arena *arena, struct store_result *const *results);
/* Attention entries that a commit adds and removes, as items of a TransactItems array that is open; gives
 * how many. With `json` NULL only counts. */
size_t write_attention_changes(struct json_writer *json, const struct store_dynamodb *store,
                               const struct decision *decision, struct arena *arena);

/* The items of these keys (r given for all), NULL for those that are missing; false where the table could not
 * be read. */
MUST_USE bool get_items(struct store_dynamodb *store, const struct bytes *k, const struct bytes *r,
                        size_t count, bool consistent, struct arena *arena, const struct json **ret_items);
void dynamodb_load(struct store *store, const struct bytes *ids, size_t count, unsigned how,
                   struct arena *arena, struct store_loaded *ret_loaded);
bool dynamodb_events(struct store *store, struct bytes id, struct arena *arena, struct order_event **ret_events,
                     size_t *ret_count, struct failure *ret_failure);
bool dynamodb_list(struct store *store, const struct store_query *query, struct arena *arena,
                   struct store_page *ret_page, struct failure *ret_failure);
bool dynamodb_attention(struct store *store, const struct store_attention *after, size_t limit,
                        struct arena *arena, struct store_attention_page *ret_page,
                        struct failure *ret_failure);
/* The ids of orders, newest first, from the directory. */
struct listed {
  int64_t created_ms;
  char id[ORDER_ID_CHARACTERS];
};
bool directory_list(struct store_dynamodb *store, const struct store_query *query, struct arena *arena,
                    struct listed *ret_listed, size_t *ret_count, bool *ret_more, struct failure *ret_failure);

#endif
