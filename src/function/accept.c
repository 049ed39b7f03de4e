#include "function/accept.h"

#include "order/content.h"
#include "port/intake.h"
#include "wire/id.h"

struct accepting {
  const struct accept_request *request;
  struct accept_reply *reply;
  struct decision decision;
  char id[ID_CHARACTERS];
  const struct store_commit *commit;
};

static void refuse(struct accepting *accepting, enum problem problem, const char *detail) {
  accepting->reply->problem = problem;
  accepting->reply->detail = bytes_of(detail);
}

/* The payment gateway's word that the money was taken, for this order's customer, payment, amount
 * and currency (contract section 5, "Payment receipts"). */
static const char *receipt_fault(const struct accept_request *request, const struct order_content *content,
                                 bool *ret_key_unknown) {
  struct json *claims;
  if (!request->receipts_expected || !content->payment) return NULL;
  enum jwt_status status =
      jwt_verify(request->receipt_keys, content->payment->receipt, request->arena, &claims);
  *ret_key_unknown = status == JWT_UNKNOWN_KEY;
  if (status != JWT_VALID) return "the receipt's signature is not the payment gateway's";
  if (!bytes_equal(json_member_text(claims, "sub"), request->customer))
    return "the receipt is another customer's";
  if (!bytes_equal(json_member_text(claims, "reference"), content->payment->reference))
    return "the receipt is for another payment reference";
  if (json_member_int64(claims, "amount", -1) != content->total) return "the receipt is for another amount";
  if (!bytes_equal(json_member_text(claims, "currency"), content->currency))
    return "the receipt is for another currency";
  return NULL;
}

static struct order *read_order(struct accepting *accepting, struct bytes id_secret) {
  const struct accept_request *request = accepting->request;
  struct accept_reply *reply = accepting->reply;
  struct json *body;
  struct order *order = ARENA_NEW(request->arena, struct order);
  if (!json_parse(request->body, request->arena, &body, &reply->detail)) {
    reply->problem = PROBLEM_MALFORMED_JSON;
    return NULL;
  }
  /* Scope is judged before the rest of the body (contract section 5, "HTTP"). */
  if (!request->may_write_wholesale && bytes_equal_string(json_member_text(body, "channel"), "wholesale")) {
    refuse(accepting, PROBLEM_INSUFFICIENT_SCOPE, "a wholesale order needs the scope orders:wholesale");
    return NULL;
  }
  if (request->receipts_expected && !request->receipt_keys) {
    refuse(accepting, PROBLEM_OVERLOADED,
           "the payment gateway's keys are not known yet; send the same request again");
    return NULL;
  }
  order_content_read(body, request->receipts_expected, request->arena, &order->content, &reply->errors);
  if (reply->errors.count > 0) {
    refuse(accepting, PROBLEM_INVALID_ORDER, "the members listed in errors must be mended");
    return NULL;
  }
  const char *fault = receipt_fault(request, &order->content, &reply->receipt_key_unknown);
  if (fault) {
    refuse(accepting, PROBLEM_PAYMENT_NOT_PROVEN, fault);
    return NULL;
  }
  id_derive(id_secret, request->customer, request->idempotency_key, accepting->id);
  order->id = bytes_from(accepting->id, ID_CHARACTERS);
  order->customer = request->customer;
  order->traceparent = request->traceparent;
  order->content_json = order_content_write(&order->content, request->arena);
  return order;
}

/* One payment makes one order, and one purchase order number of one customer does. */
static size_t claims_of(const struct order *order, struct arena *arena, struct bytes *ret_claims) {
  size_t count = 0;
  if (order->content.payment)
    ret_claims[count++] = arena_printf(arena, "payment:%.*s", BYTES_PRINTF(order->content.payment->reference));
  if (order->content.purchase_order.size)
    ret_claims[count++] =
        arena_printf(arena, "purchase:%zu:%.*s:%.*s", order->customer.size, BYTES_PRINTF(order->customer),
                     BYTES_PRINTF(order->content.purchase_order));
  return count;
}

/* The spillway: what the store cannot take now is as safe in the intake, and admitted later. A commit
 * that failed may have been written; then the admission finds it there. */
static bool spill(const struct function_context *context, struct accepting *accepting) {
  struct order *order = &accepting->decision.next;
  struct intake_order spilled = {.id = order->id,
                                 .customer = order->customer,
                                 .content_json = order->content_json,
                                 .traceparent = order->traceparent,
                                 .accepted_ms = order->created_ms,
                                 .claim_count = accepting->commit->claim_count};
  memcpy(spilled.claims, accepting->commit->claims, sizeof spilled.claims);
  if (!context->intake || !intake_put(context->intake, &spilled)) return false;
  accepting->reply->order = order;
  telemetry_count(context->telemetry, METRIC_SPILLS, NULL, NULL, 1);
  return true;
}

static void reply_to(const struct function_context *context, struct accepting *accepting,
                     const struct store_result *result) {
  struct accept_reply *reply = accepting->reply;
  const struct accept_request *request = accepting->request;
  struct order *order = &accepting->decision.next;
  switch (result->status) {
    case COMMIT_DONE:
    case COMMIT_EXISTS_SAME:
      reply->replayed = result->status == COMMIT_EXISTS_SAME;
      order->created_ms = result->created_ms;
      reply->order = order;
      return;
    case COMMIT_EXISTS_OTHER:
      refuse(accepting, PROBLEM_IDEMPOTENCY_KEY_REUSED, "this Idempotency-Key came before, with other content");
      return;
    case COMMIT_CLAIM_TAKEN: {
      struct bytes holder = bytes_from(result->holder_id, ID_CHARACTERS);
      if (!id_belongs_to(context->id_secret, holder, request->customer)) {
        refuse(accepting, PROBLEM_PAYMENT_ALREADY_USED, "the payment or purchase order has made another order");
        return;
      }
      reply->holder_id = arena_copy(request->arena, holder);
      reply->problem = PROBLEM_PAYMENT_ALREADY_USED;
      reply->detail = arena_printf(request->arena, "the payment or purchase order has made the order %.*s",
                                   BYTES_PRINTF(reply->holder_id));
      return;
    }
    case COMMIT_CONFLICT:
    case COMMIT_THROTTLED:
    case COMMIT_FAILED:
      if (spill(context, accepting)) return;
      refuse(accepting, PROBLEM_OVERLOADED, "the order could not be stored; send the same request again");
  }
}

void accept_run(const struct function_context *context, const struct accept_request *requests, size_t count,
                struct accept_reply *ret_replies) {
  struct arena arena;
  arena_init(&arena);
  struct store_commit *commits = ARENA_ARRAY(&arena, count, struct store_commit);
  struct store_result *results = ARENA_ARRAY(&arena, count, struct store_result);
  struct accepting **committed = ARENA_ARRAY(&arena, count, struct accepting *);
  size_t commit_count = 0;
  for (size_t i = 0; i < count; i++) {
    struct arena *of_reply = requests[i].arena;
    struct accepting *accepting = ARENA_NEW(of_reply, struct accepting);
    *accepting = (struct accepting){.request = &requests[i], .reply = &ret_replies[i]};
    ret_replies[i] = (struct accept_reply){0};
    problem_errors_init(&ret_replies[i].errors, of_reply);
    struct order *order = read_order(accepting, context->id_secret);
    if (!order) continue;
    const struct command create = {.kind = COMMAND_KIND_CREATE, .create = order};
    order_decide(NULL, &create, &context->rules, clock_now_ms(context->clock), of_reply, &accepting->decision);
    struct store_commit *commit = &commits[commit_count];
    commit->decision = &accepting->decision;
    commit->claim_count = claims_of(order, of_reply, commit->claims);
    accepting->commit = commit;
    committed[commit_count++] = accepting;
  }
  if (commit_count > 0) store_commit(context->store, commits, commit_count, results);
  for (size_t i = 0; i < commit_count; i++) reply_to(context, committed[i], &results[i]);
  arena_release(&arena);
}
