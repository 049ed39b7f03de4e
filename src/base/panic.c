#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

void panic_at(const char *file, int line, const char *message) {
  fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"panic\",\"at\":\"%s:%d\",\"detail\":\"%s\"}\n", file, line,
          message);
  abort();
}
