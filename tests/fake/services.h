/* The three services, which answer what the test has scripted and remember what they were asked. */
#ifndef TESTS_FAKE_SERVICES_H
#define TESTS_FAKE_SERVICES_H

#include "port/services.h"

enum { FAKE_CALLS_MAX = 128 };

struct fake_services {
  struct services port;
  struct arena arena;
  struct service_answer answers[FAKE_CALLS_MAX]; /* in the order of the calls; then 200 with a reference */
  size_t answer_count;
  struct service_call calls[FAKE_CALLS_MAX];
  size_t call_count;
};

void fake_services_init(struct fake_services *services);
void fake_services_release(struct fake_services *services);
/* The next call's answer. */
void fake_services_answer(struct fake_services *services, int status, const char *body);
void fake_services_answer_with(struct fake_services *services, const struct service_answer *answer);

#endif
