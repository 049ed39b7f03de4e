#include "cli/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "cli/client_address.h"
#include "platform/net/http_reader.h"

enum { EVENTS_AT_ONCE = 512, READ_BYTES = 64 * 1024 };

struct request {
  struct request *next; /* in line, or among the spare ones */
  struct bytes message;
  client_told *told;
  void *context;
};

struct connection {
  int descriptor; /* -1: closed */
  bool connecting;
  struct request *request; /* NULL: idle */
  size_t sent;
  struct http_reader reader;
  int64_t deadline_ms;
  struct connection *before, *after; /* busy: by deadline; idle: by time; closed: singly by `after` */
};

struct connection_list {
  struct connection *first, *last;
};

struct client {
  struct client_settings settings;
  struct client_address address;
  struct arena arena;
  int epoll;
  struct connection *connections;
  struct connection_list busy, idle;
  struct connection *closed;
  struct request *first_waiting, *last_waiting, *spare;
  struct client_counts counts;
  char *buffer;
};

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void list_add(struct connection_list *list, struct connection *connection) {
  connection->before = list->last;
  connection->after = NULL;
  if (list->last)
    list->last->after = connection;
  else
    list->first = connection;
  list->last = connection;
}

static void list_remove(struct connection_list *list, struct connection *connection) {
  if (connection->before)
    connection->before->after = connection->after;
  else
    list->first = connection->after;
  if (connection->after)
    connection->after->before = connection->before;
  else
    list->last = connection->before;
}

bool client_new(const struct client_settings *settings, struct client **ret_client,
                struct failure *ret_failure) {
  if (!descriptors_reserve(settings->connections_max, ret_failure)) return false;
  struct client *client = calloc(1, sizeof *client);
  if (!client) panic("out of memory");
  client->settings = *settings;
  arena_init(&client->arena);
  if (!client_address_find(settings->url, &client->arena, &client->address, ret_failure)) {
    arena_release(&client->arena);
    free(client);
    return false;
  }
  client->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (client->epoll < 0) panic("epoll_create1 failed");
  client->connections = calloc(settings->connections_max, sizeof *client->connections);
  client->buffer = malloc(READ_BYTES);
  if (!client->connections || !client->buffer) panic("out of memory");
  for (size_t i = settings->connections_max; i-- > 0;) {
    struct connection *connection = &client->connections[i];
    connection->descriptor = -1;
    http_reader_init(&connection->reader, settings->body_bytes_max);
    connection->after = client->closed;
    client->closed = connection;
  }
  *ret_client = client;
  return true;
}

static void requests_free(struct request *request) {
  while (request) {
    struct request *next = request->next;
    free(request);
    request = next;
  }
}

void client_free(struct client *client) {
  for (size_t i = 0; i < client->settings.connections_max; i++) {
    struct connection *connection = &client->connections[i];
    if (connection->descriptor >= 0) close(connection->descriptor);
    free(connection->request);
    http_reader_release(&connection->reader);
  }
  requests_free(client->first_waiting);
  requests_free(client->spare);
  close(client->epoll);
  free(client->connections);
  free(client->buffer);
  arena_release(&client->arena);
  free(client);
}

struct bytes client_host(const struct client *client) {
  return client->address.host;
}
struct bytes client_base_path(const struct client *client) {
  return client->address.base_path;
}
struct client_counts client_count(const struct client *client) {
  return client->counts;
}

/* Off its connection, before it is told. */
static struct request *take_request(struct client *client, struct connection *connection) {
  struct request *request = connection->request;
  connection->request = NULL;
  list_remove(&client->busy, connection);
  client->counts.busy--;
  return request;
}

static void tell(struct client *client, struct request *request, const struct client_answer *answer) {
  client_told *told = request->told;
  void *context = request->context;
  request->next = client->spare;
  client->spare = request;
  told(context, answer);
}

static void close_connection(struct client *client, struct connection *connection) {
  close(connection->descriptor);
  connection->descriptor = -1;
  http_reader_reset(&connection->reader);
  connection->after = client->closed;
  client->closed = connection;
  client->counts.open--;
}

/* The connection is of no more use; what was on it has no answer. */
static void fail(struct client *client, struct connection *connection, const char *why) {
  struct client_answer answer = {.failure = why, .sent = connection->sent > 0, .retry_after_s = -1};
  if (!connection->request) {
    list_remove(&client->idle, connection);
    close_connection(client, connection);
    return;
  }
  struct request *request = take_request(client, connection);
  close_connection(client, connection);
  tell(client, request, &answer);
}

static void send_more(struct client *client, struct connection *connection) {
  struct bytes message = connection->request->message;
  while (connection->sent < message.size) {
    ssize_t sent = send(connection->descriptor, message.data + connection->sent,
                        message.size - connection->sent, MSG_NOSIGNAL);
    if (sent >= 0) {
      connection->sent += (size_t)sent;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      fail(client, connection, "connection broken while sending");
      return;
    }
  }
}

static void put_on(struct client *client, struct connection *connection, struct request *request) {
  connection->request = request;
  connection->sent = 0;
  connection->deadline_ms = monotonic_ms() + client->settings.timeout_ms;
  list_add(&client->busy, connection);
  client->counts.busy++;
  if (!connection->connecting) send_more(client, connection);
}

/* NULL where the system refuses at once. */
static struct connection *open_connection(struct client *client) {
  struct connection *connection = client->closed;
  int descriptor = socket(client->address.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return NULL;
  int one = 1;
  (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int result = connect(descriptor, (struct sockaddr *)&client->address.address, client->address.size);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
  if ((result != 0 && errno != EINPROGRESS) ||
      epoll_ctl(client->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    close(descriptor);
    return NULL;
  }
  client->closed = connection->after;
  connection->descriptor = descriptor;
  connection->connecting = result != 0;
  client->counts.open++;
  return connection;
}

static struct request *request_new(struct client *client) {
  struct request *request = client->spare;
  if (request)
    client->spare = request->next;
  else if (!(request = malloc(sizeof *request)))
    panic("out of memory");
  return request;
}

void client_send(struct client *client, struct bytes message, client_told *told, void *context) {
  struct request *request = request_new(client);
  *request = (struct request){.message = message, .told = told, .context = context};
  if (client->closed) {
    struct connection *connection = open_connection(client);
    if (connection) {
      put_on(client, connection, request);
    } else {
      struct client_answer answer = {.failure = strerror(errno), .retry_after_s = -1};
      tell(client, request, &answer);
    }
  } else if (client->idle.first) {
    struct connection *connection = client->idle.first;
    list_remove(&client->idle, connection);
    put_on(client, connection, request);
  } else {
    if (client->last_waiting)
      client->last_waiting->next = request;
    else
      client->first_waiting = request;
    client->last_waiting = request;
    client->counts.waiting++;
  }
}

static struct request *take_waiting(struct client *client) {
  struct request *request = client->first_waiting;
  if (!request) return NULL;
  client->first_waiting = request->next;
  if (!client->first_waiting) client->last_waiting = NULL;
  client->counts.waiting--;
  return request;
}

/* Connections that were closed leave room: what waits in line gets new ones. */
static void serve_waiting(struct client *client) {
  while (client->first_waiting && client->closed) {
    struct connection *connection = open_connection(client);
    struct request *request = take_waiting(client);
    struct client_answer answer = {.failure = "cannot connect", .retry_after_s = -1};
    if (connection)
      put_on(client, connection, request);
    else
      tell(client, request, &answer);
  }
}

static void answer_complete(struct client *client, struct connection *connection) {
  struct http_reader *reader = &connection->reader;
  bool keep = !reader->close && connection->sent == connection->request->message.size;
  struct client_answer answer = {.status = reader->status,
                                 .sent = true,
                                 .body = text_view(&reader->body),
                                 .retry_after_s = reader->retry_after_s};
  /* The body lives in the connection's reader: it is in no list until it was told. */
  tell(client, take_request(client, connection), &answer);
  if (!keep) {
    close_connection(client, connection);
    return;
  }
  http_reader_reset(reader);
  struct request *next = take_waiting(client);
  if (next)
    put_on(client, connection, next);
  else
    list_add(&client->idle, connection);
}

/* Takes bytes in; false once the connection is closed or has gone on to something else. */
static bool take_in(struct client *client, struct connection *connection, size_t size) {
  if (!connection->request) {
    fail(client, connection, "bytes without a request");
    return false;
  }
  size_t taken = http_reader_feed(&connection->reader, bytes_from(client->buffer, size));
  if (connection->reader.state == READER_BROKEN || taken < size) {
    fail(client, connection, "not an HTTP answer");
    return false;
  }
  if (connection->reader.state != READER_DONE) return true;
  answer_complete(client, connection);
  return false;
}

static void closed_by_server(struct client *client, struct connection *connection) {
  http_reader_end(&connection->reader);
  if (connection->request && connection->reader.state == READER_DONE)
    answer_complete(client, connection);
  else
    fail(client, connection, "connection closed without an answer");
}

static void receive_all(struct client *client, struct connection *connection) {
  for (;;) {
    ssize_t size = recv(connection->descriptor, client->buffer, READ_BYTES, 0);
    if (size > 0) {
      if (!take_in(client, connection, (size_t)size)) return;
      if ((size_t)size < READ_BYTES) return; /* edge-triggered: more makes a new event */
    } else if (size == 0) {
      closed_by_server(client, connection);
      return;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      fail(client, connection, connection->connecting ? "cannot connect" : "connection broken");
      return;
    }
  }
}

static void handle(struct client *client, struct connection *connection, unsigned events) {
  if (connection->descriptor < 0) return; /* closed by an event before this one */
  if (events & (EPOLLERR | EPOLLHUP) && connection->connecting) {
    fail(client, connection, "cannot connect");
    return;
  }
  if (events & EPOLLOUT && connection->request) {
    connection->connecting = false;
    send_more(client, connection);
    if (connection->descriptor < 0) return;
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive_all(client, connection);
  /* The short read above may have left the end of the stream unread. */
  if (connection->descriptor >= 0 && events & EPOLLRDHUP) receive_all(client, connection);
}

/* epoll_wait by microseconds where the kernel can (Linux 5.11), else rounded down to milliseconds. */
static int wait_for_events(int epoll, struct epoll_event *events, int64_t timeout_us) {
  struct timespec timeout = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
  int count = epoll_pwait2(epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
  if (count < 0 && errno == ENOSYS) count = epoll_wait(epoll, events, EVENTS_AT_ONCE, (int)(timeout_us / 1000));
  return count;
}

void client_poll(struct client *client, int64_t timeout_us) {
  struct epoll_event events[EVENTS_AT_ONCE];
  if (client->busy.first && timeout_us != 0) {
    int64_t left_us = (client->busy.first->deadline_ms - monotonic_ms()) * 1000;
    if (left_us < timeout_us) timeout_us = left_us > 0 ? left_us : 0;
  }
  int count = wait_for_events(client->epoll, events, timeout_us);
  for (int i = 0; i < count; i++) handle(client, events[i].data.ptr, events[i].events);
  int64_t now_ms = monotonic_ms();
  while (client->busy.first && client->busy.first->deadline_ms <= now_ms)
    fail(client, client->busy.first, "no answer in time");
  serve_waiting(client);
}
