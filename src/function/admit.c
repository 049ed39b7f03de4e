#include "function/admit.h"

#include "base/digest.h"
#include "base/encode.h"
#include "order/content.h"
#include "wire/id.h"

enum { RETRY_BOUND_MS = 20000 };

struct admitting {
  const struct intake_order *waiting;
  struct message_result *result;
  struct decision decision;
  struct order order;
  char contested_id[ID_CHARACTERS];
};

static void create(const struct function_context *context, struct admitting *admitting, struct bytes conflict,
                   struct arena *arena) {
  const struct command command = {.kind = COMMAND_KIND_CREATE, .create = &admitting->order, .reason = conflict};
  order_decide(NULL, &command, &context->rules, admitting->waiting->accepted_ms, arena, &admitting->decision);
}

static bool read(struct admitting *admitting, struct arena *arena) {
  const struct intake_order *waiting = admitting->waiting;
  admitting->order = (struct order){.id = waiting->id,
                                    .customer = waiting->customer,
                                    .traceparent = waiting->traceparent,
                                    .content_json = waiting->content_json};
  return order_content_read_stored(waiting->content_json, arena, &admitting->order.content);
}

static void later(const struct function_context *context, struct message_result *result) {
  *result = (struct message_result){
      .settlement = SETTLE_RETRY,
      .delay_ms = 1000 + (int64_t)entropy_below(context->entropy, RETRY_BOUND_MS - 1000)};
}

/* Two orders were acknowledged that exclude each other. The second one has to be seen by a person: under
 * its own id where the payment is at issue, under one derived from its content where the id is. */
static void contest(const struct function_context *context, struct admitting *admitting,
                    const struct store_result *first, struct arena *arena) {
  struct order *order = &admitting->order;
  struct bytes conflict;
  if (first->status == COMMIT_CLAIM_TAKEN) {
    conflict = arena_printf(arena, "the payment or purchase order has made the order %.*s", ORDER_ID_CHARACTERS,
                            first->holder_id);
  } else {
    conflict = arena_printf(arena, "its Idempotency-Key has made the order %.*s, with other content",
                            BYTES_PRINTF(order->id));
    uint8_t digest[SHA256_BYTES]; /* the content may be larger than what a key may be */
    sha256(order->content_json, digest);
    struct bytes of_content = base64url_encode(bytes_from(digest, sizeof digest), arena);
    struct bytes key = arena_printf(arena, "%.*s %.*s", BYTES_PRINTF(order->id), BYTES_PRINTF(of_content));
    id_derive(context->id_secret, order->customer, key, admitting->contested_id);
    order->id = bytes_from(admitting->contested_id, ID_CHARACTERS);
  }
  create(context, admitting, conflict, arena);
  const struct store_commit commit = {.decision = &admitting->decision};
  struct store_result result;
  store_commit(context->store, &commit, 1, &result);
  if (result.status != COMMIT_DONE && result.status != COMMIT_EXISTS_SAME) later(context, admitting->result);
}

void admit_run(const struct function_context *context, const struct intake_order *orders, size_t count,
               struct message_result *ret_results) {
  struct arena arena;
  arena_init(&arena);
  struct admitting *admitting = ARENA_ARRAY(&arena, count, struct admitting);
  struct admitting **committed = ARENA_ARRAY(&arena, count, struct admitting *);
  struct store_commit *commits = ARENA_ARRAY(&arena, count, struct store_commit);
  struct store_result *results = ARENA_ARRAY(&arena, count, struct store_result);
  size_t commit_count = 0;
  for (size_t i = 0; i < count; i++) {
    admitting[i].waiting = &orders[i];
    admitting[i].result = &ret_results[i];
    if (!read(&admitting[i], &arena)) {
      later(context, &ret_results[i]); /* damaged: it ends as a dead letter, for a person to see */
      continue;
    }
    create(context, &admitting[i], (struct bytes){NULL, 0}, &arena);
    struct store_commit *commit = &commits[commit_count];
    commit->decision = &admitting[i].decision;
    commit->claim_count = orders[i].claim_count;
    memcpy(commit->claims, orders[i].claims, sizeof commit->claims);
    committed[commit_count++] = &admitting[i];
  }
  if (commit_count > 0) store_commit(context->store, commits, commit_count, results);
  for (size_t i = 0; i < commit_count; i++) {
    *committed[i]->result = (struct message_result){.settlement = SETTLE_ACK};
    switch (results[i].status) {
      case COMMIT_DONE:
      case COMMIT_EXISTS_SAME:
        break;
      case COMMIT_EXISTS_OTHER:
      case COMMIT_CLAIM_TAKEN:
        contest(context, committed[i], &results[i], &arena);
        break;
      case COMMIT_CONFLICT:
      case COMMIT_THROTTLED:
      case COMMIT_FAILED:
        later(context, committed[i]->result);
    }
  }
  arena_release(&arena);
}
