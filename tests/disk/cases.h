/* Cases: a story, what befalls it, and everything that must hold after. */
#ifndef TESTS_DISK_CASES_H
#define TESTS_DISK_CASES_H

#include "disk/disk.h"
#include "disk/machine.h"

enum { FILLERS = 120 };

struct cases {
  const char *program, *folder;
  struct world *world; /* shared with processes of cases */
  uint64_t seed, every, draws;
  int64_t fillers; /* orders that make the log long before the story; 0, or FILLERS */
};

struct figures {
  int64_t operations, faults, recoveries, failed_allocations;
  int64_t first_index_write; /* of the last story */
};

/* Whether a case is in the share that is run: about `weight` of `every`. */
bool cases_is_taken(const struct cases *cases, uint64_t number, uint64_t weight);
/* A new world on a new disk, and the same chance. */
void cases_begin(const struct cases *cases);
/* From a machine that has ended in whatever way to the story's end: it comes back, is checked, the power may
 * fail again, and the story is told to its end. */
void cases_recover(const struct cases *cases, struct machine *machine, enum disk_fault fault, uint64_t *random,
                   struct figures *figures);

/* disk faults. False after a violation, which is printed with the command that replays it. */
bool cases_run_all(const struct cases *cases, struct figures *figures);
/* The same with a log so long that SQLite's index of it grows in the story's midst, at those operations. */
bool cases_run_long_log(struct cases *cases, struct figures *figures);
bool cases_run_one(const struct cases *cases, const struct disk_plan *plan, uint64_t draw,
                   struct figures *figures);

/* memory.c */
void memory_init(void);
void memory_run_case(const struct cases *cases, int64_t at, bool for_ever, struct figures *figures);
bool memory_run_all(const struct cases *cases, struct figures *figures);

#endif
