/* Ledgers and orders that the audit reads back (cli/audit.h). Each line is taken as a line of the surge's
 * ledger, else as one of the sandbox's, else as an order of the server's. The verdict adds up. */
#include "cli/audit.h"
#include "fuzz.h"

static void take_line(struct audit_world *world, struct bytes line, struct arena *arena) {
  struct json *json;
  struct bytes detail;
  if (audit_take_line(world, line) || audit_take_effect(world, line)) return;
  if (!json_parse(line, arena, &json, &detail) || json->type != JSON_OBJECT) return;
  audit_take_order(world, audit_order_of(world, json_member_text(json, "id")), json);
}

static void check_verdict(const struct audit_world *world, const struct audit_verdict *verdict) {
  uint64_t by_code = 0, violations = 0;
  ensure(verdict->attempted == world->attempt_count);
  ensure(verdict->acknowledged + verdict->refused + verdict->unanswered == verdict->attempted);
  ensure(verdict->code_count <= AUDIT_CODES_MAX && verdict->example_count <= AUDIT_EXAMPLES_MAX);
  for (size_t i = 0; i < verdict->code_count; i++) by_code += verdict->codes[i].count;
  ensure(by_code == verdict->refused);
  for (int i = 0; i < AUDIT_VIOLATION_COUNT; i++) violations += verdict->violations[i];
  ensure(audit_is_clean(verdict) == (violations == 0));
}

FUZZ_TARGET(input, arena) {
  struct audit_world world;
  struct audit_verdict verdict;
  struct bytes rest = input, line;
  audit_world_init(&world);
  while (bytes_next_part(&rest, '\n', &line)) take_line(&world, line, arena);
  audit_judge(&world, &verdict);
  check_verdict(&world, &verdict);
  audit_world_release(&world);
}
