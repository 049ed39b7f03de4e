/* The SQLite store on a disk that fails: every operation of a short story (machine.h), every fault that can
 * befall it (disk.h), once, for a while and for ever; then the machine comes back, everything is checked, the
 * power may fail again, and the story is told to its end. And the same story while memory runs out at its Nth
 * allocation (allocation.h), for every N.
 *
 *   test.tests.disk.store_sqlite [--seed N] [--every N] [--draws N] [--part disk|memory]
 *                                [--case AT:FAULT:TIMES:DRAW] [--memory-case AT:EVER] [--fill] [--tell]
 *                                [--lie]
 *
 * --every 1 takes every case, N a share of about one in N; --draws how often each is drawn. A failing case
 * prints the command that replays exactly it. --tell shows each operation. --fill tells the story on a long
 * log. --lie plants a disk whose fsync does nothing. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "disk/allocation.h"
#include "disk/cases.h"
#include "disk/idle.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { EVERY_DEFAULT = 1000, LONG_LOG = false };
#else
enum { EVERY_DEFAULT = 250, LONG_LOG = true };
#endif

struct options {
  bool disk, memory; /* parts */
  bool has_case, has_memory_case, for_ever;
  struct disk_plan plan;
  uint64_t draw;
  int64_t at;
};

static char parent[64], folder[80];
static struct cases cases = {.folder = folder, .seed = 1, .every = EVERY_DEFAULT, .draws = 2};

/* SQLite's own chance is the same in each run. */
static int no_randomness(sqlite3_vfs *vfs, int size, char *ret_data) {
  (void)vfs;
  for (int i = 0; i < size; i++) ret_data[i] = (char)(i * 37 + 11);
  return size;
}

static void set_up(void) {
  static sqlite3_vfs vfs;
  const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(parent, sizeof parent, "%s/spillway-disk-XXXXXX", memory);
  ensure(mkdtemp(parent) != NULL);
  snprintf(folder, sizeof folder, "%s/data", parent);
  disk_init(parent, folder);
  idle_init();
  allocation_init();
  memory_init();
  vfs = *sqlite3_vfs_find(NULL);
  vfs.zName = "the same each time";
  vfs.xRandomness = no_randomness;
  ensure(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
  cases.world = mmap(NULL, sizeof *cases.world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ensure(cases.world != MAP_FAILED);
}

static bool read_case(struct options *options, const char *text) {
  char fault[16];
  int64_t at, times;
  if (sscanf(text, "%" SCNd64 ":%15[^:]:%" SCNd64 ":%" SCNu64, &at, fault, &times, &options->draw) != 4)
    return false;
  for (int i = 0; i < DISK_FAULT_COUNT; i++)
    if (strcmp(fault, disk_fault_names[i]) == 0) {
      options->plan = (struct disk_plan){.at = at, .fault = (enum disk_fault)i, .times = times};
      options->has_case = true;
    }
  return options->has_case;
}

static bool read_memory_case(struct options *options, const char *text) {
  int for_ever;
  options->has_memory_case = sscanf(text, "%" SCNd64 ":%d", &options->at, &for_ever) == 2;
  options->for_ever = options->has_memory_case && for_ever != 0;
  return options->has_memory_case;
}

static bool read_option(struct options *options, const char *name, const char *value) {
  if (strcmp(name, "--seed") == 0)
    cases.seed = strtoull(value, NULL, 10);
  else if (strcmp(name, "--every") == 0)
    cases.every = strtoull(value, NULL, 10);
  else if (strcmp(name, "--draws") == 0)
    cases.draws = strtoull(value, NULL, 10);
  else if (strcmp(name, "--part") == 0)
    options->memory = !(options->disk = strcmp(value, "disk") == 0);
  else if (strcmp(name, "--case") == 0)
    return read_case(options, value);
  else if (strcmp(name, "--memory-case") == 0)
    return read_memory_case(options, value);
  else
    return false;
  return true;
}

static bool read_options(struct options *options, int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "--lie") == 0)
      disk_lies = true;
    else if (strcmp(arguments[i], "--fill") == 0)
      cases.fillers = FILLERS;
    else if (strcmp(arguments[i], "--tell") == 0)
      disk_tells = true;
    else if (!read_option(options, arguments[i], i + 1 < count ? arguments[i + 1] : ""))
      return false;
    else
      i++;
  }
  return cases.every > 0 && cases.draws > 0;
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool run(const struct options *options, struct figures *figures) {
  if (options->has_case) return cases_run_one(&cases, &options->plan, options->draw, figures);
  if (options->has_memory_case) {
    memory_run_case(&cases, options->at, options->for_ever, figures);
    if (cases.world->violation[0]) printf("VIOLATED %s\n", cases.world->violation);
    return !cases.world->violation[0];
  }
  return (!options->disk ||
          (cases_run_all(&cases, figures) && (!LONG_LOG || cases_run_long_log(&cases, figures)))) &&
         (!options->memory || memory_run_all(&cases, figures));
}

int main(int count, char **arguments) {
  struct options options = {.disk = true, .memory = true};
  struct figures figures = {0};
  cases.program = arguments[0];
  if (!read_options(&options, count, arguments)) {
    fprintf(stderr, "usage: %s [--seed N] [--every N] [--draws N] [--part disk|memory] …\n", cases.program);
    return 2;
  }
#ifdef __SANITIZE_THREAD__
  options.memory = false; /* it does not follow into a process that starts threads */
#endif
  set_up();
  double start_s = now_s();
  bool good = run(&options, &figures);
  disk_format();
  rmdir(parent);
  if (!good) return 1;
  printf("disk: %" PRId64 " operations, %" PRId64 " faults, %" PRId64 " failed allocations, %" PRId64
         " recoveries in %.0f s: all invariants held\n",
         figures.operations, figures.faults, figures.failed_allocations, figures.recoveries, now_s() - start_s);
  return 0;
}
