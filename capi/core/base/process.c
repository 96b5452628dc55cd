/* SPDX-License-Identifier: Apache-2.0 */

/* The library's process: forks, and threads that end. */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

_Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
_Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));

/*
 * A word that is 1 here and 0 in every child: the kernel wipes its page on any
 * fork, also on a clone that does not run pthread_atfork. pthread_atfork clears
 * it as well: some kernels cannot wipe, and some (qemu-user) only claim that
 * they will. The word has the page for itself.
 */
union pillion__page pillion__alive = {0};

static void in_child(void) { pillion__alive.word = 0; }

static void watch_forks(void) {
#ifdef MADV_WIPEONFORK
  if ((size_t)sysconf(_SC_PAGESIZE) <= sizeof pillion__alive)
    madvise(&pillion__alive, sizeof pillion__alive, MADV_WIPEONFORK);
#endif
  pillion__alive.word = 1;
  pthread_atfork(NULL, NULL, in_child);
}

/*
 * Threads. The serial is never reused, unlike a pthread_t or an address. The
 * key's destructor must run before Go's own, which gives up the thread's
 * place in Go's scheduler: keys are destroyed in the order of their creation,
 * so ours is created before Go starts.
 */
static pthread_key_t key;
static _Atomic uint64_t serials;

uint64_t pillion__serial_new(void) {
  pillion__serial = atomic_fetch_add(&serials, 1) + 1;
  pthread_setspecific(key, &pillion__serial);
  return pillion__serial;
}

/* Before Go starts. Each thread that has a serial calls `thread_ends`. */
void pillion__process_watch(void (*thread_ends)(void *serial)) {
  watch_forks();
  pthread_key_create(&key, thread_ends);
}

/*
 * A thread of ours. It blocks all signals but those of its own faults, since
 * the others are the host's. 0 or an error of pthread_create's.
 */
int pillion__thread_start(pthread_t *out, void *(*body)(void *data),
                          void *data) {
  static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                               SIGILL,  SIGTRAP, SIGSYS};
  sigset_t blocked, old;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, &old);
  int error = pthread_create(out, NULL, body, data);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return error;
}
