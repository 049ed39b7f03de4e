/* The request that carries one command of an order to its service (contract section 2). */
#ifndef FUNCTION_REQUEST_H
#define FUNCTION_REQUEST_H

#include "function/context.h"
#include "port/services.h"

/* Of the order's content only content_json is needed (STORE_LOAD_TEXT). Everything in it lives in `arena`. The
 * key is the same on every attempt, the callback URL on every attempt of one dispatch. */
void request_make(const struct function_context *context, const struct order *order, enum order_command command,
                  struct arena *arena, struct service_call *ret_call);

/* GET /commands/{key}: how an earlier attempt ended. */
void request_make_lookup(const struct function_context *context, const struct order *order,
                         enum order_command command, struct arena *arena, struct service_call *ret_call);

#endif
