/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Descriptors of the library's own. None is 0, 1 or 2: in a process that has
 * closed those, a write to stderr would go into it, and daemon(3) would put
 * /dev/null in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/base.h"

#define ABOVE_STDIO 3

/*
 * A cancelled thread ends after this, and not before the close. It leaves errno
 * as it is.
 */
void pillion__descriptor_close(int fd) {
  int cancels, saved = errno;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  close(fd);
  pthread_setcancelstate(cancels, NULL);
  errno = saved;
}

/* Both answer -1 and set errno. */
int pillion__descriptor_copy(int fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_STDIO);
}

static int above_stdio(int fd) {
  if (fd < 0 || fd >= ABOVE_STDIO) return fd;
  int above = pillion__descriptor_copy(fd);
  pillion__descriptor_close(fd);
  return above;
}

int pillion__descriptor_event(void) {
  return above_stdio(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

int pillion__descriptor_timer(void) {
  return above_stdio(
      timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
}

int pillion__descriptor_epoll(void) {
  return above_stdio(epoll_create1(EPOLL_CLOEXEC));
}

/* One descriptor that is readable while either of two is. */
int pillion__descriptor_set(int event, int timer) {
  struct epoll_event readable = {.events = EPOLLIN};
  int set = pillion__descriptor_epoll();
  if (set < 0 || (epoll_ctl(set, EPOLL_CTL_ADD, event, &readable) == 0 &&
                  epoll_ctl(set, EPOLL_CTL_ADD, timer, &readable) == 0))
    return set;
  pillion__descriptor_close(set);
  return -1;
}

/*
 * Poking and taking pokes out. A cancelled thread would end inside the C
 * library's write(2) or read(2), and leave a poker counted, or Go asleep. So
 * these make the bare system calls. Both preserve errno if they succeed.
 */
bool pillion__descriptor_poke(int fd) {
  uint64_t one = 1;
  return syscall(SYS_write, fd, &one, sizeof one) == sizeof one;
}

bool pillion__descriptor_empty(int fd) {
  uint64_t count;
  return syscall(SYS_read, fd, &count, sizeof count) == sizeof count;
}

/* What is ready in an epoll set, without a wait. */
int pillion__descriptor_look(int set, struct epoll_event *events, int cap) {
  int saved = errno;
  int n = (int)syscall(SYS_epoll_pwait, set, events, cap, 0, NULL, 0);
  errno = saved;
  return n;
}

/* 0 ns: never; it also forgets an expiry that it has reported. */
void pillion__descriptor_arm(int timer, uint32_t ns) {
  struct itimerspec after = {{0, 0}, {ns / 1000000000, ns % 1000000000}};
  int saved = errno;
  timerfd_settime(timer, 0, &after, NULL);
  errno = saved;
}
