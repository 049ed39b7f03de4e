/* The data folder: made, and held by one process. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/local/store_sqlite_internal.h"

static bool folder_make(const char *folder, struct failure *ret_failure) {
  if (mkdir(folder, 0700) == 0) return true;
  int error = errno;
  struct stat status;
  if (error == EEXIST && stat(folder, &status) == 0 && !S_ISDIR(status.st_mode))
    return failure_set(ret_failure, "data folder %s is a file: name a folder with --data", folder);
  if (error == EEXIST) return true;
  return failure_set(ret_failure,
                     "data folder %s cannot be made (%s): make it, or name another one with --data", folder,
                     strerror(error));
}

static bool not_durable(const char *path, int error, struct failure *ret_failure) {
  return failure_set(ret_failure,
                     "%s cannot be made durable (%s): look at the disk's space and health, then start again",
                     path, strerror(error));
}

bool data_folder_sync(const char *folder, struct failure *ret_failure) {
  int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0 && errno == EACCES) return true; /* whoever may read it has made what is in it */
  /* Some file systems know no fsync of a folder. */
  bool good = opened >= 0 && (fsync(opened) == 0 || errno == EINVAL);
  int error = errno;
  if (opened >= 0) close(opened);
  return good || not_durable(folder, error, ret_failure);
}

/* At each start, since the process that made the folder may have been killed before it was synced. */
static bool folder_sync_above(const char *folder, struct failure *ret_failure) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/..", folder) >= (int)sizeof path)
    return failure_set(ret_failure, "the name of the data folder is too long");
  return data_folder_sync(path, ret_failure);
}

bool data_log_settle(const char *database, struct failure *ret_failure) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s-wal", database) >= (int)sizeof path)
    return failure_set(ret_failure, "the name of the data folder is too long");
  int log = open(path, O_RDWR | O_CLOEXEC);
  if (log < 0 && errno == ENOENT) return true;
  if (log < 0)
    return failure_set(ret_failure, "%s cannot be opened (%s): mend its permissions", path, strerror(errno));
  bool good = fdatasync(log) == 0;
  int error = errno;
  if (good) (void)posix_fadvise(log, 0, 0, POSIX_FADV_DONTNEED);
  close(log);
  return good || not_durable(path, error, ret_failure);
}

/* The number the holder wrote into the lock file; 0 where it cannot be read. */
static long lock_holder(int lock) {
  char text[24] = {0};
  ssize_t size = pread(lock, text, sizeof text - 1, 0);
  return size > 0 ? strtol(text, NULL, 10) : 0;
}

static bool lock_write_holder(int lock) {
  char text[24];
  int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
  return ftruncate(lock, 0) == 0 && pwrite(lock, text, (size_t)size, 0) == size;
}

bool data_folder_take(const char *folder, int *ret_lock, struct failure *ret_failure) {
  if (!folder_make(folder, ret_failure) || !folder_sync_above(folder, ret_failure)) return false;
  char path[4096];
  if (snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path)
    return failure_set(ret_failure, "the name of the data folder is too long");
  int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    return failure_set(ret_failure,
                       "data folder %s cannot be written to (%s): mend its permissions, or name "
                       "another one with --data",
                       folder, strerror(errno));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    int error = errno;
    long holder = lock_holder(lock);
    close(lock);
    if (error != EWOULDBLOCK)
      return failure_set(ret_failure, "%s cannot be locked (%s): keep the data on a local disk", path,
                         strerror(error));
    return failure_set(ret_failure,
                       "data folder %s is in use by process %ld: stop it first or give another "
                       "--data",
                       folder, holder);
  }
  /* A full disk is no reason not to start: only the number for the message above is missing then. */
  if (!lock_write_holder(lock) && errno != ENOSPC && errno != EDQUOT && errno != EFBIG) {
    int error = errno;
    close(lock);
    return failure_set(ret_failure, "%s cannot be written (%s)", path, strerror(error));
  }
  *ret_lock = lock;
  return true;
}
