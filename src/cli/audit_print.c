#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/audit.h"

enum { COLUMNS = 8, REFUSED_COLUMN = 2 };

/* "1339 (invalid-order 1337, payment-already-used 2)" */
static void append_refused(struct text *text, const struct audit_verdict *verdict) {
  text_printf(text, "%" PRIu64, verdict->refused);
  for (size_t i = 0; i < verdict->code_count; i++)
    text_printf(text, "%s%.*s %" PRIu64, i ? ", " : " (", BYTES_PRINTF(verdict->codes[i].code),
                verdict->codes[i].count);
  if (verdict->code_count) text_append_char(text, ')');
}

void audit_print(const struct audit_verdict *verdict) {
  static const char *const titles[COLUMNS] = {"attempted", "acknowledged", "refused (by code)", "unanswered",
                                              "lost",      "duplicated",   "half-finished",     "foreign"};
  static const char *const names[AUDIT_VIOLATION_COUNT] = {"lost", "duplicated", "half-finished", "foreign"};
  uint64_t values[COLUMNS] = {verdict->attempted, verdict->acknowledged, 0, verdict->unanswered};
  for (size_t i = 0; i < AUDIT_VIOLATION_COUNT; i++) values[4 + i] = verdict->violations[i];
  struct arena arena;
  arena_init(&arena);
  struct text heads, rules, cells;
  text_init(&heads, &arena);
  text_init(&rules, &arena);
  text_init(&cells, &arena);
  for (size_t i = 0; i < COLUMNS; i++) {
    struct text cell;
    text_init(&cell, &arena);
    if (i == REFUSED_COLUMN)
      append_refused(&cell, verdict);
    else
      text_printf(&cell, "%" PRIu64, values[i]);
    size_t title = strlen(titles[i]), width = title > cell.size ? title : cell.size;
    text_printf(&heads, "| %*s ", (int)width, titles[i]);
    text_printf(&cells, "| %*.*s ", (int)width, BYTES_PRINTF(text_view(&cell)));
    text_append_char(&rules, '|');
    for (size_t dash = 0; dash < width + 1; dash++) text_append_char(&rules, '-');
    text_append_char(&rules, ':');
  }
  printf("%.*s|\n%.*s|\n%.*s|\n", BYTES_PRINTF(text_view(&heads)), BYTES_PRINTF(text_view(&rules)),
         BYTES_PRINTF(text_view(&cells)));
  for (size_t i = 0; i < verdict->example_count; i++)
    printf("%s: %.*s\n", names[verdict->examples[i].violation], BYTES_PRINTF(verdict->examples[i].text));
  arena_release(&arena);
}
