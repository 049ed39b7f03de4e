#include "platform/net/http_reader.h"

enum { KEPT_BUFFER_BYTES = 16 * 1024 };

static void start_answer(struct http_reader *reader) {
  reader->state = READER_STATUS_LINE;
  reader->left = 0;
  reader->status = 0;
  reader->chunked = reader->close = reader->has_length = false;
  reader->retry_after_s = -1;
}

void http_reader_init(struct http_reader *reader, size_t body_bytes_max) {
  *reader = (struct http_reader){.body_bytes_max = body_bytes_max};
  text_init(&reader->line, NULL);
  text_init(&reader->body, NULL);
  start_answer(reader);
}

void http_reader_release(struct http_reader *reader) {
  text_release(&reader->line);
  text_release(&reader->body);
}

void http_reader_reset(struct http_reader *reader) {
  if (reader->body.capacity > KEPT_BUFFER_BYTES) text_release(&reader->body);
  reader->line.size = reader->body.size = 0;
  start_answer(reader);
}

/* "HTTP/1.1 202 Accepted" */
static void take_status_line(struct http_reader *reader, struct bytes line) {
  unsigned long long status;
  bool good = line.size >= 12 && bytes_starts_with(line, BYTES("HTTP/1.")) && line.data[8] == ' ' &&
              bytes_to_uint64(bytes_slice(line, 9, 12), &status) && status >= 100;
  if (!good) {
    reader->state = READER_BROKEN;
    return;
  }
  reader->status = (int)status;
  reader->close = line.data[7] == '0';
  reader->state = READER_HEADER;
}

static void take_header(struct http_reader *reader, struct bytes line) {
  size_t colon = bytes_find(line, ':', 0);
  struct bytes name = bytes_slice(line, 0, colon), value = bytes_trim(bytes_slice(line, colon + 1, line.size));
  unsigned long long number;
  if (reader->on_header) reader->on_header(reader->context, name, value);
  if (bytes_equal_ignoring_case(name, BYTES("content-length"))) {
    if (!bytes_to_uint64(value, &number)) reader->state = READER_BROKEN;
    reader->left = number;
    reader->has_length = true;
  } else if (bytes_equal_ignoring_case(name, BYTES("transfer-encoding"))) {
    reader->chunked = bytes_equal_ignoring_case(value, BYTES("chunked"));
  } else if (bytes_equal_ignoring_case(name, BYTES("connection"))) {
    if (bytes_equal_ignoring_case(value, BYTES("close"))) reader->close = true;
  } else if (bytes_equal_ignoring_case(name, BYTES("retry-after"))) {
    if (bytes_to_uint64(value, &number) && number < 1000000) reader->retry_after_s = (int64_t)number;
  }
}

/* After the empty line: RFC 9112 section 6.3 says how long the body is. */
static void end_head(struct http_reader *reader) {
  if (reader->status < 200) {
    start_answer(reader);
  } else if (reader->without_body || reader->status == 204 || reader->status == 304) {
    reader->state = READER_DONE;
  } else if (reader->chunked) {
    reader->state = READER_CHUNK_SIZE;
  } else if (reader->has_length) {
    reader->state = reader->left > reader->body_bytes_max ? READER_BROKEN
                    : reader->left                        ? READER_BODY
                                                          : READER_DONE;
  } else {
    reader->state = READER_UNTIL_CLOSE;
    reader->close = true;
  }
}

static void take_chunk_size(struct http_reader *reader, struct bytes line) {
  uint64_t size = 0;
  size_t digits = 0;
  for (; digits < line.size; digits++) {
    char c = line.data[digits];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) break;
    if (size > reader->body_bytes_max) break;
    size = size * 16 + (uint64_t)digit;
  }
  if (digits == 0 || size + reader->body.size > reader->body_bytes_max) {
    reader->state = READER_BROKEN;
    return;
  }
  reader->left = size;
  reader->state = size ? READER_CHUNK_DATA : READER_TRAILER;
}

static void take_line(struct http_reader *reader, struct bytes line) {
  if (line.size && line.data[line.size - 1] == '\r') line.size--;
  switch (reader->state) {
    case READER_STATUS_LINE:
      take_status_line(reader, line);
      break;
    case READER_HEADER:
      if (line.size)
        take_header(reader, line);
      else
        end_head(reader);
      break;
    case READER_CHUNK_SIZE:
      take_chunk_size(reader, line);
      break;
    case READER_CHUNK_END:
      reader->state = line.size ? READER_BROKEN : READER_CHUNK_SIZE;
      break;
    case READER_TRAILER:
      if (line.size == 0) reader->state = READER_DONE;
      break;
    case READER_BODY:
    case READER_UNTIL_CLOSE:
    case READER_CHUNK_DATA:
    case READER_DONE:
    case READER_BROKEN:
      break;
  }
}

/* Takes bytes up to a line feed. */
static size_t feed_line(struct http_reader *reader, struct bytes data) {
  const char *feed = memchr(data.data, '\n', data.size);
  size_t size = feed ? (size_t)(feed - data.data) : data.size;
  if (reader->line.size + size > READER_LINE_BYTES_MAX) {
    reader->state = READER_BROKEN;
    return 0;
  }
  if (feed && reader->line.size == 0) {
    take_line(reader, bytes_from(data.data, size));
    return size + 1;
  }
  text_append(&reader->line, bytes_from(data.data, size));
  if (!feed) return size;
  take_line(reader, text_view(&reader->line));
  reader->line.size = 0;
  return size + 1;
}

static size_t feed_body(struct http_reader *reader, struct bytes data) {
  size_t size = data.size;
  if (reader->state == READER_UNTIL_CLOSE) {
    if (reader->body.size + size > reader->body_bytes_max) {
      reader->state = READER_BROKEN;
      return 0;
    }
    text_append(&reader->body, data);
    return size;
  }
  if (size > reader->left) size = (size_t)reader->left;
  text_append(&reader->body, bytes_from(data.data, size));
  reader->left -= size;
  if (reader->left == 0) reader->state = reader->state == READER_BODY ? READER_DONE : READER_CHUNK_END;
  return size;
}

size_t http_reader_feed(struct http_reader *reader, struct bytes data) {
  size_t at = 0;
  while (at < data.size && reader->state != READER_DONE && reader->state != READER_BROKEN) {
    struct bytes rest = bytes_slice(data, at, data.size);
    bool in_body = reader->state == READER_BODY || reader->state == READER_UNTIL_CLOSE ||
                   reader->state == READER_CHUNK_DATA;
    at += in_body ? feed_body(reader, rest) : feed_line(reader, rest);
  }
  return at;
}

void http_reader_end(struct http_reader *reader) {
  reader->state = reader->state == READER_UNTIL_CLOSE ? READER_DONE : READER_BROKEN;
}
