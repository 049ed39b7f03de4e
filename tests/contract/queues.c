/* queue_receive and queue_settle, with the messages that commits bring. */
#include <pthread.h>
#include <stdlib.h>

#include "contract/contract.h"

static const int INVENTORY_RETAIL = 0;

static void a_message_comes_with_its_commit(void **state) {
  struct world *world = *state;
  struct order *order = create(world, &(struct new_order){.number = 1, .created_ms = 1000});
  struct message messages[2];
  assert_int_equal(receive(world, INVENTORY_RETAIL, 1000, 2, messages), 1);
  const struct message *message = &messages[0];
  assert_bytes_equal(bytes_from(message->order_id, ORDER_ID_CHARACTERS), order->id);
  assert_int_equal(message->kind, MESSAGE_CALL);
  assert_int_equal(message->slot, COMMAND_RESERVE);
  assert_int_equal(message->queue, INVENTORY_RETAIL);
  assert_int_equal(message->dispatch_version, 1);
  assert_int_equal(message->created_ms, 1000);
  assert_int_equal(message->due_ms, 1000);
  assert_int_equal(message->deadline_ms, 1000 + 86400000);
  assert_int_equal(message->attempts, 0);
  assert_string_equal(message->note, "");
  /* It is nobody else's until it is settled. */
  assert_int_equal(receive(world, INVENTORY_RETAIL, 1000, 2, &messages[1]), 0);
}

static void each_service_and_channel_has_its_queue(void **state) {
  struct world *world = *state;
  for (int channel = 0; channel < CHANNEL_COUNT; channel++) {
    struct decision *decision =
        decision_create(world, &(struct new_order){.number = channel, .channel = channel});
    decision_add_message(decision, MESSAGE_CALL, COMMAND_REFUND, 0, 1);
    decision_add_message(decision, MESSAGE_EXPIRE, COMMAND_SHIP, 0, 1);
    assert_int_equal(commit_one(world, decision, NULL).status, COMMIT_DONE);
  }
  const enum order_command slots[SERVICE_COUNT] = {COMMAND_RESERVE, COMMAND_REFUND, COMMAND_SHIP};
  for (int service = 0; service < SERVICE_COUNT; service++)
    for (int channel = 0; channel < CHANNEL_COUNT; channel++) {
      struct message messages[9];
      int queue = queue_index((enum service)service, channel);
      assert_int_equal(receive(world, queue, 10, 9, messages), 1);
      assert_int_equal(messages[0].slot, slots[service]);
      assert_int_equal(messages[0].queue, queue);
      assert_int_equal(messages[0].kind, service == SERVICE_FULFILMENT ? MESSAGE_EXPIRE : MESSAGE_CALL);
      assert_bytes_equal(bytes_from(messages[0].order_id, ORDER_ID_CHARACTERS), order_id_of(world, channel));
    }
}

static void nothing_comes_before_it_is_due(void **state) {
  struct world *world = *state;
  create(world, &(struct new_order){.number = 1, .created_ms = 5000});
  struct message message;
  assert_int_equal(receive(world, INVENTORY_RETAIL, 4999, 1, &message), 0);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 5000, 1, &message), 1);
}

static void what_is_due_later_blocks_nothing(void **state) {
  struct world *world = *state;
  enum { LATE = 3 };
  for (int i = 0; i < LATE; i++) create(world, &(struct new_order){.number = i, .created_ms = 90000});
  create(world, &(struct new_order){.number = LATE, .created_ms = 1000});
  struct message messages[9];
  assert_int_equal(receive(world, INVENTORY_RETAIL, 1000, 9, messages), 1);
  assert_bytes_equal(bytes_from(messages[0].order_id, ORDER_ID_CHARACTERS), order_id_of(world, LATE));
}

static void a_retry_comes_later_and_remembers(void **state) {
  struct world *world = *state;
  create(world, &(struct new_order){.number = 1, .created_ms = 1000});
  struct message message;
  assert_int_equal(receive(world, INVENTORY_RETAIL, 1000, 1, &message), 1);
  put_back(world, &message, 500, "503 busy", 2000);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 2499, 1, &message), 0);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 2500, 1, &message), 1);
  assert_int_equal(message.attempts, 1);
  assert_int_equal(message.created_ms, 1000);
  assert_int_equal(message.deadline_ms, 1000 + 86400000);
  assert_string_equal(message.note, "503 busy");
  put_back(world, &message, 1000, "time-out", 3000);
  world->under->reopen(world->self);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 3999, 1, &message), 0);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 4000, 1, &message), 1);
  assert_int_equal(message.attempts, 2);
  assert_string_equal(message.note, "time-out");
  put_back(world, &message, 0, "", 4000);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 4000, 1, &message), 1);
  assert_string_equal(message.note, "");
}

static void a_long_note_is_kept_whole(void **state) {
  struct world *world = *state;
  create(world, &(struct new_order){.number = 1});
  char note[MESSAGE_NOTE_BYTES];
  memset(note, 'x', sizeof note - 1);
  note[sizeof note - 1] = 0;
  struct message message;
  assert_int_equal(receive(world, INVENTORY_RETAIL, 0, 1, &message), 1);
  put_back(world, &message, 0, note, 0);
  world->under->reopen(world->self);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 0, 1, &message), 1);
  assert_string_equal(message.note, note);
}

static void what_is_acknowledged_is_gone(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 5; i++) create(world, &(struct new_order){.number = i});
  struct message messages[9];
  size_t count = receive(world, INVENTORY_RETAIL, 0, 9, messages);
  assert_int_equal(count, 5);
  acknowledge(world, messages, 4, 0);
  acknowledge(world, messages, 1, 0); /* again: nothing happens */
  world->under->wait(world->self);
  world->under->reopen(world->self);
  struct message left[9];
  assert_int_equal(receive(world, INVENTORY_RETAIL, 0, 9, left), 1);
  assert_memory_equal(left[0].order_id, messages[4].order_id, ORDER_ID_CHARACTERS);
}

static void a_crash_delivers_again_what_was_not_settled(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 6; i++) create(world, &(struct new_order){.number = i});
  struct message messages[9];
  assert_int_equal(receive(world, INVENTORY_RETAIL, 0, 4, messages), 4);
  acknowledge(world, messages, 1, 0);
  world->under->wait(world->self);
  world->under->crash(world->self);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 0, 9, messages), 5);
}

/* --- many: more than any implementation holds in memory ------------------------------------------------ */

enum { MANY = 12000, BATCH = 500 };

static void create_many(struct world *world, int first, int count, int64_t due_ms) {
  struct store_commit commits[BATCH];
  struct store_result results[BATCH];
  for (int done = 0; done < count; done += BATCH) {
    arena_reset(&world->arena);
    for (int i = 0; i < BATCH; i++)
      commits[i] = commit_of(
          decision_create(world, &(struct new_order){.number = first + done + i, .created_ms = due_ms}), NULL);
    store_commit(world_store(world), commits, BATCH, results);
    for (int i = 0; i < BATCH; i++) assert_int_equal(results[i].status, COMMIT_DONE);
  }
}

static int compare_messages(const void *a, const void *b) {
  return memcmp(((const struct message *)a)->order_id, ((const struct message *)b)->order_id,
                ORDER_ID_CHARACTERS);
}

static void assert_all_different(struct message *messages, size_t count) {
  qsort(messages, count, sizeof *messages, compare_messages);
  for (size_t i = 1; i < count; i++) assert_true(compare_messages(&messages[i - 1], &messages[i]) < 0);
}

static void many_messages_come_once_each(void **state) {
  struct world *world = *state;
  create_many(world, 0, MANY, 0);
  struct message *messages = calloc(MANY + BATCH, sizeof *messages);
  size_t count = 0, got;
  while ((got = receive(world, INVENTORY_RETAIL, 0, BATCH, messages + count)) > 0) {
    acknowledge(world, messages + count, got, 0);
    count += got;
    assert_true(count <= MANY);
    if (count == MANY / 2) world->under->reopen(world->self);
  }
  assert_int_equal(count, MANY);
  assert_all_different(messages, count);
  free(messages);
}

static void many_late_ones_block_nothing(void **state) {
  struct world *world = *state;
  create_many(world, 0, MANY, 90000);
  create_many(world, MANY, BATCH, 1000);
  struct message *messages = calloc(MANY + 2 * BATCH, sizeof *messages);
  assert_int_equal(receive(world, INVENTORY_RETAIL, 1000, 2 * BATCH, messages), BATCH);
  for (int i = 0; i < BATCH; i++) put_back(world, &messages[i], 200000, "later", 1000); /* behind all */
  assert_int_equal(receive(world, INVENTORY_RETAIL, 2000, 1, messages), 0);
  size_t count = 0, got;
  while ((got = receive(world, INVENTORY_RETAIL, 90000, BATCH, messages + count)) > 0) {
    acknowledge(world, messages + count, got, 90000);
    count += got;
    assert_true(count <= MANY);
  }
  assert_int_equal(count, MANY);
  while ((got = receive(world, INVENTORY_RETAIL, 300000, BATCH, messages + count)) > 0) {
    for (size_t i = 0; i < got; i++) assert_string_equal(messages[count + i].note, "later");
    acknowledge(world, messages + count, got, 300000);
    count += got;
    assert_true(count <= MANY + BATCH);
  }
  assert_int_equal(count, MANY + BATCH);
  assert_all_different(messages, count);
  free(messages);
}

/* --- a random life, against a model ------------------------------------------------------------------------
 */

enum { LIFE_ORDERS = 9000, LIFE_STEPS = 1500 };

struct modelled {
  enum { UNBORN, QUEUED, OUT, GONE } at;
  int64_t due_ms, attempts;
  struct message message;
};

static int number_of(struct world *world, const struct message *message,
                     const char (*ids)[ORDER_ID_CHARACTERS]) {
  (void)world;
  int low = 0, high = LIFE_ORDERS;
  while (low < high) {
    int middle = (low + high) / 2;
    if (memcmp(ids[middle], message->order_id, ORDER_ID_CHARACTERS) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  assert_true(low < LIFE_ORDERS);
  return low;
}

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, ORDER_ID_CHARACTERS); }

static void life_receive(struct world *world, struct modelled *model, const char (*ids)[ORDER_ID_CHARACTERS],
                         int64_t now_ms) {
  struct message messages[200];
  size_t most = 1 + world_random(world, 200);
  size_t count = queue_receive(world_queue(world), INVENTORY_RETAIL, now_ms, most, messages);
  for (size_t i = 0; i < count; i++) {
    struct modelled *one = &model[number_of(world, &messages[i], ids)];
    assert_int_equal(one->at, QUEUED);
    assert_true(one->due_ms <= now_ms);
    assert_int_equal(one->attempts, messages[i].attempts);
    one->at = OUT;
    one->message = messages[i];
  }
}

static void life_settle(struct world *world, struct modelled *model, int64_t now_ms) {
  uint64_t start = world_random(world, LIFE_ORDERS);
  for (uint64_t i = 0, settled = 0; i < LIFE_ORDERS && settled < 150; i++) {
    struct modelled *one = &model[(start + i) % LIFE_ORDERS];
    if (one->at != OUT) continue;
    settled++;
    if (world_random(world, 3) > 0) {
      one->at = GONE;
      acknowledge(world, &one->message, 1, now_ms);
      continue;
    }
    int64_t delay_ms =
        (int64_t)(world_random(world, 4) == 0 ? world_random(world, 100000) : world_random(world, 50));
    one->at = QUEUED;
    one->attempts++;
    one->due_ms = now_ms + delay_ms;
    put_back(world, &one->message, delay_ms, "again", now_ms);
  }
}

static int life_create(struct world *world, struct modelled *model, const char (*ids)[ORDER_ID_CHARACTERS],
                       int born, int64_t now_ms) {
  struct store_commit commits[100];
  struct store_result results[100];
  int count = (int)world_random(world, 100);
  if (count > LIFE_ORDERS - born) count = LIFE_ORDERS - born;
  for (int i = 0; i < count; i++) {
    int64_t due_ms = now_ms + (int64_t)(world_random(world, 2) ? world_random(world, 50000) : 0);
    struct decision *decision = decision_create(world, &(struct new_order){.number = 0, .created_ms = now_ms});
    decision->next.id = bytes_from(ids[born + i], ORDER_ID_CHARACTERS);
    decision->messages[0].due_ms = due_ms;
    commits[i] = commit_of(decision, NULL);
    model[born + i] = (struct modelled){.at = QUEUED, .due_ms = due_ms};
  }
  store_commit(world_store(world), commits, (size_t)count, results);
  for (int i = 0; i < count; i++) assert_int_equal(results[i].status, COMMIT_DONE);
  return born + count;
}

static void a_random_life_loses_and_doubles_nothing(void **state) {
  struct world *world = *state;
  struct modelled *model = calloc(LIFE_ORDERS, sizeof *model);
  char(*ids)[ORDER_ID_CHARACTERS] = calloc(LIFE_ORDERS, sizeof *ids);
  for (int i = 0; i < LIFE_ORDERS; i++) memcpy(ids[i], order_id_of(world, i).data, ORDER_ID_CHARACTERS);
  qsort(ids, LIFE_ORDERS, sizeof *ids, compare_ids);
  int64_t now_ms = 1000;
  int born = 0;
  for (int i = 0; i < LIFE_STEPS; i++) {
    arena_reset(&world->arena);
    switch (world_random(world, 4)) {
      case 0:
        born = life_create(world, model, ids, born, now_ms);
        break;
      case 1:
        life_receive(world, model, ids, now_ms);
        break;
      case 2:
        life_settle(world, model, now_ms);
        break;
      default:
        now_ms += (int64_t)world_random(world, 300);
        break;
    }
    if (i % 500 != 499) continue;
    world->under->reopen(world->self); /* everything settled was written; the leases end */
    for (int j = 0; j < LIFE_ORDERS; j++)
      if (model[j].at == OUT) model[j].at = QUEUED;
  }
  now_ms += 1000000;
  struct message messages[BATCH];
  size_t got;
  for (int i = 0; i < LIFE_ORDERS; i++)
    if (model[i].at == OUT) acknowledge(world, &model[i].message, 1, now_ms);
  while ((got = receive(world, INVENTORY_RETAIL, now_ms, BATCH, messages)) > 0) {
    for (size_t i = 0; i < got; i++) {
      struct modelled *one = &model[number_of(world, &messages[i], ids)];
      assert_int_equal(one->at, QUEUED);
      one->at = GONE;
    }
    acknowledge(world, messages, got, now_ms);
  }
  for (int i = 0; i < born; i++) assert_int_not_equal(model[i].at, QUEUED);
  free(ids);
  free(model);
}

/* --- several receivers --- */

struct taker {
  struct world *world;
  size_t taken;
};

static void *take_all(void *context) {
  struct taker *taker = context;
  struct queue *queue = world_queue(taker->world);
  for (int empty = 0; empty < 8;) {
    struct message messages[64];
    struct message_result results[64] = {0};
    size_t count = queue_receive(queue, INVENTORY_RETAIL, 0, 64, messages);
    queue_settle(queue, messages, results, count, 0);
    taker->taken += count;
    empty = count > 0 ? 0 : empty + 1;
    if (count == 0) taker->world->under->wait(taker->world->self);
  }
  return NULL;
}

static void receivers_share_the_messages(void **state) {
  struct world *world = *state;
  enum { TAKERS = 4, ORDERS = 3000 };
  struct taker takers[TAKERS];
  pthread_t threads[TAKERS];
  for (int i = 0; i < TAKERS; i++) {
    takers[i] = (struct taker){.world = world};
    assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
  }
  create_many(world, 0, ORDERS, 0);
  size_t taken = 0;
  for (int i = 0; i < TAKERS; i++) {
    pthread_join(threads[i], NULL);
    taken += takers[i].taken;
  }
  assert_int_equal(taken, ORDERS);
}

#define TEST(function) \
  { #function, function, false }
#define RACE(function) \
  { #function, function, true }
const struct contract_test queue_tests[] = {
    TEST(a_message_comes_with_its_commit),
    TEST(each_service_and_channel_has_its_queue),
    TEST(nothing_comes_before_it_is_due),
    TEST(what_is_due_later_blocks_nothing),
    TEST(a_retry_comes_later_and_remembers),
    TEST(a_long_note_is_kept_whole),
    TEST(what_is_acknowledged_is_gone),
    TEST(a_crash_delivers_again_what_was_not_settled),
    TEST(many_messages_come_once_each),
    TEST(many_late_ones_block_nothing),
    TEST(a_random_life_loses_and_doubles_nothing),
    RACE(receivers_share_the_messages),
    {NULL, NULL, false},
};
