#include "platform/aws/http_event.h"

#include "base/encode.h"
#include "gateway/gateway.h"
#include "platform/aws/event.h"

/* --- paths and queries --- */

static bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/* What may stand in a path as it is (RFC 3986 section 3.3), with "%" for what is encoded already. */
static bool is_of_path(char c) { return is_unreserved(c) || (c && strchr("!$&'()*+,;=:@/%", c)); }

static void append_encoded(struct text *text, struct bytes part, bool (*stays)(char)) {
  for (size_t i = 0; i < part.size; i++) {
    char c = part.data[i];
    if (stays(c))
      text_append_char(text, c);
    else
      text_printf(text, "%%%02X", (unsigned)(unsigned char)c);
  }
}

static struct bytes path_of(struct bytes path, struct bytes stage, struct arena *arena) {
  if (stage.size > 0 && !bytes_equal_string(stage, "$default") && path.size > stage.size &&
      bytes_equal(bytes_slice(path, 1, 1 + stage.size), stage) &&
      (path.size == stage.size + 1 || path.data[stage.size + 1] == '/'))
    path = bytes_slice(path, stage.size + 1, path.size);
  if (path.size == 0) return BYTES("/");
  size_t good = 0;
  while (good < path.size && is_of_path(path.data[good])) good++;
  if (good == path.size) return path;
  struct text text;
  text_init(&text, arena);
  append_encoded(&text, path, is_of_path);
  return text_view(&text);
}

static bool anything_stays(char c) {
  (void)c;
  return true;
}

static void append_parameter(struct text *text, struct bytes name, struct bytes value, bool (*stays)(char)) {
  if (text->size > 0) text_append_char(text, '&');
  append_encoded(text, name, stays);
  text_append_char(text, '=');
  append_encoded(text, value, stays);
}

/* The query put together again: from values as they were sent (ALB) or decoded (1.0). */
static bool read_query(const struct json *event, bool decoded, struct arena *arena, struct bytes *ret_query,
                       struct failure *ret_failure) {
  const struct json *parameters;
  bool multi;
  if (!event_optional(event, "multiValueQueryStringParameters", JSON_OBJECT, &parameters, ret_failure))
    return false;
  multi = parameters != NULL;
  if (!multi && !event_optional(event, "queryStringParameters", JSON_OBJECT, &parameters, ret_failure))
    return false;
  struct text text;
  text_init(&text, arena);
  bool (*stays)(char) = decoded ? is_unreserved : anything_stays;
  for (const struct json *one = parameters ? parameters->first : NULL; one; one = one->next) {
    const struct json *value = multi && one->type == JSON_ARRAY ? one->first : one;
    if (multi && one->type != JSON_ARRAY) return event_refuse(ret_failure, one, "an array");
    for (; value; value = multi ? value->next : NULL) {
      if (value->type != JSON_STRING) return event_refuse(ret_failure, one, "text");
      append_parameter(&text, one->name, value->text, stays);
    }
  }
  *ret_query = text_view(&text);
  return true;
}

/* --- headers and body --- */

static bool read_headers(const struct json *event, bool multi, struct arena *arena,
                         struct http_request *request, struct failure *ret_failure) {
  const struct json *headers;
  if (!event_optional(event, multi ? "multiValueHeaders" : "headers", JSON_OBJECT, &headers, ret_failure))
    return false;
  size_t count = 0;
  for (const struct json *one = headers ? headers->first : NULL; one; one = one->next) {
    if (one->type != (multi ? JSON_ARRAY : JSON_STRING))
      return event_refuse(ret_failure, one, multi ? "an array" : "text");
    count += multi ? one->count : 1;
  }
  struct http_header *lines = ARENA_ARRAY(arena, count, struct http_header);
  size_t at = 0;
  for (const struct json *one = headers ? headers->first : NULL; one; one = one->next) {
    if (!multi) lines[at++] = (struct http_header){one->name, one->text};
    for (const struct json *value = multi ? one->first : NULL; value; value = value->next) {
      if (value->type != JSON_STRING) return event_refuse(ret_failure, one, "an array of texts");
      lines[at++] = (struct http_header){one->name, value->text};
    }
  }
  request->headers = lines;
  request->header_count = count;
  return true;
}

static bool read_body(const struct json *event, struct arena *arena, struct http_request *request,
                      struct failure *ret_failure) {
  const struct json *body, *base64;
  if (!event_optional(event, "body", JSON_STRING, &body, ret_failure) ||
      !event_optional(event, "isBase64Encoded", JSON_BOOLEAN, &base64, ret_failure))
    return false;
  if (!body) return true;
  struct bytes text = body->text;
  if (base64 && base64->boolean) {
    if (text.size / 4 * 3 > GATEWAY_BODY_BYTES_MAX + 3)
      text.size = GATEWAY_BODY_BYTES_MAX + 1; /* too large, whatever it says */
    else if (!base64_decode(text, arena, &text))
      return failure_set(ret_failure, "body is not base64, though isBase64Encoded says so");
  }
  request->body_too_large = text.size > GATEWAY_BODY_BYTES_MAX;
  if (!request->body_too_large) request->body = text;
  return true;
}

/* --- claims --- */

/* A list claim comes as "[a b]" where the gateway makes it a text. */
static struct bytes without_brackets(struct bytes text) {
  bool has = text.size >= 2 && text.data[0] == '[' && text.data[text.size - 1] == ']';
  return has ? bytes_slice(text, 1, text.size - 1) : text;
}

static void read_claims(const struct json *authorizer, bool is_jwt, struct http_event_claims *ret_claims) {
  const struct json *claims = json_member(is_jwt ? json_member(authorizer, "jwt") : authorizer, "claims");
  if (!claims || claims->type != JSON_OBJECT) return;
  struct bytes scope = json_member_text(claims, "scope");
  if (scope.size == 0) scope = json_member_text(claims, "scp");
  *ret_claims = (struct http_event_claims){.present = true,
                                           .subject = json_member_text(claims, "sub"),
                                           .scope = without_brackets(scope),
                                           .all = claims};
}

/* --- the shapes --- */

static bool read_2(const struct json *root, const struct json *context, struct arena *arena,
                   struct http_event *event, struct failure *ret_failure) {
  const struct json *method, *path, *query, *stage;
  if (!event_required(json_member(context, "http"), "method", JSON_STRING, &method, ret_failure) ||
      !event_required(root, "rawPath", JSON_STRING, &path, ret_failure) ||
      !event_optional(root, "rawQueryString", JSON_STRING, &query, ret_failure) ||
      !event_optional(context, "stage", JSON_STRING, &stage, ret_failure))
    return false;
  event->shape = HTTP_EVENT_2;
  event->request.method = http_method_from(method->text);
  event->request.path = path_of(path->text, stage ? stage->text : (struct bytes){0}, arena);
  event->request.query = query ? query->text : (struct bytes){0};
  read_claims(json_member(context, "authorizer"), true, &event->claims);
  return read_headers(root, false, arena, &event->request, ret_failure);
}

static bool read_1(const struct json *root, const struct json *context, struct arena *arena,
                   struct http_event *event, struct failure *ret_failure) {
  const struct json *method, *path;
  if (!event_required(root, "httpMethod", JSON_STRING, &method, ret_failure) ||
      !event_required(root, "path", JSON_STRING, &path, ret_failure))
    return false;
  bool is_alb = json_member(context, "elb") != NULL;
  const struct json *many = json_member(root, "multiValueHeaders");
  bool multi = many && many->type != JSON_NULL;
  event->shape = !is_alb ? HTTP_EVENT_1 : multi ? HTTP_EVENT_ALB_MULTI : HTTP_EVENT_ALB;
  event->request.method = http_method_from(method->text);
  /* "path" has no stage here, but where HTTP API speaks 1.0. */
  bool is_http_api = bytes_equal_string(json_member_text(root, "version"), "1.0");
  event->request.path =
      path_of(path->text, is_http_api ? json_member_text(context, "stage") : (struct bytes){0}, arena);
  if (!is_alb) read_claims(json_member(context, "authorizer"), false, &event->claims);
  return read_query(root, !is_alb, arena, &event->request.query, ret_failure) &&
         read_headers(root, multi, arena, &event->request, ret_failure);
}

bool http_event_read(struct bytes text, struct arena *arena, struct http_event *ret_event,
                     struct failure *ret_failure) {
  const struct json *root, *context;
  if (!event_parse(text, arena, &root, ret_failure)) return false;
  struct http_event event = {0};
  context = json_member(root, "requestContext");
  if (!context || context->type != JSON_OBJECT)
    return failure_set(ret_failure, "not an HTTP event: it has no requestContext");
  bool is_2 = json_member(context, "http") != NULL;
  if (!is_2 && !json_member(root, "httpMethod"))
    return failure_set(ret_failure, "not an HTTP event: it has neither requestContext.http nor httpMethod");
  if (!(is_2 ? read_2 : read_1)(root, context, arena, &event, ret_failure) ||
      !read_body(root, arena, &event.request, ret_failure))
    return false;
  *ret_event = event;
  return true;
}
