/* An arena: memory of one request or one batch, handed out by moving a pointer and given back all
 * at once. Not thread-safe. Running out of memory ends the process (base/panic.h): everything that
 * was promised is on disk, and a restart recovers it. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
  struct arena_block *blocks; /* newest first */
  char *next;
  size_t left_bytes;
  size_t total_bytes; /* handed out since the last reset */
};

/* Takes no memory until the first allocation. */
void arena_init(struct arena *arena);
/* Gives everything back; the arena may be used again. */
void arena_release(struct arena *arena);
/* Forgets everything handed out, but keeps one block for the next round. */
void arena_reset(struct arena *arena);

/* Zeroed memory, aligned for any type. Never NULL, not even for 0 bytes. */
void *arena_allocate(struct arena *arena, size_t size_bytes) __attribute__((returns_nonnull, malloc));
/* The same, not zeroed. */
char *arena_take(struct arena *arena, size_t size_bytes) __attribute__((returns_nonnull, malloc));
/* Zeroed, for an array; a product that overflows ends the process. */
void *arena_allocate_array(struct arena *arena, size_t count, size_t item_size_bytes)
    __attribute__((returns_nonnull, malloc));
#define ARENA_NEW(arena, type) ((type *)arena_allocate((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_allocate_array((arena), (count), sizeof(type)))

/* A copy that lives as long as the arena; data[size] is NUL. */
struct bytes arena_copy(struct arena *arena, struct bytes view);
/* The same as a C string. */
char *arena_string(struct arena *arena, struct bytes view);
struct bytes arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
