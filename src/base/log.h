/* One JSON line a log event on standard error, written with one write(2). Only the edges log (main
 * files, gateway, runner), once an event, with order id and trace id; never personal data, never
 * tokens.
 *
 *   log_event(LOG_WARN, "call_failed", LOG_TEXT("order", id), LOG_INT("attempt", 3)); */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
  const char *name;
  enum { LOG_FIELD_TEXT, LOG_FIELD_INT } type;
  struct bytes text;
  int64_t integer;
};

#define LOG_TEXT(field, view) ((struct log_field){.name = (field), .type = LOG_FIELD_TEXT, .text = (view)})
#define LOG_STRING(field, string) LOG_TEXT(field, bytes_of(string))
#define LOG_INT(field, value) \
  ((struct log_field){.name = (field), .type = LOG_FIELD_INT, .integer = (int64_t)(value)})

/* Events below `level` are dropped. The default is LOG_INFO. Call before any thread starts. */
void log_set_level(enum log_level level);
bool log_parse_level(struct bytes text, enum log_level *ret_level);

/* An empty text field is left out; lines are cut at 4,000 bytes of field text. */
void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count);
#define log_event(level, event, ...)                                    \
  log_fields((level), (event), (const struct log_field[]){__VA_ARGS__}, \
             sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
