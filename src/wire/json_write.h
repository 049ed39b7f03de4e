/* JSON out: compact, members in the order they are written, into a text. */
#ifndef WIRE_JSON_WRITE_H
#define WIRE_JSON_WRITE_H

#include <stdint.h>

#include "base/text.h"

/* Writes values one after the other and puts the commas itself. `name` is the member's name inside
 * an object and NULL inside an array and at the root. */
struct json_writer {
  struct text *text;
  bool needs_comma;
};

void json_writer_init(struct json_writer *writer, struct text *text);
void json_open_object(struct json_writer *writer, const char *name);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *name);
void json_close_array(struct json_writer *writer);
/* Invalid UTF-8 must not come here; NUL and control characters are escaped. */
void json_write_text(struct json_writer *writer, const char *name, struct bytes value);
void json_write_string(struct json_writer *writer, const char *name, const char *value);
void json_write_int64(struct json_writer *writer, const char *name, int64_t value);
void json_write_boolean(struct json_writer *writer, const char *name, bool value);
void json_write_null(struct json_writer *writer, const char *name);
/* An instant as RFC 3339 text. */
void json_write_time(struct json_writer *writer, const char *name, int64_t instant_ms);
/* Text that already is JSON, put in as it is. */
void json_write_raw(struct json_writer *writer, const char *name, struct bytes json);

#endif
