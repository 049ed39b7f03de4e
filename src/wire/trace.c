#include "wire/trace.h"

#include "base/encode.h"

enum { TRACE_ID_AT = 3, TRACE_ID_SIZE = 32, PARENT_ID_AT = 36, PARENT_ID_SIZE = 16, FLAGS_AT = 53 };

static bool is_hex(struct bytes text) {
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

static bool is_zero(struct bytes text) {
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] != '0') return false;
  return true;
}

/* Valid as section 3.2.2 says; `ret_is_00` tells whether it is the version known here. */
static bool is_valid(struct bytes text, bool *ret_is_00) {
  if (text.size < TRACEPARENT_CHARACTERS) return false;
  struct bytes version = bytes_slice(text, 0, 2);
  struct bytes id = bytes_slice(text, TRACE_ID_AT, TRACE_ID_AT + TRACE_ID_SIZE);
  struct bytes parent = bytes_slice(text, PARENT_ID_AT, PARENT_ID_AT + PARENT_ID_SIZE);
  struct bytes flags = bytes_slice(text, FLAGS_AT, TRACEPARENT_CHARACTERS);
  if (text.data[2] != '-' || text.data[PARENT_ID_AT - 1] != '-' || text.data[FLAGS_AT - 1] != '-') return false;
  if (!is_hex(version) || !is_hex(id) || !is_hex(parent) || !is_hex(flags)) return false;
  if (is_zero(id) || is_zero(parent) || bytes_equal(version, BYTES("ff"))) return false;
  *ret_is_00 = bytes_equal(version, BYTES("00"));
  if (text.size == TRACEPARENT_CHARACTERS) return true;
  return !*ret_is_00 && text.data[TRACEPARENT_CHARACTERS] == '-';
}

/* An id of all zeros means "none" (section 3.2.2.3), so even entropy that fails must not give it. */
static void write_id(const uint8_t *random, size_t size_bytes, char *ret_text) {
  hex_encode(random, size_bytes, ret_text);
  if (is_zero(bytes_from(ret_text, 2 * size_bytes))) ret_text[2 * size_bytes - 1] = '1';
}

/* Of a later version only the sampled flag has a known meaning: the lowest bit of the last digit. */
static char sampled_digit(char digit) {
  int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
  return (value & 1) != 0 ? '1' : '0';
}

bool trace_continue(struct bytes incoming, const uint8_t random[TRACE_RANDOM_BYTES],
                    char ret_traceparent[TRACEPARENT_CHARACTERS + 1]) {
  struct bytes text = bytes_trim(incoming);
  bool is_00 = false, continued = is_valid(text, &is_00);
  char made[] = "00-00000000000000000000000000000000-0000000000000000-00";
  if (continued) {
    memcpy(made + TRACE_ID_AT, text.data + TRACE_ID_AT, TRACE_ID_SIZE);
    if (is_00)
      memcpy(made + FLAGS_AT, text.data + FLAGS_AT, 2);
    else
      made[FLAGS_AT + 1] = sampled_digit(text.data[FLAGS_AT + 1]);
  } else {
    write_id(random, TRACE_ID_SIZE / 2, made + TRACE_ID_AT);
  }
  write_id(random + TRACE_ID_SIZE / 2, PARENT_ID_SIZE / 2, made + PARENT_ID_AT);
  memcpy(ret_traceparent, made, sizeof made);
  return continued;
}

struct bytes trace_id(struct bytes traceparent) {
  if (traceparent.size < TRACE_ID_AT + TRACE_ID_SIZE) return (struct bytes){NULL, 0};
  return bytes_slice(traceparent, TRACE_ID_AT, TRACE_ID_AT + TRACE_ID_SIZE);
}
