#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "platform/local/http_server_parts.h"

enum {
  BACKLOG = 16 * 1024, /* the kernel lowers it to net.core.somaxconn */
  ADDED_PER_TURN = 256,
  GATHERED_BEYOND_MAX = 128, /* connections beyond the limit that are held to be refused */
  OTHER_DESCRIPTORS = 640,   /* of the rest of the process: store, calls, lingering, the above */
  PAUSE_WITHOUT_DESCRIPTORS_MS = 100
};

/* "host:port" or "[host]:port". */
static bool split_address(const char *address, char ret_host[64], char ret_port[8]) {
  struct bytes text = bytes_of(address);
  const char *colon = strrchr(address, ':');
  if (!colon) return false;
  struct bytes host = bytes_slice(text, 0, (size_t)(colon - address));
  struct bytes port = bytes_slice(text, host.size + 1, text.size);
  unsigned long long number;
  if (!bytes_to_uint64(port, &number) || number > 65535 || port.size > 5) return false;
  if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
    host = bytes_slice(host, 1, host.size - 1);
  else if (bytes_find(host, ':', 0) < host.size)
    return false; /* an IPv6 address without brackets: where its port starts is a guess */
  if (host.size == 0 || host.size >= 64) return false;
  snprintf(ret_host, 64, "%.*s", BYTES_PRINTF(host));
  snprintf(ret_port, 8, "%.*s", BYTES_PRINTF(port));
  return true;
}

static int open_socket(const struct addrinfo *address) {
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int problem = errno;
  close(fd);
  errno = problem;
  return -1;
}

static void note_address(struct http_server *server) {
  struct sockaddr_storage got;
  socklen_t size = sizeof got;
  char host[64] = "?", port[8] = "0";
  if (getsockname(server->listen_fd, (struct sockaddr *)&got, &size) == 0)
    getnameinfo((struct sockaddr *)&got, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  unsigned long long number = 0;
  bytes_to_uint64(bytes_of(port), &number);
  server->port = (int)number;
  snprintf(server->address, sizeof server->address, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static const char *advice(int problem) {
  switch (problem) {
    case EADDRINUSE:
      return "; another program uses it: stop that one, or choose another port";
    case EACCES:
      return "; ports below 1024 need a privilege: choose a higher one";
    case EADDRNOTAVAIL:
      return "; this machine has no such address";
    default:
      return "";
  }
}

bool http_listener_open(struct http_server *server, struct failure *ret_failure) {
  const char *wanted = server->settings.address ? server->settings.address : "";
  char host[64], port[8];
  if (!split_address(wanted, host, port))
    return failure_set(ret_failure, "cannot listen on \"%s\": it must be address:port or [address]:port",
                       wanted);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
  int result = getaddrinfo(host, port, &hints, &found);
  if (result != 0) return failure_set(ret_failure, "cannot listen on %s: %s", wanted, gai_strerror(result));
  server->listen_fd = open_socket(found);
  int problem = errno;
  freeaddrinfo(found);
  if (server->listen_fd < 0)
    return failure_set(ret_failure, "cannot listen on %s: %s%s", wanted, strerror(problem), advice(problem));
  note_address(server);
  server->gathered.capacity = server->settings.connections_max + GATHERED_BEYOND_MAX;
  server->gathered.entries = calloc(server->gathered.capacity, sizeof *server->gathered.entries);
  if (!server->gathered.entries) panic("out of memory");
  return true;
}

void http_listener_close(struct http_server *server) {
  if (server->listen_fd >= 0) close(server->listen_fd);
  server->listen_fd = -1;
}

void http_listener_release(struct http_server *server) {
  struct http_gathered *gathered = &server->gathered;
  for (; gathered->count > 0; gathered->count--, gathered->first++)
    close(gathered->entries[gathered->first % gathered->capacity].fd);
  free(gathered->entries);
  gathered->entries = NULL;
}

void http_listener_fit_descriptors(struct http_server *server) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  }
  size_t fits = limit.rlim_cur > 2 * OTHER_DESCRIPTORS ? (size_t)limit.rlim_cur - OTHER_DESCRIPTORS
                                                       : (size_t)limit.rlim_cur / 2;
  if (limit.rlim_cur == RLIM_INFINITY || server->settings.connections_max <= fits) return;
  log_event(LOG_WARN, "connections_limited_by_descriptors", LOG_INT("wanted", server->settings.connections_max),
            LOG_INT("possible", fits));
  server->settings.connections_max = fits;
}

/* What a client beyond the limit gets: an answer that says when to come again, without reading what
 * it asked for. */
static void refuse(struct http_server *server, int fd) {
  static const char body[] =
      "{\"type\":\"/problems/overloaded\",\"title\":\"The service is overloaded\",\"status\":503,"
      "\"detail\":\"Too many connections are open.\",\"code\":\"overloaded\"}";
  char answer[512];
  int size = snprintf(answer, sizeof answer,
                      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
                      "Retry-After: 1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                      sizeof body - 1, body);
  bool plain = server->settings.certificate_pem.size == 0;
  if (plain && send(fd, answer, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
    http_linger(&server->lingering, fd, http_now_ms());
  else
    close(fd);
}

void http_listener_gather(struct http_server *server) {
  struct http_gathered *gathered = &server->gathered;
  if (server->listen_fd < 0) return;
  if (gathered->count == 0) gathered->first = 0; /* a quiet server touches the first entries only */
  while (gathered->count + server->connection_count < gathered->capacity) {
    struct http_gathered_connection *one =
        &gathered->entries[(gathered->first + gathered->count) % gathered->capacity];
    socklen_t size = sizeof one->address;
    one->fd = accept4(server->listen_fd, &one->address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (one->fd >= 0) {
      one->at_us = http_now_us();
      one->in_crowd = gathered->count >= ADDED_PER_TURN;
      gathered->count++;
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    /* Out of descriptors or memory: where nobody is idle the listener would stay readable, and the loop spin.
     */
    if (errno != EAGAIN && !http_connections_make_room(server, 1))
      server->accept_again_ms = http_now_ms() + PAUSE_WITHOUT_DESCRIPTORS_MS;
    return;
  }
}

void http_listener_add_gathered(struct http_server *server) {
  struct http_gathered *gathered = &server->gathered;
  int64_t now_us = gathered->count > 0 ? http_now_us() : 0;
  for (int i = 0; i < ADDED_PER_TURN && gathered->count > 0; i++) {
    struct http_gathered_connection *one = &gathered->entries[gathered->first];
    bool full = server->connection_count >= server->settings.connections_max;
    if (full && http_connections_make_room(server, gathered->count)) return; /* next turn there will be */
    gathered->first = (gathered->first + 1) % gathered->capacity;
    gathered->count--;
    if (full) {
      refuse(server, one->fd);
      continue;
    }
    server->adding_wait_us = one->in_crowd ? now_us - one->at_us : 0;
    MHD_add_connection(server->daemon, one->fd, &one->address.any,
                       sizeof one->address); /* closes it on failure */
  }
}
