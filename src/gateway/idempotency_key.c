/* The Idempotency-Key header: a structured-field string (RFC 8941 section 3.3.3) or a bare token. */
#include "gateway/internal.h"

enum { KEY_CHARACTERS_MAX = 255 };

static bool refuse(struct exchange *exchange, const char *detail) {
  answer_problem(exchange, PROBLEM_MALFORMED_REQUEST, detail);
  return false;
}

static bool read_bare(struct exchange *exchange, struct bytes value) {
  for (size_t i = 0; i < value.size; i++)
    if (value.data[i] <= ' ' || value.data[i] > '~' || value.data[i] == '"' || value.data[i] == '\\')
      return refuse(exchange, "a bare Idempotency-Key holds visible ASCII characters only, without \" and \\");
  exchange->idempotency_key = value;
  return true;
}

static bool read_quoted(struct exchange *exchange, struct bytes value) {
  char *key = arena_string(&exchange->arena, value);
  size_t size = 0, at = 1;
  for (; at < value.size && value.data[at] != '"'; at++) {
    char c = value.data[at];
    if (c < ' ' || c > '~') return refuse(exchange, "the Idempotency-Key holds a character that is not ASCII");
    if (c == '\\') {
      c = ++at < value.size ? value.data[at] : 0;
      if (c != '"' && c != '\\') return refuse(exchange, "the Idempotency-Key holds an unknown escape");
    }
    key[size++] = c;
  }
  if (at + 1 != value.size)
    return refuse(exchange, "the Idempotency-Key must be one quoted string, without parameters");
  exchange->idempotency_key = bytes_from(key, size);
  return true;
}

bool read_idempotency_key(struct exchange *exchange) {
  struct bytes value = http_header_value(&exchange->request, "Idempotency-Key");
  size_t count = http_header_count(&exchange->request, "Idempotency-Key");
  if (count > 1) return refuse(exchange, "there must be one Idempotency-Key header, not several");
  if (value.size == 0) {
    answer_problem(exchange, PROBLEM_MISSING_IDEMPOTENCY_KEY,
                   "send an Idempotency-Key header, and the same one when you send the order again");
    return false;
  }
  if (!(value.data[0] == '"' ? read_quoted(exchange, value) : read_bare(exchange, value))) return false;
  if (exchange->idempotency_key.size < 1 || exchange->idempotency_key.size > KEY_CHARACTERS_MAX)
    return refuse(exchange, "the Idempotency-Key must have 1 to 255 characters");
  return true;
}
