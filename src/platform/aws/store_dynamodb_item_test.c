/* Orders as items: what is written can be read again, and a usual order stays below a kilobyte to its end. */
#include "fake/world.h"
#include "function/call.h"
#include "platform/aws/store_dynamodb_internal.h"

/* As an item that the table would hold: what a create writes, with state, history and outbox of a decision. */
static struct json *item_of(struct fake_world *w, const struct store_commit *commit) {
  struct text text;
  struct json_writer json;
  struct json *root;
  struct bytes detail;
  text_init(&text, &w->arena);
  json_writer_init(&json, &text);
  json_open_object(&json, NULL);
  item_write_order(&json, commit, &w->arena);
  json_close_object(&json);
  assert_true(json_parse(text_view(&text), &w->arena, &root, &detail));
  return root;
}

/* "Item sizes" of DynamoDB's documentation: names and values in UTF-8, 3 bytes and 1 an element of a list. */
static size_t item_bytes(const struct json *item) {
  size_t size = 0;
  for (const struct json *attribute = item->first; attribute; attribute = attribute->next) {
    const struct json *value = attribute->first;
    size += attribute->name.size;
    if (value->type == JSON_STRING) size += value->text.size;
    if (value->type != JSON_ARRAY) continue;
    size += 3;
    for (const struct json *one = value->first; one; one = one->next) size += 1 + one->first->text.size;
  }
  return size;
}

static struct decision *with_odd_texts(struct fake_world *w) {
  struct bytes id = fake_accept(w, "ada", "pay_1");
  struct decision *decision = ARENA_NEW(&w->arena, struct decision);
  struct order *order = &decision->next;
  *order = *fake_order(w, id);
  order->reason = BYTES("a|b\\c\\|");
  order->status = ORDER_ATTENTION;
  order->target = ORDER_CANCELLED;
  order->version = 1234567;
  order->updated_ms = order->created_ms - 5; /* a clock that went back */
  order->slots[COMMAND_RECALL] = (struct order_slot){.state = SLOT_ATTENTION,
                                                     .unsettled = true,
                                                     .by_hand = true,
                                                     .refused = true,
                                                     .attempts = 77,
                                                     .dispatch_version = 12,
                                                     .since_ms = order->created_ms,
                                                     .deadline_ms = order->created_ms + 1,
                                                     .reference = BYTES("\\p"),
                                                     .reason = BYTES("|")};
  order->slots[COMMAND_SHIP] = (struct order_slot){.state = SLOT_DONE, .since_ms = 3, .deadline_ms = 9};
  const struct order_event events[] = {{.type = BYTES("order.accepted"), .at_ms = order->created_ms},
                                       {.type = BYTES("recall.attention"),
                                        .step = BYTES("ship"),
                                        .at_ms = order->created_ms - 9,
                                        .detail = BYTES("|\\")},
                                       {.type = BYTES("order.odd"), .at_ms = 0, .status = ORDER_REVERSING},
                                       {.type = BYTES("order.accepted"), .step = BYTES("ship")}};
  decision->event_count = 4;
  memcpy(decision->events, events, sizeof events);
  decision->message_count = 2;
  decision->messages[0] = (struct order_message){MESSAGE_EXPIRE, COMMAND_RECALL, 12, 99, 99};
  decision->messages[1] =
      (struct order_message){MESSAGE_CALL, COMMAND_RESERVE, 1, order->created_ms, INT64_C(1) << 50};
  return decision;
}

static void test_what_is_written_is_read(void **state) {
  struct fake_world *w = *state;
  struct decision *decision = with_odd_texts(w);
  const struct order *order = &decision->next;
  const struct store_commit commit = {.decision = decision};
  const struct json *item = item_of(w, &commit);
  struct order again;
  struct order_event *events;
  size_t count;
  assert_true(item_is_order(item));
  assert_true(item_read_order(item, STORE_LOAD_WHOLE, &w->arena, &again));
  assert_views_equal(again.id, order->id);
  assert_views_equal(again.customer, order->customer);
  assert_views_equal(again.content_json, order->content_json);
  assert_views_equal(again.traceparent, order->traceparent);
  assert_views_equal(again.reason, order->reason);
  assert_int_equal(again.status, order->status);
  assert_int_equal(again.target, order->target);
  assert_true(again.version == order->version && again.revision == order->revision);
  assert_true(again.created_ms == order->created_ms && again.updated_ms == order->updated_ms);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    const struct order_slot *a = &again.slots[i], *b = &order->slots[i];
    assert_true(a->state == b->state && a->unsettled == b->unsettled && a->by_hand == b->by_hand &&
                a->refused == b->refused && a->attempts == b->attempts &&
                a->dispatch_version == b->dispatch_version && a->since_ms == b->since_ms &&
                a->deadline_ms == b->deadline_ms);
    assert_views_equal(a->reference, b->reference);
    assert_views_equal(a->reason, b->reason);
  }
  assert_true(item_read_events(item, &w->arena, &events, &count));
  assert_int_equal(count, 4);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(events[i].sequence, i + 1);
    assert_views_equal(events[i].type, decision->events[i].type);
    assert_views_equal(events[i].step, decision->events[i].step);
    assert_views_equal(events[i].detail, decision->events[i].detail);
    assert_true(events[i].at_ms == decision->events[i].at_ms && events[i].status == decision->events[i].status);
  }
}

static void test_the_outbox_goes_to_the_relay(void **state) {
  struct fake_world *w = *state;
  struct decision *decision = with_odd_texts(w);
  const struct store_commit commit = {.decision = decision};
  struct store_dynamodb_image image;
  struct bytes detail;
  assert_true(store_dynamodb_read_image(item_of(w, &commit), &w->arena, &image, &detail));
  assert_true(image.is_order && image.is_new);
  assert_int_equal(image.message_count, 2);
  for (size_t i = 0; i < 2; i++) {
    const struct order_message *sent = &decision->messages[i];
    const struct message *got = &image.messages[i];
    assert_views_equal(bytes_from(got->order_id, ORDER_ID_CHARACTERS), decision->next.id);
    assert_true(got->kind == sent->kind && got->slot == sent->slot && got->due_ms == sent->due_ms &&
                got->dispatch_version == sent->dispatch_version && got->deadline_ms == sent->deadline_ms);
    assert_int_equal(got->queue, queue_index(i == 0 ? SERVICE_FULFILMENT : SERVICE_INVENTORY, CHANNEL_RETAIL));
  }
}

static void test_damaged_items_are_told(void **state) {
  struct fake_world *w = *state;
  struct decision *decision = with_odd_texts(w);
  const struct store_commit commit = {.decision = decision};
  static const char *const states[] = {
      "", "01", "00|99|1", "00|00|x||", "00|00|1||r|991|1|1|1|1|a|b", "00|00|1||r|001|1|1|1"};
  for (size_t i = 1; i < sizeof states / sizeof *states; i++) {
    struct json *item = item_of(w, &commit);
    struct order order;
    ((struct json *)json_member(item, "s"))->first->text = bytes_of(states[i]);
    assert_false(item_read_order(item, STORE_LOAD_WHOLE, &w->arena, &order));
  }
  struct store_dynamodb_image image;
  struct bytes detail;
  struct json *item = item_of(w, &commit);
  ((struct json *)json_member(item, "o"))->first->text = BYTES("00|1|x|2");
  assert_false(store_dynamodb_read_image(item, &w->arena, &image, &detail));
  assert_false(store_dynamodb_read_image(NULL, &w->arena, &image, &detail));
  /* Another kind of item is none of the relay's. */
  struct json *claim;
  assert_true(json_parse(BYTES("{\"k\":{\"S\":\"payment:1\"}}"), &w->arena, &claim, &detail));
  assert_true(store_dynamodb_read_image(claim, &w->arena, &image, &detail));
  assert_false(image.is_order);
}

/* From the first write to the last, with references as long as services usually give: each write is one unit.
 */
static void test_a_retail_order_stays_below_a_kilobyte(void **state) {
  struct fake_world *w = *state;
  w->context.rules.attempts_unstored = true;
  struct bytes id = fake_accept_body(w, "customer-4711", "0f8fad5b-d9cb-469f-a165-70867728950e",
                                     fake_retail(w, "pay_8Hq2xV7bT1cK", ""))
                        .order->id;
  const enum order_command slots[] = {COMMAND_RESERVE, COMMAND_RECORD, COMMAND_SHIP};
  for (size_t i = 0; i < 3; i++) fake_call(w, id, slots[i]);
  const struct fake_row *row = fake_store_row(&w->store, id);
  assert_int_equal(row->order.status, ORDER_COMPLETED);
  struct decision *decision = ARENA_NEW(&w->arena, struct decision);
  decision->next = row->order;
  for (size_t i = 0; i < 3; i++) decision->next.slots[slots[i]].reference = BYTES("res_01HX3Z7Q8WJ5");
  decision->event_count = row->event_count;
  memcpy(decision->events, row->events, row->event_count * sizeof *row->events);
  decision->message_count = 2; /* of the write before */
  const struct store_commit commit = {
      .decision = decision, .claims = {BYTES("payment:pay_8Hq2xV7bT1cK")}, .claim_count = 1};
  const struct json *item = item_of(w, &commit);
  assert_true(content_is_inline(&decision->next));
  assert_true(item_bytes(item) <= 1024);
  assert_true(item_bytes(item) > 500); /* or the sum above counts something wrong */
  /* A content that would push it over has an item of its own. */
  decision->next.content_json = bytes_from(arena_allocate(&w->arena, 900), 900);
  assert_false(content_is_inline(&decision->next));
}

static void test_claims_by_their_digests(void **state) {
  struct fake_world *w = *state;
  const struct bytes claims[] = {BYTES("payment:1"), BYTES("purchase:3:ada:7")};
  struct bytes digests = claims_digest(claims, 2, &w->arena);
  assert_true(claims_digest_has(digests, claims[0], &w->arena));
  assert_true(claims_digest_has(digests, claims[1], &w->arena));
  assert_false(claims_digest_has(digests, BYTES("payment:2"), &w->arena));
  assert_false(claims_digest_has((struct bytes){NULL, 0}, claims[0], &w->arena));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_world_set_up, fake_world_tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_what_is_written_is_read), TEST(test_the_outbox_goes_to_the_relay),
      TEST(test_damaged_items_are_told),  TEST(test_a_retail_order_stays_below_a_kilobyte),
      TEST(test_claims_by_their_digests),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
