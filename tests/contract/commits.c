/* store_commit and store_load. */
#include <pthread.h>
#include <stdio.h>

#include "contract/contract.h"

static void what_was_created_is_loaded(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 3; i++) { /* also one too large for a page of a database, or for an item's first part */
    struct new_order new_order = {.number = i,
                                  .created_ms = 1000 + i,
                                  .channel = i == 2,
                                  .lines = i == 2 ? ORDER_WHOLESALE_LINES_MAX : 1};
    struct decision *decision = decision_create(world, &new_order);
    struct store_result result = commit_one(world, decision, &new_order);
    assert_int_equal(result.status, COMMIT_DONE);
    assert_int_equal(result.created_ms, 1000 + i);
    assert_orders_equal(load(world, decision->next.id), &decision->next);
  }
  assert_null(load(world, order_id_of(world, 99)));
  assert_null(load(world, BYTES("ord_")));
  assert_null(load(world, BYTES("ord_IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII")));
}

static void loads_answer_one_by_one(void **state) {
  struct world *world = *state;
  create(world, &(struct new_order){.number = 1});
  struct bytes ids[3] = {order_id_of(world, 2), order_id_of(world, 1), BYTES("none")};
  struct store_loaded loaded[3];
  store_load(world_store(world), ids, 3, STORE_LOAD_WHOLE, &world->arena, loaded);
  assert_int_equal(loaded[0].status, LOAD_MISSING);
  assert_int_equal(loaded[1].status, LOAD_FOUND);
  assert_int_equal(loaded[2].status, LOAD_MISSING);
}

static struct order *load_how(struct world *world, struct bytes id, unsigned how) {
  struct store_loaded loaded;
  store_load(world_store(world), &id, 1, how, &world->arena, &loaded);
  assert_int_equal(loaded.status, LOAD_FOUND);
  return loaded.order;
}

/* The state is always whole; of the content there is what was asked for. Also after a crash, when nothing is
 * at hand any more. */
static void loads_give_what_is_asked_for(void **state) {
  struct world *world = *state;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 2; i++) {
      struct new_order new_order = {.number = i, .channel = i, .lines = i ? ORDER_WHOLESALE_LINES_MAX : 1};
      struct decision *decision = decision_create(world, &new_order);
      if (round == 0) assert_int_equal(commit_one(world, decision, &new_order).status, COMMIT_DONE);
      const struct order *made = &decision->next;
      for (unsigned recent = 0; recent <= STORE_LOAD_RECENT; recent++) {
        assert_orders_equal(load_how(world, made->id, STORE_LOAD_WHOLE | recent), made);
        struct order *text = load_how(world, made->id, STORE_LOAD_TEXT | recent);
        assert_bytes_equal(text->content_json, made->content_json);
        struct order *state_only = load_how(world, made->id, STORE_LOAD_STATE | recent);
        struct order *both[] = {text, state_only};
        for (int j = 0; j < 2; j++) {
          assert_int_equal(both[j]->content.channel, made->content.channel);
          assert_int_equal(both[j]->content.payment != NULL, made->content.payment != NULL);
          assert_int_equal(both[j]->revision, made->revision);
          assert_int_equal(both[j]->slots[COMMAND_RESERVE].state, made->slots[COMMAND_RESERVE].state);
        }
      }
    }
    world->under->crash(world->self);
  }
}

static void a_replay_is_told_from_other_content(void **state) {
  struct world *world = *state;
  struct new_order first = {.number = 1, .created_ms = 1000, .claims = {"pay 1"}};
  struct new_order again = {.number = 1, .created_ms = 2000, .claims = {"pay 1"}};
  struct new_order other = {.number = 1, .variant = 1, .created_ms = 3000, .claims = {"pay 2"}};
  assert_int_equal(commit_one(world, decision_create(world, &first), &first).status, COMMIT_DONE);
  struct store_result result = commit_one(world, decision_create(world, &again), &again);
  assert_int_equal(result.status, COMMIT_EXISTS_SAME);
  assert_int_equal(result.created_ms, 1000);
  assert_int_equal(commit_one(world, decision_create(world, &other), &other).status, COMMIT_EXISTS_OTHER);
  assert_int_equal(load(world, order_id_of(world, 1))->created_ms, 1000);
  /* The refused one took no claim, and the order's later life changes nothing. */
  struct new_order second = {.number = 2, .claims = {"pay 2"}};
  struct order *order = load(world, order_id_of(world, 1));
  assert_int_equal(commit_one(world, decision_change(world, order, ORDER_PROCESSING, 5000), NULL).status,
                   COMMIT_DONE);
  assert_int_equal(commit_one(world, decision_create(world, &again), &again).status, COMMIT_EXISTS_SAME);
  assert_int_equal(commit_one(world, decision_create(world, &second), &second).status, COMMIT_DONE);
}

static void a_large_replay_is_compared_whole(void **state) {
  struct world *world = *state;
  struct new_order large = {.number = 1, .channel = CHANNEL_WHOLESALE, .lines = 900};
  struct decision *decision = decision_create(world, &large), *other = decision_create(world, &large);
  assert_int_equal(commit_one(world, decision, NULL).status, COMMIT_DONE);
  assert_int_equal(commit_one(world, decision, NULL).status, COMMIT_EXISTS_SAME);
  other->next.content_json = arena_copy(&world->arena, other->next.content_json);
  ((char *)other->next.content_json.data)[other->next.content_json.size - 4] ^= 1;
  assert_int_equal(commit_one(world, other, NULL).status, COMMIT_EXISTS_OTHER);
}

static void a_claim_is_taken_once(void **state) {
  struct world *world = *state;
  struct new_order first = {.number = 1, .claims = {"pay 1", "po 1"}};
  struct new_order second = {.number = 2, .claims = {"pay 2", "po 1"}};
  struct new_order third = {.number = 3, .claims = {"pay 2", "pay 2"}};
  assert_int_equal(commit_one(world, decision_create(world, &first), &first).status, COMMIT_DONE);
  struct store_result result = commit_one(world, decision_create(world, &second), &second);
  assert_int_equal(result.status, COMMIT_CLAIM_TAKEN);
  assert_bytes_equal(bytes_from(result.holder_id, ORDER_ID_CHARACTERS), order_id_of(world, 1));
  assert_null(load(world, order_id_of(world, 2)));
  assert_int_equal(commit_one(world, decision_create(world, &third), &third).status, COMMIT_DONE);
}

static void commits_of_one_batch_see_one_another(void **state) {
  struct world *world = *state;
  struct new_order news[5] = {{.number = 1, .claims = {"pay 1"}},
                              {.number = 1, .claims = {"pay 1"}},
                              {.number = 2, .claims = {"pay 2", "pay 1"}},
                              {.number = 1, .variant = 1},
                              {.number = 3, .claims = {"pay 2"}}};
  enum commit_status expected[5] = {COMMIT_DONE, COMMIT_EXISTS_SAME, COMMIT_CLAIM_TAKEN, COMMIT_EXISTS_OTHER,
                                    COMMIT_DONE};
  struct store_commit commits[5];
  struct store_result results[5];
  for (int i = 0; i < 5; i++) commits[i] = commit_of(decision_create(world, &news[i]), &news[i]);
  store_commit(world_store(world), commits, 5, results);
  for (int i = 0; i < 5; i++) assert_int_equal(results[i].status, expected[i]);
  assert_bytes_equal(bytes_from(results[2].holder_id, ORDER_ID_CHARACTERS), order_id_of(world, 1));
  /* Nothing is left of what was refused: no order, no history, no message. */
  assert_null(load(world, order_id_of(world, 2)));
  struct order_event *events;
  size_t count = 9;
  struct failure failure;
  assert_true(
      store_events(world_store(world), order_id_of(world, 2), &world->arena, &events, &count, &failure));
  assert_int_equal(count, 0);
  struct message messages[9];
  assert_int_equal(receive(world, 0, 1000, 9, messages), 2);
}

static void changes_of_one_batch_are_done_in_order(void **state) {
  struct world *world = *state;
  struct decision *first = decision_create(world, &(struct new_order){.number = 1});
  struct decision *second = decision_change(world, &first->next, ORDER_PROCESSING, 10);
  struct decision *third = decision_change(world, &second->next, ORDER_COMPLETED, 20);
  struct decision *rival = decision_change(world, &first->next, ORDER_REVERSING, 20);
  struct store_commit commits[4] = {commit_of(first, NULL), commit_of(second, NULL), commit_of(rival, NULL),
                                    commit_of(third, NULL)};
  struct store_result results[4];
  store_commit(world_store(world), commits, 4, results);
  assert_int_equal(results[0].status, COMMIT_DONE);
  assert_int_equal(results[1].status, COMMIT_DONE);
  assert_int_equal(results[2].status, COMMIT_CONFLICT);
  assert_int_equal(results[3].status, COMMIT_DONE);
  assert_orders_equal(load(world, first->next.id), &third->next);
}

static void a_change_needs_the_revision_it_was_decided_on(void **state) {
  struct world *world = *state;
  struct order *order = create(world, &(struct new_order){.number = 1});
  struct decision *change = decision_change(world, order, ORDER_PROCESSING, 2000);
  change->next.reason = BYTES("out of stock");
  change->next.target = ORDER_REJECTED;
  change->next.slots[COMMAND_RESERVE] = (struct order_slot){.state = SLOT_DONE, .reference = BYTES("res_1")};
  assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
  assert_int_equal(commit_one(world, change, NULL).status, COMMIT_CONFLICT);
  assert_orders_equal(load(world, order->id), &change->next);
  struct order missing = *order;
  missing.id = order_id_of(world, 2);
  assert_int_equal(commit_one(world, decision_change(world, &missing, ORDER_PROCESSING, 1), NULL).status,
                   COMMIT_CONFLICT);
  assert_null(load(world, missing.id));
}

static void a_refused_change_leaves_no_trace(void **state) {
  struct world *world = *state;
  struct order *order = create(world, &(struct new_order){.number = 1});
  assert_int_equal(commit_one(world, decision_change(world, order, ORDER_PROCESSING, 10), NULL).status,
                   COMMIT_DONE);
  struct decision *late = decision_change(world, order, ORDER_ATTENTION, 20);
  late->next.slots[COMMAND_SHIP].state = SLOT_ATTENTION;
  decision_add_message(late, MESSAGE_CALL, COMMAND_SHIP, 0, 1);
  assert_int_equal(commit_one(world, late, NULL).status, COMMIT_CONFLICT);
  struct order_event *events;
  size_t count;
  struct failure failure;
  assert_true(store_events(world_store(world), order->id, &world->arena, &events, &count, &failure));
  assert_int_equal(count, 2);
  struct store_attention_page page;
  assert_true(store_list_attention(world_store(world), NULL, 10, &world->arena, &page, &failure));
  assert_int_equal(page.count, 0);
  struct message message;
  assert_int_equal(receive(world, queue_index(SERVICE_FULFILMENT, CHANNEL_RETAIL), 1000, 1, &message), 0);
}

static void the_history_has_no_gaps_and_stays(void **state) {
  struct world *world = *state;
  struct order *order = create(world, &(struct new_order){.number = 1, .created_ms = 100});
  for (int i = 0; i < 20; i++) {
    struct decision *change =
        decision_change(world, order, i % 2 ? ORDER_PROCESSING : ORDER_ATTENTION, 200 + i);
    if (i == 7) { /* two events in one commit */
      change->events[1] = change->events[0];
      change->events[1].sequence = ++change->next.version;
      change->event_count = 2;
    }
    if (i == 9) { /* and none */
      change->next.version--;
      change->event_count = 0;
    }
    assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
    order = load(world, order->id);
  }
  world->under->crash(world->self);
  struct order_event *events;
  size_t count;
  struct failure failure;
  assert_true(store_events(world_store(world), order->id, &world->arena, &events, &count, &failure));
  assert_int_equal(count, 21);
  for (size_t i = 0; i < count; i++) assert_int_equal(events[i].sequence, i + 1);
  assert_bytes_equal(events[0].type, BYTES("order.accepted"));
  assert_bytes_equal(events[1].type, BYTES("order.attention"));
  assert_int_equal(events[1].status, ORDER_ATTENTION);
  assert_int_equal(events[1].at_ms, 200);
  assert_bytes_equal(events[1].step, BYTES("reserve"));
  assert_bytes_equal(events[1].detail, BYTES("said \"so\""));
}

static void what_was_done_survives_a_crash(void **state) {
  struct world *world = *state;
  struct order *expected[40];
  for (int i = 0; i < 40; i++) {
    char claim[20];
    snprintf(claim, sizeof claim, "pay %d", i);
    struct order *order = create(world, &(struct new_order){.number = i, .claims = {claim}});
    struct decision *change = decision_change(world, order, ORDER_PROCESSING, 1);
    assert_int_equal(commit_one(world, change, NULL).status, COMMIT_DONE);
    expected[i] = &change->next;
    if (i % 10 == 9) world->under->crash(world->self);
  }
  for (int i = 0; i < 40; i++) assert_orders_equal(load(world, expected[i]->id), expected[i]);
  struct new_order other = {.number = 50, .claims = {"pay 7"}};
  struct store_result result = commit_one(world, decision_create(world, &other), &other);
  assert_int_equal(result.status, COMMIT_CLAIM_TAKEN);
  assert_bytes_equal(bytes_from(result.holder_id, ORDER_ID_CHARACTERS), order_id_of(world, 7));
}

/* --- races --- */

enum { RACERS = 8, ROUNDS = 60 };

struct racer {
  struct world world; /* its own arena */
  int number;
  enum commit_status statuses[ROUNDS];
};

static void race(struct world *world, void *(*run)(void *), struct racer racers[RACERS]) {
  pthread_t threads[RACERS];
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (struct racer){.world = *world, .number = i};
    arena_init(&racers[i].world.arena);
    assert_int_equal(pthread_create(&threads[i], NULL, run, &racers[i]), 0);
  }
  for (int i = 0; i < RACERS; i++) {
    pthread_join(threads[i], NULL);
    arena_release(&racers[i].world.arena);
  }
}

static void *race_for_claims(void *context) {
  struct racer *racer = context;
  for (int i = 0; i < ROUNDS; i++) {
    char claim[20];
    snprintf(claim, sizeof claim, "pay %d", i);
    struct new_order new_order = {.number = i * RACERS + racer->number, .claims = {claim}};
    struct decision *decision = decision_create(&racer->world, &new_order);
    racer->statuses[i] = commit_one(&racer->world, decision, &new_order).status;
  }
  return NULL;
}

static void of_racing_claims_one_wins(void **state) {
  struct world *world = *state;
  static struct racer racers[RACERS];
  race(world, race_for_claims, racers);
  for (int i = 0; i < ROUNDS; i++) {
    int done = 0;
    for (int j = 0; j < RACERS; j++) {
      bool won = racers[j].statuses[i] == COMMIT_DONE;
      done += won;
      if (!won) assert_int_equal(racers[j].statuses[i], COMMIT_CLAIM_TAKEN);
      assert_int_equal(load(world, order_id_of(world, i * RACERS + j)) != NULL, won);
    }
    assert_int_equal(done, 1);
  }
}

static void *race_for_ids(void *context) {
  struct racer *racer = context;
  for (int i = 0; i < ROUNDS; i++) {
    struct new_order new_order = {.number = i, .variant = racer->number % 2};
    racer->statuses[i] = commit_one(&racer->world, decision_create(&racer->world, &new_order), NULL).status;
  }
  return NULL;
}

static void of_racing_creates_one_wins(void **state) {
  struct world *world = *state;
  static struct racer racers[RACERS];
  race(world, race_for_ids, racers);
  for (int i = 0; i < ROUNDS; i++) {
    int winner = -1;
    for (int j = 0; j < RACERS; j++) {
      if (racers[j].statuses[i] != COMMIT_DONE) continue;
      assert_int_equal(winner, -1);
      winner = j;
    }
    assert_int_not_equal(winner, -1);
    for (int j = 0; j < RACERS; j++)
      if (j != winner)
        assert_int_equal(racers[j].statuses[i], j % 2 == winner % 2 ? COMMIT_EXISTS_SAME : COMMIT_EXISTS_OTHER);
  }
}

static void *race_to_change(void *context) {
  struct racer *racer = context;
  struct world *world = &racer->world;
  for (int i = 0; i < ROUNDS; i++) {
    struct order *order = load(world, order_id_of(world, 1));
    struct decision *change = decision_change(world, order, ORDER_PROCESSING, racer->number);
    racer->statuses[i] = commit_one(world, change, NULL).status;
  }
  return NULL;
}

static void racing_changes_are_never_both_done(void **state) {
  struct world *world = *state;
  static struct racer racers[RACERS];
  struct order *order = create(world, &(struct new_order){.number = 1});
  race(world, race_to_change, racers);
  int64_t done = 0;
  for (int j = 0; j < RACERS; j++)
    for (int i = 0; i < ROUNDS; i++) {
      done += racers[j].statuses[i] == COMMIT_DONE;
      if (racers[j].statuses[i] != COMMIT_DONE) assert_int_equal(racers[j].statuses[i], COMMIT_CONFLICT);
    }
  assert_int_equal(load(world, order->id)->revision, 1 + done);
  struct order_event *events;
  size_t count;
  struct failure failure;
  assert_true(store_events(world_store(world), order->id, &world->arena, &events, &count, &failure));
  assert_int_equal(count, 1 + done);
  for (size_t i = 0; i < count; i++) assert_int_equal(events[i].sequence, i + 1);
}

#define TEST(function) \
  { #function, function, false }
#define RACE(function) \
  { #function, function, true }
const struct contract_test commit_tests[] = {
    TEST(what_was_created_is_loaded),
    TEST(loads_answer_one_by_one),
    TEST(loads_give_what_is_asked_for),
    TEST(a_replay_is_told_from_other_content),
    TEST(a_large_replay_is_compared_whole),
    TEST(a_claim_is_taken_once),
    TEST(commits_of_one_batch_see_one_another),
    TEST(changes_of_one_batch_are_done_in_order),
    TEST(a_change_needs_the_revision_it_was_decided_on),
    TEST(a_refused_change_leaves_no_trace),
    TEST(the_history_has_no_gaps_and_stays),
    TEST(what_was_done_survives_a_crash),
    RACE(of_racing_claims_one_wins),
    RACE(of_racing_creates_one_wins),
    RACE(racing_changes_are_never_both_done),
    {NULL, NULL, false},
};
