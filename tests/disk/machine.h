/* The machine under test: production's store, queues and functions in the data folder, what is outside of
 * it (the services, the clock), and the story that is told on it.
 *
 * The story is one that clients, services and an operator can tell again from its beginning at any time, as
 * they would after a crash: orders are sent again with their keys until they are acknowledged, what waits in
 * the queues is carried out, one order is cancelled, one brought on by an operator, one by a callback.
 * It has creates with claims in one batch and alone, small and large contents, a replay, a reused key, a claim
 * that is taken, refusals early and late, answers that are lost, a service that is busy, checkpoints, a
 * clean stop and a start in its middle, and its end. */
#ifndef TESTS_DISK_MACHINE_H
#define TESTS_DISK_MACHINE_H

#include "disk/world.h"
#include "fake/ports.h"
#include "platform/local/store_sqlite.h"

struct machine {
  const char *folder;
  struct world *world;
  struct store_sqlite *store; /* NULL: not started */
  struct witness witness;
  struct fake_clock clock;
  struct fake_entropy entropy;
  struct fake_telemetry telemetry;
  struct function_context context;
  struct arena arena;
  bool fatal; /* the store asked for the process's end */
};

void machine_init(struct machine *machine, const char *folder, struct world *world);
void machine_release(struct machine *machine);
/* How often something is tried again: for a while, and for a while after the disk is good again. */
struct patience {
  int tries;
  bool was_good;
};
bool patience_is_left(struct patience *patience);

/* Starts the store; where the start is refused, again. False where it never was: then the process is given
 * up. Each refusal must say why. */
bool machine_start(struct machine *machine);
void machine_stop(struct machine *machine);

/* Starts the store and makes its log long, with so many large orders. */
void story_fill(struct machine *machine, int64_t count);
/* Tells the story. False where the process was ended on the way, or given up over faults that stay: then
 * it must be started again. */
bool story_tell(struct machine *machine);
/* After the story: every order has ended, with effects that match. */
void story_check_end(struct machine *machine);
/* What is checked after each start. */
void machine_check(struct machine *machine);

/* Gives up: the process is killed. It is a violation where the disk is good again: then it should have gone
 * on. Always false. */
bool machine_give_up(struct machine *machine, const char *over);

/* services.c: the three services. They honour keys. */
void services_answer(struct world *world, const struct service_call *call, struct arena *arena,
                     struct service_answer *ret_answer);
/* The order's commands that will be done by callback: applies it. */
void services_call_back(struct known *known, enum order_command command);
enum story_order {
  STORY_USUAL,
  STORY_LARGE,
  STORY_REFUSED,
  STORY_REFUSED_LATE,
  STORY_CANCELLED,
  STORY_INVALID,
  STORY_LOST,
  STORY_BUSY,
  STORY_LATER,
  STORY_COUNT
};
extern const char *const story_keys[STORY_COUNT];
/* Which of the story's orders it is; STORY_COUNT for any other. */
enum story_order story_order_of(struct bytes id);
struct bytes story_id(enum story_order which, struct arena *arena);
#define STORY_CUSTOMER "ann"

#endif
