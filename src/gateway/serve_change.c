/* cancel, retry, skip and callbacks: the routes that change an order. */
#include "gateway/internal.h"

#include "base/log.h"
#include "function/answer.h"
#include "function/operate.h"
#include "gateway/view.h"
#include "order/step.h"
#include "wire/bind.h"
#include "wire/trace.h"

/* The bodies of cancel, retry and skip. */
struct change_body {
  struct bytes reason;
  bool applied;
  struct bytes reference;
};

static const struct bind_field change_fields[] = {
    {.name = "reason", .type = BIND_TEXT, .offset_bytes = offsetof(struct change_body, reason), .most = 200},
    {.name = "applied", .type = BIND_BOOLEAN, .offset_bytes = offsetof(struct change_body, applied)},
    {.name = "reference",
     .type = BIND_TEXT,
     .offset_bytes = offsetof(struct change_body, reference),
     .most = 128},
};
static const struct bind_object cancel_body_object = {change_fields, 1, sizeof(struct change_body)};
static const struct bind_object skip_body_object = {change_fields, 3, sizeof(struct change_body)};

static bool read_body(struct exchange *exchange, const struct bind_object *object, bool reason_required,
                      struct change_body *ret_body) {
  struct json *root;
  struct bytes detail;
  struct problem_errors errors;
  *ret_body = (struct change_body){.applied = false};
  if (exchange->request.body.size == 0 && !reason_required) return true;
  if (!json_parse(exchange->request.body, &exchange->arena, &root, &detail)) {
    answer_problem_with(exchange, PROBLEM_MALFORMED_JSON, detail, NULL);
    return false;
  }
  problem_errors_init(&errors, &exchange->arena);
  bind_read(object, root, &exchange->arena, ret_body, &errors);
  if (reason_required && root->type == JSON_OBJECT && errors.count == 0 && ret_body->reason.size == 0)
    problem_errors_add(&errors, BYTES("/reason"), "is required");
  if (errors.count == 0) return true;
  answer_problem_with(exchange, PROBLEM_INVALID_REQUEST, BYTES("the members listed in errors must be mended"),
                      &errors);
  return false;
}

static bool read_step(struct exchange *exchange, enum step *ret_step) {
  if (step_parse(exchange->parameters[1], ret_step)) return true;
  answer_problem(exchange, PROBLEM_NOT_FOUND, "there is no such step");
  return false;
}

static bool read_callback(struct exchange *exchange, struct command *command) {
  struct answer_meaning meaning;
  struct bytes detail;
  struct json *root;
  if (!json_parse(exchange->request.body, &exchange->arena, &root, &detail)) {
    answer_problem_with(exchange, PROBLEM_MALFORMED_JSON, detail, NULL);
    return false;
  }
  if (!answer_read_callback(exchange->request.body, &exchange->arena, &meaning, &detail)) {
    answer_problem_with(exchange, PROBLEM_INVALID_CALLBACK, detail, NULL);
    return false;
  }
  *command = (struct command){.kind = COMMAND_KIND_OUTCOME,
                              .outcome = meaning.outcome,
                              .is_callback = true,
                              .reference = meaning.reference,
                              .reason = meaning.reason};
  /* The token names the command, so an unknown one can't come this far. */
  return order_command_parse(exchange->parameters[1], &command->slot);
}

/* The command an exchange asks for; false where it was answered with a problem. */
static bool read_command(struct exchange *exchange, struct command *command) {
  struct change_body body;
  *command = (struct command){.kind = COMMAND_KIND_CANCEL};
  switch (exchange->route->id) {
    case ROUTE_CANCEL:
      if (!read_body(exchange, &cancel_body_object, false, &body)) return false;
      command->reason = body.reason.size ? body.reason : BYTES("cancelled");
      return true;
    case ROUTE_RETRY:
      command->kind = COMMAND_KIND_RETRY;
      if (!read_step(exchange, &command->step) || !read_body(exchange, &cancel_body_object, false, &body))
        return false;
      command->reason = body.reason;
      return true;
    case ROUTE_SKIP:
      command->kind = COMMAND_KIND_SKIP;
      if (!read_step(exchange, &command->step) || !read_body(exchange, &skip_body_object, true, &body))
        return false;
      command->reason = body.reason;
      command->applied = body.applied;
      command->reference = body.reference;
      return true;
    default:
      return read_callback(exchange, command);
  }
}

static void answer_change(const struct gateway *gateway, struct exchange *exchange,
                          struct operate_reply *reply) {
  if (reply->problem == PROBLEM_NOT_FOUND && exchange->route->id == ROUTE_CANCEL &&
      waits_in_intake(gateway, exchange)) {
    reply->problem = PROBLEM_OVERLOADED;
    reply->detail = BYTES("the order is accepted and waits to be stored; try again");
  }
  if (reply->problem != PROBLEM_NONE) {
    answer_problem_with(exchange, reply->problem, reply->detail, NULL);
    if (reply->problem == PROBLEM_OVERLOADED) http_response_add(&exchange->response, "Retry-After", BYTES("1"));
  } else if (exchange->route->id == ROUTE_CALLBACK) {
    exchange->response.status = 204;
  } else {
    answer_json(exchange, 202, view_summary(reply->order, &exchange->arena));
  }
  log_event(LOG_INFO, "order_changed", LOG_TEXT("order", exchange->parameters[0]),
            LOG_STRING("route", exchange->route->label), LOG_INT("status", exchange->response.status),
            LOG_STRING("code", reply->problem == PROBLEM_NONE ? NULL : problem_code(reply->problem)),
            LOG_TEXT("trace", trace_id(bytes_of(exchange->traceparent))));
}

void serve_changes(struct gateway *gateway, struct exchange **exchanges, size_t count) {
  struct arena arena;
  arena_init(&arena);
  struct change *changes = ARENA_ARRAY(&arena, count, struct change);
  struct change **asked = ARENA_ARRAY(&arena, count, struct change *);
  struct exchange **asking = ARENA_ARRAY(&arena, count, struct exchange *);
  struct operate_reply *replies = ARENA_ARRAY(&arena, count, struct operate_reply);
  size_t asked_count = 0;
  for (size_t i = 0; i < count; i++) {
    changes[i].id = exchanges[i]->parameters[0];
    if (!read_command(exchanges[i], &changes[i].command)) continue;
    asking[asked_count] = exchanges[i];
    asked[asked_count++] = &changes[i];
  }
  if (asked_count > 0) operate_run(gateway->config.functions, asked, asked_count, &arena, replies);
  for (size_t i = 0; i < asked_count; i++) answer_change(gateway, asking[i], &replies[i]);
  arena_release(&arena);
}
