/* The sandbox on HTTP: one thread, libmicrohttpd's epoll without its own thread, answers that wait
 * suspended and never block the loop.
 *
 * Routes: POST /{service}/{command}; GET /{service}/commands/{key}; GET /ledger; GET /healthz;
 * POST /faults (cli/sandbox_faults.h's object: new rates at once). */
#ifndef CLI_SANDBOX_SERVER_H
#define CLI_SANDBOX_SERVER_H

#include "base/failure.h"
#include "base/text.h"
#include "cli/sandbox_callback.h"
#include "cli/sandbox_core.h"
#include "cli/sandbox_faults.h"

enum { SANDBOX_BODY_BYTES_MAX = 1024 * 1024 };

struct sandbox_settings {
  const char *listen; /* checked: address:port */
  int64_t connections_max;
  int64_t slow_ms, hang_ms, callback_delay_ms;
  unsigned ignoring; /* bits of services that do not honour keys */
};

struct sandbox {
  struct sandbox_settings settings;
  struct sandbox_core *core;
  struct callbacks *callbacks;
  struct faults faults;
  struct arena scratch; /* of the request being answered */
  uint64_t calls;
};

/* Serves until `stop_descriptor` becomes readable. Prints the address it got. */
MUST_USE bool sandbox_serve(struct sandbox *sandbox, int stop_descriptor, struct failure *ret_failure);

/* What is to be done about one command: pure of HTTP, for the server and its tests. */
struct sandbox_answer {
  int status; /* 0: the connection is closed without an answer */
  bool retry_after;
  int64_t wait_ms; /* before the answer, or before closing */
  char body[CALLBACK_BODY_BYTES_MAX];
  size_t body_size;
};

struct sandbox_call {
  enum order_command command;
  struct bytes key, callback_url, body;
  int64_t now_ms;
};

void sandbox_decide(struct sandbox *sandbox, const struct sandbox_call *call,
                    struct sandbox_answer *ret_answer);
/* The look-up of a key: 200 in the callback's form, or 404. */
void sandbox_look_up(struct sandbox *sandbox, enum service service, struct bytes key,
                     struct sandbox_answer *ret_answer);
/* The effect as one line of GET /ledger, with its line feed:
 * {"sequence":1,"at":"…","service":"inventory","command":"reserve","order":"ord_…",
 *  "key":"ord_….reserve","reference":"res-1","attempts":2}, and "recorded" on a refund. */
void sandbox_ledger_line(const struct sandbox_effect *effect, uint64_t sequence, struct text *text);

#endif
