/* A running server, asked one thing at a time through libcurl: for commands typed by people. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/failure.h"
#include "wire/json.h"

struct remote {
  const char *url; /* of the API, without a slash at its end */
  struct bytes token;
  struct arena *arena; /* answers live here */
  int64_t timeout_ms;
};

struct remote_answer {
  int status;
  struct bytes body;
  const struct json *json; /* NULL where the body is none */
};

/* `path` begins with a slash. `body` empty: none is sent. False where no answer came; an answer of
 * any status is true. */
MUST_USE bool remote_ask(const struct remote *remote, const char *method, struct bytes path, struct bytes body,
                         struct remote_answer *ret_answer, struct failure *ret_failure);

/* The same, but an answer that is not 2xx is a failure too, in the words of its problem document. */
MUST_USE bool remote_ask_well(const struct remote *remote, const char *method, struct bytes path,
                              struct bytes body, struct remote_answer *ret_answer, struct failure *ret_failure);

/* `text` as a part of a path or query (RFC 3986 section 2.1). */
struct bytes percent_encode(struct bytes text, struct arena *arena);

#endif
