/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program's own thread inside Go: which signals it takes there, on which
 * stack, and that it comes back unchanged.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "support.h"

#define KERNEL_SIGSET 8 /* bytes; the rest of a sigset_t is never written */

static atomic_int heard, elsewhere;
static char *stack_low, *stack_high; /* the turning thread's */

static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  assert_ok(sigaction(signal, &action, NULL));
}

static void where(int signal) {
  char here = (char)signal;
  heard++;
  if (&here < stack_low || &here >= stack_high) elsewhere++;
}

static void find_stack(void) {
  pthread_attr_t attributes;
  void *low;
  size_t size;
  assert_ok(pthread_getattr_np(pthread_self(), &attributes));
  assert_ok(pthread_attr_getstack(&attributes, &low, &size));
  pthread_attr_destroy(&attributes);
  stack_low = low;
  stack_high = stack_low + size;
}

static atomic_bool quiet;
static pthread_t target;
static void *send(void *data) {
  struct timespec nap = {0, 50000};
  while (!quiet) {
    pthread_kill(target, *(int *)data);
    nanosleep(&nap, NULL);
  }
  return NULL;
}

GIVEN(an_executor, handlers_run_on_the_threads_own_stack) {
  int number = SIGUSR1;
  pthread_t sender;
  struct seen seen = {0};
  find_stack();
  heard = elsewhere = 0;
  handle(SIGUSR1, where, SA_RESTART);
  target = pthread_self();
  quiet = false;
  for (int i = 0; i < 16; i++)
    submit(ex, "test.loop_garbage", "2000", i, PILLION_EVENT);
  assert_ok(pthread_create(&sender, NULL, send, &number));
  run(ex, &seen);
  quiet = true;
  assert_ok(pthread_join(sender, NULL));
  handle(SIGUSR1, SIG_DFL, 0);
  assert_int_equal(seen.count, 16);
  assert_true(heard > 0);
  assert_int_equal(elsewhere, 0);
}

/* Signals that Go itself needs stay open, and so do glibc's own two. */
GIVEN(an_executor, a_turn_in_go_holds_signals_back) {
  static const int open[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL, SIGTRAP, SIGSYS,
                             SIGABRT, SIGURG, SIGPIPE, SIGSTKFLT, SIGKILL, SIGSTOP,
                             32, 33};
  struct seen seen = {0};
  sigset_t before, after;
  submit(ex, "test.loop_mask", "", 1, PILLION_EVENT);
  assert_ok(pthread_sigmask(SIG_SETMASK, NULL, &before));
  run(ex, &seen);
  assert_ok(pthread_sigmask(SIG_SETMASK, NULL, &after));
  assert_memory_equal(&before, &after, KERNEL_SIGSET);
  assert_int_equal(seen.event[0].status, 0);
  uint64_t blocked = strtoull(seen.event[0].bytes, NULL, 16), want = ~UINT64_C(0);
  for (size_t i = 0; i < COUNT(open); i++) want &= ~(UINT64_C(1) << (open[i] - 1));
  assert_int_equal(blocked, want);
}

/* Every way into Go restores the mask. The test's mask is unlike Go's. */
TEST(every_entry_gives_the_mask_back) {
  struct seen seen = {0};
  sigset_t odd, now, before;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  sigemptyset(&odd);
  sigaddset(&odd, SIGHUP);
  sigaddset(&odd, SIGURG);
  assert_ok(pthread_sigmask(SIG_SETMASK, &odd, &before));
#define same_mask()                                          \
  (pthread_sigmask(SIG_SETMASK, NULL, &now),                 \
   assert_memory_equal(&odd, &now, KERNEL_SIGSET))
  assert_ok(pillion_shutdown(PILLION_CLOSE_CANCEL, LONG_ENOUGH));
  same_mask();
  assert_ok(pillion_start(NULL, NULL, 0));
  same_mask();
  pillion_executor ex = executor_new();
  submit(ex, "test.loop_yield", "3", 1, PILLION_EVENT);
  run(ex, &seen);
  same_mask();
  assert_ok(pillion_library_count(&counts));
  same_mask();
  assert_ok(pillion_executor_release(ex));
  same_mask();
  assert_ok(pillion_executor_bind(ex));
  submit(ex, "test.loop_block", "", 1, PILLION_DETACH);
  assert_int_equal(turn(ex, &seen, NULL), 0);
  executor_free(ex);
  same_mask();
  assert_ok(pthread_sigmask(SIG_SETMASK, &before, NULL));
}

/* ---- Stacks ------------------------------------------------------------- */

static atomic_int deep;
static void large(int signal) {
  volatile char frame[200 << 10];
  for (size_t i = 0; i < sizeof frame; i += 512) frame[i] = (char)signal;
  deep += frame[512] == signal;
}

static stack_t signal_stack(void) {
  stack_t stack;
  must(sigaltstack(NULL, &stack) == 0);
  return stack;
}

static int enter_go(void *data) {
  pillion_executor ex = 0;
  struct seen seen = {0};
  must(pillion_executor_new(&ex, NULL, NULL, 0) == 0);
  submit(ex, "test.loop_yield", "1", 1, PILLION_EVENT);
  must(pillion_poll_run(ex, see, &seen) == 0);
  must(pillion_executor_free(ex) == 0);
  if (data != NULL) *(stack_t *)data = signal_stack();
  must(raise(SIGUSR1) == 0);
  return 0;
}

TEST(a_handler_with_a_large_frame_has_room) {
  stack_t stack;
  deep = 0;
  handle(SIGUSR1, large, SA_ONSTACK);
  assert_ok(on_thread(enter_go, &stack));
  assert_int_equal(deep, 1);
  assert_true(stack.ss_size >= 256 << 10);
  handle(SIGUSR1, SIG_DFL, 0);
}

static bool mapped(const char *at) {
  unsigned char there;
  char *page = (char *)((uintptr_t)at & ~(uintptr_t)4095);
  return mincore(page, 4096, &there) == 0;
}

static const int nest[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGPROF, SIGIO, SIGWINCH};

/* Each handler interrupts the one before, and has a frame of 48 KiB. */
static void nested(int signal) {
  volatile char frame[48 << 10];
  for (size_t i = 0; i < sizeof frame; i += 512) frame[i] = (char)signal;
  deep++;
  for (size_t i = 0; i + 1 < COUNT(nest); i++)
    if (nest[i] == frame[512]) raise(nest[i + 1]);
}

TEST(handlers_that_interrupt_each_other_have_room) {
  deep = 0;
  for (size_t i = 0; i < COUNT(nest); i++) handle(nest[i], nested, SA_ONSTACK);
  assert_ok(on_thread(enter_go, NULL));
  for (size_t i = 0; i < COUNT(nest); i++) handle(nest[i], SIG_DFL, 0);
  assert_int_equal(deep, COUNT(nest));
}

/* Reports whether nothing can be read or written at `at`. */
static bool guarded(const char *at) {
  char line[256], rights[5] = "";
  unsigned long long low, high;
  FILE *maps = fopen("/proc/self/maps", "r");
  bool found = false;
  must(maps != NULL);
  while (!found && fgets(line, sizeof line, maps) != NULL)
    found = sscanf(line, "%llx-%llx %4s", &low, &high, rights) == 3 &&
            low <= (uintptr_t)at && (uintptr_t)at < high;
  fclose(maps);
  return found && strcmp(rights, "---p") == 0;
}

static int look_below(void *data) {
  stack_t stack;
  must(enter_go(&stack) == 0);
  must(!guarded(stack.ss_sp));
  for (int kib = 4; kib <= 64; kib += 4)
    must(guarded((char *)stack.ss_sp - kib * 1024));
  return 0;
}

TEST(the_stack_has_a_guard_below) {
  handle(SIGUSR1, large, SA_ONSTACK);
  assert_ok(on_thread(look_below, NULL));
  handle(SIGUSR1, SIG_DFL, 0);
}

/* A later key's destructor runs later. In its second round the signal stack is
   gone. */
static pthread_key_t late;
static int rounds;
static void raise_late(void *data) {
  sigset_t one;
  if (rounds++ == 0) must(pthread_setspecific(late, data) == 0);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL); /* Go has left the mask as it was */
  raise(SIGUSR1);
}

static int end_with_a_signal(void *data) {
  must(enter_go(NULL) == 0);
  must(pthread_setspecific(late, data) == 0);
  return 0;
}

TEST(a_signal_finds_a_dying_threads_own_stack) {
  assert_ok(pthread_key_create(&late, raise_late));
  handle(SIGUSR1, large, SA_ONSTACK);
  deep = rounds = 0;
  assert_ok(on_thread(end_with_a_signal, state));
  assert_int_equal(rounds, 2);
  assert_int_equal(deep, 3);
  handle(SIGUSR1, SIG_DFL, 0);
  assert_ok(pthread_key_delete(late));
}

/* Each thread that ends gives back its signal stack and the stack's guard. */
TEST(the_stack_goes_with_its_thread) {
  stack_t stack;
  handle(SIGUSR1, large, SA_ONSTACK);
  for (int i = 0; i < 50; i++) {
    assert_ok(on_thread(enter_go, &stack));
    assert_false(mapped(stack.ss_sp));
    assert_false(mapped((char *)stack.ss_sp - 1));
  }
  handle(SIGUSR1, SIG_DFL, 0);
}

static int with_an_own_stack(void *data) {
  stack_t ours = {.ss_sp = data, .ss_size = 512 << 10}, now;
  must(sigaltstack(&ours, NULL) == 0);
  must(enter_go(&now) == 0);
  return now.ss_sp == data && now.ss_size == ours.ss_size ? 0 : 1;
}

TEST(a_stack_of_the_programs_stays) {
  void *memory = malloc(512 << 10);
  handle(SIGUSR1, large, SA_ONSTACK);
  assert_ok(on_thread(with_an_own_stack, memory));
  handle(SIGUSR1, SIG_DFL, 0);
  free(memory);
}

/* ---- SIGPIPE ------------------------------------------------------------ */

static void broke(int signal) {
  heard++;
}

/* Runs before any library's constructor. */
static void before_load(int argc, char **argv, char **envp) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = broke;
  sigaction(SIGPIPE, &action, NULL);
}
__attribute__((section(".preinit_array"), used)) static void (
    *preinit)(int, char **, char **) = before_load;

/* A write in Go to a pipe without a reader fails with an error. */
TEST(a_broken_pipe_in_go_is_no_signal) {
  struct seen seen = {0};
  int ends[2];
  char number[16];
  assert_ok(pipe(ends));
  close(ends[0]);
  snprintf(number, sizeof number, "%d", ends[1]);
  pillion_executor ex = executor_new();
  submit(ex, "test.loop_write", number, 1, PILLION_EVENT);
  submit(ex, "test.write", number, 2, PILLION_EVENT);
  heard = 0;
  run(ex, &seen);
  for (int i = 0; i < 2; i++)
    assert_string_equal(seen.event[i].bytes, "broken pipe");
  assert_int_equal(heard, 0);
  assert_int_equal(write(ends[1], "x", 1), -1);
  assert_int_equal(heard, 1); /* a write in C raises SIGPIPE */
  executor_free(ex);
  close(ends[1]);
}
