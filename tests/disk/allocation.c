#include "disk/allocation.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_vasprintf(char **ret_text, const char *format, va_list values);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_vasprintf(char **ret_text, const char *format, va_list values);
int __wrap_asprintf(char **ret_text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int64_t *counter; /* NULL: not armed */
static int64_t fails_at;
static bool fails_ever_after;
static _Thread_local int exempt;
static sqlite3_mem_methods of_sqlite;

static bool fails(void) {
  if (!counter || exempt > 0) return false;
  int64_t number = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
  return fails_at > 0 && (number == fails_at || (number > fails_at && fails_ever_after));
}

void allocation_exempt(void) { exempt++; }
void allocation_exempt_end(void) { exempt--; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *memory, size_t size) { return fails() ? NULL : __real_realloc(memory, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }
char *__wrap_strndup(const char *text, size_t size) { return fails() ? NULL : __real_strndup(text, size); }

int __wrap_vasprintf(char **ret_text, const char *format, va_list values) {
  return fails() ? -1 : __real_vasprintf(ret_text, format, values);
}

int __wrap_asprintf(char **ret_text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int size = __wrap_vasprintf(ret_text, format, values);
  va_end(values);
  return size;
}

static void *sqlite_malloc(int size) { return fails() ? NULL : of_sqlite.xMalloc(size); }
static void *sqlite_realloc(void *memory, int size) {
  return fails() ? NULL : of_sqlite.xRealloc(memory, size);
}

void allocation_init(void) {
  ensure(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &of_sqlite) == SQLITE_OK);
  sqlite3_mem_methods methods = of_sqlite;
  methods.xMalloc = sqlite_malloc;
  methods.xRealloc = sqlite_realloc;
  ensure(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
}

void allocation_arm(int64_t at, bool for_ever, int64_t *counts) {
  fails_at = at;
  fails_ever_after = for_ever;
  counter = counts;
}
