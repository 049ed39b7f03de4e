/* Comma-separated values (retail/csv.h): what is read is written with every field quoted, and read again the
 * same. */
#include "retail/csv.h"

#include "fuzz.h"

static void write_record(struct text *text, const struct bytes *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    text_append_char(text, i ? ',' : '"');
    if (i) text_append_char(text, '"');
    for (size_t j = 0; j < fields[i].size; j++) {
      if (fields[i].data[j] == '"') text_append_char(text, '"');
      text_append_char(text, fields[i].data[j]);
    }
    text_append_char(text, '"');
  }
  text_append_char(text, '\n');
}

/* All records as text; reading spoils `data`. */
static struct bytes rewrite(struct bytes data, struct arena *arena) {
  char *copy = arena_string(arena, data);
  struct csv_reader reader = {.at = copy, .end = copy + data.size};
  struct bytes fields[CSV_FIELDS_MAX];
  size_t count, records = 0;
  struct text text;
  text_init(&text, arena);
  while (csv_next(&reader, fields, &count)) {
    ensure(count >= 1 && count <= CSV_FIELDS_MAX && reader.record == ++records);
    for (size_t i = 0; i < count; i++)
      ensure(fields[i].data >= copy && fields[i].data + fields[i].size <= copy + data.size);
    write_record(&text, fields, count);
  }
  return text_view(&text);
}

FUZZ_TARGET(input, arena) {
  struct bytes first = rewrite(input, arena);
  ensure(bytes_equal(first, rewrite(first, arena)));
}
