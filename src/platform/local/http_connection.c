#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcntl.h>
#include <linux/sockios.h>

#include "base/panic.h"
#include "platform/local/http_server_parts.h"

static int64_t duration_ms(const struct http_server *server, enum http_deadline deadline) {
  switch (deadline) {
    case HTTP_DEADLINE_HEADER:
      return server->settings.header_timeout_ms;
    case HTTP_DEADLINE_BODY:
      return server->settings.body_timeout_ms;
    case HTTP_DEADLINE_IDLE:
      return server->settings.idle_timeout_ms;
    default:
      return server->settings.answer_timeout_ms;
  }
}

static void leave_list(struct http_connection *connection) {
  if (connection->deadline == HTTP_DEADLINE_NONE) return;
  struct http_connections *list = &connection->server->deadlines[connection->deadline];
  if (connection->earlier)
    connection->earlier->later = connection->later;
  else
    list->first = connection->later;
  if (connection->later)
    connection->later->earlier = connection->earlier;
  else
    list->last = connection->earlier;
  connection->earlier = connection->later = NULL;
  connection->deadline = HTTP_DEADLINE_NONE;
}

void http_connection_set_deadline(struct http_connection *connection, enum http_deadline deadline) {
  leave_list(connection);
  if (deadline == HTTP_DEADLINE_NONE) return;
  struct http_connections *list = &connection->server->deadlines[deadline];
  connection->deadline = deadline;
  connection->due_ms = http_now_ms() + duration_ms(connection->server, deadline);
  connection->earlier = list->last;
  if (list->last)
    list->last->later = connection;
  else
    list->first = connection;
  list->last = connection;
}

struct http_connection *http_connection_of(struct MHD_Connection *mhd) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info->socket_context;
}

static void begin(struct http_server *server, struct MHD_Connection *mhd, void **context) {
  struct http_connection *connection = calloc(1, sizeof *connection);
  if (!connection) panic("out of memory");
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  *connection = (struct http_connection){.server = server,
                                         .mhd = mhd,
                                         .fd = info->connect_fd,
                                         .deadline = HTTP_DEADLINE_NONE,
                                         .gathered_wait_us = server->adding_wait_us};
  http_connection_set_deadline(connection, HTTP_DEADLINE_HEADER);
  server->connection_count++;
  *context = connection;
}

/* libmicrohttpd closes its descriptor right after this. */
static void end(struct http_connection *connection) {
  struct http_server *server = connection->server;
  leave_list(connection);
  http_connection_stays(connection); /* whatever it was to do, it is over */
  if (connection->linger) {
    int fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) http_linger(&server->lingering, fd, http_now_ms());
  }
  server->connection_count--;
  free(connection);
}

void http_connection_notify(void *server, struct MHD_Connection *mhd, void **context,
                            enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    begin(server, mhd, context);
  } else if (*context) {
    http_call_abandon(server, *context);
    end(*context);
  }
}

/* Ends it from outside: libmicrohttpd sees the end of the stream, and cleans up. A client whose request
 * was under way is told why (RFC 9110 section 15.5.9), where that can be written without TLS. */
static void cut(struct http_connection *connection) {
  static const char timed_out[] =
      "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  bool under_way = connection->call && connection->deadline <= HTTP_DEADLINE_BODY;
  if (under_way && connection->server->settings.certificate_pem.size == 0)
    (void)!send(connection->fd, timed_out, sizeof timed_out - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  leave_list(connection);
  shutdown(connection->fd, SHUT_RDWR);
}

/* Who has not read what it was sent by now shall not keep it in the kernel's memory either, which would be for
 * minutes: closing resets. */
static void forget_unread(const struct http_connection *connection) {
  int unread_bytes;
  bool unread = connection->deadline == HTTP_DEADLINE_ANSWER ||
                (ioctl(connection->fd, SIOCOUTQ, &unread_bytes) == 0 && unread_bytes > 0);
  const struct linger none = {.l_onoff = 1};
  if (unread) (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

int64_t http_connections_expire(struct http_server *server, int64_t now_ms) {
  int64_t wait_ms = -1;
  for (int i = 0; i < HTTP_DEADLINE_COUNT; i++) {
    struct http_connection *first;
    while ((first = server->deadlines[i].first) && first->due_ms <= now_ms) {
      forget_unread(first);
      cut(first);
    }
    if (first && (wait_ms < 0 || first->due_ms - now_ms < wait_ms)) wait_ms = first->due_ms - now_ms;
  }
  return wait_ms;
}

/* All that the client will ever send has been read. libmicrohttpd 0.9.75 overlooks that in the middle
 * of some requests, which then stay until their deadline. */
static bool client_has_ended(const struct http_connection *connection) {
  char byte;
  return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Those between two requests, and those that have not begun one: only the reading half is shut, so that
 * a request that has arrived already is still read and answered. Those that can never complete one are
 * cut. */
void http_connections_stop_idle(struct http_server *server) {
  static const enum http_deadline kinds[] = {HTTP_DEADLINE_IDLE, HTTP_DEADLINE_HEADER, HTTP_DEADLINE_BODY};
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    struct http_connection *later;
    for (struct http_connection *one = server->deadlines[kinds[i]].first; one; one = later) {
      later = one->later;
      if (!one->call)
        shutdown(one->fd, SHUT_RD);
      else if (client_has_ended(one))
        cut(one);
    }
  }
}

void http_connection_stays(struct http_connection *connection) {
  if (connection->leaves) connection->server->leaving_count--;
  connection->leaves = false;
}

/* Only the reading half is shut, as above: libmicrohttpd sees the end at its next turn. */
bool http_connections_make_room(struct http_server *server, size_t wanted) {
  struct http_connection *longest;
  while (server->leaving_count < wanted && (longest = server->deadlines[HTTP_DEADLINE_IDLE].first)) {
    http_connection_set_deadline(longest, HTTP_DEADLINE_ANSWER);
    longest->leaves = true;
    server->leaving_count++;
    shutdown(longest->fd, SHUT_RD);
  }
  return server->leaving_count > 0;
}

void http_connections_cut_all(struct http_server *server) {
  for (int i = 0; i < HTTP_DEADLINE_COUNT; i++)
    while (server->deadlines[i].first) cut(server->deadlines[i].first);
}
