/* Everything a function is given, made of fakes, and orders to give it. */
#ifndef TESTS_FAKE_WORLD_H
#define TESTS_FAKE_WORLD_H

#include "fake/ports.h"
#include "fake/services.h"
#include "fake/store.h"
#include "fake/testing.h"
#include "function/accept.h"
#include "function/context.h"

enum { FAKE_DEADLINE_MS = 86400000, FAKE_RETRY_FIRST_MS = 500, FAKE_RETRY_MAX_MS = 300000 };
#define FAKE_NOW_MS INT64_C(1795460000000)

struct fake_world {
  struct arena arena;
  struct fake_store store;
  struct fake_services services;
  struct fake_clock clock;
  struct fake_entropy entropy;
  struct fake_telemetry telemetry;
  struct function_context context;
};

void fake_world_init(struct fake_world *world);
void fake_world_release(struct fake_world *world);

/* For cmocka's set-up and tear-down: the state is a struct fake_world. */
int fake_world_set_up(void **state);
int fake_world_tear_down(void **state);

/* A good retail order that is paid with `reference`; `more` is further members, each with a comma
 * before it, or "". */
struct bytes fake_retail(struct fake_world *world, const char *reference, const char *more);
struct bytes fake_wholesale(struct fake_world *world, const char *purchase_order, const char *more);
struct bytes fake_id(struct fake_world *world, const char *customer, const char *key);
/* Accepts it for the customer, with `reference` as its idempotency key as well; the stored order's id. */
struct bytes fake_accept(struct fake_world *world, const char *customer, const char *reference);
struct accept_reply fake_accept_body(struct fake_world *world, const char *customer, const char *key,
                                     struct bytes body);
/* As it is stored now. */
const struct order *fake_order(struct fake_world *world, struct bytes id);
/* Carries out the newest message of one of the order's commands, through call_run. */
struct message_result fake_call(struct fake_world *world, struct bytes id, enum order_command slot);
struct message_result fake_call_after(struct fake_world *world, struct bytes id, enum order_command slot,
                                      int64_t attempts, const char *note);

#endif
