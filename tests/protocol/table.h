/* A DynamoDB table in memory, at the level of requests and answers in JSON: the operations and expressions that
 * the store sends (src/platform/aws/store_dynamodb*.c), and no others: what it does not know ends the program,
 * so that nothing is misread in silence. tests/aws/contract runs on it as on DynamoDB Local.
 *
 * Source: Amazon DynamoDB API reference, 2012-08-10: conditions and updates are atomic an item, a transaction
 * over all of its items; a ClientRequestToken makes a transaction that was carried out succeed again without an
 * effect; each item of a batch is read by itself. */
#ifndef TESTS_PROTOCOL_TABLE_H
#define TESTS_PROTOCOL_TABLE_H

#include "platform/aws/client.h"
#include "wire/json.h"

struct table;

struct table *table_make(void);
void table_free(struct table *table);

/* One request, at once and as a whole. */
void table_carry_out(struct table *table, const struct aws_request *request, struct arena *arena,
                     struct aws_answer *ret_answer);
/* A BatchGetItem in parts, since each of its items is read by itself: reads those from `from` to `to`, and
 * answers once it has come to the last one; `answer` is the same in all parts. `stale`: each item as it was one
 * write before, which an eventually consistent read may give. */
size_t table_batch_keys(const struct aws_request *request, struct arena *arena);
void table_read_batch(struct table *table, const struct aws_request *request, size_t from, size_t to,
                      bool stale, struct arena *arena, struct aws_answer *answer);

/* --- for looking at: no request of the store's --- */

/* Grows with every effect. */
uint64_t table_writes(const struct table *table);
/* The same for the same items, and versions before them, and transactions. */
uint64_t table_hash(const struct table *table);
size_t table_count(const struct table *table);
/* The text or number of an attribute of the item of that index; empty where there is none. */
struct bytes table_text(const struct table *table, size_t index, const char *name);
/* How many entries a list has. */
size_t table_list_count(const struct table *table, size_t index, const char *name);
/* The whole item, as JSON. */
const struct json *table_item(const struct table *table, size_t index, struct arena *arena);
/* The index of the item with this key; table_count where there is none. */
size_t table_find(const struct table *table, struct bytes k, struct bytes r);

#endif
