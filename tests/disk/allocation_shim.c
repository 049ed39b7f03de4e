/* For LD_PRELOAD: the Nth allocation of a process fails, of whatever library (SPILLWAY_FAIL_ALLOCATION=N), or
 * that one and all after it (N+). Says on standard error once that it has. See serve.py. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static int64_t left = INT64_MAX; /* until the one that fails */
static int for_ever;

__attribute__((constructor)) static void start(void) {
  const char *text = getenv("SPILLWAY_FAIL_ALLOCATION");
  if (!text) return;
  char *end;
  int64_t at = strtoll(text, &end, 10);
  for_ever = *end == '+';
  __atomic_store_n(&left, at, __ATOMIC_SEQ_CST);
}

static int fails(void) {
  static const char said[] = "{\"event\":\"allocation_failed\"}\n";
  int64_t now = __atomic_sub_fetch(&left, 1, __ATOMIC_RELAXED);
  if (now > 0 || (now < 0 && !for_ever)) return 0;
  if (now == 0 && write(STDERR_FILENO, said, sizeof said - 1) < 0) return 1;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return fails() ? NULL : __libc_realloc(memory, size); }
