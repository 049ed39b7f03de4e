/* Calls to the downstream services over HTTP/1.1, by libcurl's multi interface. Two ways in: the port
 * (port/services.h), which waits for a whole batch, and start/poll for a runner that takes each
 * answer as it comes. Connections are kept and reused; TLS is verified; redirects are not followed;
 * answers are bounded (SERVICE_ANSWER_BYTES_MAX); proxies from the environment are ignored.
 *
 * libcurl silently sends a request again when a reused connection breaks before the first byte of an
 * answer. That is harmless where the service honours the key; for the others (`resend_is_harmful`)
 * every request gets a connection of its own.
 *
 * All functions but services_http_wake belong to one thread. */
#ifndef PLATFORM_NET_SERVICES_HTTP_H
#define PLATFORM_NET_SERVICES_HTTP_H

#include "base/attributes.h"
#include "base/failure.h"
#include "port/services.h"

struct services_http;

struct services_http_options {
  struct {
    const char *url;    /* without a slash at the end */
    struct bytes token; /* sent as a bearer token; empty: none */
    int64_t timeout_ms; /* of one call, all in all */
    int64_t connections_max;
    bool resend_is_harmful;
    /* Signed with AWS Signature Version 4 where set: "aws:amz:<region>:<service>", "<key>:<secret>", and the
     * session token (empty: none). */
    const char *sigv4_scope, *sigv4_credentials;
    struct bytes sigv4_token;
  } services[SERVICE_COUNT];
};

/* The strings of the options must outlive the client. */
MUST_USE bool services_http_open(const struct services_http_options *options, struct services_http **ret_client,
                                 struct failure *ret_failure);
/* Breaks off what is under way. */
void services_http_close(struct services_http *client);

struct services *services_http_port(struct services_http *client);

/* Begins a call; the answer will live in `arena`. */
void services_http_start(struct services_http *client, const struct service_call *call, struct arena *arena,
                         void *tag);

struct services_http_answered {
  void *tag;
  struct service_answer answer;
};

/* Waits up to `timeout_ms` for an answer, a wake or a network event, and gives the answers that have
 * come, at most `most`. */
size_t services_http_poll(struct services_http *client, int64_t timeout_ms,
                          struct services_http_answered *ret_answered, size_t most);

/* Ends the wait of a poll; from any thread. */
void services_http_wake(struct services_http *client);

#endif
