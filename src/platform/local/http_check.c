#include "platform/local/http_server_parts.h"

/* RFC 9110 section 5.6.2. */
static bool is_token(struct bytes text) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (c != '\0' && strchr(others, c));
    if (!good) return false;
  }
  return text.size > 0;
}

/* RFC 9110 section 5.5: CR, LF and NUL are dangerous; other control characters are never sent by good
 * clients (a tab is allowed). */
static bool is_clean(struct bytes text) {
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

static bool read_length(struct bytes text, unsigned long long *ret_length) {
  return text.size > 0 && text.size < 19 && bytes_to_uint64(text, ret_length);
}

struct counts {
  size_t hosts, codings, lengths;
  struct bytes coding, length;
};

/* libmicrohttpd 0.9.75 adds a folded line (RFC 9112 section 5.2) to the field's name: of
 * "Content-Length:", " 3" it makes a field "Content-Length3", and takes the body for the next request. */
static bool is_broken_framing(struct bytes name) {
  static const struct bytes framing[] = {{"content-length", 14}, {"transfer-encoding", 17}};
  for (size_t i = 0; i < COUNT_OF(framing); i++)
    if (name.size > framing[i].size &&
        bytes_equal_ignoring_case(bytes_slice(name, 0, framing[i].size), framing[i]))
      return true;
  return false;
}

/* What is wrong with one field; NULL where nothing is. */
static const char *check_field(const struct http_header *field, struct counts *counts) {
  if (!is_token(field->name)) return "A field name is not a token.";
  if (is_broken_framing(field->name)) return "A field that frames the body is folded.";
  if (!is_clean(field->value)) return "A field value holds a control character.";
  if (bytes_equal_ignoring_case(field->name, BYTES("host"))) counts->hosts++;
  if (bytes_equal_ignoring_case(field->name, BYTES("transfer-encoding"))) {
    counts->codings++;
    counts->coding = field->value;
  }
  if (bytes_equal_ignoring_case(field->name, BYTES("content-length"))) {
    if (counts->lengths++ > 0 && !bytes_equal(counts->length, field->value))
      return "Two Content-Length fields differ.";
    counts->length = field->value;
  }
  return NULL;
}

static const char *check_framing(const struct counts *counts, bool is_http_1_0,
                                 struct http_framing *ret_framing) {
  *ret_framing = (struct http_framing){.kind = HTTP_BODY_NONE};
  if (counts->codings > 0 && counts->lengths > 0)
    return "Content-Length and Transfer-Encoding exclude each other.";
  if (counts->codings > 0) {
    if (is_http_1_0) return "HTTP/1.0 has no Transfer-Encoding.";
    /* Compared without trimming, as libmicrohttpd does: what it does not take for chunked, it would
     * read differently than is said here. */
    if (counts->codings > 1 || !bytes_equal_ignoring_case(counts->coding, BYTES("chunked")))
      return "The Transfer-Encoding must be chunked alone.";
    ret_framing->kind = HTTP_BODY_CHUNKED;
  }
  if (counts->lengths > 0) {
    if (!read_length(counts->length, &ret_framing->length_bytes)) return "The Content-Length is not a number.";
    if (ret_framing->length_bytes > 0) ret_framing->kind = HTTP_BODY_KNOWN;
  }
  return NULL;
}

bool http_check_header(const struct http_request *request, bool is_http_1_0, size_t header_bytes_max,
                       struct http_framing *ret_framing, enum problem *ret_problem, const char **ret_detail) {
  struct counts counts = {0};
  size_t size = request->path.size + request->query.size;
  const char *detail = NULL;
  for (size_t i = 0; i < request->header_count && !detail; i++) {
    size += request->headers[i].name.size + request->headers[i].value.size + 4;
    detail = check_field(&request->headers[i], &counts);
  }
  if (!detail) detail = check_framing(&counts, is_http_1_0, ret_framing);
  if (!detail && (counts.hosts > 1 || (counts.hosts == 0 && !is_http_1_0)))
    detail = "There must be exactly one Host field.";
  if (!detail && !is_clean(request->path)) detail = "The path holds a control character.";
  *ret_problem = PROBLEM_MALFORMED_REQUEST;
  if (!detail && size > header_bytes_max) {
    *ret_problem = PROBLEM_HEADERS_TOO_LARGE;
    detail = "The request's header is larger than this server accepts.";
  }
  if (detail) *ret_detail = detail;
  return !detail;
}
