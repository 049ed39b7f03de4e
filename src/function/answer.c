#include "function/answer.h"

#include "wire/http.h"
#include "wire/json.h"

enum { REFERENCE_CODE_POINTS_MAX = 128, REASON_CODE_POINTS_MAX = 200 };

/* Clean text within a limit; the empty view where it is none. */
static struct bytes member_of_form(const struct json *object, const char *name, size_t most) {
  struct bytes text = json_member_text(object, name);
  size_t length;
  if (!bytes_count_code_points(text, &length) || length > most || bytes_have_control_characters(text))
    return (struct bytes){NULL, 0};
  return text;
}

static const struct json *parse_object(struct bytes body, struct arena *arena) {
  struct json *root;
  struct bytes detail;
  if (!json_parse(body, arena, &root, &detail) || root->type != JSON_OBJECT) return NULL;
  return root;
}

static struct bytes reason_of(const struct json *body) {
  struct bytes reason = member_of_form(body, "reason", REASON_CODE_POINTS_MAX);
  return reason.size ? reason : BYTES("unspecified");
}

/* "answered 400 Bad Request: bad_country, no such country" */
static struct bytes describe(const struct service_answer *answer, struct arena *arena) {
  if (answer->transport != TRANSPORT_ANSWERED)
    return arena_printf(arena, "no answer: %.*s", BYTES_PRINTF(answer->failure));
  const struct json *body = parse_object(answer->body, arena);
  struct bytes reason = member_of_form(body, "reason", REASON_CODE_POINTS_MAX);
  struct bytes detail = member_of_form(body, "detail", REASON_CODE_POINTS_MAX);
  return arena_printf(arena, "answered %d %s%s%.*s%s%.*s", answer->status, http_status_text(answer->status),
                      reason.size ? ": " : "", BYTES_PRINTF(reason),
                      detail.size ? (reason.size ? ", " : ": ") : "", BYTES_PRINTF(detail));
}

static enum outcome outcome_of_status(int status) {
  if (status == 200 || status == 201) return OUTCOME_DONE;
  if (status == 202) return OUTCOME_PENDING;
  if (status >= 200 && status < 300) return OUTCOME_GARBAGE;
  if (status == 409 || status == 422) return OUTCOME_REFUSED;
  if (status == 425 || status == 429) return OUTCOME_NOT_APPLIED;
  if (status >= 400 && status < 500 && status != 408) return OUTCOME_INVALID;
  return OUTCOME_UNKNOWN;
}

void answer_read(const struct service_answer *answer, struct arena *arena, struct answer_meaning *ret_meaning) {
  *ret_meaning = (struct answer_meaning){.outcome = OUTCOME_UNKNOWN};
  if (answer->transport == TRANSPORT_NOT_SENT) ret_meaning->outcome = OUTCOME_NOT_APPLIED;
  if (answer->transport == TRANSPORT_ANSWERED) ret_meaning->outcome = outcome_of_status(answer->status);
  if (ret_meaning->outcome == OUTCOME_REFUSED) {
    ret_meaning->reason = reason_of(parse_object(answer->body, arena));
    return;
  }
  if (ret_meaning->outcome == OUTCOME_DONE) {
    ret_meaning->reference =
        member_of_form(parse_object(answer->body, arena), "reference", REFERENCE_CODE_POINTS_MAX);
    if (ret_meaning->reference.size > 0) return;
    ret_meaning->outcome = OUTCOME_GARBAGE;
    ret_meaning->reason = arena_printf(arena, "answered %d with a body that has no reference", answer->status);
    return;
  }
  ret_meaning->reason = describe(answer, arena);
}

bool answer_read_callback(struct bytes body, struct arena *arena, struct answer_meaning *ret_meaning,
                          struct bytes *ret_detail) {
  const struct json *root = parse_object(body, arena);
  struct bytes outcome = json_member_text(root, "outcome");
  *ret_detail = BYTES("the body must be a JSON object");
  if (!root) return false;
  *ret_detail = BYTES("outcome must be \"done\" or \"refused\"");
  if (bytes_equal_string(outcome, "refused")) {
    const struct json *reason = json_member(root, "reason");
    *ret_detail = BYTES("reason must be a string of at most 200 characters");
    if (reason && reason->type != JSON_NULL && reason->type != JSON_STRING) return false;
    if (reason && reason->text.size > 0 && member_of_form(root, "reason", REASON_CODE_POINTS_MAX).size == 0)
      return false;
    *ret_meaning = (struct answer_meaning){.outcome = OUTCOME_REFUSED, .reason = reason_of(root)};
    return true;
  }
  if (!bytes_equal_string(outcome, "done")) return false;
  struct bytes reference = member_of_form(root, "reference", REFERENCE_CODE_POINTS_MAX);
  *ret_detail = BYTES("reference must be a string of 1 to 128 characters");
  if (reference.size == 0) return false;
  *ret_meaning = (struct answer_meaning){.outcome = OUTCOME_DONE, .reference = reference};
  return true;
}

void answer_read_lookup(const struct service_answer *answer, struct arena *arena,
                        struct answer_meaning *ret_meaning) {
  struct bytes detail;
  *ret_meaning = (struct answer_meaning){.outcome = OUTCOME_UNKNOWN};
  if (answer->transport == TRANSPORT_ANSWERED && answer->status == 404)
    ret_meaning->outcome = OUTCOME_NOT_APPLIED;
  else if (answer->transport == TRANSPORT_ANSWERED && answer->status == 202)
    ret_meaning->outcome = OUTCOME_PENDING;
  else if (answer->transport == TRANSPORT_ANSWERED && answer->status == 200 &&
           answer_read_callback(answer->body, arena, ret_meaning, &detail))
    return;
  ret_meaning->reason = arena_printf(arena, "look-up: %.*s", BYTES_PRINTF(describe(answer, arena)));
}
