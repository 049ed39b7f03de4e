#include "base/encode.h"
#include "platform/aws/http_event.h"
#include "wire/json_write.h"

static bool came_before(const struct http_response *response, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (bytes_equal_ignoring_case(response->headers[i].name, response->headers[index].name)) return true;
  return false;
}

/* The next header of the same name; header_count where there is none. */
static size_t next_of_name(const struct http_response *response, size_t index) {
  struct bytes name = response->headers[index].name;
  do index++;
  while (index < response->header_count && !bytes_equal_ignoring_case(response->headers[index].name, name));
  return index;
}

static void write_headers(struct json_writer *writer, const struct http_response *response, bool multi,
                          struct arena *arena) {
  json_open_object(writer, multi ? "multiValueHeaders" : "headers");
  for (size_t i = 0; i < response->header_count; i++) {
    if (came_before(response, i)) continue;
    const struct http_header *header = &response->headers[i];
    const char *name = arena_string(arena, header->name);
    size_t more = next_of_name(response, i);
    if (multi) {
      json_open_array(writer, name);
      for (size_t j = i; j < response->header_count; j = next_of_name(response, j))
        json_write_text(writer, NULL, response->headers[j].value);
      json_close_array(writer);
    } else if (more == response->header_count) {
      json_write_text(writer, name, header->value);
    } else {
      struct text joined;
      text_init(&joined, arena);
      for (size_t j = i; j < response->header_count; j = next_of_name(response, j)) {
        if (j > i) text_append(&joined, BYTES(", "));
        text_append(&joined, response->headers[j].value);
      }
      json_write_text(writer, name, text_view(&joined));
    }
  }
  json_close_object(writer);
}

struct bytes http_event_answer(const struct http_event *event, const struct http_response *response,
                               struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  text_reserve(&text, 512 + response->body.size + response->body.size / 4);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  json_open_object(&writer, NULL);
  json_write_int64(&writer, "statusCode", response->status);
  if (event->shape == HTTP_EVENT_ALB || event->shape == HTTP_EVENT_ALB_MULTI) {
    struct bytes description =
        arena_printf(arena, "%d %s", response->status, http_status_text(response->status));
    json_write_text(&writer, "statusDescription", description);
  }
  write_headers(&writer, response, event->shape == HTTP_EVENT_1 || event->shape == HTTP_EVENT_ALB_MULTI, arena);
  bool without_body = event->request.method == HTTP_HEAD || response->status == 204 || response->status == 304;
  struct bytes body = without_body ? (struct bytes){0} : response->body;
  size_t code_points;
  bool is_text = bytes_count_code_points(body, &code_points);
  if (!without_body) json_write_text(&writer, "body", is_text ? body : base64_encode(body, arena));
  json_write_boolean(&writer, "isBase64Encoded", !is_text);
  json_close_object(&writer);
  return text_view(&text);
}
