/* HTTP answers as they arrive (platform/net/http_reader.h): what is read does not depend on how the bytes are
 * cut, and keeps its limits. */
#include "platform/net/http_reader.h"

#include "fuzz.h"

enum { BODY_BYTES_MAX = 512 };

struct reading {
  struct http_reader reader;
  struct text headers;
  size_t taken;
};

static void take_header(void *context, struct bytes name, struct bytes value) {
  struct text *headers = context;
  text_append(headers, name);
  text_append_char(headers, '=');
  text_append(headers, value);
  text_append_char(headers, '\n');
}

/* Feeds the input in pieces of `step` bytes, or, where it is 0, of sizes that follow from the input. */
static void read_in_pieces(struct bytes input, size_t step, bool head, struct arena *arena,
                           struct reading *ret_reading) {
  uint64_t state = input.size * UINT64_C(0x9e3779b97f4a7c15) + 1;
  http_reader_init(&ret_reading->reader, BODY_BYTES_MAX);
  text_init(&ret_reading->headers, arena);
  ret_reading->reader.on_header = take_header;
  ret_reading->reader.context = &ret_reading->headers;
  ret_reading->reader.without_body = head;
  ret_reading->taken = 0;
  while (ret_reading->taken < input.size) {
    size_t size = step;
    if (step == 0) {
      state = state * UINT64_C(6364136223846793005) + (unsigned char)input.data[ret_reading->taken] + 1;
      size = 1 + (size_t)(state >> 59);
    }
    struct bytes piece = bytes_slice(input, ret_reading->taken, ret_reading->taken + size);
    size_t taken = http_reader_feed(&ret_reading->reader, piece);
    ensure(taken <= piece.size && ret_reading->reader.body.size <= BODY_BYTES_MAX);
    ret_reading->taken += taken;
    if (ret_reading->reader.state == READER_DONE || ret_reading->reader.state == READER_BROKEN) break;
    ensure(taken == piece.size);
  }
}

static void compare(const struct reading *a, const struct reading *b) {
  const struct http_reader *x = &a->reader, *y = &b->reader;
  ensure(x->state == y->state);
  ensure(bytes_equal(text_view(&a->headers), text_view(&b->headers)));
  if (x->state == READER_BROKEN) return;
  ensure(x->status == y->status && x->close == y->close && x->retry_after_s == y->retry_after_s);
  ensure(bytes_equal(text_view(&x->body), text_view(&y->body)));
  ensure(a->taken == b->taken);
}

FUZZ_TARGET(input, arena) {
  static const size_t steps[] = {1, 0, 7};
  for (int head = 0; head < 2; head++) {
    struct reading whole;
    read_in_pieces(input, input.size + 1, head, arena, &whole);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
      struct reading pieces;
      read_in_pieces(input, steps[i], head, arena, &pieces);
      compare(&whole, &pieces);
      http_reader_release(&pieces.reader);
    }
    bool done = whole.reader.state == READER_DONE;
    if (done) ensure(whole.reader.status >= 200 && whole.reader.status <= 999);
    if (!done) http_reader_end(&whole.reader);
    ensure(whole.reader.state == READER_DONE || whole.reader.state == READER_BROKEN);
    http_reader_release(&whole.reader);
  }
}
