/* One request to the sandbox and its answer: libmicrohttpd's callbacks. */
#ifndef CLI_SANDBOX_EXCHANGE_H
#define CLI_SANDBOX_EXCHANGE_H

#include <microhttpd.h>

#include "cli/sandbox_server.h"

struct exchange {
  struct MHD_Connection *connection;
  struct text body; /* on the heap */
  bool body_too_large;
  bool decided; /* `answer` is made, and was perhaps held back */
  struct sandbox_answer answer;
  int64_t due_ms; /* while suspended, on the monotonic clock */
};

struct sandbox_server {
  struct sandbox *sandbox;
  struct MHD_Daemon *daemon;
  struct exchange **waiting; /* a heap by due_ms */
  size_t wait_count, wait_capacity;
  bool stopping;
};

/* MHD_AccessHandlerCallback; the context is a struct sandbox_server. */
enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **request);
/* MHD_RequestCompletedCallback. */
void exchange_end(void *context, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode how);

/* Suspends the exchange's connection; it is resumed by the loop after `wait_ms`. */
void sandbox_server_hold(struct sandbox_server *server, struct exchange *exchange, int64_t wait_ms);

/* GET /ledger as a stream of lines: a snapshot of what was applied when it was asked for. */
struct MHD_Response *sandbox_ledger_response(const struct sandbox_core *core);

#endif
