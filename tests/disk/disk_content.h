/* What a file holds, and what was done to it since that is not known to be on the disk. */
#ifndef TESTS_DISK_DISK_CONTENT_H
#define TESTS_DISK_DISK_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content {
  unsigned char *data;
  size_t size, room;
};

struct change {
  struct change *next;
  bool is_truncate;
  size_t at, size; /* truncate: to `at` */
  unsigned char data[];
};

struct changes { /* in their order */
  struct change *first, **last;
};

void content_put(struct content *content, size_t at, const unsigned char *data, size_t size);

void changes_init(struct changes *changes);
void changes_note(struct changes *changes, bool is_truncate, size_t at, const void *data, size_t size);
/* All of them, in order. */
void changes_apply(const struct changes *changes, struct content *content);
/* They reach the disk: all, nothing, a beginning, or what chance leaves of each. Afterwards there are none. */
void changes_settle_by_chance(struct changes *changes, struct content *durable, uint64_t *random);
void changes_forget(struct changes *changes);

#endif
