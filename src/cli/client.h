/* A non-blocking HTTP/1.1 client of one server over many kept connections, for load and audits:
 * http:// only, one thread, one loop on epoll. libcurl's connection cache looks through all its
 * connections for each request, which 10,000 of them make too slow; hence this.
 *
 * A request is given as finished bytes. Up to `connections_max` connections are opened before one is
 * used a second time (so that a spike really holds as many); after that the one that has been idle
 * longest is next, and what finds none waits in line. Nothing is sent twice: whether to try again is
 * the caller's decision. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/failure.h"

struct client;

struct client_settings {
  const char *url; /* http://host[:port][/path], checked by OPTION_URL */
  size_t connections_max;
  int64_t timeout_ms; /* of one request once it is on a connection, from connecting to the last byte */
  size_t body_bytes_max;
};

struct client_answer {
  int status;            /* 0: no complete answer came */
  const char *failure;   /* then why, in a few words */
  bool sent;             /* false: no byte of the request left, surely */
  struct bytes body;     /* until the function that is told returns */
  int64_t retry_after_s; /* -1: none */
};

typedef void client_told(void *context, const struct client_answer *answer);

/* Looks the host up. Raises the limit on open files where needed; fails where it cannot. */
MUST_USE bool client_new(const struct client_settings *settings, struct client **ret_client,
                         struct failure *ret_failure);
/* Closes all connections; requests under way are never told. */
void client_free(struct client *client);

/* The "Host" of requests, and what the URL's path is ("" or "/base", no slash at the end). */
struct bytes client_host(const struct client *client);
struct bytes client_base_path(const struct client *client);

/* Sends `message` (a whole request; it stays the caller's and must live until `told` was called).
 * `told` is called exactly once, from client_poll or at once from here where connecting fails. */
void client_send(struct client *client, struct bytes message, client_told *told, void *context);

/* Moves everything on, waiting at most `timeout_us` (microseconds) for something to happen. */
void client_poll(struct client *client, int64_t timeout_us);

struct client_counts {
  size_t open, busy, waiting;
};
struct client_counts client_count(const struct client *client);

#endif
