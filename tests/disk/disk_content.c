#include "disk/disk_content.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "fake/testing.h"

enum { SECTOR_BYTES = 512 };

static bool coin(uint64_t *random, uint64_t below) { return next_random(random, below) == 0; }

static void content_resize(struct content *content, size_t size) {
  if (size > content->room) {
    content->room = size * 2;
    content->data = realloc(content->data, content->room);
    ensure(content->data != NULL);
  }
  if (size > content->size) memset(content->data + content->size, 0, size - content->size);
  content->size = size;
}

void content_put(struct content *content, size_t at, const unsigned char *data, size_t size) {
  if (size == 0) return;
  if (at + size > content->size) content_resize(content, at + size);
  memcpy(content->data + at, data, size);
}

static void apply(struct content *content, const struct change *change) {
  if (change->is_truncate)
    content_resize(content, change->at);
  else
    content_put(content, change->at, change->data, change->size);
}

/* Each sector of it for itself, perhaps one with garbage. */
static void apply_torn(struct content *content, const struct change *change, uint64_t *random) {
  uint64_t part = 1 + next_random(random, 4);
  bool garbage = coin(random, 8);
  for (size_t done = 0; done < change->size;) {
    size_t at = change->at + done, size = SECTOR_BYTES - at % SECTOR_BYTES;
    if (size > change->size - done) size = change->size - done;
    if (!coin(random, part + 1)) content_put(content, at, change->data + done, size);
    if (garbage && coin(random, 4)) {
      if (at + size > content->size) content_resize(content, at + size);
      for (size_t i = 0; i < size; i++) content->data[at + i] = (unsigned char)next_random(random, 256);
      garbage = false;
    }
    done += size;
  }
  if (coin(random, 3) && change->at + change->size > content->size)
    content_resize(content, change->at + change->size);
}

void changes_init(struct changes *changes) { *changes = (struct changes){.last = &changes->first}; }

void changes_forget(struct changes *changes) {
  for (struct change *change = changes->first, *next; change; change = next) {
    next = change->next;
    free(change);
  }
  changes_init(changes);
}

void changes_apply(const struct changes *changes, struct content *content) {
  for (const struct change *change = changes->first; change; change = change->next) apply(content, change);
}

void changes_note(struct changes *changes, bool is_truncate, size_t at, const void *data, size_t size) {
  struct change *change = malloc(sizeof *change + size);
  ensure(change != NULL);
  change->next = NULL;
  change->is_truncate = is_truncate;
  change->at = at;
  change->size = size;
  if (size) memcpy(change->data, data, size);
  *changes->last = change;
  changes->last = &change->next;
}

void changes_settle_by_chance(struct changes *changes, struct content *durable, uint64_t *random) {
  enum { ALL, NOTHING, BEGINNING, ANY, SECTORS };
  uint64_t how = next_random(random, 5), left = 0;
  for (struct change *change = changes->first; change; change = change->next) left++;
  if (left == 0) return;
  uint64_t beginning = next_random(random, left), at = 0;
  for (struct change *change = changes->first; change; change = change->next, at++) {
    bool whole = how == ALL || (how == BEGINNING && at < beginning) || (how == ANY && coin(random, 2));
    bool torn = !change->is_truncate && ((how == BEGINNING && at == beginning) || how == SECTORS);
    if (whole || (change->is_truncate && how == SECTORS && coin(random, 2)))
      apply(durable, change);
    else if (torn)
      apply_torn(durable, change, random);
  }
  changes_forget(changes);
}
