#include "base/encode.h"

static const char base32_alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value32_of(char c) {
  const char *at = memchr(base32_alphabet, c, 32);
  return at ? (int)(at - base32_alphabet) : -1;
}

void base32_encode(const uint8_t *data, size_t size_bytes, char *ret_text) {
  for (size_t i = 0; i + 5 <= size_bytes; i += 5) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 5; j++) bits = bits << 8 | data[i + j];
    for (int shift = 35; shift >= 0; shift -= 5) *ret_text++ = base32_alphabet[bits >> shift & 31];
  }
}

bool base32_decode(struct bytes text, uint8_t *ret_data) {
  if (text.size % 8 != 0) return false;
  for (size_t i = 0; i < text.size; i += 8) {
    uint64_t bits = 0;
    for (size_t j = 0; j < 8; j++) {
      int value = value32_of(text.data[i + j]);
      if (value < 0) return false;
      bits = bits << 5 | (uint64_t)value;
    }
    for (int shift = 32; shift >= 0; shift -= 8) *ret_data++ = (uint8_t)(bits >> shift);
  }
  return true;
}

static struct bytes encode64(struct bytes data, const char *alphabet, bool pad, struct arena *arena) {
  char *text = arena_allocate(arena, (data.size + 2) / 3 * 4 + 1);
  size_t size = 0;
  for (size_t i = 0; i < data.size; i += 3) {
    size_t have = data.size - i < 3 ? data.size - i : 3;
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; j++) bits = bits << 8 | (j < have ? (uint8_t)data.data[i + j] : 0U);
    for (size_t j = 0; j <= have; j++) text[size++] = alphabet[bits >> (18 - 6 * j) & 63];
    for (size_t j = have; pad && j < 3; j++) text[size++] = '=';
  }
  return (struct bytes){text, size};
}

/* Both alphabets of base64 differ in their last two characters only. */
static int value64_of(const char *alphabet, char c) {
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool decode64(struct bytes text, const char *alphabet, struct arena *arena, struct bytes *ret_data) {
  if (text.size % 4 == 1) return false;
  char *data = arena_allocate(arena, text.size / 4 * 3 + 3);
  size_t size = 0;
  uint32_t bits = 0;
  unsigned have_bits = 0;
  for (size_t i = 0; i < text.size; i++) {
    int value = value64_of(alphabet, text.data[i]);
    if (value < 0) return false;
    bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
    have_bits += 6;
    if (have_bits >= 8) {
      have_bits -= 8;
      data[size++] = (char)(bits >> have_bits & 0xFF);
    }
  }
  if ((bits & ((1U << have_bits) - 1)) != 0) return false;
  *ret_data = (struct bytes){data, size};
  return true;
}

struct bytes base64url_encode(struct bytes data, struct arena *arena) {
  return encode64(data, base64_url, false, arena);
}

bool base64url_decode(struct bytes text, struct arena *arena, struct bytes *ret_data) {
  return decode64(text, base64_url, arena, ret_data);
}

struct bytes base64_encode(struct bytes data, struct arena *arena) {
  return encode64(data, base64_standard, true, arena);
}

bool base64_decode(struct bytes text, struct arena *arena, struct bytes *ret_data) {
  if (text.size % 4 != 0) return false;
  for (int i = 0; i < 2 && text.size > 0 && text.data[text.size - 1] == '='; i++) text.size--;
  return decode64(text, base64_standard, arena, ret_data);
}

void hex_encode(const uint8_t *data, size_t size_bytes, char *ret_text) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size_bytes; i++) {
    ret_text[2 * i] = digits[data[i] >> 4];
    ret_text[2 * i + 1] = digits[data[i] & 15];
  }
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(struct bytes text, struct arena *arena, struct bytes *ret_text) {
  char *decoded = arena_allocate(arena, text.size + 1);
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] != '%') {
      decoded[size++] = text.data[i];
      continue;
    }
    if (i + 2 >= text.size) return false;
    int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
    if (high < 0 || low < 0) return false;
    decoded[size++] = (char)(high << 4 | low);
    i += 2;
  }
  *ret_text = (struct bytes){decoded, size};
  return true;
}
