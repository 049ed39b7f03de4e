/* The simulated world's core: one seed decides everything. Tasks are coroutines on one thread; each port call
 * is a point at which the running task may be delayed, frozen or killed and another may go on, or at which the
 * port is made to fail. Time is virtual and jumps from event to event.
 *
 * A killed task must give its memory back, so it is not dropped: it runs on to its end as a ghost, for which
 * every point is GONE at once: a port that is asked by a ghost does nothing and fails.
 *
 * Chance is drawn from a stream for each task, which follows from whose task it is and the how-manieth, and
 * whether a fault strikes at a point from that point's name alone. So what happens to one order hardly depends
 * on what happens to another, and a world from which a fault or an order is taken away is otherwise nearly the
 * same: that is what makes shrinking work. */
#ifndef PLATFORM_SIM_SIM_H
#define PLATFORM_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "platform/sim/stack.h"
#include "port/clock.h"
#include "port/entropy.h"

/* Where a fault may strike: each has its own mark in the trace. */
enum sim_point {
  POINT_COMMIT,    /* before a batch of commits */
  POINT_COMMITTED, /* after it, before its caller learns of it */
  POINT_LOAD,
  POINT_LIST,
  POINT_SEND,    /* before messages are sent to queues */
  POINT_SENT,    /* after */
  POINT_SPILL,   /* before an order is put into the intake */
  POINT_SPILLED, /* after */
  POINT_CALL,    /* before a request leaves for a service */
  POINT_CALLED,  /* after the service has done what it does, before its answer is read */
  POINT_SETTLE,  /* before messages are acknowledged or put back */
  POINT_SERVE,   /* between a request's parts */
  POINT_RECEIVE, /* a message is handed to a function */
  POINT_NOTE,    /* before new orders are entered into the directory */
  POINT_RELAY,   /* a part of the stream has been relayed */
  POINT_HEARD,   /* a callback was taken */
  POINT_TIME,    /* the wall clock goes on */
  POINT_COUNT
};

enum sim_fault {
  FAULT_NONE,
  FAULT_GONE,      /* the task is a ghost: do nothing, fail */
  FAULT_KILL,      /* its environment is killed here; becomes GONE */
  FAULT_STOP,      /* its whole environment stands still for seconds or minutes (SIGSTOP), then goes on */
  FAULT_FREEZE,    /* it stands still for long, then goes on */
  FAULT_SLOW,      /* some seconds */
  FAULT_THROTTLE,  /* refused without an effect */
  FAULT_FAIL,      /* fails without an effect, and does not say so */
  FAULT_LOSE,      /* the effect happens, the answer is lost */
  FAULT_STALE,     /* a read of an earlier state */
  FAULT_PARTLY,    /* only a part of the batch */
  FAULT_DUPLICATE, /* done or delivered twice */
  FAULT_REFUSE,    /* a service: refused for good */
  FAULT_PENDING,   /* a service: 202, a callback later */
  FAULT_INVALID,   /* a service: a 4xx that no retry mends */
  FAULT_GARBAGE,   /* a service: applied, and answers nonsense */
  FAULT_JUMP,      /* the wall clock jumps */
  FAULT_COUNT
};

#define FAULT_BIT(fault) (1U << (fault))

extern const char *const sim_point_names[POINT_COUNT];
extern const char *const sim_fault_names[FAULT_COUNT];

/* How often, in a million. Swarm mode draws these anew for each seed. */
struct sim_faults {
  uint32_t rates[FAULT_COUNT];
};

/* A fault that struck, or is to strike: at the point of this name. */
struct sim_strike {
  uint64_t name;
  enum sim_fault fault;
};

struct sim_task;
struct sim;
typedef void sim_entry(struct sim *sim, void *context);

struct sim {
  struct clock clock; /* the world's wall clock; it may jump */
  struct entropy entropy;
  uint64_t seed, random, spawned; /* of what no task does */
  uint64_t given_name;            /* of the next point; 0: none was given */
  int64_t now_ms;                 /* since the world began; never jumps */
  int64_t clock_jump_ms;          /* what the wall clock is off by */
  uint64_t events, points;
  uint64_t hash; /* of everything that happened, in its order */
  struct sim_faults faults;
  /* Instead of faults by chance: these and no others, by name; NULL: by chance. */
  const struct sim_strike *only;
  size_t only_count;
  /* Exhaustive mode: at the point of this number (from 1; 0: off) this fault, once or from then on at every
   * point of its kind. */
  uint64_t exact_point;
  enum sim_fault exact_fault;
  bool exact_for_ever;
  enum sim_point exact_kind; /* of the point that was struck */
  unsigned *allowed;         /* if set: which faults each point allows, as far as there is room; from 1 */
  size_t allowed_room;
  struct sim_strike *strikes; /* all that struck */
  size_t struck, strike_room;
  bool prompt; /* nothing takes longer than it must */
  uint64_t struck_by[POINT_COUNT][FAULT_COUNT];

  struct sim_task *running; /* NULL: the scheduler */
  struct sim_task *alive;   /* newest first */
  struct sim_task *idle;    /* finished, to be used again */
  struct sim_event *heap;
  size_t heap_count, heap_room;
  size_t tasks;
  uint64_t next_task;
  struct stack scheduler;
  int stopping_environment;                            /* which FAULT_STOP may strike; 0: none */
  int64_t stopped_until_ms;                            /* what it does is put off until then */
  void (*on_killed)(struct sim *sim, int environment); /* told of every kill; may be NULL */
  void *context;
};

void sim_init(struct sim *sim, uint64_t seed);
/* Every task must have ended. */
void sim_release(struct sim *sim);

uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t below);
void sim_mix(struct sim *sim, uint64_t value); /* into the hash */

/* A number that only depends on these two. */
uint64_t sim_name(uint64_t a, uint64_t b);
/* What the running task does from here on is named by this number, whatever it did before. */
void sim_chapter(struct sim *sim, uint64_t number);
/* The next point is named so, whoever comes to it: what befalls a command of an order then stays with that
 * order. */
void sim_name_point(struct sim *sim, uint64_t name);

/* Starts a task in `environment`, `delay_ms` from now. */
void sim_spawn(struct sim *sim, int environment, int64_t delay_ms, sim_entry *entry, void *context);
/* Runs until nothing is left to happen, or `until_ms`. */
void sim_run(struct sim *sim, int64_t until_ms);

/* --- for tasks --- */

/* Lets the world go on for so long; 0 lets others that are due go first. A ghost does not wait. */
void sim_sleep(struct sim *sim, int64_t ms);
bool sim_is_ghost(const struct sim *sim);
/* The running task may do nothing any more after so long: it is killed at the next point it reaches then. */
void sim_limit(struct sim *sim, int64_t ms);
/* Kills every task of the environment; the running one becomes a ghost at once. */
void sim_kill(struct sim *sim, int environment);
int sim_environment(const struct sim *sim);
/* Stands still until something wakes it (a kill does); sim_self is what sim_wake needs. */
void sim_park(struct sim *sim);
struct sim_task *sim_self(const struct sim *sim);
void sim_wake(struct sim *sim, struct sim_task *task);

/* A point. KILL, FREEZE and SLOW are dealt with here (as far as `allowed` has them); what is returned is GONE,
 * NONE, or one of the other allowed faults for the port to play. */
enum sim_fault sim_reach(struct sim *sim, enum sim_point point, unsigned allowed);
/* A point at which only this may happen, and which takes no time. */
bool sim_strikes(struct sim *sim, enum sim_point point, enum sim_fault fault);

#endif
