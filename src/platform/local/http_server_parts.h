/* Inside of platform/local/http_server.h. A file each:
 *   http_server.c        start, the loop thread, stop
 *   http_listener.c      addresses, accepting, what is beyond the limit
 *   http_connection.c    connections and their deadlines
 *   http_call.c          one request, from its first line to its answer
 *   http_check.c         framing and sizes of a request's header
 *   http_work.c          the queues and threads behind the loop
 *   http_hold.c          requests that wait for an order
 *   http_linger.c        closing without losing the answer */
#ifndef PLATFORM_LOCAL_HTTP_SERVER_PARTS_H
#define PLATFORM_LOCAL_HTTP_SERVER_PARTS_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/text.h"
#include "platform/local/http_server.h"
#include "wire/problem.h"

enum http_deadline { /* each kind has one duration, so that its list is in the order of deadlines */
                     HTTP_DEADLINE_HEADER,
                     HTTP_DEADLINE_BODY,
                     HTTP_DEADLINE_IDLE,
                     HTTP_DEADLINE_ANSWER,
                     HTTP_DEADLINE_COUNT,
                     HTTP_DEADLINE_NONE = HTTP_DEADLINE_COUNT
};

struct http_call;

/* Touched by the loop thread only. */
struct http_connection {
  struct http_server *server;
  struct MHD_Connection *mhd;
  int fd;
  bool leaves;              /* it is being ended to make room for another one */
  bool linger;              /* the client may still send: close in a way that does not destroy the answer */
  int64_t gathered_wait_us; /* in a crowd, before it was begun; its first request takes it over */
  enum http_deadline deadline;
  int64_t due_ms;
  struct http_connection *earlier, *later; /* in its deadline's list */
  struct http_call *call;                  /* the request under way, NULL between two */
};

struct http_connections {
  struct http_connection *first, *last;
};

enum http_call_state {
  CALL_NEW,     /* its first line has been read */
  CALL_READING, /* its header has been checked, its body comes */
  CALL_WAITING, /* suspended: with a worker, a queue, the held ones */
  CALL_READY,   /* the answer is complete */
  CALL_SENT
};

enum http_hold_state { HOLD_NONE, HOLD_SETTLING, HOLD_RESTING };

/* One request. The loop thread's, but for CALL_WAITING: then it is whose list it is on. */
struct http_call {
  struct exchange exchange; /* first */
  struct http_connection *connection;
  struct http_call *next; /* in the queue it waits in, or the pool */
  enum http_call_state state;
  bool reopen;       /* newer keys may have come: gateway_open again */
  bool keys_fetched; /* … once */
  bool body_overflow;
  bool body_refused; /* no memory for it */
  struct text body;
  size_t discarded_bytes;
  int64_t queued_us;
  int64_t waited_us; /* before the request was read */
  /* the response as gateway_open left it, so that gateway_serve can be called again */
  int opened_status;
  size_t opened_header_count;
  bool opened_close;
  /* http_hold.c */
  enum http_hold_state hold;
  bool hold_over; /* answer now, as it is */
  bool hold_woken;
  int64_t hold_due_us;
  char hold_id[ORDER_ID_CHARACTERS]; /* the exchange's own belongs to the gateway */
  struct http_call *hold_next;       /* in its bucket */
};

struct http_calls {
  struct http_call *first, *last;
  size_t count;
};

static inline void http_calls_push(struct http_calls *calls, struct http_call *call) {
  call->next = NULL;
  if (calls->last)
    calls->last->next = call;
  else
    calls->first = call;
  calls->last = call;
  calls->count++;
}

static inline struct http_call *http_calls_pop(struct http_calls *calls) {
  struct http_call *call = calls->first;
  if (!call) return NULL;
  calls->first = call->next;
  if (!calls->first) calls->last = NULL;
  calls->count--;
  return call;
}

static inline void http_calls_append(struct http_calls *calls, struct http_calls *more) {
  if (!more->first) return;
  if (calls->last)
    calls->last->next = more->first;
  else
    calls->first = more->first;
  calls->last = more->last;
  calls->count += more->count;
  *more = (struct http_calls){0};
}

struct http_queue {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  struct http_calls calls;
  bool ending;                    /* threads end once it is empty */
  atomic_size_t count;            /* copies that the loop may read without the mutex */
  atomic_int_least64_t oldest_us; /* when the first one was queued; 0: empty */
};

enum { HOLD_BUCKETS = 1024, LINGERING_MAX = 256, HTTP_WORKERS_MAX = 64, CALL_POOL_MAX = 256 };

struct http_holds {
  pthread_mutex_t mutex;
  struct http_call *buckets[HOLD_BUCKETS];
  atomic_size_t count;
  atomic_int_least64_t next_due_us; /* not later than the earliest; INT64_MAX: none */
};

struct http_lingering {
  int epoll_fd;
  size_t count;
  struct {
    int fd; /* -1: free */
    int64_t due_ms;
  } entries[LINGERING_MAX];
};

/* Connections taken from the kernel and not yet handed to libmicrohttpd. */
struct http_gathered {
  struct http_gathered_connection {
    int fd;
    bool in_crowd; /* more were ahead of it than are begun in one turn */
    int64_t at_us;
    union {
      struct sockaddr any;
      struct sockaddr_in in;
      struct sockaddr_in6 in6;
    } address;
  } * entries; /* a ring */
  size_t capacity, first, count;
};

struct http_server {
  struct http_server_settings settings;
  struct gateway *gateway;
  struct MHD_Daemon *daemon;
  int epoll_fd;  /* libmicrohttpd's */
  int wake_fd;   /* eventfd: done, stop */
  int listen_fd; /* -1 once it stops */
  int port;
  char address[128];
  char *certificate, *key; /* as C strings, for libmicrohttpd */
  char mhd_message[200];   /* what libmicrohttpd complained of while it started */
  bool started;

  /* the loop thread's */
  struct http_connections deadlines[HTTP_DEADLINE_COUNT];
  size_t connection_count, connection_peak, leaving_count;
  size_t calls_until_gather;
  int64_t body_bytes;
  struct http_calls opened; /* to be queued for a worker after this turn */
  struct http_call *pool;
  size_t pool_count;
  struct http_lingering lingering;
  struct http_gathered gathered;
  int64_t adding_wait_us;  /* gathered_wait_us of the connection that libmicrohttpd is being given */
  bool work_ended;         /* nobody would serve what is queued now */
  int64_t accept_again_ms; /* not before: no descriptor was left */

  struct http_queue work, keys;
  struct http_holds holds;
  pthread_mutex_t done_mutex;
  struct http_calls done;
  atomic_bool stopping;
  atomic_int_least64_t grace_ms;
  pthread_t loop_thread, keys_thread, worker_threads[HTTP_WORKERS_MAX];
  size_t worker_count;
  bool joined;
};

static inline bool http_server_is_stopping(struct http_server *server) {
  return atomic_load(&server->stopping);
}

int64_t http_now_us(void); /* monotonic */
static inline int64_t http_now_ms(void) { return http_now_us() / 1000; }
void http_server_wake(struct http_server *server);

/* http_listener.c */
MUST_USE bool http_listener_open(struct http_server *server, struct failure *ret_failure);
/* Takes all waiting connections from the kernel, whose queue is short (net.core.somaxconn): a client that
 * finds no room in it tries again only a second later. Cheap; may be called within libmicrohttpd. */
void http_listener_gather(struct http_server *server);
/* Hands gathered connections to libmicrohttpd, a bounded number of them, so that a turn stays short. */
void http_listener_add_gathered(struct http_server *server);
void http_listener_close(struct http_server *server);
void http_listener_release(struct http_server *server);
/* Raises the limit of descriptors as far as it goes, and lowers connections_max to what fits. */
void http_listener_fit_descriptors(struct http_server *server);

/* http_connection.c */
void http_connection_notify(void *server, struct MHD_Connection *mhd, void **context,
                            enum MHD_ConnectionNotificationCode code);
struct http_connection *http_connection_of(struct MHD_Connection *mhd);
void http_connection_set_deadline(struct http_connection *connection, enum http_deadline deadline);
/* Ends connections past their deadlines; the time until the next one, -1 where there is none. */
int64_t http_connections_expire(struct http_server *server, int64_t now_ms);
void http_connections_stop_idle(struct http_server *server);
/* Ends connections between two requests, the one that has been so longest first, until `wanted` of them are
 * leaving. False where none leaves: all are in use. */
bool http_connections_make_room(struct http_server *server, size_t wanted);
/* A request has come after all: it is answered, and makes no room. */
void http_connection_stays(struct http_connection *connection);
void http_connections_cut_all(struct http_server *server);

/* http_check.c: false where the header must be refused; then `ret_problem` and `ret_detail` say why. */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_KNOWN, HTTP_BODY_CHUNKED };
struct http_framing {
  enum http_body_kind kind;
  unsigned long long length_bytes; /* KNOWN */
};
MUST_USE bool http_check_header(const struct http_request *request, bool is_http_1_0, size_t header_bytes_max,
                                struct http_framing *ret_framing, enum problem *ret_problem,
                                const char **ret_detail);

/* http_call.c */
void *http_call_begin(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_call_continue(void *server, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **context);
void http_call_completed(void *server, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode reason);
/* Takes back a request that libmicrohttpd began and never completed, as it does with one whose query has more
 * parameters than it has room for. Called at the connection's end. */
void http_call_abandon(struct http_server *server, struct http_connection *connection);
/* After newer keys were fetched; true where the answer is complete now. */
bool http_call_reopen(struct http_server *server, struct http_call *call);
void http_call_pool_free(struct http_server *server);

/* http_work.c */
void http_queue_init(struct http_queue *queue);
void http_queue_release(struct http_queue *queue);
/* Moves all of `calls` to the queue's end, and wakes one thread. */
void http_queue_push(struct http_queue *queue, struct http_calls *calls);
void http_queue_end(struct http_queue *queue);
/* `waited_us`: how long the request has waited already. */
bool http_work_is_full(struct http_server *server, size_t about_to_be_queued, int64_t waited_us,
                       int64_t now_us);
MUST_USE bool http_work_start(struct http_server *server, struct failure *ret_failure);
/* Returns once everything queued has been served. */
void http_work_join(struct http_server *server);
/* Gives calls back to the loop. */
void http_work_done(struct http_server *server, struct http_calls *calls);

/* http_hold.c */
void http_holds_init(struct http_holds *holds);
void http_holds_release(struct http_holds *holds);
/* Takes the call in, if there is room; it must then be served once more and settled. */
bool http_hold_register(struct http_server *server, struct http_call *call);
enum http_hold_outcome { HOLD_RESTS, HOLD_SERVE_AGAIN, HOLD_ENDED };
enum http_hold_outcome http_hold_settle(struct http_server *server, struct http_call *call);
/* Queues those whose time is over, all of them where the server stops; the time until the next in
 * milliseconds, -1 where there is none. */
int64_t http_holds_expire(struct http_server *server, int64_t now_us);

/* http_linger.c: keeps a connection's descriptor for a short while and throws away what comes in, for
 * the kernel answers unread bytes with a reset, which can overtake the answer. Takes `fd` over. */
MUST_USE bool http_linger_init(struct http_lingering *lingering);
void http_linger_release(struct http_lingering *lingering);
void http_linger(struct http_lingering *lingering, int fd, int64_t now_ms);
/* Reads and ends; the time until the next deadline, -1 where there is none. */
int64_t http_linger_run(struct http_lingering *lingering, int64_t now_ms);

#endif
