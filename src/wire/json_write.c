#include "wire/json_write.h"

#include "base/time.h"

void json_writer_init(struct json_writer *writer, struct text *text) {
  *writer = (struct json_writer){.text = text};
}

/* Writes the value's bytes from `from` on, with what must be escaped; gives the place behind them. */
static char *write_escaped(char *at, struct bytes value, size_t from) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = from; i < value.size; i++) {
    unsigned char c = (unsigned char)value.data[i];
    if (c >= 0x20 && c != '"' && c != '\\') {
      *at++ = (char)c;
    } else if (c == '"' || c == '\\') {
      *at++ = '\\';
      *at++ = (char)c;
    } else if (c == '\n') {
      *at++ = '\\';
      *at++ = 'n';
    } else {
      memcpy(at, "\\u00", 4);
      at[4] = digits[c >> 4];
      at[5] = digits[c & 15];
      at += 6;
    }
  }
  return at;
}

/* Most texts have nothing to escape, and are copied as they are. */
static void append_quoted(struct text *text, struct bytes value) {
  size_t plain = 0;
  while (plain < value.size && (unsigned char)value.data[plain] >= 0x20 && value.data[plain] != '"' &&
         value.data[plain] != '\\')
    plain++;
  char *start = text_reserve(text, plain + (value.size - plain) * 6 + 2), *at = start;
  *at++ = '"';
  if (plain > 0) memcpy(at, value.data, plain);
  at = write_escaped(at + plain, value, plain);
  *at++ = '"';
  text->size += (size_t)(at - start);
}

static void begin(struct json_writer *writer, const char *name) {
  if (writer->needs_comma) text_append_char(writer->text, ',');
  writer->needs_comma = true;
  if (!name) return;
  append_quoted(writer->text, bytes_of(name));
  text_append_char(writer->text, ':');
}

static void open_with(struct json_writer *writer, const char *name, char bracket) {
  begin(writer, name);
  text_append_char(writer->text, bracket);
  writer->needs_comma = false;
}

static void close_with(struct json_writer *writer, char bracket) {
  text_append_char(writer->text, bracket);
  writer->needs_comma = true;
}

void json_open_object(struct json_writer *writer, const char *name) { open_with(writer, name, '{'); }
void json_close_object(struct json_writer *writer) { close_with(writer, '}'); }
void json_open_array(struct json_writer *writer, const char *name) { open_with(writer, name, '['); }
void json_close_array(struct json_writer *writer) { close_with(writer, ']'); }

void json_write_text(struct json_writer *writer, const char *name, struct bytes value) {
  begin(writer, name);
  append_quoted(writer->text, value);
}

void json_write_string(struct json_writer *writer, const char *name, const char *value) {
  json_write_text(writer, name, bytes_of(value));
}

void json_write_int64(struct json_writer *writer, const char *name, int64_t value) {
  begin(writer, name);
  text_append_int64(writer->text, value);
}

void json_write_boolean(struct json_writer *writer, const char *name, bool value) {
  json_write_raw(writer, name, value ? BYTES("true") : BYTES("false"));
}

void json_write_null(struct json_writer *writer, const char *name) {
  json_write_raw(writer, name, BYTES("null"));
}

void json_write_time(struct json_writer *writer, const char *name, int64_t instant_ms) {
  char text[TIME_TEXT_BYTES + 1];
  time_format(instant_ms, text);
  json_write_text(writer, name, bytes_from(text, TIME_TEXT_BYTES));
}

void json_write_raw(struct json_writer *writer, const char *name, struct bytes json) {
  begin(writer, name);
  text_append(writer->text, json);
}
