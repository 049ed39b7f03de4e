/* The surge's ledger, read back: cli/surge_ledger.h describes its lines. */
#include <stdlib.h>

#include "base/panic.h"
#include "base/time.h"
#include "cli/audit.h"

static struct audit_attempt *attempt_of(struct audit_world *world, struct bytes key) {
  int64_t found = key_index_find(&world->by_key, key);
  if (found != KEY_INDEX_NONE) return &world->attempts[found];
  if (world->attempt_count == world->attempt_capacity) {
    world->attempt_capacity = world->attempt_capacity ? world->attempt_capacity * 2 : 1024;
    world->attempts = reallocarray(world->attempts, world->attempt_capacity, sizeof *world->attempts);
    if (!world->attempts) panic("out of memory");
  }
  struct audit_attempt *attempt = &world->attempts[world->attempt_count];
  *attempt = (struct audit_attempt){.key = arena_copy(&world->arena, key), .order = -1};
  key_index_add(&world->by_key, attempt->key, world->attempt_count++);
  return attempt;
}

/* The first attempt that carries a reference is the one an order with it belongs to. */
static void remember(struct key_index *index, struct bytes name, size_t attempt) {
  if (name.size && key_index_find(index, name) == KEY_INDEX_NONE) key_index_add(index, name, attempt);
}

/* The body as it stands in the line: the last member, up to the closing brace. */
static struct bytes body_within(struct bytes line) {
  static const char mark[] = ",\"body\":";
  const char *at = memmem(line.data, line.size, mark, sizeof mark - 1);
  if (!at) return (struct bytes){0};
  size_t from = (size_t)(at - line.data) + sizeof mark - 1;
  return bytes_slice(line, from, line.size - 1);
}

static void take_attempt(struct audit_world *world, const struct json *json, struct bytes line) {
  struct audit_attempt *attempt = attempt_of(world, json_member_text(json, "key"));
  const struct json *body = json_member(json, "body");
  if (!body) return;
  size_t number = (size_t)(attempt - world->attempts);
  attempt->customer = arena_copy(&world->arena, json_member_text(json, "customer"));
  attempt->payment = arena_copy(&world->arena, json_member_text(json_member(body, "payment"), "reference"));
  attempt->purchase_order = arena_copy(&world->arena, json_member_text(body, "purchase_order"));
  attempt->body = body_within(line);
  remember(&world->by_payment, attempt->payment, number);
  if (attempt->purchase_order.size == 0) return;
  remember(&world->by_purchase,
           arena_printf(&world->arena, "%.*s\n%.*s", BYTES_PRINTF(attempt->customer),
                        BYTES_PRINTF(attempt->purchase_order)),
           number);
  remember(&world->by_purchase, attempt->purchase_order, number);
}

static void take_answer(struct audit_world *world, const struct json *json) {
  struct audit_attempt *attempt = attempt_of(world, json_member_text(json, "key"));
  int64_t status = json_member_int64(json, "status", 0);
  struct bytes id = json_member_text(json, "id");
  if (status >= 200 && status < 300 && id.size) {
    attempt->outcome = AUDIT_ACKNOWLEDGED;
    if (attempt->id.size == 0)
      attempt->id = arena_copy(&world->arena, id);
    else if (!bytes_equal(attempt->id, id))
      attempt->other_id = arena_copy(&world->arena, id);
  } else if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429 &&
             attempt->outcome == AUDIT_UNANSWERED) {
    attempt->outcome = AUDIT_REFUSED;
    attempt->code = arena_copy(&world->arena, json_member_text(json, "code"));
  }
}

bool audit_take_line(struct audit_world *world, struct bytes line) {
  struct json *json;
  struct bytes detail;
  int64_t at_ms;
  arena_reset(&world->scratch);
  if (!json_parse(line, &world->scratch, &json, &detail)) return false;
  struct bytes type = json_member_text(json, "type");
  if (bytes_equal_string(type, "run")) {
    if (!time_parse(json_member_text(json, "at"), &at_ms)) return false;
    if (at_ms < world->started_ms) world->started_ms = at_ms;
  } else if (bytes_equal_string(type, "attempt")) {
    take_attempt(world, json, line);
  } else if (bytes_equal_string(type, "answer")) {
    take_answer(world, json);
  } else {
    return bytes_equal_string(type, "cancel") || bytes_equal_string(type, "cancel-answer") ||
           bytes_equal_string(type, "end");
  }
  return true;
}
