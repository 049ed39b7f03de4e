#include "cli/surge_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "wire/json_write.h"

static void line_end(struct surge *surge, struct json_writer *writer) {
  json_close_object(writer);
  text_append_char(&surge->ledger_text, '\n');
}

static void line_begin(struct surge *surge, struct json_writer *writer, const char *type) {
  json_writer_init(writer, &surge->ledger_text);
  json_open_object(writer, NULL);
  json_write_string(writer, "type", type);
}

/* O_APPEND: each write(2) is whole and at the end, whatever else is done to the file meanwhile. */
bool surge_ledger_open(struct surge *surge, struct failure *ret_failure) {
  struct json_writer writer;
  const char *path = surge->settings.ledger;
  text_init(&surge->ledger_text, NULL);
  surge->ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (surge->ledger < 0)
    return failure_set(ret_failure, "cannot open the ledger %s: %s", path, strerror(errno));
  line_begin(surge, &writer, "run");
  json_write_string(&writer, "run", surge->run);
  json_write_time(&writer, "at", surge_wall_ms());
  json_write_string(&writer, "url", surge->settings.url);
  line_end(surge, &writer);
  return surge_ledger_write(surge, ret_failure);
}

void surge_ledger_attempt(struct surge *surge, const struct surge_request *request) {
  struct json_writer writer;
  const struct surge_action *action = &surge->actions[request->action];
  line_begin(surge, &writer, request->is_cancel ? "cancel" : "attempt");
  json_write_string(&writer, "key", request->key);
  if (request->is_cancel)
    json_write_string(&writer, "order", surge->actions[action->target].id);
  else if (surge->token.size == 0) /* one token's customer is not known here */
    json_write_text(&writer, "customer", surge->retail.invoices[action->invoice].customer);
  json_write_int64(&writer, "try", request->tries);
  json_write_time(&writer, "at", surge_wall_ms());
  if (request->tries == 1 && !request->is_cancel)
    json_write_raw(&writer, "body",
                   bytes_slice(text_view(&request->message), request->body_at, request->message.size));
  line_end(surge, &writer);
}

void surge_ledger_answer(struct surge *surge, const struct surge_request *request,
                         const struct client_answer *answer, struct bytes id, struct bytes code) {
  struct json_writer writer;
  line_begin(surge, &writer, request->is_cancel ? "cancel-answer" : "answer");
  json_write_string(&writer, "key", request->key);
  json_write_int64(&writer, "try", request->tries);
  json_write_time(&writer, "at", surge_wall_ms());
  json_write_int64(&writer, "status", answer->status);
  if (id.size) json_write_text(&writer, "id", id);
  if (code.size) json_write_text(&writer, "code", code);
  if (answer->status == 0) json_write_string(&writer, "failure", answer->failure ? answer->failure : "");
  line_end(surge, &writer);
}

bool surge_ledger_write(struct surge *surge, struct failure *ret_failure) {
  size_t at = 0;
  while (at < surge->ledger_text.size) {
    ssize_t written = write(surge->ledger, surge->ledger_text.data + at, surge->ledger_text.size - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      return failure_set(ret_failure, "cannot write the ledger %s: %s", surge->settings.ledger,
                         strerror(errno));
    at += (size_t)written;
  }
  surge->ledger_text.size = 0;
  return true;
}

bool surge_ledger_close(struct surge *surge, struct failure *ret_failure) {
  struct json_writer writer;
  if (!surge->interrupted) {
    line_begin(surge, &writer, "end");
    json_write_time(&writer, "at", surge_wall_ms());
    line_end(surge, &writer);
  }
  bool good = surge_ledger_write(surge, ret_failure);
  if (close(surge->ledger) != 0 && good)
    good = failure_set(ret_failure, "cannot close the ledger %s: %s", surge->settings.ledger, strerror(errno));
  text_release(&surge->ledger_text);
  return good;
}
