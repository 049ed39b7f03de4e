#include "protocol/client.h"

#include <stdlib.h>

#include "base/panic.h"

enum { TRIES_MAX = 8 };

struct aws_client {
  struct client_world world;
};

struct aws_client *client_make(const struct client_world *world) {
  struct aws_client *client = calloc(1, sizeof *client);
  if (!client) panic("out of memory");
  client->world = *world;
  return client;
}

void aws_client_close(struct aws_client *client) { free(client); }

static bool is_to_be_tried_again(const struct aws_answer *answer) {
  return answer->outcome == AWS_THROTTLED || answer->outcome == AWS_UNAVAILABLE ||
         answer->outcome == AWS_UNREACHED;
}

void aws_call(struct aws_client *client, const struct aws_request *requests, size_t count, struct arena *arena,
              struct aws_answer *ret_answers) {
  const struct client_world *world = &client->world;
  const struct aws_request **asking = ARENA_ARRAY(arena, count, const struct aws_request *);
  struct aws_answer **answers = ARENA_ARRAY(arena, count, struct aws_answer *);
  bool *open = ARENA_ARRAY(arena, count, bool);
  for (size_t i = 0; i < count; i++) {
    open[i] = true;
    ret_answers[i] = (struct aws_answer){.outcome = AWS_UNREACHED, .error = BYTES("no time left")};
  }
  for (int round = 0; round < TRIES_MAX; round++) {
    size_t asked = 0, again = 0;
    for (size_t i = 0; i < count; i++) {
      if (!open[i]) continue;
      asking[asked] = &requests[i];
      answers[asked++] = &ret_answers[i];
    }
    world->carry_out(world->context, asking, asked, arena, answers);
    for (size_t i = 0; i < count; i++) {
      if (!open[i]) continue;
      open[i] = !requests[i].once && is_to_be_tried_again(&ret_answers[i]) && !world->is_over(world->context);
      if (!open[i]) continue;
      if (ret_answers[i].outcome == AWS_UNAVAILABLE) ret_answers[i].in_doubt = true;
      again++;
    }
    if (again == 0) break;
  }
}

struct aws_answer aws_call_one(struct aws_client *client, enum aws_service service, const char *operation,
                               struct bytes body, struct arena *arena) {
  struct aws_answer answer;
  struct aws_request request = aws_request(service, operation, body);
  aws_call(client, &request, 1, arena, &answer);
  return answer;
}

bool aws_client_pause(struct aws_client *client, enum aws_service service, int64_t most_ms) {
  (void)service;
  return client->world.pause(client->world.context, most_ms);
}
