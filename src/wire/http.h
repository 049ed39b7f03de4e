/* HTTP messages as values: what a server hands to the gateway and gets back, whichever server it is
 * (libmicrohttpd on one machine, a Lambda event on AWS). */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER };

struct http_header {
  struct bytes name; /* compared without regard to case */
  struct bytes value;
};

struct http_request {
  enum http_method method;
  struct bytes path;  /* as sent, still percent-encoded, without the query */
  struct bytes query; /* after "?", as sent; empty where there is none */
  const struct http_header *headers;
  size_t header_count;
  struct bytes body;
  bool body_too_large; /* over the limit; body is then empty */
};

struct http_response {
  int status;
  struct http_header headers[16];
  size_t header_count;
  struct bytes body;
  bool close; /* the connection must be closed after this answer */
};

enum http_method http_method_from(struct bytes name);

/* The first header of that name; NULL where there is none. */
const struct http_header *http_header_find(const struct http_request *request, const char *name);
/* Its value, trimmed; the empty view where there is none. */
struct bytes http_header_value(const struct http_request *request, const char *name);
/* How many header lines have that name. */
size_t http_header_count(const struct http_request *request, const char *name);

/* Adds a header to a response. Both must outlive the response; at most 16. */
void http_response_add(struct http_response *response, const char *name, struct bytes value);
struct bytes http_response_header(const struct http_response *response, const char *name);
/* "Not Found" for 404; "Unknown" for what is not in RFC 9110 or 6585. */
const char *http_status_text(int status);

/* Splits a query into decoded name and value pairs ("+" is a space there). False for a broken
 * percent escape. An absent "=" gives an empty value. */
struct http_parameter {
  struct bytes name, value;
};
bool http_query_parse(struct bytes query, struct arena *arena, struct http_parameter **ret_parameters,
                      size_t *ret_count);

#endif
