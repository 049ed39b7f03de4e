/* The key of order ids and callback tokens. */
#ifndef CLI_SERVE_SECRET_H
#define CLI_SERVE_SECRET_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"

/* Reads `path`, or, where it is NULL, `folder`/id-secret, which is made (32 random bytes in
 * hexadecimal, mode 0600, on stable storage) where it does not exist yet and `may_make` is set. A
 * secret that was lost cannot be replaced once there are orders: every id was derived with it. Fails,
 * too, where the data folder was used with another secret before. */
MUST_USE bool id_secret_load(const char *path, const char *folder, bool may_make, struct arena *arena,
                             struct bytes *ret_secret, struct failure *ret_failure);

#endif
