/* Where a client connects to: an http:// URL taken apart and looked up. */
#ifndef CLI_CLIENT_ADDRESS_H
#define CLI_CLIENT_ADDRESS_H

#include <sys/socket.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"

struct client_address {
  struct sockaddr_storage address;
  socklen_t size;
  struct bytes host;      /* as in the Host header */
  struct bytes base_path; /* without a slash at its end */
};

MUST_USE bool client_address_find(const char *url, struct arena *arena, struct client_address *ret_address,
                                  struct failure *ret_failure);

/* Makes room for this many more open files; fails where the system's limit is lower. */
MUST_USE bool descriptors_reserve(size_t count, struct failure *ret_failure);

#endif
