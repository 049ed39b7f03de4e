#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "wire/json_write.h"
#include "wire/jwt.h"

/* Reads up to one byte more than allowed, so that a file too large is seen. */
static bool read_all(int descriptor, char *buffer, size_t capacity, size_t *ret_size) {
  size_t size = 0;
  while (size < capacity) {
    ssize_t got = read(descriptor, buffer + size, capacity - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    size += (size_t)got;
  }
  *ret_size = size;
  return true;
}

bool secret_read(const char *path, size_t least_bytes, struct arena *arena, struct bytes *ret_secret,
                 struct failure *ret_failure) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure_set(ret_failure, "cannot open %s: %s", path, strerror(errno));
  char *buffer = arena_allocate(arena, SECRET_FILE_BYTES_MAX + 1);
  size_t size;
  bool good = read_all(descriptor, buffer, SECRET_FILE_BYTES_MAX + 1, &size);
  int error = errno;
  close(descriptor);
  if (!good) return failure_set(ret_failure, "cannot read %s: %s", path, strerror(error));
  if (size > SECRET_FILE_BYTES_MAX) return failure_set(ret_failure, "%s is too large for a secret file", path);
  if (size && buffer[size - 1] == '\n') size--;
  if (size && buffer[size - 1] == '\r') size--;
  if (size < least_bytes)
    return failure_set(ret_failure,
                       "%s holds %zu bytes; a secret needs at least %zu (openssl rand -hex 32 makes one)", path,
                       size, least_bytes);
  *ret_secret = bytes_from(buffer, size);
  return true;
}

struct bytes token_mint(struct bytes secret, const struct token_claims *claims, struct arena *arena) {
  struct text text;
  struct json_writer writer;
  text_init(&text, arena);
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_text(&writer, "sub", claims->customer);
  if (claims->scope.size) json_write_text(&writer, "scope", claims->scope);
  if (claims->issuer.size) json_write_text(&writer, "iss", claims->issuer);
  if (claims->audience.size) json_write_text(&writer, "aud", claims->audience);
  json_write_int64(&writer, "iat", claims->issued_ms / 1000);
  json_write_int64(&writer, "exp", claims->expires_ms / 1000);
  json_close_object(&writer);
  return jwt_sign_hs256(secret, text_view(&text), arena);
}
