/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What happens around the library: forks, dying threads, signals at load.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core.h"

_Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
_Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));
_Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));

/*
 * A word that is 1 here and 0 in every child: the kernel wipes its page on
 * any fork, also on a clone that passes pthread_atfork by. pthread_atfork
 * clears it as well: some kernels cannot wipe, and some (qemu-user) only say
 * that they will. It has the page for itself.
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

/*
 * Another thread may free the executor meanwhile. It makes the generation even
 * and then waits until nobody is leaving; here it is the other way round.
 */
static void abandon(struct pillion__executor *ex, void *serial) {
  if (atomic_load(&ex->owner) != *(uint64_t *)serial) return;
  atomic_fetch_add(&ex->visitors, 1);
  uint64_t gen = atomic_load(&ex->gen);
  if (gen % 2 == 1 && atomic_load(&ex->owner) == *(uint64_t *)serial) {
    atomic_store(&ex->closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
    if (ex->worker != NULL) pillion__worker_leave(ex);
    pillion__tasks_drop(ex);
    if (ex->guest_known) pillion__guest.free(ex->index);
    pillion__watches_close(ex);
    ex->guest_known = ex->guest_more = 0;
    atomic_store(&ex->coroutines, 0);
    pillion__poke(ex); /* who takes it over finds events */
    atomic_store(&ex->owner, 0);
  }
  atomic_fetch_sub(&ex->visitors, 1);
}

static void thread_ends(void *serial) {
  if (pillion__forked()) return;
  pillion__turning = 1; /* for drops */
  pillion__executor_each(abandon, serial);
  pillion__turning = 0;
  pillion__serial = 0; /* a later destructor may begin again */
}

/*
 * Go's threads are born in its constructor, with the mask that they find:
 * with everything blocked they never take a signal that is meant for the
 * host. Priority 101 is the first that a library may use; a constructor
 * without one comes after Go's.
 */
static sigset_t host_mask;

__attribute__((constructor(101))) static void before_go(void) {
  sigset_t all;
  watch_forks();
  pthread_key_create(&key, thread_ends);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &host_mask);
}

__attribute__((constructor)) static void after_go(void) {
  pthread_sigmask(SIG_SETMASK, &host_mask, NULL);
}

/*
 * A thread of ours, born with all signals blocked but those that a fault of its
 * own raises: the others are the host's. 0 or an error of pthread_create's.
 */
int pillion__thread_start(pthread_t *out, void *(*body)(void *data),
                          void *data) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
                               SIGSYS};
  sigset_t blocked, old;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, &old);
  int error = pthread_create(out, NULL, body, data);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return error;
}
