#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

void text_init(struct text *text, struct arena *arena) { *text = (struct text){.arena = arena}; }

void text_release(struct text *text) {
  if (!text->arena) free(text->data);
  text_init(text, text->arena);
}

char *text_reserve(struct text *text, size_t size_bytes) {
  if (text->capacity - text->size >= size_bytes) return text->data + text->size;
  size_t wanted = text->size + size_bytes;
  size_t capacity = text->capacity ? text->capacity * 2 : 256;
  if (wanted < size_bytes || capacity < text->capacity) panic("text too large");
  if (capacity < wanted) capacity = wanted;
  char *grown = text->arena ? arena_take(text->arena, capacity) : realloc(text->data, capacity);
  if (!grown) panic("out of memory");
  if (text->arena && text->size) memcpy(grown, text->data, text->size);
  text->data = grown;
  text->capacity = capacity;
  return grown + text->size;
}

void text_append(struct text *text, struct bytes part) {
  if (part.size == 0) return;
  memcpy(text_reserve(text, part.size), part.data, part.size);
  text->size += part.size;
}

void text_append_string(struct text *text, const char *part) { text_append(text, bytes_of(part)); }

void text_append_int64(struct text *text, int64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  if (value < 0) digits[--at] = '-';
  text_append(text, bytes_from(digits + at, sizeof digits - at));
}

void text_printf(struct text *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  va_list again;
  va_copy(again, values);
  size_t room = text->capacity - text->size;
  int size = vsnprintf(room ? text->data + text->size : NULL, room, format, values);
  va_end(values);
  if (size < 0) panic("bad format");
  if ((size_t)size >= room) vsnprintf(text_reserve(text, (size_t)size + 1), (size_t)size + 1, format, again);
  va_end(again);
  text->size += (size_t)size;
}
