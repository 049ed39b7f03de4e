#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/local/http_server_parts.h"

enum { LINGER_MS = 2000, READS_PER_TURN = 16 };

bool http_linger_init(struct http_lingering *lingering) {
  lingering->count = 0;
  for (size_t i = 0; i < LINGERING_MAX; i++) lingering->entries[i].fd = -1;
  lingering->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return lingering->epoll_fd >= 0;
}

static void end(struct http_lingering *lingering, size_t index) {
  close(lingering->entries[index].fd); /* which also takes it out of the epoll set */
  lingering->entries[index].fd = -1;
  lingering->count--;
}

void http_linger_release(struct http_lingering *lingering) {
  for (size_t i = 0; i < LINGERING_MAX; i++)
    if (lingering->entries[i].fd >= 0) end(lingering, i);
  if (lingering->epoll_fd >= 0) close(lingering->epoll_fd);
  lingering->epoll_fd = -1;
}

void http_linger(struct http_lingering *lingering, int fd, int64_t now_ms) {
  shutdown(fd, SHUT_WR);
  if (lingering->count == LINGERING_MAX) {
    close(fd);
    return;
  }
  size_t index = 0;
  while (lingering->entries[index].fd >= 0) index++;
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
  if (epoll_ctl(lingering->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    close(fd);
    return;
  }
  lingering->entries[index].fd = fd;
  lingering->entries[index].due_ms = now_ms + LINGER_MS;
  lingering->count++;
}

/* False at the end of what the client sends, or where the connection broke. */
static bool discard(int fd) {
  char data[16 * 1024];
  for (int i = 0; i < READS_PER_TURN; i++) {
    ssize_t size = recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (size > 0) continue;
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return true;
}

int64_t http_linger_run(struct http_lingering *lingering, int64_t now_ms) {
  if (lingering->count == 0) return -1;
  struct epoll_event events[64];
  int ready = epoll_wait(lingering->epoll_fd, events, 64, 0);
  for (int i = 0; i < ready; i++)
    if (!discard(lingering->entries[events[i].data.u64].fd)) end(lingering, events[i].data.u64);
  int64_t wait_ms = -1;
  for (size_t i = 0; i < LINGERING_MAX; i++) {
    if (lingering->entries[i].fd < 0) continue;
    int64_t left_ms = lingering->entries[i].due_ms - now_ms;
    if (left_ms <= 0)
      end(lingering, i);
    else if (wait_ms < 0 || left_ms < wait_ms)
      wait_ms = left_ms;
  }
  return wait_ms;
}
