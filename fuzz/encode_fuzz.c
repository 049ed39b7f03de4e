/* Encodings (base/encode.h, wire/http.h): decoders are strict, so that encoding again gives the input. */
#include "base/encode.h"
#include "fuzz.h"
#include "wire/http.h"

enum { BASE32_DATA_BYTES = 5, BASE32_CHARACTERS = 8 };

static void check_base32(struct bytes input, struct arena *arena) {
  if (input.size % BASE32_CHARACTERS != 0) return;
  size_t size = input.size / BASE32_CHARACTERS * BASE32_DATA_BYTES;
  uint8_t *data = arena_allocate(arena, size);
  char *again = arena_allocate(arena, input.size);
  if (!base32_decode(input, data)) return;
  base32_encode(data, size, again);
  ensure(bytes_equal(bytes_from(again, input.size), input));
}

static struct bytes percent_encode(struct bytes text, struct arena *arena) {
  struct text encoded;
  text_init(&encoded, arena);
  for (size_t i = 0; i < text.size; i++) text_printf(&encoded, "%%%02x", (unsigned)(unsigned char)text.data[i]);
  return text_view(&encoded);
}

static void check_query(struct bytes input, struct arena *arena) {
  struct http_parameter *pairs = NULL, *again = NULL;
  size_t count = 0, count_again = 0;
  if (!http_query_parse(input, arena, &pairs, &count)) {
    ensure(!pairs && count == 0 && fuzz_holds(input, BYTES("%")));
    return;
  }
  struct text text;
  text_init(&text, arena);
  for (size_t i = 0; i < count; i++) {
    if (i) text_append_char(&text, '&');
    text_append(&text, percent_encode(pairs[i].name, arena));
    text_append_char(&text, '=');
    text_append(&text, percent_encode(pairs[i].value, arena));
  }
  ensure(http_query_parse(text_view(&text), arena, &again, &count_again) && count_again == count);
  for (size_t i = 0; i < count; i++)
    ensure(bytes_equal(pairs[i].name, again[i].name) && bytes_equal(pairs[i].value, again[i].value));
}

FUZZ_TARGET(input, arena) {
  struct bytes data;
  if (base64url_decode(input, arena, &data)) ensure(bytes_equal(base64url_encode(data, arena), input));
  if (base64_decode(input, arena, &data)) ensure(bytes_equal(base64_encode(data, arena), input));
  ensure(base64url_decode(base64url_encode(input, arena), arena, &data) && bytes_equal(data, input));
  ensure(base64_decode(base64_encode(input, arena), arena, &data) && bytes_equal(data, input));
  if (percent_decode(input, arena, &data)) ensure(data.size <= input.size);
  ensure(percent_decode(percent_encode(input, arena), arena, &data) && bytes_equal(data, input));
  check_base32(input, arena);
  check_query(input, arena);
  if (fuzz_is_utf8(input))
    for (size_t most = 0; most <= input.size; most++) ensure(fuzz_is_utf8(bytes_cut(input, most)));
}
