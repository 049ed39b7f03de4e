/* A whole file into memory, through xz where its name says so. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "retail/retail.h"

extern char **environ;

enum { READ_BYTES = 1 << 20 };

static bool read_whole(int descriptor, struct text *text) {
  for (;;) {
    ssize_t size = read(descriptor, text_reserve(text, READ_BYTES), READ_BYTES);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    if (size == 0) return true;
    text->size += (size_t)size;
  }
}

/* Starts `xz -dc` on the open file and gives the end of a pipe with what it unpacks. */
static bool start_xz(int file, pid_t *ret_child, int *ret_descriptor, struct failure *ret_failure) {
  int ends[2];
  char program[] = "xz", flag[] = "-dc";
  char *arguments[] = {program, flag, NULL};
  posix_spawn_file_actions_t actions;
  if (pipe2(ends, O_CLOEXEC) != 0) return failure_set(ret_failure, "cannot make a pipe: %s", strerror(errno));
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int error = posix_spawnp(ret_child, program, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  *ret_descriptor = ends[0];
  if (error == 0) return true;
  close(ends[0]);
  return failure_set(ret_failure,
                     "cannot run xz: %s; install it (apt install xz-utils) or unpack the file first",
                     strerror(error));
}

static bool read_xz(const char *path, int file, struct text *text, struct failure *ret_failure) {
  pid_t child = 0;
  int descriptor = -1, status = 0;
  if (!start_xz(file, &child, &descriptor, ret_failure)) return false;
  bool good = read_whole(descriptor, text);
  close(descriptor);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (good && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  return failure_set(ret_failure, "xz could not unpack %s", path);
}

bool retail_read_file(const char *path, struct retail *ret_retail, struct failure *ret_failure) {
  struct text text;
  size_t length = strlen(path);
  bool packed = length > 3 && strcmp(path + length - 3, ".xz") == 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return failure_set(ret_failure, "cannot open %s: %s", path, strerror(errno));
  text_init(&text, NULL);
  bool good = packed ? read_xz(path, file, &text, ret_failure) : read_whole(file, &text);
  if (!good && !packed) failure_set(ret_failure, "cannot read %s: %s", path, strerror(errno));
  close(file);
  if (good) return retail_read_text(text.data, text.size, ret_retail, ret_failure);
  text_release(&text);
  return false;
}
