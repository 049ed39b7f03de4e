#include "cli/client_address.h"

#include <netdb.h>
#include <sys/resource.h>

bool client_address_find(const char *url, struct arena *arena, struct client_address *ret_address,
                         struct failure *ret_failure) {
  struct bytes text = bytes_of(url);
  if (!bytes_starts_with(text, BYTES("http://")))
    return failure_set(ret_failure, "%s: only http:// here; put a proxy that speaks TLS in between", url);
  text = bytes_slice(text, strlen("http://"), text.size);
  size_t slash = bytes_find(text, '/', 0);
  struct bytes authority = bytes_slice(text, 0, slash), path = bytes_slice(text, slash, text.size);
  while (path.size && path.data[path.size - 1] == '/') path.size--;
  size_t colon = authority.size;
  while (colon > 0 && authority.data[colon - 1] != ':' && authority.data[colon - 1] != ']') colon--;
  bool has_port = colon > 0 && authority.data[colon - 1] == ':';
  struct bytes host = has_port ? bytes_slice(authority, 0, colon - 1) : authority;
  if (host.size > 2 && host.data[0] == '[') host = bytes_slice(host, 1, host.size - 1);
  const char *port = has_port ? arena_string(arena, bytes_slice(authority, colon, authority.size)) : "80";
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  int error = getaddrinfo(arena_string(arena, host), port, &hints, &found);
  if (error) return failure_set(ret_failure, "cannot look up %s: %s", url, gai_strerror(error));
  *ret_address = (struct client_address){
      .size = found->ai_addrlen, .host = arena_copy(arena, authority), .base_path = arena_copy(arena, path)};
  memcpy(&ret_address->address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return true;
}

bool descriptors_reserve(size_t count, struct failure *ret_failure) {
  enum { OTHERS = 64 };
  struct rlimit limit;
  rlim_t wanted = (rlim_t)count + OTHERS;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted) return true;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted) limit.rlim_max = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return true;
  return failure_set(ret_failure,
                     "%zu connections need more open files than allowed; raise it with ulimit -n %llu", count,
                     (unsigned long long)wanted);
}
