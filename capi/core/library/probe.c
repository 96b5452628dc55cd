/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go ends the process if it gets no poller for its descriptors, or no thread.
 * So the start tries both here first, where a refusal is an error.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "library/library.h"

#define THREADS 4 /* for the dispatcher, a worker, and Go itself */

static bool watchable(int poller, int fd) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* An epoll set as Go's poller makes, with our descriptor in it. */
static int try_poller(int fd) {
  int error = 0, poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) return errno;
  int other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (other < 0 || !watchable(poller, other) || !watchable(poller, fd))
    error = errno;
  if (other >= 0) close(other);
  close(poller);
  return error;
}

static void *wait_for_all(void *lock) {
  pthread_mutex_lock(lock);
  pthread_mutex_unlock(lock);
  return NULL;
}

static int try_threads(void) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_t threads[THREADS];
  int n = 0, error = 0;
  pthread_mutex_lock(&lock);
  while (n < THREADS && error == 0) {
    error = pillion__thread_start(&threads[n], wait_for_all, &lock);
    if (error == 0) n++;
  }
  pthread_mutex_unlock(&lock);
  while (n > 0) pthread_join(threads[--n], NULL);
  return error;
}

/*
 * Before any thread enters Go: a thread that enters waits until Go has its own.
 */
int pillion__probe_threads(char *errbuf, size_t errcap) {
  errno = try_threads();
  return errno == 0 ? 0
                    : pillion__fail_system(errbuf, errcap, "no threads for Go");
}

/* Go is going to watch `fd`. */
int pillion__probe_poller(int fd, char *errbuf, size_t errcap) {
  errno = try_poller(fd);
  return errno == 0 ? 0
                    : pillion__fail_system(errbuf, errcap,
                                           "no epoll for Go's descriptors");
}
