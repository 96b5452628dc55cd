/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A host's thread inside Go. There it stands on a goroutine's small stack, on
 * which no handler of the host's may run. So signals wait until the thread is
 * back. For signals that a handler with SA_ONSTACK takes meanwhile, the thread
 * gets a large, guarded signal stack, before Go would give it one of 32 KiB
 * without a guard.
 */
#include <sys/mman.h>

#include "guest/guest.h"

/* The guard is wider than most frames, so that none leaps over it. */
#define SIGNAL_STACK ((size_t)512 << 10)
#define GUARD ((size_t)64 << 10)

static pthread_key_t stack_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sigset_t visiting; /* the mask of a thread that is in Go */
static _Thread_local bool has_stack __attribute__((tls_model("initial-exec")));

/*
 * The thread ends. Coroutines of another library may end in its destructors,
 * which may come after this one, and have no other signal stack. So the stack
 * goes in the next round of destructors, for which the key gets an odd value. A
 * later entry into Go makes another.
 */
static void stack_take_back(void *value) {
  stack_t now, none = {.ss_flags = SS_DISABLE};
  if ((uintptr_t)value % 2 == 0) {
    pthread_setspecific(stack_key, (char *)value + 1);
    return;
  }
  char *base = (char *)value - 1;
  if (sigaltstack(NULL, &now) == 0 && now.ss_sp == base + GUARD)
    sigaltstack(&none, NULL);
  has_stack = false;
  munmap(base, GUARD + SIGNAL_STACK);
}

/*
 * These stay open: faults, the signal that preempts goroutines, and the SIGPIPE
 * of a write in Go, which Go's own handler turns into an error of the write.
 */
static void prepare(void) {
  static const int own[] = {
      SIGSEGV,   SIGBUS,  SIGFPE, SIGILL,  SIGTRAP,
      SIGSYS,    SIGABRT, SIGURG, SIGPIPE,
#ifdef SIGSTKFLT
      SIGSTKFLT,
#endif
  };
  sigfillset(&visiting);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(&visiting, own[i]);
  pthread_key_create(&stack_key, stack_take_back);
}

/* Without memory the thread goes on with Go's signal stack. */
static void stack_give(void) {
  pthread_once(&once, prepare);
  has_stack = true;
  stack_t now;
  if (sigaltstack(NULL, &now) < 0 || !(now.ss_flags & SS_DISABLE))
    return; /* the host has set one */
  char *base = mmap(NULL, GUARD + SIGNAL_STACK, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return;
  stack_t ours = {.ss_sp = base + GUARD, .ss_size = SIGNAL_STACK};
  if (mprotect(base, GUARD, PROT_NONE) < 0 ||
      pthread_setspecific(stack_key, base) != 0 ||
      sigaltstack(&ours, NULL) < 0) {
    pthread_setspecific(stack_key, NULL);
    munmap(base, GUARD + SIGNAL_STACK);
  }
}

/*
 * Go has one place ready for a thread that comes for the first time, and makes
 * another once the thread is inside. A second one that comes meanwhile spins:
 * for ever, if its real-time priority keeps the first from getting there. So
 * threads come one by one, and wait here asleep.
 */
static void arrive(void) {
  static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&one_by_one);
  pillion__guest.arrive();
  pthread_mutex_unlock(&one_by_one);
}

void pillion__visit_begin(sigset_t *mask) {
  bool first = !has_stack;
  if (PILLION__UNLIKELY(first)) stack_give();
  pthread_sigmask(SIG_SETMASK, &visiting, mask);
  if (PILLION__UNLIKELY(first)) arrive();
}

void pillion__visit_end(const sigset_t *mask) {
  pthread_sigmask(SIG_SETMASK, mask, NULL);
}
