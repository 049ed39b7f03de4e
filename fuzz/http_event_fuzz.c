/* HTTP requests as Lambda events (platform/aws/http_event.h): what is read is a request that the gateway can
 * answer, and the answer comes back as JSON with the same body. */
#include "platform/aws/http_event.h"

#include "base/encode.h"
#include "fuzz.h"
#include "gateway_world.h"

static void check_request(const struct http_event *event) {
  const struct http_request *request = &event->request;
  ensure(request->path.size > 0 && request->body.size <= GATEWAY_BODY_BYTES_MAX);
  ensure(!request->body_too_large || request->body.size == 0);
  for (size_t i = 0; i < request->path.size; i++)
    ensure(request->path.data[i] > ' ' && request->path.data[i] <= '~' && request->path.data[i] != '?' &&
           request->path.data[i] != '#');
  if (!event->claims.present) ensure(event->claims.subject.size == 0 && event->claims.scope.size == 0);
}

static void check_answer(const struct http_event *event, const struct http_response *response,
                         struct arena *arena) {
  const struct json *root = fuzz_json(http_event_answer(event, response, arena), arena);
  const struct json *encoded = json_member(root, "isBase64Encoded");
  struct bytes body = json_member_text(root, "body");
  ensure(json_member_int64(root, "statusCode", 0) == response->status && encoded);
  if (encoded->boolean) ensure(base64_decode(body, arena, &body));
  bool bare = event->request.method == HTTP_HEAD || response->status == 204 || response->status == 304;
  ensure(bytes_equal(body, bare ? (struct bytes){NULL, 0} : response->body));
}

FUZZ_TARGET(input, arena) {
  struct gateway_world *world = gateway_world_get();
  struct http_event event, again;
  struct failure failure = {""};
  memset(&event, 0x5a, sizeof event);
  memcpy(&again, &event, sizeof event);
  if (!http_event_read(input, arena, &event, &failure)) {
    ensure(failure.text[0] && memcmp(&event, &again, sizeof event) == 0);
    return;
  }
  check_request(&event);
  ensure(http_event_read(input, arena, &again, &failure) && again.shape == event.shape);
  ensure(bytes_equal(again.request.path, event.request.path) &&
         bytes_equal(again.request.query, event.request.query));

  struct exchange exchange, *batch = &exchange;
  gateway_world_reset(world);
  exchange_init(&exchange);
  exchange.request = event.request;
  if (gateway_open(world->gateway, &exchange) == GATEWAY_SERVE) gateway_serve(world->gateway, &batch, 1);
  gateway_world_check_answer(&exchange.response, arena);
  check_answer(&event, &exchange.response, arena);
  exchange_release(&exchange);
  const struct http_response odd = {.status = 200, .body = input};
  check_answer(&event, &odd, arena);
}
