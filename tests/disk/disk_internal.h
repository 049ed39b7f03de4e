/* What the simulated disk's two files share. */
#ifndef TESTS_DISK_DISK_INTERNAL_H
#define TESTS_DISK_DISK_INTERNAL_H

#include <sys/types.h>

#include "disk/disk.h"

struct disk_file;

/* What a path is to the simulated disk. */
enum disk_place { PLACE_ELSEWHERE, PLACE_PARENT, PLACE_FOLDER, PLACE_FILE };

/* All of these are called under the lock. Those that give an int give 0 or an errno. */
void disk_lock(void);
void disk_unlock(void);
bool disk_has_halted(void);
enum disk_place disk_place_of(const char *path);
/* The file of that path; NULL where there is none. */
struct disk_file *disk_find(const char *path);

int disk_make(const char *path, struct disk_file **ret_file);
int disk_make_folder(const char *path, mode_t mode);
int disk_read(struct disk_file *file, int fd, void *data, size_t size, off_t at, ssize_t *ret_size);
int disk_write(struct disk_file *file, int fd, const void *data, size_t size, off_t at, ssize_t *ret_size);
int disk_truncate(struct disk_file *file, int fd, off_t size);
int disk_sync(struct disk_file *file);
int disk_sync_folder(enum disk_place place);
int disk_delete(const char *path);
int disk_rename(const char *from, const char *to);
/* The cache's clean pages are given up: what is read next is what the disk has. */
void disk_evict(struct disk_file *file);

/* The system's own, for files in memory. */
int real_open(const char *path, int flags, mode_t mode);
void real_close(int fd);
ssize_t real_pread(int fd, void *data, size_t size, off_t at);
ssize_t real_pwrite(int fd, const void *data, size_t size, off_t at);
int real_ftruncate(int fd, off_t size);
int real_unlink(const char *path);
int real_rename(const char *from, const char *to);
int real_mkdir(const char *path, mode_t mode);
int real_rmdir(const char *path);

#endif
