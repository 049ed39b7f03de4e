/* Memory that runs out: the Nth allocation from arming on gives nothing, once or ever after. Ours are caught
 * by the linker (malloc, calloc, realloc, strdup, strndup, asprintf, vasprintf), SQLite's by its own interface.
 */
#ifndef TESTS_DISK_ALLOCATION_H
#define TESTS_DISK_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>

/* Before SQLite is used. */
void allocation_init(void);
/* `at` 0: only counts. `counter` counts allocations, in memory that the caller may share. */
void allocation_arm(int64_t at, bool for_ever, int64_t *counter);
/* What the test itself takes in this thread, between both, neither counts nor fails. */
void allocation_exempt(void);
void allocation_exempt_end(void);

#endif
