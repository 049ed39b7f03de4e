/* Time arithmetic. Instants are int64_t milliseconds since 1970-01-01T00:00:00Z (no leap seconds),
 * durations int64_t milliseconds. Nothing here reads a clock. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#include "base/bytes.h"

enum {
  TIME_TEXT_BYTES = 24 /* "2026-11-23T18:32:29.123Z" */,
};

/* RFC 3339 with milliseconds and Z, e.g. 2026-11-23T18:32:29.123Z, NUL-terminated.
 * Years 0000 to 9999; what lies outside is clamped. */
void time_format(int64_t instant_ms, char ret_text[TIME_TEXT_BYTES + 1]);

/* RFC 3339 section 5.6 with any offset and any number of fraction digits (cut to milliseconds);
 * lower-case t and z allowed; second 60 is taken as the next minute's 0. */
bool time_parse(struct bytes text, int64_t *ret_instant_ms);

/* An HTTP date in its preferred form (RFC 9110 section 5.6.7): Sun, 06 Nov 1994 08:49:37 GMT. */
bool time_parse_http_date(struct bytes text, int64_t *ret_instant_ms);

/* "250ms", "5s", "10m", "24h": a whole number and one unit, no spaces. */
bool duration_parse(struct bytes text, int64_t *ret_duration_ms);
/* The shortest such text, for help pages; NUL-terminated, at most 24 characters. */
void duration_format(int64_t duration_ms, char ret_text[25]);

/* "512", "64B", "256KiB", "8MiB", "2GiB". */
bool size_parse(struct bytes text, int64_t *ret_size_bytes);

#endif
