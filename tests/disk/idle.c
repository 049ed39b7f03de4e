#include "disk/idle.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { TRIES_MAX = 20000, CLOCK_AHEAD_S = 1000000 };

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

static pthread_t waiting_thread;
static atomic_bool idle;
static struct timespec frozen;

void idle_init(void) {
  waiting_thread = pthread_self();
  __real_clock_gettime(CLOCK_MONOTONIC, &frozen);
  frozen.tv_sec += CLOCK_AHEAD_S; /* so that a wait with a time-out ends only when it is woken */
}

void idle_wait(void) {
  for (int i = 0; i < TRIES_MAX && !atomic_load(&idle); i++) sched_yield();
}

static bool is_other(void) { return !pthread_equal(pthread_self(), waiting_thread); }

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
  if (is_other()) atomic_store(&idle, true);
  int error = __real_pthread_cond_wait(condition, mutex);
  if (is_other()) atomic_store(&idle, false);
  return error;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until) {
  if (is_other()) atomic_store(&idle, true);
  int error = __real_pthread_cond_timedwait(condition, mutex, until);
  if (is_other()) atomic_store(&idle, false);
  return error;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time) {
  if (clock != CLOCK_MONOTONIC || frozen.tv_sec == 0) return __real_clock_gettime(clock, ret_time);
  *ret_time = frozen;
  return 0;
}
