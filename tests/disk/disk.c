#include "disk/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "disk/allocation.h"
#include "disk/disk_content.h"
#include "disk/disk_internal.h"
#include "fake/testing.h"

enum { FILES_MAX = 64, NAMES_MAX = 16, VERSIONS_MAX = 12, NAME_BYTES = 64 };

struct disk_file {
  bool is_volatile; /* shared memory: nothing of it is meant to survive */
  struct content durable;
  struct changes changes;
};

/* A name in the folder, with what it stood for since the folder was last synced: [0] is durable. */
struct name {
  char text[NAME_BYTES];
  struct disk_file *versions[VERSIONS_MAX];
  size_t count;
};

static struct {
  pthread_mutex_t mutex;
  char parent[128], folder[160];
  struct disk_file files[FILES_MAX];
  size_t file_count;
  struct name names[NAMES_MAX];
  size_t name_count;
  bool folder_exists, folder_is_durable;
  struct disk_plan plan;
  uint64_t random;
  int64_t operations, first_index_write;
  uint8_t kinds[DISK_OPERATIONS_MAX + 1];
  bool hit, halted, ended;
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

bool disk_lies, disk_tells;

const char *const disk_operation_names[DISK_OPERATION_COUNT] = {
    "make", "read", "write", "truncate", "fsync", "fsync-folder", "delete", "make-folder"};
const char *const disk_fault_names[DISK_FAULT_COUNT] = {"good", "power", "kill", "eio", "full", "short"};

void disk_lock(void) {
  pthread_mutex_lock(&disk.mutex);
  allocation_exempt();
}

void disk_unlock(void) {
  allocation_exempt_end();
  pthread_mutex_unlock(&disk.mutex);
}

bool disk_has_halted(void) { return disk.halted; }

static bool coin(uint64_t below) { return next_random(&disk.random, below) == 0; }

static void note(struct disk_file *file, bool is_truncate, size_t at, const void *data, size_t size) {
  if (!file->is_volatile) changes_note(&file->changes, is_truncate, at, data, size);
}

/* --- names ------------------------------------------------------------------------------------------- */

static const char *name_of(const struct disk_file *file) {
  for (size_t i = 0; i < disk.name_count; i++)
    for (size_t k = 0; k < disk.names[i].count; k++)
      if (disk.names[i].versions[k] == file) return disk.names[i].text;
  return "?";
}

static const char *name_in(const char *path) {
  size_t length = strlen(disk.folder);
  return strncmp(path, disk.folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

enum disk_place disk_place_of(const char *path) {
  if (disk.parent[0] == 0) return PLACE_ELSEWHERE;
  if (strcmp(path, disk.folder) == 0) return PLACE_FOLDER;
  size_t length = strlen(disk.folder);
  bool is_above = strncmp(path, disk.folder, length) == 0 && strcmp(path + length, "/..") == 0;
  if (is_above || strcmp(path, disk.parent) == 0) return PLACE_PARENT;
  return name_in(path) ? PLACE_FILE : PLACE_ELSEWHERE;
}

static struct name *name_find(const char *path) {
  const char *text = name_in(path);
  for (size_t i = 0; i < disk.name_count; i++)
    if (strcmp(disk.names[i].text, text) == 0) return &disk.names[i];
  ensure(disk.name_count < NAMES_MAX && strlen(text) < NAME_BYTES);
  struct name *name = &disk.names[disk.name_count++];
  *name = (struct name){.count = 1};
  memcpy(name->text, text, strlen(text) + 1);
  return name;
}

static struct disk_file *name_now(const struct name *name) { return name->versions[name->count - 1]; }

static void name_set(struct name *name, struct disk_file *file) {
  if (name->count == VERSIONS_MAX) /* the middle ones are forgotten */
    memmove(name->versions + 1, name->versions + 2, (VERSIONS_MAX - 2) * sizeof *name->versions), name->count--;
  name->versions[name->count++] = file;
}

struct disk_file *disk_find(const char *path) {
  return name_now(name_find(path));
}

static bool is_index(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

static struct disk_file *file_new(const char *path) {
  ensure(disk.file_count < FILES_MAX);
  struct disk_file *file = &disk.files[disk.file_count++];
  *file = (struct disk_file){.is_volatile = is_index(path)};
  changes_init(&file->changes);
  return file;
}

static void path_of(const struct name *name, char ret_path[256]) {
  snprintf(ret_path, 256, "%s/%.60s", disk.folder, name->text);
}

/* --- faults ------------------------------------------------------------------------------------------ */

bool disk_fault_applies(enum disk_fault fault, enum disk_operation operation) {
  switch (fault) {
    case DISK_POWER:
    case DISK_KILL:
      return operation != DISK_READ;
    case DISK_EIO:
      return operation != DISK_DELETE;
    case DISK_FULL:
      return operation == DISK_MAKE || operation == DISK_WRITE || operation == DISK_SYNC ||
             operation == DISK_MAKE_FOLDER;
    case DISK_SHORT:
      return operation == DISK_READ || operation == DISK_WRITE;
    case DISK_GOOD:
    case DISK_FAULT_COUNT:
      break;
  }
  return false;
}

/* Of an error that stays, which operations have it: space is needed by several, a bad place is met again
 * by the same kind. */
static bool fault_goes_on(enum disk_operation operation) {
  if (disk.plan.fault == DISK_FULL) return disk_fault_applies(DISK_FULL, operation) && operation != DISK_SYNC;
  return operation == (enum disk_operation)disk.kinds[disk.plan.at];
}

/* Counts the operation and tells what befalls it; KILL has halted already, POWER is to be carried out. */
static enum disk_fault draw_fault(enum disk_operation operation) {
  if (disk.halted) return DISK_KILL;
  int64_t number = ++disk.operations;
  if (number <= DISK_OPERATIONS_MAX) disk.kinds[number] = (uint8_t)operation;
  if (disk.plan.at == 0 || number < disk.plan.at || disk.plan.times == 0) return DISK_GOOD;
  if (number > DISK_OPERATIONS_MAX || !disk_fault_applies(disk.plan.fault, operation)) return DISK_GOOD;
  if (number > disk.plan.at && !fault_goes_on(operation)) return DISK_GOOD;
  disk.plan.times--;
  disk.hit = true;
  if (disk.plan.fault == DISK_POWER || disk.plan.fault == DISK_KILL) {
    disk.halted = disk.ended = true;
    disk.plan.times = 0;
  }
  return disk.plan.fault;
}

static enum disk_fault befalls(enum disk_operation operation, const char *name, off_t at, size_t size) {
  enum disk_fault fault = draw_fault(operation);
  if (disk.first_index_write == 0 && operation == DISK_WRITE && is_index(name))
    disk.first_index_write = disk.operations;
  if (disk_tells)
    fprintf(stderr, "%lld %s %s %zu at %lld: %s\n", (long long)disk.operations, disk_operation_names[operation],
            name, size, (long long)at, disk_fault_names[fault]);
  return fault;
}

static int error_of(enum disk_fault fault) { return fault == DISK_FULL ? ENOSPC : EIO; }

/* --- the operations ------------------------------------------------------------------------------------ */

int disk_make(const char *path, struct disk_file **ret_file) {
  enum disk_fault fault = befalls(DISK_MAKE, name_in(path), 0, 0);
  if (fault != DISK_GOOD && fault != DISK_POWER) return error_of(fault);
  *ret_file = file_new(path);
  name_set(name_find(path), *ret_file);
  return fault == DISK_GOOD ? 0 : EIO;
}

int disk_make_folder(const char *path, mode_t mode) {
  if (disk.folder_exists) return EEXIST;
  enum disk_fault fault = befalls(DISK_MAKE_FOLDER, "", 0, 0);
  if (fault != DISK_GOOD && fault != DISK_POWER) return error_of(fault);
  if (real_mkdir(path, mode) != 0) return errno;
  disk.folder_exists = true;
  return fault == DISK_GOOD ? 0 : EIO;
}

int disk_read(struct disk_file *file, int fd, void *data, size_t size, off_t at, ssize_t *ret_size) {
  enum disk_fault fault = file->is_volatile ? DISK_GOOD : befalls(DISK_READ, name_of(file), at, size);
  if (fault != DISK_GOOD && fault != DISK_SHORT) return error_of(fault);
  if (fault == DISK_SHORT && size > 1) size /= 2;
  *ret_size = real_pread(fd, data, size, at);
  return *ret_size < 0 ? errno : 0;
}

int disk_write(struct disk_file *file, int fd, const void *data, size_t size, off_t at, ssize_t *ret_size) {
  enum disk_fault fault = befalls(DISK_WRITE, name_of(file), at, size);
  if (fault != DISK_GOOD && fault != DISK_POWER && fault != DISK_SHORT) return error_of(fault);
  if (fault == DISK_SHORT && size > 1) size /= 2;
  note(file, false, (size_t)at, data, size);
  if (fault == DISK_POWER) return EIO;
  *ret_size = real_pwrite(fd, data, size, at);
  ensure(*ret_size == (ssize_t)size);
  return 0;
}

int disk_truncate(struct disk_file *file, int fd, off_t size) {
  enum disk_fault fault = befalls(DISK_TRUNCATE, name_of(file), size, 0);
  if (fault != DISK_GOOD && fault != DISK_POWER) return error_of(fault);
  note(file, true, (size_t)size, NULL, 0);
  if (fault == DISK_POWER) return EIO;
  return real_ftruncate(fd, size) == 0 ? 0 : errno;
}

int disk_sync(struct disk_file *file) {
  enum disk_fault fault = befalls(DISK_SYNC, name_of(file), 0, 0);
  if (fault == DISK_POWER || fault == DISK_KILL) return EIO;
  if (fault != DISK_GOOD) {
    /* Some kernels keep the pages dirty. */
    if (!coin(4)) changes_settle_by_chance(&file->changes, &file->durable, &disk.random);
    return error_of(fault);
  }
  if (disk_lies) return 0;
  changes_apply(&file->changes, &file->durable);
  changes_forget(&file->changes);
  return 0;
}

int disk_sync_folder(enum disk_place place) {
  enum disk_fault fault = befalls(DISK_SYNC_FOLDER, place == PLACE_PARENT ? ".." : ".", 0, 0);
  if (fault != DISK_GOOD) return EIO;
  if (place == PLACE_PARENT) disk.folder_is_durable = true;
  for (size_t i = 0; i < disk.name_count && place == PLACE_FOLDER; i++) {
    disk.names[i].versions[0] = name_now(&disk.names[i]);
    disk.names[i].count = 1;
  }
  return 0;
}

int disk_delete(const char *path) {
  struct name *name = name_find(path);
  if (!name_now(name)) return ENOENT;
  enum disk_fault fault = befalls(DISK_DELETE, name->text, 0, 0);
  if (fault != DISK_GOOD && fault != DISK_POWER) return error_of(fault);
  name_set(name, NULL);
  if (fault == DISK_POWER) return EIO;
  return real_unlink(path) == 0 ? 0 : errno;
}

int disk_rename(const char *from, const char *to) {
  struct disk_file *file = disk_find(from);
  if (!file) return ENOENT;
  enum disk_fault fault = befalls(DISK_DELETE, name_in(to), 0, 0);
  if (fault != DISK_GOOD && fault != DISK_POWER) return error_of(fault);
  name_set(name_find(to), file);
  name_set(name_find(from), NULL);
  if (fault == DISK_POWER) return EIO;
  return real_rename(from, to) == 0 ? 0 : errno;
}

static void write_real(const char *path, const struct content *content) {
  int fd = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ensure(fd >= 0 && real_ftruncate(fd, 0) == 0);
  ensure(content->size == 0 || real_pwrite(fd, content->data, content->size, 0) == (ssize_t)content->size);
  real_close(fd);
}

void disk_evict(struct disk_file *file) {
  if (file->is_volatile || disk.halted) return;
  struct content seen = {0};
  content_put(&seen, 0, file->durable.data, file->durable.size);
  changes_apply(&file->changes, &seen);
  for (size_t i = 0; i < disk.name_count; i++) {
    char path[256];
    path_of(&disk.names[i], path);
    if (name_now(&disk.names[i]) == file) write_real(path, &seen);
  }
  free(seen.data);
}

/* --- the end, and what comes after ----------------------------------------------------------------------- */

static void remove_models(void) {
  for (size_t i = 0; i < disk.file_count; i++) {
    changes_forget(&disk.files[i].changes);
    free(disk.files[i].durable.data);
  }
  disk.name_count = disk.file_count = 0;
}

static void remove_all(void) {
  for (size_t i = 0; i < disk.name_count; i++) {
    char path[256];
    path_of(&disk.names[i], path);
    real_unlink(path);
  }
  remove_models();
}

static void cycle_power(void) {
  struct content kept[NAMES_MAX] = {0};
  struct name names[NAMES_MAX];
  size_t count = 0;
  bool folder_is_lost = disk.folder_exists && !disk.folder_is_durable && coin(2);
  for (size_t i = 0; i < disk.file_count; i++)
    changes_settle_by_chance(&disk.files[i].changes, &disk.files[i].durable, &disk.random);
  for (size_t i = 0; i < disk.name_count && !folder_is_lost; i++) {
    const struct name *name = &disk.names[i];
    const struct disk_file *file = name->versions[next_random(&disk.random, name->count)];
    if (!file) continue;
    names[count] = *name;
    content_put(&kept[count], 0, file->durable.data, file->durable.size);
    count++;
  }
  remove_all();
  if (folder_is_lost) {
    ensure(real_rmdir(disk.folder) == 0);
    disk.folder_exists = false;
  }
  disk.folder_is_durable = disk.folder_exists;
  for (size_t i = 0; i < count; i++) {
    char path[256];
    path_of(&names[i], path);
    struct disk_file *file = file_new(path);
    file->durable = kept[i];
    struct name *name = name_find(path);
    name->versions[0] = file;
    write_real(path, &file->durable);
  }
}

void disk_return(enum disk_return how) {
  disk_lock();
  disk.halted = disk.ended = false;
  disk.plan = (struct disk_plan){0};
  if (how == DISK_POWER_CYCLE) cycle_power();
  for (size_t i = 0; i < disk.file_count && how == DISK_RESTART_EVICTED; i++) disk_evict(&disk.files[i]);
  disk_unlock();
}

static void adopt_file(const char *text) {
  char path[256];
  unsigned char part[4096];
  snprintf(path, sizeof path, "%s/%.60s", disk.folder, text);
  int fd = real_open(path, O_RDONLY | O_CLOEXEC, 0);
  ensure(fd >= 0);
  struct disk_file *file = file_new(path);
  ssize_t size;
  while ((size = real_pread(fd, part, sizeof part, (off_t)file->durable.size)) > 0)
    content_put(&file->durable, file->durable.size, part, (size_t)size);
  real_close(fd);
  name_find(path)->versions[0] = file;
}

void disk_adopt(void) {
  disk_lock();
  remove_models();
  DIR *folder = opendir(disk.folder);
  disk.folder_exists = disk.folder_is_durable = folder != NULL;
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (entry->d_name[0] != '.') adopt_file(entry->d_name);
  if (folder) closedir(folder);
  disk_unlock();
}

void disk_init(const char *parent, const char *folder) {
  snprintf(disk.parent, sizeof disk.parent, "%s", parent);
  snprintf(disk.folder, sizeof disk.folder, "%s", folder);
}

void disk_format(void) {
  disk_lock();
  remove_all();
  real_rmdir(disk.folder);
  disk.folder_exists = disk.folder_is_durable = false;
  disk.halted = disk.ended = false;
  disk.plan = (struct disk_plan){0};
  disk_unlock();
}

void disk_set_plan(const struct disk_plan *plan, uint64_t seed) {
  disk_lock();
  disk.plan = *plan;
  disk.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
  if (disk.random == 0) disk.random = 1;
  for (int i = 0; i < 4; i++) (void)next_random(&disk.random, 2);
  disk.operations = disk.first_index_write = 0;
  disk.hit = false;
  disk_unlock();
}

int64_t disk_first_index_write(void) { return disk.first_index_write; }
int64_t disk_operations(void) { return disk.operations; }
enum disk_operation disk_operation_at(int64_t i) { return (enum disk_operation)disk.kinds[i]; }
bool disk_was_hit(void) { return disk.hit; }

bool disk_is_good_again(void) {
  disk_lock();
  bool good = !disk.halted && (disk.plan.at == 0 || disk.plan.times == 0);
  disk_unlock();
  return good;
}

void disk_halt(void) {
  disk_lock();
  disk.halted = true;
  disk_unlock();
}

bool disk_is_halted(void) {
  disk_lock();
  bool halted = disk.halted;
  disk_unlock();
  return halted;
}

bool disk_was_ended(void) {
  disk_lock();
  bool ended = disk.ended;
  disk_unlock();
  return ended;
}
