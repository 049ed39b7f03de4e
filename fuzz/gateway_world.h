/* A gateway over the fakes of tests/fake for the targets that need one: made once, or anew for each input. */
#ifndef FUZZ_GATEWAY_WORLD_H
#define FUZZ_GATEWAY_WORLD_H

#include "fake/gateway.h"
#include "fuzz.h"

struct gateway_world {
  struct fake_gateway *fake;
  struct gateway *gateway;
};

/* The one that lives as long as the process. */
static inline struct gateway_world *gateway_world_get(void) {
  static struct gateway_world world;
  if (!world.fake) {
    void *state = NULL;
    ensure(fake_gateway_set_up(&state) == 0);
    world.fake = state;
    world.gateway = fake_gateway_get(world.fake);
  }
  return &world;
}

/* Forgets every order and all that was said, so that the next input meets the same world. */
static inline void gateway_world_reset(struct gateway_world *world) {
  struct fake_world *inner = &world->fake->world;
  fake_world_release(inner);
  fake_world_init(inner);
}

/* An answer that may leave the house: a known status, clean headers, a problem document where it refuses. */
static inline void gateway_world_check_answer(const struct http_response *response, struct arena *arena) {
  static const int known[] = {200, 202, 204, 304, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 431, 503};
  bool is_known = false;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) is_known = is_known || response->status == known[i];
  ensure(is_known && response->header_count <= 16);
  for (size_t i = 0; i < response->header_count; i++) {
    struct bytes value = response->headers[i].value;
    for (size_t j = 0; j < value.size; j++) ensure(value.data[j] >= ' ' && value.data[j] <= '~');
  }
  ensure(http_response_header(response, "traceparent").size == GATEWAY_TRACEPARENT_CHARACTERS);
  if (response->status < 400) return;
  const struct json *problem = fuzz_json(response->body, arena);
  ensure(json_member_int64(problem, "status", 0) == response->status);
  ensure(json_member_text(problem, "code").size > 0 && json_member_text(problem, "detail").size > 0);
}

#endif
