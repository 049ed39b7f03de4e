/* Reads a document of bounded size from a file or by HTTP, for platform/net/key_source.h. */
#ifndef PLATFORM_NET_KEY_FETCH_H
#define PLATFORM_NET_KEY_FETCH_H

#include "base/attributes.h"
#include "base/failure.h"
#include "base/text.h"

/* True for what is meant as a URL: it holds "://". */
bool key_location_is_url(const char *location);
/* True where the URL is https, or http with a loopback host, and names no user; else a failure. */
MUST_USE bool key_url_check(const char *url, struct failure *ret_failure);

MUST_USE bool key_fetch_file(const char *path, size_t most_bytes, struct text *ret_text,
                             struct failure *ret_failure);
/* GET; 200 only, redirects are not followed, TLS is verified. */
MUST_USE bool key_fetch_url(const char *url, int64_t timeout_ms, size_t most_bytes, struct text *ret_text,
                            struct failure *ret_failure);

#endif
