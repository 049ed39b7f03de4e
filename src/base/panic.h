/* The end of the process over a broken invariant or exhausted memory. What was acknowledged is on
 * stable storage, so ending is safe, and going on would not be. */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

/* Writes one line to standard error and aborts. */
_Noreturn void panic_at(const char *file, int line, const char *message);
#define panic(message) panic_at(__FILE__, __LINE__, (message))

/* An assertion that stays on in release builds. */
#define ensure(condition)                                                            \
  do {                                                                               \
    if (!(condition)) panic_at(__FILE__, __LINE__, "broken invariant: " #condition); \
  } while (0)

#endif
