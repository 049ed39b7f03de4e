/* The DynamoDB store against the contract of all stores, on the DynamoDB that AWS_ENDPOINT_URL_DYNAMODB names
 * (DynamoDB Local: tests/aws/test_contract.py starts it). What the relay does from the table's stream, entering
 * new orders into the directory and sending the outbox, is done here right after each commit. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/panic.h"
#include "contract/contract.h"
#include "platform/aws/store_dynamodb.h"
#include "platform/net/system.h"

struct dynamodb_world {
  struct store port;  /* in front of the store: it does what the relay does */
  struct queue queue; /* gives what the outboxes held */
  struct message messages[4096];
  size_t message_count;
  struct aws_client *client;
  struct store_dynamodb *store;
  char table[64];
};

static void must(const struct dynamodb_world *world, const char *operation, const char *body) {
  struct arena arena;
  arena_init(&arena);
  struct aws_answer answer = aws_call_one(world->client, AWS_DYNAMODB, operation, bytes_of(body), &arena);
  if (answer.outcome != AWS_DONE)
    fail_msg("%s: %d %.*s %.*s", operation, answer.status, BYTES_PRINTF(answer.error),
             BYTES_PRINTF(answer.body));
  arena_release(&arena);
}

static void create_table(const struct dynamodb_world *world) {
  struct arena arena;
  arena_init(&arena);
  must(world, "CreateTable",
       arena_printf(
           &arena,
           "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":["
           "{\"AttributeName\":\"k\",\"AttributeType\":\"S\"},{\"AttributeName\":\"r\",\"AttributeType\":"
           "\"S\"},{\"AttributeName\":\"c\",\"AttributeType\":\"S\"},{\"AttributeName\":\"t\","
           "\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"k\",\"KeyType\":\"HASH\"},"
           "{\"AttributeName\":\"r\",\"KeyType\":\"RANGE\"}],\"GlobalSecondaryIndexes\":[{\"IndexName\":"
           "\"by_customer\",\"KeySchema\":[{\"AttributeName\":\"c\",\"KeyType\":\"HASH\"},"
           "{\"AttributeName\":\"t\",\"KeyType\":\"RANGE\"}],\"Projection\":{\"ProjectionType\":"
           "\"KEYS_ONLY\"}}]}",
           world->table)
           .data);
  arena_release(&arena);
}

/* The item as the table's stream would show it. */
static void relay(struct dynamodb_world *world, struct bytes id) {
  struct arena arena;
  struct json *root;
  struct bytes detail;
  struct failure failure;
  struct store_dynamodb_image image;
  arena_init(&arena);
  struct bytes body =
      arena_printf(&arena, "{\"TableName\":\"%s\",\"Key\":{\"k\":{\"S\":\"%.*s\"},\"r\":{\"S\":\"o\"}}}",
                   world->table, BYTES_PRINTF(id));
  struct aws_answer answer = aws_call_one(world->client, AWS_DYNAMODB, "GetItem", body, &arena);
  assert_int_equal(answer.outcome, AWS_DONE);
  assert_true(json_parse(answer.body, &arena, &root, &detail));
  if (!store_dynamodb_read_image(json_member(root, "Item"), &arena, &image, &detail))
    fail_msg("%.*s", BYTES_PRINTF(detail));
  assert_true(image.is_order);
  for (int times = 0; times < 2; times++) /* the stream hands some over twice */
    if (!store_dynamodb_note_created(world->store, &image, 1, &failure)) fail_msg("%s", failure.text);
  for (size_t i = 0; i < image.message_count; i++) world->messages[world->message_count++] = image.messages[i];
  arena_release(&arena);
}

static size_t receive_all(struct queue *queue, int index, int64_t now_ms, size_t most,
                          struct message *ret_messages) {
  struct dynamodb_world *world =
      (struct dynamodb_world *)((char *)queue - offsetof(struct dynamodb_world, queue));
  size_t count = 0;
  for (size_t i = 0; i < world->message_count && count < most; i++)
    if (world->messages[i].queue == index && world->messages[i].due_ms <= now_ms)
      ret_messages[count++] = world->messages[i];
  return count;
}

static void commit(struct store *port, const struct store_commit *commits, size_t count,
                   struct store_result *ret_results) {
  struct dynamodb_world *world = (struct dynamodb_world *)port;
  store_commit(store_dynamodb_port(world->store), commits, count, ret_results);
  for (size_t i = 0; i < count; i++)
    if (ret_results[i].status == COMMIT_DONE) relay(world, commits[i].decision->next.id);
}

#define PASS(port) store_dynamodb_port(((struct dynamodb_world *)(port))->store)

static void load_all(struct store *port, const struct bytes *ids, size_t count, unsigned how,
                     struct arena *arena, struct store_loaded *ret_loaded) {
  store_load(PASS(port), ids, count, how, arena, ret_loaded);
}

static bool list(struct store *port, const struct store_query *query, struct arena *arena,
                 struct store_page *ret_page, struct failure *ret_failure) {
  return store_list(PASS(port), query, arena, ret_page, ret_failure);
}

static bool events(struct store *port, struct bytes id, struct arena *arena, struct order_event **ret_events,
                   size_t *ret_count, struct failure *ret_failure) {
  return store_events(PASS(port), id, arena, ret_events, ret_count, ret_failure);
}

static bool attention(struct store *port, const struct store_attention *after, size_t limit,
                      struct arena *arena, struct store_attention_page *ret_page, struct failure *ret_failure) {
  return store_list_attention(PASS(port), after, limit, arena, ret_page, ret_failure);
}

static void open_store(struct dynamodb_world *world) {
  struct failure failure;
  const struct aws_client_options options = {
      .clock = system_clock(),
      .entropy = system_entropy(),
      .region = getenv("AWS_REGION"),
      .access_key = getenv("AWS_ACCESS_KEY_ID"),
      .secret_key = getenv("AWS_SECRET_ACCESS_KEY"),
      .endpoints = {[AWS_DYNAMODB] = getenv("AWS_ENDPOINT_URL_DYNAMODB")}};
  if (!options.endpoints[AWS_DYNAMODB]) fail_msg("AWS_ENDPOINT_URL_DYNAMODB is not set");
  if (!aws_client_open(&options, &world->client, &failure)) fail_msg("%s", failure.text);
  world->store = store_dynamodb_open(&(struct store_dynamodb_options){
      .client = world->client, .clock = system_clock(), .entropy = system_entropy(), .table = world->table});
}

static void close_store(struct dynamodb_world *world) {
  store_dynamodb_close(world->store);
  aws_client_close(world->client);
}

static void *make(void) {
  static const struct store_operations operations = {commit, load_all, list, events, attention};
  static const struct queue_operations queue_operations = {.receive = receive_all};
  static unsigned number;
  struct dynamodb_world *world = calloc(1, sizeof *world);
  if (!world) panic("out of memory");
  world->port.operations = &operations;
  world->queue.operations = &queue_operations;
  snprintf(world->table, sizeof world->table, "contract-%d-%u", (int)getpid(), number++);
  open_store(world);
  create_table(world);
  return world;
}

static struct store *store(void *self) { return &((struct dynamodb_world *)self)->port; }

static struct queue *queue(void *self) { return &((struct dynamodb_world *)self)->queue; }

static void reopen(void *self) {
  close_store(self);
  open_store(self);
}

static void destroy(void *self) {
  struct dynamodb_world *world = self;
  char body[128];
  snprintf(body, sizeof body, "{\"TableName\":\"%s\"}", world->table);
  must(world, "DeleteTable", body);
  close_store(world);
  free(world);
}

static void wait_for_nothing(void *self) { (void)self; }

/* --- claims whose order was never made: what a crash between the two leaves ------------------------- */

static void leave_claim(struct world *world, const char *claim, struct bytes holder) {
  const struct dynamodb_world *dynamodb = world->self;
  must(dynamodb, "PutItem",
       arena_printf(
           &world->arena,
           "{\"TableName\":\"%s\",\"Item\":{\"k\":{\"S\":\"%s\"},\"r\":{\"S\":\"h\"},\"i\":{\"S\":\"%.*s\"},"
           "\"a\":{\"N\":\"1\"}}}",
           dynamodb->table, claim, BYTES_PRINTF(holder))
           .data);
}

static void a_dead_claim_is_taken_over_and_its_order_barred(void **state) {
  struct world *world = *state;
  struct new_order dead = {.number = 1, .claims = {"pay 1"}}, alive = {.number = 2, .claims = {"pay 1"}};
  leave_claim(world, "pay 1", order_id_of(world, 1));
  assert_int_equal(commit_one(world, decision_create(world, &alive), &alive).status, COMMIT_DONE);
  /* One that had its claim and was about to write its order, as the store does the first time: it must not. */
  const struct dynamodb_world *dynamodb = world->self;
  struct aws_answer straggler =
      aws_call_one(dynamodb->client, AWS_DYNAMODB, "PutItem",
                   arena_printf(&world->arena,
                                "{\"TableName\":\"%s\",\"Item\":{\"k\":{\"S\":\"%.*s\"},\"r\":{\"S\":\"o\"}},"
                                "\"ConditionExpression\":\"attribute_not_exists(k)\"}",
                                dynamodb->table, BYTES_PRINTF(order_id_of(world, 1))),
                   &world->arena);
  assert_bytes_equal(straggler.error, BYTES("ConditionalCheckFailedException"));
  /* The one that was taken for dead comes after all: it meets the bar, and then the claim that is not its own.
   */
  struct store_result result = commit_one(world, decision_create(world, &dead), &dead);
  assert_int_equal(result.status, COMMIT_CLAIM_TAKEN);
  assert_bytes_equal(bytes_from(result.holder_id, ORDER_ID_CHARACTERS), order_id_of(world, 2));
  assert_null(load(world, order_id_of(world, 1)));
}

static void a_barred_order_is_made_with_claims_of_its_own(void **state) {
  struct world *world = *state;
  struct new_order alive = {.number = 2, .claims = {"pay 1"}}, again = {.number = 1, .claims = {"pay 2"}};
  leave_claim(world, "pay 1", order_id_of(world, 1));
  assert_int_equal(commit_one(world, decision_create(world, &alive), &alive).status, COMMIT_DONE);
  assert_int_equal(commit_one(world, decision_create(world, &again), &again).status, COMMIT_DONE);
  assert_non_null(load(world, order_id_of(world, 1)));
}

static int set_up(void **state) {
  struct world *world = calloc(1, sizeof *world);
  static const struct store_under_test under = {.name = "claims", .store = store};
  if (!world) return -1;
  arena_init(&world->arena);
  world->under = &under;
  world->self = make();
  *state = world;
  return 0;
}

static int tear_down(void **state) {
  struct world *world = *state;
  destroy(world->self);
  arena_release(&world->arena);
  free(world);
  return 0;
}

int main(void) {
  const struct store_under_test under = {.name = "store_dynamodb",
                                         .make = make,
                                         .store = store,
                                         .queue = queue,
                                         .reopen = reopen,
                                         .crash = reopen,
                                         .destroy = destroy,
                                         .wait = wait_for_nothing};
  const struct CMUnitTest claims[] = {
      cmocka_unit_test_setup_teardown(a_dead_claim_is_taken_over_and_its_order_barred, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_barred_order_is_made_with_claims_of_its_own, set_up, tear_down)};
  return contract_run(&under) + cmocka_run_group_tests(claims, NULL, NULL);
}
