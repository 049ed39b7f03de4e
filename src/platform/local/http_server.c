#include "platform/local/http_server.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/panic.h"
#include "platform/local/http_server_parts.h"

/* Beside the request's header: what libmicrohttpd keeps of it, and the answer's header. */
enum { POOL_OVERHEAD_BYTES = 4 * 1024, TRIM_AFTER_CONNECTIONS = 500 };

/* All calls of libmicrohttpd come from one thread. Newer versions must be told so, or they put off what
 * MHD_add_connection does, and connections are counted late. */
#if MHD_VERSION >= 0x00097707
#define NO_THREAD_SAFETY ((unsigned)MHD_USE_NO_THREAD_SAFETY)
#else
#define NO_THREAD_SAFETY 0U
#endif

int64_t http_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void http_server_settings_init(struct http_server_settings *settings) {
  *settings = (struct http_server_settings){
      .workers = 2,
      .connections_max = 12000,
      .waiting_max = 4096,
      .waiting_age_max_ms = 1000,
      .crowd_age_max_ms = 100,
      .waiting_for_keys_max = 256,
      .held_max = 2000,
      .body_bytes_max = 128LL * 1024 * 1024,
      .body_bytes_discarded = 8LL * 1024 * 1024,
      .header_bytes_max = 18 * 1024, /* a token may have 8 KiB; a larger one is answered 401, not 431 */
      .header_timeout_ms = 10000,
      .body_timeout_ms = 30000,
      .idle_timeout_ms = 60000,
      .answer_timeout_ms = 30000,
  };
}

const char *http_server_address(const struct http_server *server) { return server->address; }
int http_server_port(const struct http_server *server) { return server->port; }

void http_server_wake(struct http_server *server) {
  uint64_t one = 1;
  ssize_t written;
  do written = write(server->wake_fd, &one, sizeof one);
  while (written < 0 && errno == EINTR);
}

/* libmicrohttpd tells of a bad certificate only here. Later it tells of every broken connection, which
 * is nobody's concern. */
static void note_message(void *context, const char *format, va_list values)
    __attribute__((format(printf, 2, 0)));
static void note_message(void *context, const char *format, va_list values) {
  struct http_server *server = context;
  if (server->started) return;
  vsnprintf(server->mhd_message, sizeof server->mhd_message, format, values);
  server->mhd_message[strcspn(server->mhd_message, "\n")] = '\0';
}

static bool start_daemon(struct http_server *server, struct failure *ret_failure) {
  const struct http_server_settings *settings = &server->settings;
  bool tls = settings->certificate_pem.size > 0 || settings->key_pem.size > 0;
  if (tls && (settings->certificate_pem.size == 0 || settings->key_pem.size == 0))
    return failure_set(ret_failure, "HTTPS needs both a certificate and its key");
  if (tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
    return failure_set(ret_failure, "this libmicrohttpd was built without TLS");
  server->certificate = strndup(tls ? settings->certificate_pem.data : "", settings->certificate_pem.size);
  server->key = strndup(tls ? settings->key_pem.data : "", settings->key_pem.size);
  if (!server->certificate || !server->key) panic("out of memory");
  struct MHD_OptionItem tls_options[] = {
      {MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
      {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
      {MHD_OPTION_END, 0, NULL}};
  unsigned flags = (unsigned)MHD_USE_EPOLL | NO_THREAD_SAFETY | (unsigned)MHD_ALLOW_SUSPEND_RESUME |
                   (unsigned)MHD_USE_NO_LISTEN_SOCKET | (unsigned)MHD_USE_ERROR_LOG |
                   (tls ? (unsigned)MHD_USE_TLS : 0U);
  server->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, http_call_continue, server, MHD_OPTION_EXTERNAL_LOGGER, note_message, server,
      MHD_OPTION_URI_LOG_CALLBACK, http_call_begin, server, MHD_OPTION_NOTIFY_COMPLETED, http_call_completed,
      server, MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, server, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)settings->connections_max + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0U, /* ours are absolute */
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->header_bytes_max + POOL_OVERHEAD_BYTES,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
      tls ? tls_options : &tls_options[COUNT_OF(tls_options) - 1], MHD_OPTION_END);
  if (!server->daemon)
    return failure_set(ret_failure, "cannot start the HTTP server: %s",
                       server->mhd_message[0] ? server->mhd_message : "libmicrohttpd refused");
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  ensure(info);
  server->epoll_fd = info->epoll_fd;
  return true;
}

/* Calls that workers and the keys' thread have given back: resumed, or opened again. */
static void take_done(struct http_server *server) {
  pthread_mutex_lock(&server->done_mutex);
  struct http_calls done = server->done;
  server->done = (struct http_calls){0};
  pthread_mutex_unlock(&server->done_mutex);
  struct http_call *call;
  while ((call = http_calls_pop(&done))) {
    if (call->reopen && !http_call_reopen(server, call)) continue;
    call->state = CALL_READY;
    MHD_resume_connection(call->connection->mhd);
  }
}

static int64_t sooner(int64_t a_ms, int64_t b_ms) {
  return a_ms < 0 ? b_ms : b_ms < 0 || a_ms < b_ms ? a_ms : b_ms;
}

static int64_t time_to_wait(struct http_server *server, int64_t timers_ms) {
  MHD_UNSIGNED_LONG_LONG mhd_ms;
  if (MHD_get_timeout(server->daemon, &mhd_ms) == MHD_YES)
    timers_ms = sooner(timers_ms, mhd_ms > 1000 ? 1000 : (int64_t)mhd_ms);
  return sooner(timers_ms, 60000);
}

/* After a spike glibc keeps the connections' memory for itself; an idle server needs none of it. */
static void give_memory_back(struct http_server *server) {
  if (server->connection_count > server->connection_peak) server->connection_peak = server->connection_count;
  if (server->connection_count > 0 || server->connection_peak < TRIM_AFTER_CONNECTIONS) return;
  server->connection_peak = 0;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

/* One turn: wait, accept, resume, let libmicrohttpd read and write, hand over what was opened. */
static void turn(struct http_server *server, int64_t timers_ms) {
  int64_t now_ms = http_now_ms();
  bool accepting = server->listen_fd >= 0 && now_ms >= server->accept_again_ms;
  if (server->listen_fd >= 0 && !accepting) timers_ms = sooner(timers_ms, server->accept_again_ms - now_ms);
  if (server->gathered.count > 0) timers_ms = 0;
  struct pollfd fds[] = {
      {.fd = server->epoll_fd, .events = POLLIN},
      {.fd = server->wake_fd, .events = POLLIN},
      {.fd = accepting ? server->listen_fd : -1, .events = POLLIN},
      {.fd = server->lingering.count > 0 ? server->lingering.epoll_fd : -1, .events = POLLIN}};
  int ready = poll(fds, COUNT_OF(fds), (int)time_to_wait(server, timers_ms));
  if (ready > 0 && fds[1].revents) {
    uint64_t count;
    (void)!read(server->wake_fd, &count, sizeof count);
    take_done(server);
  }
  if (ready > 0 && fds[2].revents) http_listener_gather(server);
  http_listener_add_gathered(server);
  MHD_run(server->daemon);
  if (server->opened.count > 0) http_queue_push(&server->work, &server->opened);
  give_memory_back(server);
}

static int64_t run_timers(struct http_server *server) {
  int64_t now_us = http_now_us();
  int64_t wait_ms = http_connections_expire(server, now_us / 1000);
  wait_ms = sooner(wait_ms, http_holds_expire(server, now_us));
  return sooner(wait_ms, http_linger_run(&server->lingering, now_us / 1000));
}

/* Until the last connection has ended, or the grace is over. */
static void wind_down(struct http_server *server) {
  int64_t end_ms = http_now_ms() + atomic_load(&server->grace_ms);
  http_listener_gather(server); /* else the kernel would reset those that it has accepted */
  while (server->gathered.count > 0) http_listener_add_gathered(server);
  http_listener_close(server);
  http_connections_stop_idle(server);
  while (server->connection_count > 0 || server->lingering.count > 0) {
    int64_t timers_ms = run_timers(server);
    int64_t left_ms = end_ms - http_now_ms();
    if (left_ms <= 0) break;
    turn(server, sooner(timers_ms, left_ms));
  }
  http_connections_cut_all(server);
  http_holds_expire(server, http_now_us());
  http_work_join(server);
  server->work_ended = true;
  for (int i = 0; i < 3; i++) { /* resume, write, clean up: libmicrohttpd takes suspended ones amiss */
    take_done(server);
    MHD_run(server->daemon);
  }
}

static void *loop(void *context) {
  struct http_server *server = context;
  while (!http_server_is_stopping(server)) turn(server, run_timers(server));
  wind_down(server);
  MHD_stop_daemon(server->daemon);
  server->daemon = NULL;
  return NULL;
}

static void release(struct http_server *server) {
  if (server->daemon) MHD_stop_daemon(server->daemon);
  http_listener_close(server);
  http_listener_release(server);
  http_linger_release(&server->lingering);
  http_call_pool_free(server);
  if (server->wake_fd >= 0) close(server->wake_fd);
  http_queue_release(&server->work);
  http_queue_release(&server->keys);
  http_holds_release(&server->holds);
  pthread_mutex_destroy(&server->done_mutex);
  free(server->certificate);
  if (server->key) explicit_bzero(server->key, strlen(server->key));
  free(server->key);
  free(server);
}

static bool start(struct http_server *server, struct failure *ret_failure) {
  http_listener_fit_descriptors(server);
  if (server->wake_fd < 0 || !http_linger_init(&server->lingering))
    return failure_set(ret_failure, "cannot start the HTTP server: no more descriptors");
  if (!http_listener_open(server, ret_failure) || !start_daemon(server, ret_failure)) return false;
  if (!http_work_start(server, ret_failure)) return false;
  server->started = true;
  if (pthread_create(&server->loop_thread, NULL, loop, server) == 0) return true;
  http_work_join(server);
  return failure_set(ret_failure, "cannot start a thread: the limit of threads is reached");
}

bool http_server_start(const struct http_server_settings *settings, struct gateway *gateway,
                       struct http_server **ret_server, struct failure *ret_failure) {
  struct http_server *server = calloc(1, sizeof *server);
  if (!server) panic("out of memory");
  server->settings = *settings;
  server->gateway = gateway;
  server->listen_fd = -1;
  server->lingering.epoll_fd = -1;
  server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  http_queue_init(&server->work);
  http_queue_init(&server->keys);
  http_holds_init(&server->holds);
  ensure(pthread_mutex_init(&server->done_mutex, NULL) == 0);
  if (start(server, ret_failure)) {
    *ret_server = server;
    return true;
  }
  release(server);
  return false;
}

void http_server_stop(struct http_server *server, int64_t grace_ms) {
  if (server->joined) return;
  atomic_store(&server->grace_ms, grace_ms);
  atomic_store(&server->stopping, true);
  http_server_wake(server);
  pthread_join(server->loop_thread, NULL);
  server->joined = true;
}

void http_server_free(struct http_server *server) {
  if (!server) return;
  http_server_stop(server, 0);
  release(server);
}
