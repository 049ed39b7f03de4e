/* What the fuzz targets share. A target is one parser of bytes from outside. It is given one input after the
 * other and asserts, by `ensure`, what must hold for each: what is accepted can be written and read again and
 * is the same, the same input gets the same verdict, and what is refused leaves no output behind. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdint.h>

#include "base/arena.h"
#include "base/panic.h"
#include "base/text.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Begins the target's function; `arena` is empty before and given back after each input. */
#define FUZZ_TARGET(input, arena)                                                    \
  static void fuzz_one(struct bytes input, struct arena *arena);                     \
  int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {               \
    struct arena memory;                                                             \
    arena_init(&memory);                                                             \
    fuzz_one(bytes_from(size_bytes ? (const void *)data : "", size_bytes), &memory); \
    arena_release(&memory);                                                          \
    return 0;                                                                        \
  }                                                                                  \
  static void fuzz_one(struct bytes input, struct arena *arena)

static inline bool fuzz_is_utf8(struct bytes text) {
  size_t code_points;
  return bytes_count_code_points(text, &code_points);
}

/* Text that may be stored, shown and logged: at most so many characters, none of them a control character. */
static inline bool fuzz_is_clean(struct bytes text, size_t most) {
  size_t code_points;
  return bytes_count_code_points(text, &code_points) && code_points <= most &&
         !bytes_have_control_characters(text);
}

static inline bool fuzz_holds(struct bytes text, struct bytes part) {
  return part.size == 0 || (text.size > 0 && memmem(text.data, text.size, part.data, part.size) != NULL);
}

/* The text is JSON; its root. */
static inline struct json *fuzz_json(struct bytes text, struct arena *arena) {
  struct json *root = NULL;
  struct bytes detail;
  ensure(json_parse(text, arena, &root, &detail));
  return root;
}

#endif
