/* A text that grows, in an arena or on the heap. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdint.h>

#include "base/arena.h"

struct text {
  struct arena *arena; /* NULL: on the heap, freed by text_release */
  char *data;          /* not terminated */
  size_t size;
  size_t capacity;
};

/* Empty; `arena` may be NULL for the heap. */
void text_init(struct text *text, struct arena *arena);
/* Gives the memory back where it is the heap's. */
void text_release(struct text *text);
/* Room for `size_bytes` more at once; the place to write them, not yet counted in size. */
char *text_reserve(struct text *text, size_t size_bytes);
void text_append(struct text *text, struct bytes part);
void text_append_string(struct text *text, const char *part);
void text_append_int64(struct text *text, int64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void text_append_char(struct text *text, char c) {
  char *at = text->size < text->capacity ? text->data + text->size : text_reserve(text, 1);
  *at = c;
  text->size++;
}

static inline struct bytes text_view(const struct text *text) { return (struct bytes){text->data, text->size}; }

#endif
