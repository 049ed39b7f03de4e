/* One HTTP/1.1 answer, taken in as it arrives (RFC 9112): Content-Length, chunked, or until the
 * connection closes. 1xx answers are passed over. */
#ifndef PLATFORM_NET_HTTP_READER_H
#define PLATFORM_NET_HTTP_READER_H

#include <stdint.h>

#include "base/text.h"

enum http_reader_state {
  READER_STATUS_LINE,
  READER_HEADER,
  READER_BODY, /* `left` bytes are to come */
  READER_UNTIL_CLOSE,
  READER_CHUNK_SIZE,
  READER_CHUNK_DATA,
  READER_CHUNK_END,
  READER_TRAILER,
  READER_DONE,
  READER_BROKEN, /* not HTTP, or a line or body over its limit */
};

enum { READER_LINE_BYTES_MAX = 16 * 1024 };

struct http_reader {
  enum http_reader_state state;
  size_t body_bytes_max;
  bool without_body; /* the request was HEAD */
  struct text line;  /* the line being taken in */
  struct text body;
  uint64_t left;
  int status;
  bool chunked, close, has_length;
  int64_t retry_after_s; /* -1: none, or a date */
  /* Is told each header of the answer, in case somebody asks for others than those above; set after
   * http_reader_init, may be NULL. Of a 1xx answer, too. */
  void (*on_header)(void *context, struct bytes name, struct bytes value);
  void *context;
};

void http_reader_init(struct http_reader *reader, size_t body_bytes_max);
void http_reader_release(struct http_reader *reader);
/* Ready for the next answer on the same connection. Large buffers are given back. */
void http_reader_reset(struct http_reader *reader);

/* Takes what belongs to this answer and gives its size; less than `data.size` only once the state is
 * DONE or BROKEN. */
size_t http_reader_feed(struct http_reader *reader, struct bytes data);
/* The connection was closed by the other side. */
void http_reader_end(struct http_reader *reader);

#endif
