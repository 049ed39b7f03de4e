/* A simulated disk beneath the C library: what the data folder's files are for the program, and what
 * of them would still be there if the power failed now.
 *
 * The calls that reach files (open, pread, pwrite, ftruncate, fsync, fdatasync, unlink, mkdir,
 * posix_fadvise …) are replaced for the whole test program (disk_calls.c), for SQLite's library as for
 * our own code. So SQLite's own unix VFS runs, with its loops, its errno and its shared memory, and
 * whatever else writes into the folder is covered without a line here. Real files in a folder in
 * memory hold what the program sees; this module keeps beside each what is durable and, in order,
 * what was written since.
 *
 * Every call that may fail or may be the last one counts as an operation, from 1. A plan names one
 * operation and what befalls it. Chance is decided by the plan's seed alone.
 *
 * Which faults are fair:
 *   Power fails   at any operation, also in the middle of a write or of an fsync. Of what was not
 *                 synced any part may be on the disk, in any order: each 512-byte sector of each write,
 *                 a truncation, a size without the data (zeros), one sector with garbage that was being
 *                 written. A file that was made is gone, and a deleted one is back, unless the folder
 *                 was synced after (POSIX promises the name for nothing less), and so is the folder
 *                 unless its parent was.
 *   Killed        at any operation: the process is gone, what it wrote is in the kernel's cache, and
 *                 not yet on the disk.
 *   EIO           on a read, a write, a truncation, an fsync, once or ever after.
 *   fsync fails   What was to be synced may be on the disk, in part, or not; the kernel takes the pages
 *                 for clean, never writes them again, and the next fsync succeeds. Reading gives what
 *                 is cached, until it is evicted; then what the disk has (Linux since 4.13 or so).
 *   Full          ENOSPC on what needs space (a write, a new file or folder; an fsync, since file systems
 *                 may put off finding space), once, for some operations, or ever after.
 *   Short         A read or a write that does half of what was asked, as POSIX allows.
 * Not fair, and not done: what was synced is lost or damaged, and bytes outside of those that were being
 * written are (SQLite calls that powersafe overwrite, and relies on it); a write that says it did more
 * than it did; a read that is short within a file twice without an end; sectors that change by themselves. */
#ifndef TESTS_DISK_DISK_H
#define TESTS_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_operation {
  DISK_MAKE, /* of a file */
  DISK_READ,
  DISK_WRITE,
  DISK_TRUNCATE,
  DISK_SYNC,        /* of a file */
  DISK_SYNC_FOLDER, /* or of its parent */
  DISK_DELETE,      /* or a file renamed */
  DISK_MAKE_FOLDER,
  DISK_OPERATION_COUNT
};

enum disk_fault {
  DISK_GOOD,
  DISK_POWER, /* the power fails while it is carried out */
  DISK_KILL,  /* the process is killed before it */
  DISK_EIO,
  DISK_FULL,
  DISK_SHORT,
  DISK_FAULT_COUNT
};

struct disk_plan {
  int64_t at; /* the operation, counted from the plan on; 0: none */
  enum disk_fault fault;
  int64_t times; /* EIO, FULL, SHORT: so many operations that it applies to, from that one on */
};

/* How the machine comes back. */
enum disk_return {
  DISK_RESTART,         /* the process starts again, the kernel's cache is as it was */
  DISK_RESTART_EVICTED, /* … and what the cache held and the disk did not is evicted */
  DISK_POWER_CYCLE
};

enum { DISK_OPERATIONS_MAX = 1 << 16 };

extern const char *const disk_operation_names[DISK_OPERATION_COUNT];
extern const char *const disk_fault_names[DISK_FAULT_COUNT];

/* Whether a fault can befall such an operation. */
bool disk_fault_applies(enum disk_fault fault, enum disk_operation operation);

/* `folder` is the folder that is simulated, in `parent`, which is in memory and exists. Once. */
void disk_init(const char *parent, const char *folder);
/* A new, empty disk. */
void disk_format(void);
void disk_set_plan(const struct disk_plan *plan, uint64_t seed);
/* Operations since the plan was set, and of which kind each was (from 1). */
int64_t disk_operations(void);
enum disk_operation disk_operation_at(int64_t i);
/* The first write to SQLite's shared index since the plan was set; 0: none. */
int64_t disk_first_index_write(void);
/* Whether the plan's fault has befallen any operation, and whether it will befall no more. */
bool disk_was_hit(void);
bool disk_is_good_again(void);

/* The process is dead from here on: whatever it still asks for fails and does nothing. */
void disk_halt(void);
bool disk_is_halted(void);
/* The plan ended the process. */
bool disk_was_ended(void);

/* No file may be open. The plan is over. */
void disk_return(enum disk_return how);

/* The folder was used by a process that is gone: what it has left is taken for durable. */
void disk_adopt(void);

/* A bug to plant, so that the test itself can be tested: an fsync that does nothing but say that it did. */
extern bool disk_lies;
/* Tells each operation on standard error. */
extern bool disk_tells;

#endif
