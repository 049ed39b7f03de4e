/* What every function is given: the ports and the settings that decide how an order is worked on. */
#ifndef FUNCTION_CONTEXT_H
#define FUNCTION_CONTEXT_H

#include "order/decide.h"
#include "port/clock.h"
#include "port/entropy.h"
#include "port/store.h"
#include "port/telemetry.h"

struct intake;

struct function_context {
  struct store *store;
  struct intake *intake; /* where orders wait that the store could not take; NULL: they are refused */
  struct clock *clock;
  struct entropy *entropy;
  struct telemetry *telemetry;
  struct order_rules rules;
  struct bytes id_secret;
  struct bytes public_url; /* what callback URLs start with, no slash at the end */
  int64_t retry_first_ms;  /* back-off: the first delay's upper bound … */
  int64_t retry_max_ms;    /* … and that of all */
};

#endif
