/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Go ends the process if it gets no poller for its descriptors, or no thread.
 * So the start tries both here first, where a refusal is an error.
 */
#include <errno.h>
#include <unistd.h>

#include "library/library.h"

#define THREADS 4 /* for the dispatcher, a worker, and Go itself */

static void *wait_for_all(void *lock) {
  pthread_mutex_lock(lock);
  pthread_mutex_unlock(lock);
  return NULL;
}

/*
 * Before any thread enters Go: a thread that enters waits until Go has its own.
 */
int pillion__probe_threads(struct pillion__why why) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_t threads[THREADS];
  int n = 0;
  pthread_mutex_lock(&lock);
  do errno = pillion__thread_start(&threads[n], wait_for_all, &lock);
  while (errno == 0 && ++n < THREADS);
  int rc = errno == 0 ? 0 : pillion__fail_system(why, "no threads for Go");
  pthread_mutex_unlock(&lock);
  while (n > 0) pthread_join(threads[--n], NULL);
  return rc;
}

/* Go is going to watch `fd`, in an epoll set with a descriptor of its own. */
int pillion__probe_poller(int fd, struct pillion__why why) {
  int other = pillion__descriptor_event(), set = -1, rc = 0;
  if (other >= 0) set = pillion__descriptor_set(other, fd);
  if (set < 0) rc = pillion__fail_system(why, "no epoll for Go's descriptors");
  if (other >= 0) close(other);
  if (set >= 0) close(set);
  return rc;
}
