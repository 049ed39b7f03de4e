/* The C library's calls that reach files, replaced for the whole program: those in the simulated folder go
 * to the simulated disk, all others to the system. Nothing here is a cancellation point or restarts. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/panic.h"
#include "disk/disk_internal.h"

enum { HANDLES_MAX = 4096 };

static struct handle {
  enum disk_place place;
  struct disk_file *file;
  off_t at; /* for read and write */
} handles[HANDLES_MAX];

/* --- the system's own ---------------------------------------------------------------------------------- */

int real_open(const char *path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
void real_close(int fd) { syscall(SYS_close, fd); }
ssize_t real_pread(int fd, void *data, size_t size, off_t at) {
  return syscall(SYS_pread64, fd, data, size, at);
}
ssize_t real_pwrite(int fd, const void *data, size_t size, off_t at) {
  return syscall(SYS_pwrite64, fd, data, size, at);
}
int real_ftruncate(int fd, off_t size) { return (int)syscall(SYS_ftruncate, fd, size); }
int real_unlink(const char *path) { return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
int real_rename(const char *from, const char *to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int real_mkdir(const char *path, mode_t mode) { return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode); }
int real_rmdir(const char *path) { return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }

static int answer(int error) {
  disk_unlock();
  if (error == 0) return 0;
  errno = error;
  return -1;
}

static struct handle *handle_of(int fd) {
  return fd >= 0 && fd < HANDLES_MAX && handles[fd].place != PLACE_ELSEWHERE ? &handles[fd] : NULL;
}

static struct disk_file *file_of(int fd) {
  const struct handle *handle = handle_of(fd);
  return handle ? handle->file : NULL;
}

/* --- opening and closing ---------------------------------------------------------------------------------- */

static int open_any(const char *path, int flags, mode_t mode) {
  enum disk_place place = disk_place_of(path);
  if (place == PLACE_ELSEWHERE) return real_open(path, flags, mode);
  disk_lock();
  if (disk_has_halted()) return answer(EIO);
  struct disk_file *file = place == PLACE_FILE ? disk_find(path) : NULL;
  int error = 0;
  if (place == PLACE_FILE && !file) error = flags & O_CREAT ? disk_make(path, &file) : ENOENT;
  int fd = error ? -1 : real_open(path, flags & ~O_TRUNC, mode);
  if (!error && fd < 0) error = errno;
  if (fd >= HANDLES_MAX) error = EMFILE;
  if (!error && file && flags & O_TRUNC) error = disk_truncate(file, fd, 0);
  if (error && fd >= 0) real_close(fd);
  if (!error) handles[fd] = (struct handle){.place = place, .file = file};
  return answer(error) == 0 ? fd : -1;
}

#define OPEN_BODY                \
  mode_t mode = 0;               \
  if (flags & O_CREAT) {         \
    va_list more;                \
    va_start(more, flags);       \
    mode = va_arg(more, mode_t); \
    va_end(more);                \
  }                              \
  return open_any(path, flags, mode);

int open(const char *path, int flags, ...) { OPEN_BODY }
int open64(const char *path, int flags, ...) { OPEN_BODY }

int close(int fd) {
  if (fd >= 0 && fd < HANDLES_MAX) handles[fd].place = PLACE_ELSEWHERE;
  return (int)syscall(SYS_close, fd);
}

/* --- reading and writing ------------------------------------------------------------------------------------
 */

ssize_t pread(int fd, void *data, size_t size, off_t at) {
  struct disk_file *file = file_of(fd);
  if (!file) return real_pread(fd, data, size, at);
  disk_lock();
  ssize_t done = -1;
  return answer(disk_read(file, fd, data, size, at, &done)) == 0 ? done : -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  struct disk_file *file = file_of(fd);
  if (!file) return real_pwrite(fd, data, size, at);
  disk_lock();
  ssize_t done = -1;
  return answer(disk_write(file, fd, data, size, at, &done)) == 0 ? done : -1;
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at) { return pread(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwrite(fd, data, size, at); }

ssize_t read(int fd, void *data, size_t size) {
  if (!file_of(fd)) return syscall(SYS_read, fd, data, size);
  ssize_t done = pread(fd, data, size, handles[fd].at);
  if (done > 0) handles[fd].at += done;
  return done;
}

ssize_t write(int fd, const void *data, size_t size) {
  if (!file_of(fd)) return syscall(SYS_write, fd, data, size);
  ssize_t done = pwrite(fd, data, size, handles[fd].at);
  if (done > 0) handles[fd].at += done;
  return done;
}

/* A part at a time, which POSIX allows. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  if (!file_of(fd)) return syscall(SYS_pwritev, fd, parts, count, at, 0);
  return count > 0 ? pwrite(fd, parts[0].iov_base, parts[0].iov_len, at) : 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!file_of(fd)) return syscall(SYS_writev, fd, parts, count);
  return count > 0 ? write(fd, parts[0].iov_base, parts[0].iov_len) : 0;
}

int ftruncate(int fd, off_t size) {
  struct disk_file *file = file_of(fd);
  if (!file) return real_ftruncate(fd, size);
  disk_lock();
  return answer(disk_truncate(file, fd, size));
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

/* --- making it durable
 * ---------------------------------------------------------------------------------------- */

int fsync(int fd) {
  const struct handle *handle = handle_of(fd);
  if (!handle) return (int)syscall(SYS_fsync, fd);
  disk_lock();
  return answer(handle->file ? disk_sync(handle->file) : disk_sync_folder(handle->place));
}

int fdatasync(int fd) { return handle_of(fd) ? fsync(fd) : (int)syscall(SYS_fdatasync, fd); }

int posix_fadvise(int fd, off_t at, off_t size, int advice) {
  struct disk_file *file = file_of(fd);
  if (!file) return syscall(SYS_fadvise64, fd, at, size, advice) == 0 ? 0 : errno;
  disk_lock();
  if (advice == POSIX_FADV_DONTNEED) disk_evict(file);
  disk_unlock();
  return 0;
}

/* --- names
 * -------------------------------------------------------------------------------------------------------- */

int unlink(const char *path) {
  if (disk_place_of(path) != PLACE_FILE) return real_unlink(path);
  disk_lock();
  return answer(disk_delete(path));
}

int rename(const char *from, const char *to) {
  if (disk_place_of(from) != PLACE_FILE) return real_rename(from, to);
  disk_lock();
  return answer(disk_rename(from, to));
}

int mkdir(const char *path, mode_t mode) {
  if (disk_place_of(path) != PLACE_FOLDER) return real_mkdir(path, mode);
  disk_lock();
  return answer(disk_make_folder(path, mode));
}
