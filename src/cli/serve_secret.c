#include "cli/serve_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/encode.h"
#include "cli/secret.h"
#include "platform/local/system.h"
#include "wire/jwt.h"

static bool write_whole(int file, const char *data, size_t size_bytes) {
  return write(file, data, size_bytes) == (ssize_t)size_bytes && fsync(file) == 0;
}

static bool sync_folder(const char *folder) {
  int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  bool good = fsync(opened) == 0;
  close(opened);
  return good;
}

/* Written beside its place and renamed into it, so that a crash leaves a whole secret or none. */
static bool make_secret(const char *path, const char *folder, struct arena *arena,
                        struct failure *ret_failure) {
  uint8_t random[32];
  char text[65];
  struct bytes beside = arena_printf(arena, "%s.new", path);
  entropy_fill(system_entropy(), random, sizeof random);
  hex_encode(random, sizeof random, text);
  text[64] = '\n';
  int file = open(beside.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failure_set(ret_failure, "%s could not be made: %s", beside.data, strerror(errno));
  bool good = write_whole(file, text, sizeof text);
  int error = errno;
  close(file);
  if (!good) return failure_set(ret_failure, "%s could not be written: %s", beside.data, strerror(error));
  if (rename(beside.data, path) != 0 || !sync_folder(folder))
    return failure_set(ret_failure, "%s could not be made: %s", path, strerror(errno));
  return true;
}

bool id_secret_load(const char *path, const char *folder, bool may_make, struct arena *arena,
                    struct bytes *ret_secret, struct failure *ret_failure) {
  if (!path) {
    path = arena_printf(arena, "%s/id-secret", folder).data;
    bool missing = access(path, F_OK) != 0;
    if (missing && !may_make)
      return failure_set(ret_failure,
                         "%s is missing, but the store holds orders whose ids were derived with it: bring "
                         "it back from a backup, or name it with --id-secret-file",
                         path);
    if (missing && !make_secret(path, folder, arena, ret_failure)) return false;
  }
  return secret_read(path, JWT_SECRET_BYTES_MIN, arena, ret_secret, ret_failure);
}
