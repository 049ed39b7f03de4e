/* Services' answers and callbacks (function/answer.h): the input's first line is a status, the rest a body.
 * Whatever a service says, what is kept of it is clean text, and the order it is kept in can be stored, read
 * again and shown. */
#include "function/answer.h"
#include "function/call.h"
#include "function/operate.h"
#include "fuzz.h"
#include "gateway/view.h"
#include "gateway_world.h"
#include "order/codec.h"

enum { REFERENCE_MAX = 128, REASON_MAX = 600 };

static void check_meaning(const struct answer_meaning *meaning) {
  ensure(meaning->outcome < OUTCOME_COUNT);
  ensure(fuzz_is_clean(meaning->reference, REFERENCE_MAX) && fuzz_is_clean(meaning->reason, REASON_MAX));
  ensure((meaning->reference.size > 0) == (meaning->outcome == OUTCOME_DONE));
  ensure(meaning->reason.size > 0 || meaning->outcome == OUTCOME_DONE);
}

/* Carries the order's first command out with this answer, and then calls back with the same body. */
static void check_order(const struct service_answer *answer, const struct answer_meaning *callback,
                        struct arena *arena) {
  struct gateway_world *world = gateway_world_get();
  struct fake_world *inner = &world->fake->world;
  gateway_world_reset(world);
  struct bytes id = fake_accept(inner, "ada", "pay-1");
  fake_services_answer_with(&inner->services, answer);
  (void)fake_call(inner, id, COMMAND_RESERVE);
  if (callback) {
    struct change change = {.id = id,
                            .command = {.kind = COMMAND_KIND_OUTCOME,
                                        .slot = COMMAND_RESERVE,
                                        .outcome = callback->outcome,
                                        .reference = callback->reference,
                                        .reason = callback->reason}},
                  *changes = &change;
    struct operate_reply reply;
    operate_run(&inner->context, &changes, 1, arena, &reply);
  }
  const struct fake_row *row = fake_store_row(&inner->store, id);
  struct order again;
  struct text text;
  text_init(&text, arena);
  order_state_write(&row->order, &text);
  ensure(order_state_read(text_view(&text), arena, &again));
  (void)fuzz_json(view_order(&row->order, arena), arena);
  (void)fuzz_json(view_events(row->events, row->event_count, arena), arena);
}

FUZZ_TARGET(input, arena) {
  struct bytes rest = input, line = {NULL, 0}, detail = {NULL, 0};
  struct answer_meaning meaning, lookup, callback = {.outcome = OUTCOME_COUNT};
  unsigned long long status = 0;
  (void)bytes_next_part(&rest, '\n', &line);
  bool answered = bytes_to_uint64(line, &status) && status >= 100 && status <= 999;
  const struct service_answer answer = {
      .transport = answered ? TRANSPORT_ANSWERED : TRANSPORT_BROKEN,
      .status = answered ? (int)status : 0,
      .body = rest.data && answered ? rest : (struct bytes){NULL, 0},
      .failure = answered ? (struct bytes){NULL, 0} : BYTES("connection reset")};
  answer_read(&answer, arena, &meaning);
  check_meaning(&meaning);
  answer_read_lookup(&answer, arena, &lookup);
  ensure(lookup.outcome != OUTCOME_INVALID && lookup.outcome != OUTCOME_GARBAGE);
  check_meaning(&lookup);
  bool good = answer_read_callback(answer.body, arena, &callback, &detail);
  ensure(good ? callback.outcome == OUTCOME_DONE || callback.outcome == OUTCOME_REFUSED
              : callback.outcome == OUTCOME_COUNT && detail.size > 0);
  if (good) check_meaning(&callback);
  check_order(&answer, good ? &callback : NULL, arena);
}
