/* What each function is to do: creates straight through the store, as function/accept and function/admit hand
 * them in; changes through function/change. */
#include <stdlib.h>

#include "base/panic.h"
#include "function/change.h"
#include "order/content.h"
#include "protocol/explore.h"

enum { LARGE_LINES = 40 };

/* The same in every run: made once. */
static struct order made[ORDERS_MAX][CONTENTS_MAX][2];
static struct arena made_arena;

struct bytes wish_order_id(int order) {
  static const char *const ids[ORDERS_MAX] = {"ord_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                              "ord_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                                              "ord_cccccccccccccccccccccccccccccccc"};
  return bytes_from(ids[order], ORDER_ID_CHARACTERS);
}

static const struct order *order_of(const struct wish *wish) {
  static const struct order_address address = {
      .name = {"A. Hart", 7}, .line1 = {"1 High St", 9}, .city = {"Leeds", 5}, .country = {"GB", 2}};
  static const struct order_payment payment = {.reference = {"pay", 3}};
  struct order *order = &made[wish->order][wish->content][wish->large];
  if (order->content_json.size) return order;
  size_t lines = wish->large ? LARGE_LINES : 1;
  struct order_line *items = ARENA_ARRAY(&made_arena, lines, struct order_line);
  for (size_t i = 0; i < lines; i++)
    items[i] = (struct order_line){.sku = BYTES("85123A"), .quantity = 6 + wish->content, .unit_price = 255};
  *order = (struct order){.id = wish_order_id(wish->order), .customer = BYTES("ann")};
  order->content = (struct order_content){.channel = CHANNEL_RETAIL,
                                          .currency = BYTES("GBP"),
                                          .lines = {items, lines},
                                          .total = (int64_t)lines * (6 + wish->content) * 255,
                                          .payment = &payment,
                                          .ship_to = &address};
  order->content_json = order_content_write(&order->content, &made_arena);
  return order;
}

struct bytes wish_content(const struct wish *wish) {
  return order_of(wish)->content_json;
}

static bool create(struct actor *actor, const struct wish *wish, const struct function_context *context,
                   struct arena *arena) {
  struct run *run = actor->run;
  struct decision *decision = ARENA_NEW(arena, struct decision);
  struct command command = {.kind = COMMAND_KIND_CREATE, .create = order_of(wish)};
  struct store_commit commit = {.decision = decision};
  struct store_result result;
  if (wish->kind == WISH_CONTEST) command.reason = BYTES("its payment has made another order");
  ensure(order_decide(NULL, &command, &context->rules, clock_now_ms(context->clock), arena, decision) ==
         VERDICT_DECIDED);
  for (size_t i = 0; i < CLAIMS_MAX; i++)
    if (wish->claims[i]) commit.claims[commit.claim_count++] = bytes_of(wish->claims[i]);
  store_commit(context->store, &commit, 1, &result);
  if (sim_is_ghost(&run->sim)) return false;
  rules_note_result(run, wish, &result);
  static const char *const names[] = {"done",     "exists, same", "exists, other", "claim taken",
                                      "conflict", "throttled",    "failed"};
  run_tell(run, "%c: create %.5s (content %d): %s", 'A' + actor->number, wish_order_id(wish->order).data,
           wish->content, names[result.status]);
  return result.status < COMMIT_CONFLICT;
}

/* As function/call does it: on the order as it was loaded a moment before. */
static bool change(struct actor *actor, const struct wish *wish, const struct function_context *context,
                   struct arena *arena) {
  struct run *run = actor->run;
  struct store_loaded loaded;
  struct bytes id = wish_order_id(wish->order);
  struct change change = {.id = id}, *one = &change;
  if (wish->kind == WISH_CANCEL) {
    change.command = (struct command){.kind = COMMAND_KIND_CANCEL, .reason = BYTES("cancelled")};
  } else {
    store_load(context->store, &id, 1, STORE_LOAD_RECENT | STORE_LOAD_STATE, arena, &loaded);
    if (loaded.status == LOAD_FAILED) return false;
    if (loaded.status == LOAD_FOUND) change.known = loaded.order;
    change.command = (struct command){.kind = COMMAND_KIND_OUTCOME,
                                      .slot = COMMAND_RESERVE,
                                      .attempts = 1,
                                      .outcome = wish->kind == WISH_RESERVED ? OUTCOME_DONE : OUTCOME_INVALID,
                                      .reference = BYTES("r-1"),
                                      .reason = BYTES("400"),
                                      .dispatch_version = 1};
  }
  change_run(context, &one, 1, arena);
  if (sim_is_ghost(&run->sim)) {
    run->changes_unknown[wish->order]++;
    return false;
  }
  run_tell(run, "%c: change %.5s: %s, verdict %d", 'A' + actor->number, id.data,
           change.unavailable ? "unavailable" : "definite", (int)change.verdict);
  if (change.unavailable) run->changes_unknown[wish->order]++;
  if (!change.unavailable && change.verdict == VERDICT_DECIDED) run->changes_done[wish->order]++;
  return !change.unavailable;
}

bool wish_with(struct actor *actor, const struct wish *wish, const struct function_context *context) {
  struct arena arena;
  arena_init(&arena);
  bool creates = wish->kind == WISH_CREATE || wish->kind == WISH_CONTEST;
  bool definite = (creates ? create : change)(actor, wish, context, &arena);
  arena_release(&arena);
  return definite;
}
