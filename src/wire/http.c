#include "wire/http.h"

#include "base/attributes.h"
#include "base/encode.h"
#include "base/panic.h"

enum http_method http_method_from(struct bytes name) {
  if (bytes_equal(name, BYTES("GET"))) return HTTP_GET;
  if (bytes_equal(name, BYTES("HEAD"))) return HTTP_HEAD;
  if (bytes_equal(name, BYTES("POST"))) return HTTP_POST;
  if (bytes_equal(name, BYTES("OPTIONS"))) return HTTP_OPTIONS;
  return HTTP_OTHER;
}

const struct http_header *http_header_find(const struct http_request *request, const char *name) {
  struct bytes wanted = bytes_of(name);
  for (size_t i = 0; i < request->header_count; i++)
    if (bytes_equal_ignoring_case(request->headers[i].name, wanted)) return &request->headers[i];
  return NULL;
}

struct bytes http_header_value(const struct http_request *request, const char *name) {
  const struct http_header *header = http_header_find(request, name);
  return header ? bytes_trim(header->value) : (struct bytes){NULL, 0};
}

size_t http_header_count(const struct http_request *request, const char *name) {
  struct bytes wanted = bytes_of(name);
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++)
    count += bytes_equal_ignoring_case(request->headers[i].name, wanted);
  return count;
}

void http_response_add(struct http_response *response, const char *name, struct bytes value) {
  ensure(response->header_count < COUNT_OF(response->headers));
  response->headers[response->header_count++] = (struct http_header){bytes_of(name), value};
}

struct bytes http_response_header(const struct http_response *response, const char *name) {
  for (size_t i = 0; i < response->header_count; i++)
    if (bytes_equal_ignoring_case(response->headers[i].name, bytes_of(name))) return response->headers[i].value;
  return (struct bytes){NULL, 0};
}

const char *http_status_text(int status) {
  static const struct {
    int status;
    const char *text;
  } texts[] = {{200, "OK"},
               {201, "Created"},
               {202, "Accepted"},
               {204, "No Content"},
               {304, "Not Modified"},
               {400, "Bad Request"},
               {401, "Unauthorized"},
               {403, "Forbidden"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {408, "Request Timeout"},
               {409, "Conflict"},
               {413, "Content Too Large"},
               {415, "Unsupported Media Type"},
               {422, "Unprocessable Content"},
               {425, "Too Early"},
               {429, "Too Many Requests"},
               {431, "Request Header Fields Too Large"},
               {500, "Internal Server Error"},
               {501, "Not Implemented"},
               {502, "Bad Gateway"},
               {503, "Service Unavailable"},
               {504, "Gateway Timeout"}};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    if (texts[i].status == status) return texts[i].text;
  return "Unknown";
}

static bool decode_component(struct bytes text, struct arena *arena, struct bytes *ret_text) {
  char *spaced = arena_string(arena, text);
  for (size_t i = 0; i < text.size; i++)
    if (spaced[i] == '+') spaced[i] = ' ';
  return percent_decode(bytes_from(spaced, text.size), arena, ret_text);
}

bool http_query_parse(struct bytes query, struct arena *arena, struct http_parameter **ret_parameters,
                      size_t *ret_count) {
  size_t most = 1;
  for (size_t i = 0; i < query.size; i++) most += query.data[i] == '&';
  struct http_parameter *parameters = ARENA_ARRAY(arena, most, struct http_parameter);
  size_t count = 0;
  struct bytes part;
  if (query.size == 0) query = (struct bytes){NULL, 0};
  while (bytes_next_part(&query, '&', &part)) {
    size_t equals = bytes_find(part, '=', 0);
    struct http_parameter *parameter = &parameters[count++];
    if (!decode_component(bytes_slice(part, 0, equals), arena, &parameter->name) ||
        !decode_component(bytes_slice(part, equals + 1, part.size), arena, &parameter->value))
      return false;
  }
  *ret_parameters = parameters;
  *ret_count = count;
  return true;
}
