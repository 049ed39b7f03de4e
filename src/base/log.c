#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

static enum log_level lowest_level = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
  char data[6000];
  size_t size;
};

void log_set_level(enum log_level level) { lowest_level = level; }

bool log_parse_level(struct bytes text, enum log_level *ret_level) {
  for (size_t i = 0; i < 4; i++) {
    if (!bytes_equal_string(text, level_names[i])) continue;
    *ret_level = (enum log_level)i;
    return true;
  }
  return false;
}

static void put(struct line *line, struct bytes part) {
  size_t left = sizeof line->data - 8 - line->size; /* room for the end of the line */
  if (part.size > left) part.size = left;
  memcpy(line->data + line->size, part.data, part.size);
  line->size += part.size;
}

static bool is_plain(struct bytes text) {
  unsigned char found = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    found |= (unsigned char)(c < 0x20) | (unsigned char)(c == '"') | (unsigned char)(c == '\\');
  }
  return !found;
}

/* Quoted and escaped (RFC 8259 section 7); bytes past ASCII are passed on as they are. */
static void put_quoted(struct line *line, struct bytes text) {
  put(line, BYTES("\""));
  if (text.size < 256 && line->size < 3000 && is_plain(text)) { /* nearly every one */
    put(line, text);
    put(line, BYTES("\""));
    return;
  }
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    /* A character is not cut in two. */
    if (line->size >= 4000 && (c & 0xC0) != 0x80) break;
    char escaped[8];
    if (c == '"' || c == '\\')
      put(line, bytes_from(escaped, (size_t)snprintf(escaped, sizeof escaped, "\\%c", c)));
    else if (c < 0x20)
      put(line, bytes_from(escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c)));
    else
      put(line, bytes_from(text.data + i, 1));
  }
  put(line, BYTES("\""));
}

static void put_name(struct line *line, const char *name) {
  put(line, BYTES(",\""));
  put(line, bytes_of(name));
  put(line, BYTES("\":"));
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
  if (level < lowest_level) return;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char when[TIME_TEXT_BYTES + 1];
  time_format(now.tv_sec * 1000 + now.tv_nsec / 1000000, when);
  struct line line = {.size = 0};
  put(&line, BYTES("{\"time\":\""));
  put(&line, bytes_of(when));
  put(&line, BYTES("\",\"level\":\""));
  put(&line, bytes_of(level_names[level]));
  put(&line, BYTES("\",\"event\":"));
  put_quoted(&line, bytes_of(event));
  for (size_t i = 0; i < count; i++) {
    if (fields[i].name == NULL || (fields[i].type == LOG_FIELD_TEXT && fields[i].text.size == 0)) continue;
    put_name(&line, fields[i].name);
    char digits[24];
    if (fields[i].type == LOG_FIELD_INT)
      put(&line,
          bytes_from(digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)fields[i].integer)));
    else
      put_quoted(&line, fields[i].text);
  }
  memcpy(line.data + line.size, "}\n", 2);
  line.size += 2;
  ssize_t written;
  do written = write(STDERR_FILENO, line.data, line.size);
  while (written < 0 && errno == EINTR);
}
