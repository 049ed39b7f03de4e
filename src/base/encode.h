/* Binary to text and back. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdint.h>

#include "base/arena.h"

/* Crockford's base32, lower case, without padding: 5 bits a character, the high bits first.
 * `size_bytes` is a multiple of 5; writes size_bytes / 5 * 8 characters, no NUL. */
void base32_encode(const uint8_t *data, size_t size_bytes, char *ret_text);
/* The exact reverse: any other spelling (upper case, i, l, o, u) is false. `text.size` must be a
 * multiple of 8; writes text.size / 8 * 5 bytes. */
bool base32_decode(struct bytes text, uint8_t *ret_data);

/* RFC 4648 section 5, no padding. */
struct bytes base64url_encode(struct bytes data, struct arena *arena);
/* Strict: no padding, no spaces, no stray bits after the last byte, only the URL alphabet. */
bool base64url_decode(struct bytes text, struct arena *arena, struct bytes *ret_data);
/* RFC 4648 section 4, with padding. */
struct bytes base64_encode(struct bytes data, struct arena *arena);
bool base64_decode(struct bytes text, struct arena *arena, struct bytes *ret_data);

/* Lower-case hexadecimal, two characters a byte, no NUL. */
void hex_encode(const uint8_t *data, size_t size_bytes, char *ret_text);

/* "%41" to "A" (RFC 3986 section 2.1); a "%" without two digits is false. "+" stays "+". */
bool percent_decode(struct bytes text, struct arena *arena, struct bytes *ret_text);

#endif
