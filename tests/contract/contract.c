#include "contract/contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/digest.h"
#include "base/encode.h"
#include "order/content.h"
#include "order/step.h"

/* --- the runner -------------------------------------------------------------------------------------- */

static const struct store_under_test *of_this_run; /* cmocka hands set-ups no argument of ours */

static int set_up(void **state) {
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  world->under = of_this_run;
  world->random = 88172645463325252u;
  arena_init(&world->arena);
  world->self = of_this_run->make();
  *state = world;
  return 0;
}

static int tear_down(void **state) {
  struct world *world = *state;
  world->under->destroy(world->self);
  arena_release(&world->arena);
  free(world);
  return 0;
}

int contract_run(const struct store_under_test *under) {
  const struct contract_test *const lists[] = {commit_tests, list_tests, queue_tests};
  struct CMUnitTest tests[100];
  size_t count = 0;
  for (size_t i = 0; i < COUNT_OF(lists) - (under->has_queues ? 0 : 1); i++)
    for (const struct contract_test *test = lists[i]; test->name; test++) {
      if (test->needs_threads && !under->has_threads) continue;
      assert_true(count < COUNT_OF(tests));
      tests[count++] = (struct CMUnitTest){
          .name = test->name, .test_func = test->function, .setup_func = set_up, .teardown_func = tear_down};
    }
  of_this_run = under;
  return _cmocka_run_group_tests(under->name, tests, count, NULL, NULL);
}

struct store *world_store(struct world *world) {
  return world->under->store(world->self);
}
struct queue *world_queue(struct world *world) {
  return world->under->queue(world->self);
}

uint64_t world_random(struct world *world, uint64_t below) {
  world->random ^= world->random << 13;
  world->random ^= world->random >> 7;
  world->random ^= world->random << 17;
  return world->random % below;
}

/* --- orders -------------------------------------------------------------------------------------------- */

struct bytes order_id_of(struct world *world, int number) {
  uint8_t digest[SHA256_BYTES];
  sha256(bytes_from(&number, sizeof number), digest);
  char *id = arena_allocate(&world->arena, ORDER_ID_CHARACTERS + 1);
  memcpy(id, "ord_", 4);
  base32_encode(digest, 20, id + 4);
  return bytes_from(id, ORDER_ID_CHARACTERS);
}

static void fill_content(struct world *world, const struct new_order *new_order,
                         struct order_content *content) {
  size_t lines = new_order->lines ? new_order->lines : 1;
  struct order_address *address = ARENA_NEW(&world->arena, struct order_address);
  *address = (struct order_address){.name = BYTES("Ann \"A.\" Hart\xC3\xA9"),
                                    .line1 = BYTES("1 High St"),
                                    .city = BYTES("Leeds"),
                                    .country = BYTES("GB")};
  struct order_payment *payment = ARENA_NEW(&world->arena, struct order_payment);
  payment->reference = arena_printf(&world->arena, "pay_%d", new_order->number);
  *content = (struct order_content){.channel = new_order->channel,
                                    .currency = BYTES("GBP"),
                                    .lines = {ARENA_ARRAY(&world->arena, lines, struct order_line), lines},
                                    .total = 255 * (int64_t)lines + new_order->variant,
                                    .shipping = new_order->variant,
                                    .payment = payment,
                                    .ship_to = address};
  if (new_order->channel == CHANNEL_WHOLESALE)
    content->purchase_order = arena_printf(&world->arena, "po %d", new_order->number);
  for (size_t i = 0; i < lines; i++)
    content->lines.items[i] = (struct order_line){arena_printf(&world->arena, "sku %zu", i), 1, 255};
}

struct decision *decision_create(struct world *world, const struct new_order *new_order) {
  struct decision *decision = ARENA_NEW(&world->arena, struct decision);
  struct order *order = &decision->next;
  order->id = order_id_of(world, new_order->number);
  order->customer = bytes_of(new_order->customer ? new_order->customer : "ann");
  fill_content(world, new_order, &order->content);
  order->content_json = order_content_write(&order->content, &world->arena);
  order->traceparent = BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  order->version = order->revision = 1;
  order->created_ms = order->updated_ms = new_order->created_ms;
  order->slots[COMMAND_RESERVE] = (struct order_slot){.state = SLOT_WAITING,
                                                      .dispatch_version = 1,
                                                      .since_ms = new_order->created_ms,
                                                      .deadline_ms = new_order->created_ms + 86400000};
  order->slots[COMMAND_RECORD].state = order->slots[COMMAND_SHIP].state = SLOT_WAITING;
  decision->events[decision->event_count++] =
      (struct order_event){.sequence = 1, .type = BYTES("order.accepted"), .at_ms = new_order->created_ms};
  decision_add_message(decision, MESSAGE_CALL, COMMAND_RESERVE, new_order->created_ms,
                       new_order->created_ms + 86400000);
  return decision;
}

struct decision *decision_change(struct world *world, const struct order *order, enum order_status status,
                                 int64_t now_ms) {
  struct decision *decision = ARENA_NEW(&world->arena, struct decision);
  decision->previous = order;
  decision->next = *order;
  decision->next.status = status;
  decision->next.revision++;
  decision->next.version++;
  decision->next.updated_ms = now_ms;
  decision->events[decision->event_count++] =
      (struct order_event){.sequence = decision->next.version,
                           .type = arena_printf(&world->arena, "order.%s", order_status_name(status)),
                           .at_ms = now_ms,
                           .status = status,
                           .step = BYTES("reserve"),
                           .detail = BYTES("said \"so\"")};
  return decision;
}

void decision_add_message(struct decision *decision, enum message_kind kind, enum order_command slot,
                          int64_t due_ms, int64_t deadline_ms) {
  decision->messages[decision->message_count++] =
      (struct order_message){.kind = kind,
                             .slot = slot,
                             .dispatch_version = decision->next.version,
                             .due_ms = due_ms,
                             .deadline_ms = deadline_ms};
}

struct store_commit commit_of(const struct decision *decision, const struct new_order *claims) {
  struct store_commit commit = {.decision = decision};
  for (size_t i = 0; claims && i < STORE_CLAIMS_MAX; i++)
    if (claims->claims[i]) commit.claims[commit.claim_count++] = bytes_of(claims->claims[i]);
  return commit;
}

struct store_result commit_one(struct world *world, const struct decision *decision,
                               const struct new_order *claims) {
  struct store_commit commit = commit_of(decision, claims);
  struct store_result result;
  memset(&result, 0xAA, sizeof result);
  store_commit(world_store(world), &commit, 1, &result);
  return result;
}

struct order *create(struct world *world, const struct new_order *new_order) {
  struct decision *decision = decision_create(world, new_order);
  assert_int_equal(commit_one(world, decision, new_order).status, COMMIT_DONE);
  struct order *order = load(world, decision->next.id);
  assert_non_null(order);
  return order;
}

struct order *load(struct world *world, struct bytes id) {
  struct store_loaded loaded;
  memset(&loaded, 0xAA, sizeof loaded);
  store_load(world_store(world), &id, 1, STORE_LOAD_WHOLE, &world->arena, &loaded);
  assert_int_not_equal(loaded.status, LOAD_FAILED);
  return loaded.status == LOAD_FOUND ? loaded.order : NULL;
}

void assert_bytes_equal(struct bytes a, struct bytes b) {
  if (!bytes_equal(a, b)) fail_msg("\"%.*s\" is not \"%.*s\"", BYTES_PRINTF(a), BYTES_PRINTF(b));
}

void assert_orders_equal(const struct order *a, const struct order *b) {
  assert_bytes_equal(a->id, b->id);
  assert_bytes_equal(a->customer, b->customer);
  assert_bytes_equal(a->content_json, b->content_json);
  assert_bytes_equal(a->traceparent, b->traceparent);
  assert_int_equal(a->content.channel, b->content.channel);
  assert_int_equal(a->content.total, b->content.total);
  assert_int_equal(a->content.lines.count, b->content.lines.count);
  assert_int_equal(a->status, b->status);
  assert_int_equal(a->target, b->target);
  assert_int_equal(a->version, b->version);
  assert_int_equal(a->revision, b->revision);
  assert_bytes_equal(a->reason, b->reason);
  assert_int_equal(a->created_ms, b->created_ms);
  assert_int_equal(a->updated_ms, b->updated_ms);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *x = &a->slots[i], *y = &b->slots[i];
    assert_int_equal(x->state, y->state);
    assert_int_equal(x->attempts, y->attempts);
    assert_int_equal(x->dispatch_version, y->dispatch_version);
    assert_int_equal(x->since_ms, y->since_ms);
    assert_int_equal(x->deadline_ms, y->deadline_ms);
    assert_bytes_equal(x->reference, y->reference);
    assert_bytes_equal(x->reason, y->reason);
  }
}

/* --- messages -------------------------------------------------------------------------------------------- */

size_t receive(struct world *world, int queue, int64_t now_ms, size_t most, struct message *ret_messages) {
  for (int attempt = 0;; attempt++) {
    size_t count = queue_receive(world_queue(world), queue, now_ms, most, ret_messages);
    if (count > 0 || attempt == 3) return count;
    world->under->wait(world->self);
  }
}

void acknowledge(struct world *world, const struct message *messages, size_t count, int64_t now_ms) {
  struct message_result *results = ARENA_ARRAY(&world->arena, count, struct message_result);
  for (size_t i = 0; i < count; i++) results[i].settlement = SETTLE_ACK;
  queue_settle(world_queue(world), messages, results, count, now_ms);
}

void put_back(struct world *world, const struct message *message, int64_t delay_ms, const char *note,
              int64_t now_ms) {
  struct message_result result = {
      .settlement = SETTLE_RETRY, .delay_ms = delay_ms, .attempts = message->attempts + 1};
  snprintf(result.note, sizeof result.note, "%s", note);
  queue_settle(world_queue(world), message, &result, 1, now_ms);
}
