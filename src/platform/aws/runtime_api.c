#include "platform/aws/runtime_api.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "platform/aws/runtime.h"

enum {
  ATTEMPTS_MAX = 6,         /* in a row, without an answer */
  LONG_WAIT_S = 1,          /* a connection that held this long was a good one */
  SMALL_BODY_BYTES = 16384, /* copied behind the head, so that both go out at once */
  RECEIVE_BYTES = 64 * 1024,
  AWAITED_BYTES_MAX = 512, /* a longer answer to a response is no usual one */
  AWAITED_MS = 1000,
};

/* --- SIGTERM --- */

static volatile sig_atomic_t stop_came;
static sigset_t mask_of_wait; /* lets SIGTERM through */

static void note_stop(int signal_number) {
  (void)signal_number;
  stop_came = 1;
}

void runtime_stop_hold(void) {
  struct sigaction action = {.sa_handler = note_stop};
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  stop_came = 0;
  if (pthread_sigmask(SIG_BLOCK, &mask, &mask_of_wait) != 0 || sigaction(SIGTERM, &action, NULL) != 0)
    panic("SIGTERM can't be held");
  sigdelset(&mask_of_wait, SIGTERM);
}

bool runtime_stop_wanted(void) {
  sigset_t pending;
  return stop_came || (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM));
}

/* --- setting up --- */

static void take_header(void *context, struct bytes name, struct bytes value) {
  struct runtime_api *api = context;
  struct bytes prefix = BYTES("lambda-runtime-");
  if (name.size <= prefix.size || !bytes_equal_ignoring_case(bytes_slice(name, 0, prefix.size), prefix)) return;
  name = bytes_slice(name, prefix.size, name.size);
  struct text *wanted = bytes_equal_ignoring_case(name, BYTES("aws-request-id"))         ? &api->request_id
                        : bytes_equal_ignoring_case(name, BYTES("trace-id"))             ? &api->trace_id
                        : bytes_equal_ignoring_case(name, BYTES("deadline-ms"))          ? &api->deadline
                        : bytes_equal_ignoring_case(name, BYTES("invoked-function-arn")) ? &api->function_arn
                                                                                         : NULL;
  if (!wanted || value.size > RUNTIME_HEADER_BYTES_MAX) return;
  wanted->size = 0;
  text_append(wanted, value);
}

void runtime_api_init(struct runtime_api *api, const char *address) {
  *api = (struct runtime_api){.address = address, .socket = -1, .wakes_at_bytes = 1};
  http_reader_init(&api->reader, RUNTIME_EVENT_BYTES_MAX);
  api->reader.on_header = take_header;
  api->reader.context = api;
}

static void disconnect(struct runtime_api *api) {
  if (api->socket >= 0) close(api->socket);
  api->socket = -1;
  api->unread = (struct bytes){0};
  api->sent_ahead = false;
  api->wakes_at_bytes = 1;
  api->answer_bytes = 0;
}

void runtime_api_release(struct runtime_api *api) {
  disconnect(api);
  http_reader_release(&api->reader);
  text_release(&api->request);
  text_release(&api->request_id);
  text_release(&api->trace_id);
  text_release(&api->function_arn);
  text_release(&api->deadline);
}

/* --- one attempt --- */

static bool connect_to(struct runtime_api *api, struct failure *ret_failure) {
  struct bytes address = bytes_of(api->address);
  size_t colon = address.size;
  while (colon > 0 && address.data[colon] != ':') colon--;
  char host[256];
  if (colon == 0 || colon >= sizeof host || colon + 1 >= address.size)
    return failure_set(ret_failure, "AWS_LAMBDA_RUNTIME_API is \"%s\", and should be host:port", api->address);
  memcpy(host, address.data, colon);
  host[colon] = 0;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
  int code = getaddrinfo(host, address.data + colon + 1, &hints, &found);
  if (code) return failure_set(ret_failure, "no address for %s: %s", api->address, gai_strerror(code));
  int error = ECONNREFUSED;
  for (const struct addrinfo *one = found; one && api->socket < 0; one = one->ai_next) {
    api->socket = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (api->socket < 0 || connect(api->socket, one->ai_addr, one->ai_addrlen) != 0) {
      error = errno;
      disconnect(api);
    }
  }
  freeaddrinfo(found);
  if (api->socket < 0)
    return failure_set(ret_failure, "can't connect to %s: %s", api->address, strerror(error));
  (void)setsockopt(api->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return true;
}

static void write_head(struct runtime_api *api, const struct runtime_request *request) {
  struct text *text = &api->request;
  text_append_string(text, request->method);
  text_append(text, BYTES(" /2018-06-01/runtime/"));
  text_append(text, request->path_start);
  text_append(text, request->path_middle);
  text_append(text, request->path_end);
  text_append(text, BYTES(" HTTP/1.1\r\nHost: "));
  text_append_string(text, api->address);
  text_append(text, BYTES("\r\nUser-Agent: spillway/" SPILLWAY_VERSION "\r\n"));
  if (request->error_type.size) {
    text_append(text, BYTES("Lambda-Runtime-Function-Error-Type: "));
    text_append(text, request->error_type);
    text_append(text, BYTES("\r\n"));
  }
  if (strcmp(request->method, "POST") == 0) {
    text_append(text, BYTES("Content-Type: application/json\r\nContent-Length: "));
    text_append_int64(text, (int64_t)request->body.size);
    text_append(text, BYTES("\r\n"));
  }
  text_append(text, BYTES("\r\n"));
}

static bool send_all(int socket, struct bytes head, struct bytes body) {
  while (head.size + body.size > 0) {
    struct iovec parts[] = {{(void *)(uintptr_t)head.data, head.size},
                            {(void *)(uintptr_t)body.data, body.size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.size ? 2 : 1};
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    size_t of_head = (size_t)sent < head.size ? (size_t)sent : head.size;
    head = bytes_slice(head, of_head, head.size);
    body = bytes_slice(body, (size_t)sent - of_head, body.size);
  }
  return true;
}

/* How many bytes must be there before this process is woken: fewer wait in the socket. */
static bool wake_at(struct runtime_api *api, int bytes) {
  if (api->wakes_at_bytes == bytes) return true;
  if (setsockopt(api->socket, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) != 0) return false;
  api->wakes_at_bytes = bytes;
  return true;
}

/* Waits for something to read, up to `most_ms` (-1: for ever); false once SIGTERM has come and nothing else
 * has. */
static bool wait_for_answer(struct runtime_api *api, int most_ms) {
  struct pollfd wanted = {.fd = api->socket, .events = POLLIN};
  struct timespec most = {.tv_sec = most_ms / 1000, .tv_nsec = most_ms % 1000 * 1000000L}, none = {0};
  int ready;
  do {
    ready = ppoll(&wanted, 1, stop_came ? &none : most_ms < 0 ? NULL : &most, &mask_of_wait);
    if (ready < 0 && errno != EINTR) panic("ppoll failed");
  } while (ready < 0 && !stop_came);
  api->interrupted = ready <= 0 && stop_came;
  return ready > 0;
}

/* The answer to a response says "taken", and then the next event comes, perhaps much later. To be woken for
 * both together costs half of what it costs to be woken twice, and to be woken is the dearest part of a short
 * invocation. So the socket is told to wake us only once it holds more than the answer that came last time.
 * Where this one is shorter by more than the event is long, or SIGTERM comes, what there is is read as usual.
 */
static bool wait_for_both(struct runtime_api *api) {
  if (api->answer_bytes == 0 || api->answer_bytes > AWAITED_BYTES_MAX) return false;
  return wake_at(api, (int)api->answer_bytes + 1) && wait_for_answer(api, AWAITED_MS);
}

enum attempt { ATTEMPT_ANSWERED, ATTEMPT_BROKEN, ATTEMPT_INTERRUPTED };

/* Receives what is there, or waits for the first byte. */
static bool receive(struct runtime_api *api, struct failure *ret_failure) {
  static char buffer[RECEIVE_BYTES];
  ssize_t size;
  do size = recv(api->socket, buffer, sizeof buffer, 0);
  while (size < 0 && errno == EINTR);
  if (size < 0)
    return failure_set(ret_failure, "the connection to %s broke: %s", api->address, strerror(errno));
  api->unread = bytes_from(buffer, (size_t)size);
  return true;
}

static enum attempt read_answer(struct runtime_api *api, bool interruptible, struct failure *ret_failure) {
  struct http_reader *reader = &api->reader;
  size_t taken, answer_bytes = 0;
  http_reader_reset(reader);
  api->request_id.size = api->trace_id.size = api->function_arn.size = api->deadline.size = 0;
  bool is_there = api->sent_ahead && wait_for_both(api);
  if (!is_there && api->unread.size == 0) wake_at(api, 1);
  if (interruptible && api->unread.size == 0 && !wait_for_answer(api, -1)) return ATTEMPT_INTERRUPTED;
  while (reader->state != READER_DONE && reader->state != READER_BROKEN) {
    if (api->unread.size == 0) {
      if (!is_there) wake_at(api, 1);
      is_there = false;
      if (!receive(api, ret_failure)) return ATTEMPT_BROKEN;
      if (api->unread.size == 0) http_reader_end(reader);
    }
    taken = http_reader_feed(reader, api->unread);
    api->unread = bytes_slice(api->unread, taken, api->unread.size);
    answer_bytes += taken;
  }
  if (reader->state == READER_BROKEN) {
    failure_set(ret_failure, "the connection to %s ended without a whole answer", api->address);
    return ATTEMPT_BROKEN;
  }
  if (api->sent_ahead) api->answer_bytes = answer_bytes;
  if (reader->close) disconnect(api);
  return ATTEMPT_ANSWERED;
}

/* The request, and the one that follows it where both are small: a large one may be refused before it was
 * read to its end. */
static bool send_request(struct runtime_api *api, const struct runtime_request *request) {
  struct bytes body = request->body;
  api->request.size = 0;
  write_head(api, request);
  if (body.size > SMALL_BODY_BYTES) return send_all(api->socket, text_view(&api->request), body);
  text_append(&api->request, body);
  if (request->followed_by) write_head(api, request->followed_by);
  api->sent_ahead = request->followed_by != NULL;
  return send_all(api->socket, text_view(&api->request), (struct bytes){0});
}

static enum attempt try_exchange(struct runtime_api *api, const struct runtime_request *request,
                                 struct failure *ret_failure) {
  if (api->socket < 0 && !connect_to(api, ret_failure)) return ATTEMPT_BROKEN;
  bool sent = api->sent_ahead;
  api->sent_ahead = false;
  if (!sent) sent = send_request(api, request);
  int error = errno;
  /* Also where not all was sent: what the other side said before it closed is worth knowing. */
  enum attempt attempt = read_answer(api, request->interruptible, ret_failure);
  if (!sent && attempt == ATTEMPT_BROKEN)
    failure_set(ret_failure, "can't send to %s: %s", api->address, strerror(error));
  if (!sent || attempt != ATTEMPT_ANSWERED) disconnect(api);
  return attempt;
}

bool runtime_api_exchange(struct runtime_api *api, const struct runtime_request *request,
                          struct failure *ret_failure) {
  api->interrupted = false;
  for (int attempts = 1;; attempts++) {
    bool was_kept = api->socket >= 0;
    time_t start = time(NULL);
    enum attempt attempt = try_exchange(api, request, ret_failure);
    if (attempt != ATTEMPT_BROKEN) return attempt == ATTEMPT_ANSWERED;
    if (was_kept || time(NULL) - start >= LONG_WAIT_S) attempts = 0;
    if (attempts >= ATTEMPTS_MAX) return false;
    /* 0, 1, 4, 16, 64, 256 ms: a connection that had been kept is replaced at once. */
    if (attempts > 0) nanosleep(&(struct timespec){.tv_nsec = 250000L << (2 * attempts)}, NULL);
  }
}
