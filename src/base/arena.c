#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

struct arena_block {
  struct arena_block *older;
  size_t size_bytes; /* of the payload */
  alignas(max_align_t) char payload[];
};

enum { FIRST_BLOCK_BYTES = 8 * 1024, LARGEST_REGULAR_BLOCK_BYTES = 256 * 1024 };

void arena_init(struct arena *arena) { *arena = (struct arena){0}; }

static void free_blocks(struct arena_block *block) {
  while (block) {
    struct arena_block *older = block->older;
    free(block);
    block = older;
  }
}

void arena_release(struct arena *arena) {
  free_blocks(arena->blocks);
  arena_init(arena);
}

void arena_reset(struct arena *arena) {
  struct arena_block *kept = arena->blocks;
  if (!kept) return;
  free_blocks(kept->older);
  kept->older = NULL;
  arena->total_bytes = 0;
  if (kept->size_bytes > LARGEST_REGULAR_BLOCK_BYTES) {
    arena_release(arena);
    return;
  }
  arena->next = kept->payload;
  arena->left_bytes = kept->size_bytes;
}

static void add_block(struct arena *arena, size_t at_least_bytes) {
  size_t size = arena->blocks ? arena->blocks->size_bytes * 2 : FIRST_BLOCK_BYTES;
  if (size > LARGEST_REGULAR_BLOCK_BYTES) size = LARGEST_REGULAR_BLOCK_BYTES;
  if (size < at_least_bytes) size = at_least_bytes;
  struct arena_block *block = malloc(sizeof *block + size);
  if (!block) panic("out of memory");
  block->older = arena->blocks;
  block->size_bytes = size;
  arena->blocks = block;
  arena->next = block->payload;
  arena->left_bytes = size;
}

char *arena_take(struct arena *arena, size_t size_bytes) {
  size_t alignment = alignof(max_align_t);
  if (size_bytes > SIZE_MAX / 4) panic("allocation too large");
  size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  if (rounded == 0) rounded = alignment;
  if (rounded > arena->left_bytes) add_block(arena, rounded);
  char *memory = arena->next;
  arena->next += rounded;
  arena->left_bytes -= rounded;
  arena->total_bytes += rounded;
  return memory;
}

void *arena_allocate(struct arena *arena, size_t size_bytes) {
  return memset(arena_take(arena, size_bytes), 0, size_bytes);
}

void *arena_allocate_array(struct arena *arena, size_t count, size_t item_size_bytes) {
  size_t size_bytes;
  if (__builtin_mul_overflow(count, item_size_bytes, &size_bytes)) panic("allocation too large");
  return arena_allocate(arena, size_bytes);
}

char *arena_string(struct arena *arena, struct bytes view) {
  char *copy = arena_take(arena, view.size + 1);
  if (view.size) memcpy(copy, view.data, view.size);
  copy[view.size] = 0;
  return copy;
}

struct bytes arena_copy(struct arena *arena, struct bytes view) {
  return (struct bytes){arena_string(arena, view), view.size};
}

struct bytes arena_printf(struct arena *arena, const char *format, ...) {
  char first[256]; /* most texts are short: written once, and not measured first */
  va_list values;
  va_start(values, format);
  va_list again;
  va_copy(again, values);
  int size = vsnprintf(first, sizeof first, format, values);
  va_end(values);
  if (size < 0) panic("bad format");
  char *text = arena_allocate(arena, (size_t)size + 1);
  if ((size_t)size < sizeof first)
    memcpy(text, first, (size_t)size);
  else
    vsnprintf(text, (size_t)size + 1, format, again);
  va_end(again);
  return (struct bytes){text, (size_t)size};
}
