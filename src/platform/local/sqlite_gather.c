#include "platform/local/sqlite_gather.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"

enum { GATHERED_BYTES_MAX = 120 * 1024 }; /* unix takes less than 128 KiB at once */

/* A log. The file of the VFS below stands behind it. */
struct log_file {
  sqlite3_file base;
  char *gathered; /* made at the first write: who only reads needs none */
  sqlite3_int64 at;
  int size;
};

static sqlite3_file *below(sqlite3_file *file) { return (sqlite3_file *)((struct log_file *)file + 1); }

/* What could not be written is forgotten: SQLite rolls the transaction back, and writes over its place. */
static int flush(sqlite3_file *file) {
  struct log_file *log = (struct log_file *)file;
  if (log->size == 0) return SQLITE_OK;
  int code = below(file)->pMethods->xWrite(below(file), log->gathered, log->size, log->at);
  log->size = 0;
  return code;
}

static int log_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at) {
  struct log_file *log = (struct log_file *)file;
  bool follows = log->size > 0 && at == log->at + log->size && size <= GATHERED_BYTES_MAX - log->size;
  if (!follows) {
    int code = flush(file);
    if (code != SQLITE_OK) return code;
    if (size > GATHERED_BYTES_MAX) return below(file)->pMethods->xWrite(below(file), data, size, at);
    if (!log->gathered && !(log->gathered = malloc(GATHERED_BYTES_MAX))) panic("out of memory");
    log->at = at;
  }
  memcpy(log->gathered + log->size, data, (size_t)size);
  log->size += size;
  return SQLITE_OK;
}

static int log_close(sqlite3_file *file) {
  int flushed = flush(file), code = below(file)->pMethods->xClose(below(file));
  free(((struct log_file *)file)->gathered);
  return flushed != SQLITE_OK ? flushed : code;
}

static int log_read(sqlite3_file *file, void *ret_data, int size, sqlite3_int64 at) {
  int code = flush(file);
  return code == SQLITE_OK ? below(file)->pMethods->xRead(below(file), ret_data, size, at) : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
  int code = flush(file);
  return code == SQLITE_OK ? below(file)->pMethods->xTruncate(below(file), size) : code;
}

static int log_sync(sqlite3_file *file, int flags) {
  int code = flush(file);
  return code == SQLITE_OK ? below(file)->pMethods->xSync(below(file), flags) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
  int code = flush(file);
  return code == SQLITE_OK ? below(file)->pMethods->xFileSize(below(file), ret_size) : code;
}

static int log_lock(sqlite3_file *file, int kind) { return below(file)->pMethods->xLock(below(file), kind); }
static int log_unlock(sqlite3_file *file, int kind) {
  return below(file)->pMethods->xUnlock(below(file), kind);
}

static int log_is_reserved(sqlite3_file *file, int *ret_is_reserved) {
  return below(file)->pMethods->xCheckReservedLock(below(file), ret_is_reserved);
}

static int log_control(sqlite3_file *file, int operation, void *argument) {
  int code = flush(file);
  return code == SQLITE_OK ? below(file)->pMethods->xFileControl(below(file), operation, argument) : code;
}

static int log_sector_size(sqlite3_file *file) { return below(file)->pMethods->xSectorSize(below(file)); }

static int log_characteristics(sqlite3_file *file) {
  return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

/* Logs have no shared memory and are not mapped: version 1 suffices. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

/* --- the VFS: each function of the one below is given the one below ---------------------------------- */

static sqlite3_vfs *vfs_below(sqlite3_vfs *vfs) { return vfs->pAppData; }

static int gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
  sqlite3_vfs *under = vfs_below(vfs);
  if (!(flags & SQLITE_OPEN_WAL)) return under->xOpen(under, name, file, flags, ret_flags);
  *(struct log_file *)file = (struct log_file){.base.pMethods = NULL};
  int code = under->xOpen(under, name, below(file), flags, ret_flags);
  if (code == SQLITE_OK) file->pMethods = &log_methods;
  return code;
}

static int gather_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
  return vfs_below(vfs)->xDelete(vfs_below(vfs), name, sync_folder);
}

static int gather_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_answer) {
  return vfs_below(vfs)->xAccess(vfs_below(vfs), name, flags, ret_answer);
}

static int gather_full_path(sqlite3_vfs *vfs, const char *name, int size, char *ret_path) {
  return vfs_below(vfs)->xFullPathname(vfs_below(vfs), name, size, ret_path);
}

static int gather_randomness(sqlite3_vfs *vfs, int size, char *ret_random) {
  return vfs_below(vfs)->xRandomness(vfs_below(vfs), size, ret_random);
}

static int gather_sleep(sqlite3_vfs *vfs, int duration_us) {
  return vfs_below(vfs)->xSleep(vfs_below(vfs), duration_us);
}

static int gather_time(sqlite3_vfs *vfs, double *ret_day) {
  return vfs_below(vfs)->xCurrentTime(vfs_below(vfs), ret_day);
}

static int gather_last_error(sqlite3_vfs *vfs, int size, char *ret_text) {
  return vfs_below(vfs)->xGetLastError(vfs_below(vfs), size, ret_text);
}

const char *sqlite_gather_register(void) {
  static sqlite3_vfs gather = {.iVersion = 1,
                               .zName = "spillway-gather",
                               .xOpen = gather_open,
                               .xDelete = gather_delete,
                               .xAccess = gather_access,
                               .xFullPathname = gather_full_path,
                               .xRandomness = gather_randomness,
                               .xSleep = gather_sleep,
                               .xCurrentTime = gather_time,
                               .xGetLastError = gather_last_error};
  sqlite3_vfs *under = sqlite3_vfs_find(NULL);
  ensure(under != NULL && under != &gather);
  gather.pAppData = under;
  gather.mxPathname = under->mxPathname;
  gather.szOsFile = (int)sizeof(struct log_file) + under->szOsFile;
  ensure(sqlite3_vfs_register(&gather, 0) == SQLITE_OK);
  return gather.zName;
}
