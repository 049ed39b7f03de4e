#include "cli/sandbox_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "cli/sandbox_exchange.h"
#include "settings/address.h"

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Suspended answers by due time: a binary heap. */
static void wait_push(struct sandbox_server *server, struct exchange *exchange) {
  if (server->wait_count == server->wait_capacity) {
    server->wait_capacity = server->wait_capacity ? server->wait_capacity * 2 : 64;
    server->waiting = reallocarray(server->waiting, server->wait_capacity, sizeof *server->waiting);
    if (!server->waiting) panic("out of memory");
  }
  size_t at = server->wait_count++;
  while (at > 0 && server->waiting[(at - 1) / 2]->due_ms > exchange->due_ms) {
    server->waiting[at] = server->waiting[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  server->waiting[at] = exchange;
}

static struct exchange *wait_pop(struct sandbox_server *server) {
  struct exchange **heap = server->waiting;
  struct exchange *first = heap[0], *last = heap[--server->wait_count];
  size_t at = 0;
  for (size_t child = 1; child < server->wait_count; child = at * 2 + 1) {
    if (child + 1 < server->wait_count && heap[child + 1]->due_ms < heap[child]->due_ms) child++;
    if (heap[child]->due_ms >= last->due_ms) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

void sandbox_server_hold(struct sandbox_server *server, struct exchange *exchange, int64_t wait_ms) {
  exchange->due_ms = monotonic_ms() + wait_ms;
  wait_push(server, exchange);
  MHD_suspend_connection(exchange->connection);
}

static void resume_due(struct sandbox_server *server) {
  int64_t now_ms = server->wait_count ? monotonic_ms() : 0;
  while (server->wait_count && server->waiting[0]->due_ms <= now_ms)
    MHD_resume_connection(wait_pop(server)->connection);
}

static int poll_timeout_ms(struct sandbox_server *server) {
  MHD_UNSIGNED_LONG_LONG daemon_ms;
  int64_t timeout_ms = 1000;
  if (MHD_get_timeout(server->daemon, &daemon_ms) == MHD_YES && daemon_ms < (unsigned long long)timeout_ms)
    timeout_ms = (int64_t)daemon_ms;
  if (server->wait_count) {
    int64_t left_ms = server->waiting[0]->due_ms - monotonic_ms();
    if (left_ms < timeout_ms) timeout_ms = left_ms > 0 ? left_ms : 0;
  }
  return (int)timeout_ms;
}

/* libmicrohttpd 0.9.75 with an internal epoll thread stops for good once one epoll_wait returns
 * exactly 128 events; polling its descriptor ourselves avoids that. */
static void loop(struct sandbox_server *server, int stop_descriptor) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  ensure(info != NULL);
  struct pollfd watched[] = {{.fd = info->epoll_fd, .events = POLLIN},
                             {.fd = stop_descriptor, .events = POLLIN}};
  while (!(watched[1].revents & POLLIN)) {
    int ready = poll(watched, COUNT_OF(watched), poll_timeout_ms(server));
    if (ready < 0 && errno != EINTR) panic("poll failed");
    if (ready < 0) watched[1].revents = 0;
    resume_due(server);
    MHD_run(server->daemon);
  }
}

static bool start(struct sandbox_server *server, struct failure *ret_failure) {
  const struct sandbox_settings *settings = &server->sandbox->settings;
  struct sockaddr_storage address;
  socklen_t size;
  ensure(address_parse(bytes_of(settings->listen), &address, &size));
  unsigned flags =
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0U);
  server->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, exchange_handle, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections_max, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
      MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096U, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, server, MHD_OPTION_END);
  if (!server->daemon)
    return failure_set(ret_failure, "cannot listen on %s: %s; is another program using it?", settings->listen,
                       strerror(errno));
  return true;
}

static void tell_address(struct sandbox_server *server) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  char text[ADDRESS_TEXT_BYTES];
  if (!info || getsockname(info->listen_fd, (struct sockaddr *)&address, &size) != 0) return;
  address_format(&address, text);
  printf(
      "spillway sandbox: inventory, accounting and fulfilment on http://%s/{service}; ledger on "
      "http://%s/ledger\n",
      text, text);
  fflush(stdout);
}

bool sandbox_serve(struct sandbox *sandbox, int stop_descriptor, struct failure *ret_failure) {
  struct sandbox_server server = {.sandbox = sandbox};
  if (!start(&server, ret_failure)) return false;
  tell_address(&server);
  loop(&server, stop_descriptor);
  /* Suspended connections must be resumed before the daemon may stop. */
  server.stopping = true;
  while (server.wait_count) MHD_resume_connection(wait_pop(&server)->connection);
  MHD_run(server.daemon);
  MHD_stop_daemon(server.daemon);
  free(server.waiting);
  return true;
}
