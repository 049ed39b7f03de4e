/* The simulated queues, and what stands for the runner or the event sources: each message that is due is
 * delivered, alone or with others, to a function that the world names. Delivery is at least once and in any
 * order. A lease ends with its process (one machine) or after the visibility time (AWS), also while the
 * consumer still runs. */
#ifndef PLATFORM_SIM_QUEUE_SIM_H
#define PLATFORM_SIM_QUEUE_SIM_H

#include "platform/sim/sim.h"
#include "port/intake.h"
#include "port/queue.h"

enum { QUEUE_SIM_INTAKE = QUEUE_COUNT, QUEUE_SIM_COUNT = QUEUE_COUNT + 1, QUEUE_SIM_BATCH = 10 };

struct delivery {
  struct message message;     /* the call queues */
  struct intake_order *order; /* the intake */
  uint64_t handle;
  int receives;
};

struct queue_sim;

struct queue_sim_options {
  struct sim *sim;
  int process;           /* leases end with this environment; 0: after the visibility time, and every
                            invocation has an environment of its own */
  int receives_max;      /* then it is a dead letter */
  int64_t invocation_ms; /* how long one may take; 0: no limit */
  /* A batch, in a task of its own. Settled by queue_sim_settle; what is not comes again. */
  void (*work)(void *context, int queue, struct delivery *deliveries, size_t count);
  void (*dead)(void *context, int queue, struct delivery *delivery);
  void *context;
};

struct queue_sim *queue_sim_make(const struct queue_sim_options *options);
void queue_sim_free(struct queue_sim *queue);
struct queue *queue_sim_port(struct queue_sim *queue); /* send only, as a relay does */
struct intake *queue_sim_intake(struct queue_sim *queue);
/* As part of a commit: no point, no fault. */
void queue_sim_put(struct queue_sim *queue, const struct message *message);
/* After function/call or admit have said how each ended. */
void queue_sim_settle(struct queue_sim *queue, int index, const struct delivery *deliveries,
                      const struct message_result *results, size_t count);
/* The process is gone: its leases end, and it starts again. */
void queue_sim_restart(struct queue_sim *queue, int64_t after_ms);
size_t queue_sim_waiting(const struct queue_sim *queue);

#endif
