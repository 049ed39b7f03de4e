/* The Idempotency-Key header (gateway/gateway.h): the input is its value. A key that is taken has 1 to 255
 * visible characters, and names the same key when it is sent quoted. */
#include "fuzz.h"
#include "gateway_world.h"

static bool read_key(struct gateway_world *world, struct bytes value, struct arena *arena,
                     struct bytes *ret_key) {
  struct exchange exchange;
  exchange_init(&exchange);
  exchange.request = (struct http_request){.method = HTTP_POST, .path = BYTES("/v1/orders")};
  fake_header(&exchange, "Authorization", fake_bearer(world->fake, "ada", FAKE_ALL_SCOPES));
  fake_header(&exchange, "Idempotency-Key", value);
  fake_body(&exchange, BYTES("{}"));
  bool taken = gateway_open(world->gateway, &exchange) == GATEWAY_SERVE;
  if (taken)
    *ret_key = arena_copy(arena, exchange.idempotency_key);
  else
    gateway_world_check_answer(&exchange.response, arena);
  ensure(taken || exchange.response.status == 400);
  exchange_release(&exchange);
  return taken;
}

static struct bytes quote(struct bytes key, struct arena *arena) {
  struct text text;
  text_init(&text, arena);
  text_append_char(&text, '"');
  for (size_t i = 0; i < key.size; i++) {
    if (key.data[i] == '"' || key.data[i] == '\\') text_append_char(&text, '\\');
    text_append_char(&text, key.data[i]);
  }
  text_append_char(&text, '"');
  return text_view(&text);
}

FUZZ_TARGET(input, arena) {
  struct gateway_world *world = gateway_world_get();
  struct bytes key, again;
  arena_reset(&world->fake->world.arena);
  if (!read_key(world, input, arena, &key)) return;
  ensure(key.size >= 1 && key.size <= 255);
  for (size_t i = 0; i < key.size; i++) ensure(key.data[i] >= ' ' && key.data[i] <= '~');
  ensure(read_key(world, quote(key, arena), arena, &again) && bytes_equal(key, again));
}
