/* Problem details (RFC 9457): the one table of everything this service refuses, and the documents
 * made from it. */
#ifndef WIRE_PROBLEM_H
#define WIRE_PROBLEM_H

#include "base/arena.h"
#include "wire/http.h"

enum problem {
  PROBLEM_NONE,
  PROBLEM_MALFORMED_JSON,
  PROBLEM_MISSING_IDEMPOTENCY_KEY,
  PROBLEM_MALFORMED_REQUEST,
  PROBLEM_UNAUTHENTICATED,
  PROBLEM_INSUFFICIENT_SCOPE,
  PROBLEM_CALLBACK_REFUSED,
  PROBLEM_NOT_FOUND,
  PROBLEM_METHOD_NOT_ALLOWED,
  PROBLEM_PAYMENT_ALREADY_USED,
  PROBLEM_ORDER_FINAL,
  PROBLEM_STEP_UNSETTLED,
  PROBLEM_STEP_NOT_WAITING,
  PROBLEM_CALLBACK_CONFLICT,
  PROBLEM_BODY_TOO_LARGE,
  PROBLEM_UNSUPPORTED_MEDIA_TYPE,
  PROBLEM_INVALID_ORDER,
  PROBLEM_INVALID_REQUEST,
  PROBLEM_INVALID_CALLBACK,
  PROBLEM_IDEMPOTENCY_KEY_REUSED,
  PROBLEM_PAYMENT_NOT_PROVEN,
  PROBLEM_RATE_LIMITED,
  PROBLEM_HEADERS_TOO_LARGE,
  PROBLEM_INTERNAL,
  PROBLEM_OVERLOADED,
  PROBLEM_COUNT
};

/* One thing wrong with a body: a JSON pointer (RFC 6901) and what is wrong there. */
struct problem_error {
  struct bytes pointer, detail;
  struct problem_error *next;
};

struct problem_errors {
  struct arena *arena;
  struct problem_error *first, *last;
  size_t count;
};

enum { PROBLEM_ERRORS_MAX = 5000 /* further ones are counted, not listed */ };

void problem_errors_init(struct problem_errors *errors, struct arena *arena);
void problem_errors_add(struct problem_errors *errors, struct bytes pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *problem_code(enum problem problem); /* "not-found" */
const char *problem_title(enum problem problem);
int problem_status(enum problem problem);

/* Makes `ret_response` the problem document; `errors` may be NULL. Adds Content-Type. */
void problem_respond(enum problem problem, struct bytes detail, const struct problem_errors *errors,
                     struct arena *arena, struct http_response *ret_response);

#endif
