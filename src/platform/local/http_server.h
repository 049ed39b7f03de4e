/* The HTTP server of one machine: libmicrohttpd in front of a gateway (gateway/gateway.h).
 *
 * Threads     One loop thread accepts, reads, calls gateway_open and sends. `workers` threads take
 *             all that waits, up to HTTP_BATCH_MAX, as one batch to gateway_serve. One thread fetches
 *             keys (gateway_refresh_keys). The loop is woken once a batch.
 * Admission   What was handed to a worker is answered, unless its connection breaks. Beyond the
 *             limits below: 503 with Retry-After, after authentication, before any work; beyond the
 *             connections' limit a bare 503, and the connection closed.
 * Framing     RFC 9112 sections 6.1 to 6.3: a request with both Content-Length and
 *             Transfer-Encoding, with two lengths, with a coding other than just "chunked", with
 *             a field name that is no token, or without exactly one Host (section 3.2), is answered 400
 *             and its connection closed, so that nothing after it is ever taken for a request.
 * Deadlines   Absolute, not since the last byte: a client that sends or reads one byte at a time is
 *             cut off all the same.
 * Bodies      HEAD, 204 and 304 go without one. A 304 should come from the gateway with the body of
 *             the 200, for its length is told (RFC 9110 section 8.6).
 *
 * Several servers may run in one process, over one gateway or several. */
#ifndef PLATFORM_LOCAL_HTTP_SERVER_H
#define PLATFORM_LOCAL_HTTP_SERVER_H

#include "base/attributes.h"
#include "base/failure.h"
#include "gateway/gateway.h"

enum { HTTP_BATCH_MAX = 256 };

struct http_server_settings {
  const char *address; /* "127.0.0.1:8080", "[::1]:8080", "localhost:0"; port 0 takes a free one */
  struct bytes certificate_pem, key_pem; /* both: HTTPS, TLS 1.2 or later */

  size_t workers;               /* threads that serve */
  size_t connections_max;       /* lowered where the process may not have as many descriptors */
  size_t waiting_max;           /* requests that wait for a worker */
  int64_t waiting_age_max_ms;   /* the oldest waits longer than this: new ones are refused */
  int64_t crowd_age_max_ms;     /* the same, where more wait than fit into the next batch */
  size_t waiting_for_keys_max;  /* requests that wait for newer keys */
  size_t held_max;              /* requests held for an order (Prefer: wait); beyond, answered at once */
  int64_t body_bytes_max;       /* of all request bodies in memory; one has GATEWAY_BODY_BYTES_MAX */
  int64_t body_bytes_discarded; /* read and thrown away of one that is too large, to answer politely */
  size_t header_bytes_max;      /* of one request; beyond: 431 */
  int64_t header_timeout_ms;    /* from the connection, or the next request's line, to its header's end */
  int64_t body_timeout_ms;      /* from the header's end to the body's */
  int64_t idle_timeout_ms;      /* between two requests of a connection */
  int64_t answer_timeout_ms;    /* from an answer to its last byte having been taken */
};

/* The defaults; the caller sets at least the address. */
void http_server_settings_init(struct http_server_settings *settings);

struct http_server;

/* Listens and serves from now on. Fails where the address cannot be had or the certificate is bad.
 * `gateway` and the settings' texts must outlive the server. */
MUST_USE bool http_server_start(const struct http_server_settings *settings, struct gateway *gateway,
                                struct http_server **ret_server, struct failure *ret_failure);

/* What it listens on, with the port it got: "127.0.0.1:43211". */
const char *http_server_address(const struct http_server *server);
int http_server_port(const struct http_server *server);

/* Tells that these orders have reached a final status and that readers of the store see it. Requests
 * held for them are served again. From any thread; cheap; never blocks on I/O. */
void http_server_order_final(struct http_server *server, const struct bytes *ids, size_t count);

/* Stops listening at once, ends idle connections, answers what is held and what was admitted (with
 * Connection: close), waits for unfinished requests for at most `grace_ms`, and then cuts what is left.
 * It can take longer only where gateway_serve does. After it only http_server_order_final and
 * http_server_free may be called. */
void http_server_stop(struct http_server *server, int64_t grace_ms);
/* Stops with a grace of 0 where it was not stopped. */
void http_server_free(struct http_server *server);

#endif
