/* The store (port/store.h) in one DynamoDB table.
 *
 *   k              r                       what
 *   <order id>     o                       an order: its state, its history, and the messages that followed
 *                                          from its last write (the outbox, which the table's stream hands to
 *                                          the relay); its content, too, where that keeps it below 1 KB
 *   <order id>     b<digest>               a larger content, written once
 *   <claim>        h                       which order has the claim
 *   attention      <since>#<id>#<command>  one command that waits for a person
 *   d#<month>      <second>#<id>           the directory: which orders were created in that second, up to some
 *                                          hundred in an item; operators' lists are read from it. Written by
 *                                          the relay (store_dynamodb_note_created)
 *   search         relay                   how far the search for messages that were never sent has come
 *
 * The index by_customer (c, t) lists a customer's orders.
 *
 * Atomicity. The order's own item, written with a condition, is the point at which a commit is done. Claims
 * are written just before it, and count only once the order they name exists and names them in turn: a claim
 * whose order was never made is taken over, in a transaction that also bars the order it was made for. So
 * the common case costs one write unit an item instead of the two of a transaction. What else belongs to a
 * commit (attention entries) goes into a transaction with it.
 *
 * Limits. 400 KB an item: a history of some thousand entries. */
#ifndef PLATFORM_AWS_STORE_DYNAMODB_H
#define PLATFORM_AWS_STORE_DYNAMODB_H

#include "platform/aws/client.h"
#include "port/queue.h"
#include "port/store.h"
#include "wire/json.h"

struct store_dynamodb;

struct store_dynamodb_options {
  struct aws_client *client;
  struct clock *clock;
  struct entropy *entropy;
  const char *table;
  /* Told of each commit that was done; may be NULL. */
  void (*on_committed)(void *context, const struct decision *decision);
  void *context;
};

struct store_dynamodb *store_dynamodb_open(const struct store_dynamodb_options *options);
void store_dynamodb_close(struct store_dynamodb *store);
struct store *store_dynamodb_port(struct store_dynamodb *store);

/* What one image of the table's stream tells the relay. */
struct store_dynamodb_image {
  bool is_order;
  bool is_new; /* the order was created by this write */
  struct bytes id;
  int64_t created_ms;
  struct message messages[DECISION_MESSAGES_MAX]; /* the outbox */
  size_t message_count;
};

/* Reads the image (attributes in DynamoDB's JSON). False, with what is wrong, where it is not what this
 * store writes; items that are no orders are read, with is_order false. */
MUST_USE bool store_dynamodb_read_image(const struct json *attributes, struct arena *arena,
                                        struct store_dynamodb_image *ret_image, struct bytes *ret_detail);

/* Enters new orders into the directory; twice does no harm. */
MUST_USE bool store_dynamodb_note_created(struct store_dynamodb *store,
                                          const struct store_dynamodb_image *images, size_t count,
                                          struct failure *ret_failure);

/* --- a search through all orders, in stretches, over any number of invocations --- */

struct store_dynamodb_search {
  int64_t began_ms; /* 0: there was none yet */
  bool ended;
  struct bytes k, r; /* the key after which it goes on; empty: from the beginning */
};

MUST_USE bool store_dynamodb_search_read(struct store_dynamodb *store, struct arena *arena,
                                         struct store_dynamodb_search *ret_search);
/* Puts `next` in the place of `search`; false where that is no longer what is stored, or could not be. */
MUST_USE bool store_dynamodb_search_write(struct store_dynamodb *store,
                                          const struct store_dynamodb_search *search,
                                          const struct store_dynamodb_search *next, struct arena *arena);
/* The orders, without their contents, of the next some hundred items, in no order that means anything; damaged
 * ones are left out. Moves `search` behind them, and sets its `ended` where those were the last. */
MUST_USE bool store_dynamodb_search_page(struct store_dynamodb *store, struct store_dynamodb_search *search,
                                         struct arena *arena, struct order **ret_orders, size_t *ret_count);

#endif
