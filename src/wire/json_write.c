#include "wire/json_write.h"

#include "base/time.h"

void json_writer_init(struct json_writer *writer, struct text *text) {
  *writer = (struct json_writer){.text = text};
}

/* Most texts hold nothing to escape: one look at all of it is cheaper than one at each character on its way. */
static bool needs_escape(struct bytes value) {
  unsigned char found = 0;
  for (size_t i = 0; i < value.size; i++) {
    unsigned char c = (unsigned char)value.data[i];
    found |= (unsigned char)(c < 0x20) | (unsigned char)(c == '"') | (unsigned char)(c == '\\');
  }
  return found;
}

static void append_plain(struct text *text, struct bytes value) {
  char *at = text_reserve(text, value.size + 2);
  *at++ = '"';
  if (value.size) memcpy(at, value.data, value.size);
  at[value.size] = '"';
  text->size += value.size + 2;
}

static void append_quoted(struct text *text, struct bytes value) {
  static const char digits[] = "0123456789abcdef";
  if (!needs_escape(value)) {
    append_plain(text, value);
    return;
  }
  char *at = text_reserve(text, value.size * 6 + 2);
  char *start = at;
  *at++ = '"';
  for (size_t i = 0; i < value.size; i++) {
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
