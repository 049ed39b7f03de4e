/* platform/aws/client.h for a table in memory: what the store calls, linked in the place of the real client.
 * Tries and doubts are as the real one has them (client.c); how each try ends is for `carry_out` to say. */
#ifndef TESTS_PROTOCOL_CLIENT_H
#define TESTS_PROTOCOL_CLIENT_H

#include "platform/aws/client.h"

struct client_world {
  /* One round of tries, all under way at once; returns when each has its answer (AWS_DONE and so on). */
  void (*carry_out)(void *context, const struct aws_request *const *requests, size_t count, struct arena *arena,
                    struct aws_answer *const *answers);
  /* False: no time is left. */
  bool (*pause)(void *context, int64_t most_ms);
  /* The deadline has come: no further try. */
  bool (*is_over)(void *context);
  void *context;
};

struct aws_client *client_make(const struct client_world *world);

#endif
