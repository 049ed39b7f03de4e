/* Comma-separated values (RFC 4180): quoted fields with doubled quotes, LF or CRLF, a last record
 * without line end. What it reads it rewrites in place, so that fields are plain views. */
#ifndef RETAIL_CSV_H
#define RETAIL_CSV_H

#include "base/bytes.h"

enum { CSV_FIELDS_MAX = 32 };

struct csv_reader {
  char *at, *end; /* what is still to be read; quoted fields are unquoted within it */
  size_t record;  /* number of the record last read, from 1 */
};

/* The next record; false at the end. Fields past CSV_FIELDS_MAX are dropped. A quote inside an
 * unquoted field is kept as it is; a quote that is never closed reaches to the end of the text. */
bool csv_next(struct csv_reader *reader, struct bytes ret_fields[CSV_FIELDS_MAX], size_t *ret_count);

#endif
