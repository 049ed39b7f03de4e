#include "fake/testing.h"

#include <stdio.h>

void check_text(struct bytes given, struct bytes expected, const char *file, int line) {
  if (bytes_equal(given, expected)) return;
  print_error("\"%.*s\"\n  is not \"%.*s\"\n", BYTES_PRINTF(given), BYTES_PRINTF(expected));
  _fail(file, line);
}

void check_holds(struct bytes given, const char *part, bool wanted, const char *file, int line) {
  bool holds = memmem(given.data ? given.data : "", given.size, part, strlen(part)) != NULL;
  if (holds == wanted) return;
  print_error("\"%.*s\"\n  %s \"%s\"\n", BYTES_PRINTF(given), wanted ? "does not hold" : "must not hold", part);
  _fail(file, line);
}

uint64_t next_random(uint64_t *state, uint64_t below) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state % below;
}
