#include "cli/serve_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/encode.h"
#include "cli/secret.h"
#include "platform/net/system.h"
#include "wire/jwt.h"

static bool write_whole(int file, const char *data, size_t size_bytes) {
  return write(file, data, size_bytes) == (ssize_t)size_bytes && fsync(file) == 0;
}

static bool sync_folder(const char *folder) {
  int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  bool good = fsync(opened) == 0;
  close(opened);
  return good;
}

/* Written beside its place and renamed into it, so that a crash leaves the whole file or none. */
static bool write_file(const char *path, const char *folder, struct bytes content, struct arena *arena,
                       struct failure *ret_failure) {
  struct bytes beside = arena_printf(arena, "%s.new", path);
  int file = open(beside.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failure_set(ret_failure, "%s could not be made: %s", beside.data, strerror(errno));
  bool good = write_whole(file, content.data, content.size);
  int error = errno;
  close(file);
  if (!good) return failure_set(ret_failure, "%s could not be written: %s", beside.data, strerror(error));
  if (rename(beside.data, path) != 0 || !sync_folder(folder))
    return failure_set(ret_failure, "%s could not be made: %s", path, strerror(errno));
  return true;
}

static bool make_secret(const char *path, const char *folder, struct arena *arena,
                        struct failure *ret_failure) {
  uint8_t random[32];
  char text[65];
  entropy_fill(system_entropy(), random, sizeof random);
  hex_encode(random, sizeof random, text);
  text[64] = '\n';
  return write_file(path, folder, bytes_from(text, sizeof text), arena, ret_failure);
}

/* A fingerprint of the secret stays in the data folder: with another secret, an order sent again would
 * get another id, and be carried out twice. */
static bool check_fingerprint(struct bytes secret, const char *folder, struct arena *arena,
                              struct failure *ret_failure) {
  const struct bytes label = BYTES("id-secret-fingerprint");
  uint8_t mac[SHA256_BYTES];
  char text[33];
  struct bytes known;
  struct failure unread;
  const char *path = arena_printf(arena, "%s/id-secret-fingerprint", folder).data;
  hmac_sha256_parts(secret, &label, 1, mac);
  hex_encode(mac, 16, text);
  text[32] = '\n';
  if (access(path, F_OK) != 0)
    return write_file(path, folder, bytes_from(text, sizeof text), arena, ret_failure);
  if (!secret_read(path, 1, arena, &known, &unread)) return failure_set(ret_failure, "%s", unread.text);
  if (bytes_equal(known, bytes_from(text, 32))) return true;
  return failure_set(
      ret_failure,
      "the secret of order ids is not the one that %s was made with: an order sent again would be "
      "carried out twice; give the right --id-secret-file",
      folder);
}

bool id_secret_load(const char *path, const char *folder, bool may_make, struct arena *arena,
                    struct bytes *ret_secret, struct failure *ret_failure) {
  if (!path) {
    path = arena_printf(arena, "%s/id-secret", folder).data;
    bool missing = access(path, F_OK) != 0;
    if (missing && !may_make)
      return failure_set(ret_failure,
                         "%s is missing, but the store holds orders whose ids were derived with it: bring "
                         "it back from a backup, or name it with --id-secret-file",
                         path);
    if (missing && !make_secret(path, folder, arena, ret_failure)) return false;
  }
  return secret_read(path, JWT_SECRET_BYTES_MIN, arena, ret_secret, ret_failure) &&
         check_fingerprint(*ret_secret, folder, arena, ret_failure);
}
