/* For tests/aws/contract on the table in memory: a client that opens as the real one does, to which nothing
 * happens, and a clock that goes on only while something waits. */
#include "platform/net/system.h"
#include "protocol/client.h"
#include "protocol/table.h"

static struct table *table;
static int64_t now_ms = INT64_C(1795460000000);

static void carry_out(void *context, const struct aws_request *const *requests, size_t count,
                      struct arena *arena, struct aws_answer *const *answers) {
  (void)context;
  if (!table) table = table_make();
  for (size_t i = 0; i < count; i++) table_carry_out(table, requests[i], arena, answers[i]);
}

static bool pause_for(void *context, int64_t most_ms) {
  (void)context;
  now_ms += most_ms;
  return true;
}

static bool is_over(void *context) {
  (void)context;
  return false;
}

bool aws_client_open(const struct aws_client_options *options, struct aws_client **ret_client,
                     struct failure *ret_failure) {
  (void)options, (void)ret_failure;
  *ret_client =
      client_make(&(struct client_world){.carry_out = carry_out, .pause = pause_for, .is_over = is_over});
  return true;
}

static int64_t tell_ms(struct clock *clock) {
  (void)clock;
  return now_ms;
}

static int64_t tell_us(struct clock *clock) {
  (void)clock;
  return now_ms * 1000;
}

struct clock *system_clock(void) {
  static struct clock clock = {tell_ms, tell_us};
  return &clock;
}

static void fill(struct entropy *entropy, void *ret_data, size_t size_bytes) {
  static unsigned char next;
  (void)entropy;
  for (size_t i = 0; i < size_bytes; i++) ((unsigned char *)ret_data)[i] = next += 37;
}

struct entropy *system_entropy(void) {
  static struct entropy entropy = {fill};
  return &entropy;
}
