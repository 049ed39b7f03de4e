#include "retail/csv.h"

/* Unquotes in place; `reader->at` is behind the opening quote and ends behind the closing one. */
static struct bytes quoted_field(struct csv_reader *reader) {
  char *start = reader->at, *write = start;
  while (reader->at < reader->end) {
    if (*reader->at == '"') {
      reader->at++;
      if (reader->at == reader->end || *reader->at != '"') break;
    }
    *write++ = *reader->at++;
  }
  return bytes_from(start, (size_t)(write - start));
}

static struct bytes plain_field(struct csv_reader *reader) {
  char *start = reader->at;
  while (reader->at < reader->end && *reader->at != ',' && *reader->at != '\n') reader->at++;
  size_t size = (size_t)(reader->at - start);
  bool line_end = reader->at == reader->end || *reader->at == '\n';
  if (size && line_end && start[size - 1] == '\r') size--;
  return bytes_from(start, size);
}

bool csv_next(struct csv_reader *reader, struct bytes ret_fields[CSV_FIELDS_MAX], size_t *ret_count) {
  if (reader->at >= reader->end) return false;
  size_t count = 0;
  for (;;) {
    struct bytes field;
    if (reader->at < reader->end && *reader->at == '"') {
      reader->at++;
      field = quoted_field(reader);
      /* What stands between a closing quote and the separator (a CR, mostly) is no part of it. */
      (void)plain_field(reader);
    } else {
      field = plain_field(reader);
    }
    if (count < CSV_FIELDS_MAX) ret_fields[count++] = field;
    if (reader->at == reader->end) break;
    if (*reader->at++ == '\n') break;
  }
  reader->record++;
  *ret_count = count;
  return true;
}
