/* The story while memory runs out at its Nth allocation, in a process of its own. It must go on, or end with
 * the panic's line; afterwards the machine starts again and everything must hold. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/panic.h"
#include "disk/allocation.h"
#include "disk/cases.h"
#include "disk/disk.h"

enum { CHILD_SECONDS_MAX = 60, SAID_BYTES = 2000 };

static int64_t *counter; /* shared with the child */

_Noreturn static void tell_in_child(const struct cases *cases, int64_t at, bool for_ever, int said) {
  static const struct rlimit none;
  struct machine machine;
  setrlimit(RLIMIT_CORE, &none);
  dup2(said, STDERR_FILENO);
  alarm(CHILD_SECONDS_MAX);
  machine_init(&machine, cases->folder, cases->world);
  cases->world->memory_is_short = at > 0 && for_ever;
  allocation_arm(at, for_ever, counter);
  (void)story_tell(&machine);
  machine_stop(&machine);
  _exit(0);
}

/* The child went on, or ended as it should. */
static void check_child(const struct cases *cases, int status, int said) {
  char text[SAID_BYTES] = "";
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  ssize_t size = pread(said, text, sizeof text - 1, 0);
  if (size < 0) text[0] = 0;
  bool panicked = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  if (panicked && strstr(text, "\"event\":\"panic\"") && strstr(text, "out of memory")) return;
  world_violate(cases->world, "ends-by-panic", "the process ended with status %x: %.300s", (unsigned)status,
                text);
}

void memory_run_case(const struct cases *cases, int64_t at, bool for_ever, struct figures *figures) {
  uint64_t random = (cases->seed * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)at * 2 + for_ever) | 1;
  int said = memfd_create("said", MFD_CLOEXEC);
  ensure(said >= 0);
  cases_begin(cases);
  *counter = 0;
  pid_t child = fork();
  ensure(child >= 0);
  if (child == 0) tell_in_child(cases, at, for_ever, said);
  int status = 0;
  ensure(waitpid(child, &status, 0) == child);
  check_child(cases, status, said);
  close(said);
  cases->world->memory_is_short = false;
  disk_adopt();
  if (at > 0 && *counter >= at) figures->failed_allocations++;
  struct machine machine;
  machine_init(&machine, cases->folder, cases->world);
  disk_halt();
  if (!cases->world->violation[0]) cases_recover(cases, &machine, DISK_KILL, &random, figures);
  disk_halt();
  machine_release(&machine);
}

bool memory_run_all(const struct cases *cases, struct figures *figures) {
  memory_run_case(cases, 0, false, figures);
  int64_t count = *counter;
  printf("the story: %lld allocations\n", (long long)count);
  fflush(stdout);
  for (int64_t at = 1; at <= count && !cases->world->violation[0]; at++)
    for (int for_ever = 0; for_ever < 2 && !cases->world->violation[0]; for_ever++) {
      if (!cases_is_taken(cases, (uint64_t)at * 2 + (uint64_t)for_ever, 1)) continue;
      memory_run_case(cases, at, for_ever, figures);
      if (!cases->world->violation[0]) continue;
      printf("VIOLATED %s\n  allocation %lld failed, %s\n  again: %s --seed %llu --memory-case %lld:%d\n",
             cases->world->violation, (long long)at, for_ever ? "and all after it" : "once", cases->program,
             (unsigned long long)cases->seed, (long long)at, for_ever);
    }
  return !cases->world->violation[0];
}

void memory_init(void) {
  counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ensure(counter != MAP_FAILED);
}
