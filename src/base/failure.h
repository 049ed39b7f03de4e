/* A failure of the environment, told in one line for the person who must mend it: what was tried,
 * what went wrong, what to do. Functions that can fail so return false and fill a struct failure;
 * on success it is untouched. */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

#include <stdbool.h>

struct failure {
  char text[400];
};

/* Fills `failure` and returns false, for `return failure_set(...)`. */
bool failure_set(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
