/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A probe for each change that capi/build makes to Go's runtime: it fails with
 * a library that is built `-without` the change. (The probes of changes that
 * keep signals blocked are in signal_test.c, and the one for preemption in
 * libraries_test.c.) Each is a process of its own, since what was there before
 * the library matters.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "cases.h"

/* ---- Before the library ------------------------------------------------- */

static atomic_int heard[65];
static bool was_open[64]; /* descriptors */

static void count(int signal) { heard[signal]++; }

static void segfault(int signal) {
  if (++heard[signal] > 1) _exit(3);
}

static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, NULL);
}

static int flags_of(int signal) {
  struct sigaction action;
  must(sigaction(signal, NULL, &action) == 0);
  return action.sa_flags & (SA_ONSTACK | SA_RESTART);
}

/* Runs before any library's constructor. */
static void before_load(int argc, char **argv, char **envp) {
  if (argc > 1 && strcmp(argv[1], "the_limit_of_descriptors_stays") == 0)
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 1000});
  for (int fd = 0; fd < 64; fd++) was_open[fd] = fcntl(fd, F_GETFD) >= 0;
  if (argc < 2) return;
  if (strcmp(argv[1], "handlers_keep_their_flags") == 0) {
    handle(SIGUSR1, count, SA_RESTART);
    handle(SIGTERM, count, SA_RESTART | SA_ONSTACK);
  }
  if (strcmp(argv[1], "a_handler_that_resets_itself_runs_once") == 0)
    handle(SIGSEGV, segfault, SA_RESETHAND | SA_NODEFER);
  if (strcmp(argv[1], "an_earlier_handler_hears_of_urgent_data") == 0)
    handle(SIGURG, count, SA_RESTART);
}
__attribute__((section(".preinit_array"), used)) static void (
    *preinit)(int, char **, char **) = before_load;

/* ---- The probes --------------------------------------------------------- */

static int handlers_keep_their_flags(void) {
  must(pillion_start(NULL, NULL, 0) == 0);
  must(flags_of(SIGUSR1) == SA_RESTART);
  must(flags_of(SIGTERM) == (SA_RESTART | SA_ONSTACK));
  must(kill(getpid(), SIGUSR1) == 0);
  must(heard[SIGUSR1] == 1);
  return 0;
}

/* The second fault kills the process. If the handler runs again, it exits with
   3. */
static int a_handler_that_resets_itself_runs_once(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  must(pillion_start(NULL, NULL, 0) == 0);
  int *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *nowhere = 0;
  return 4;
}

static int an_earlier_handler_hears_of_urgent_data(void) {
  must(pillion_start(NULL, NULL, 0) == 0);
  for (int i = 1; i <= 100; i++) {
    must(kill(getpid(), SIGURG) == 0);
    while (heard[SIGURG] < i) sched_yield();
  }
  return 0;
}

/* The start opens an eventfd and an epoll set, but no file. */
static int no_file_stays_open(void) {
  must(pillion_start(NULL, NULL, 0) == 0);
  for (int fd = 0; fd < 64; fd++) {
    char path[32], target[256] = "";
    if (was_open[fd] || fcntl(fd, F_GETFD) < 0) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(readlink(path, target, sizeof target - 1) > 0);
    must(strncmp(target, "anon_inode:", 11) == 0);
  }
  return 0;
}

/* os/exec starts children in a worker and on the loop; each tells its mask. */
static int children_block_nothing(void) {
  struct seen seen = {0};
  sigset_t all;
  sigfillset(&all);
  must(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
  pillion_executor ex = executor_new();
  submit(ex, "test.child_mask", "", 1, PILLION_EVENT);
  submit(ex, "test.loop_child_mask", "", 2, PILLION_EVENT);
  run(ex, &seen);
  must(seen.count == 2);
  for (size_t i = 0; i < 2; i++) {
    must(seen.event[i].status == 0);
    must(strcmp(seen.event[i].bytes, "0000000000000000") == 0);
  }
  must(pillion_executor_free(ex) == 0);
  return 0;
}

/* Go's CPU profile has samples of the function that computes. */
static int gos_profiles_have_samples(void) {
  pillion_value value = ask("test.profile", "500");
  must(value.status == 0);
  must(bytes_are(pillion_value_data(&value), value.length, "found"));
  pillion_value_drop(&value);
  return 0;
}

/*
 * The system refuses new threads for longer than stock Go tries. The calls
 * wait, and the process lives. Root has no such limit.
 */
static int threads_are_waited_for(void) {
  struct rlimit limit, none;
  struct timespec longer = {0, 600 * MS};
  struct seen seen = {0};
  char request[64], report[16];
  int from[2], to[2];
  must(pipe(from) == 0 && pipe(to) == 0);
  must(pillion_start(NULL, NULL, 0) == 0);
  if (getuid() == 0) must(setresuid(65534, 65534, 65534) == 0);
  must(getrlimit(RLIMIT_NPROC, &limit) == 0);
  none = limit;
  none.rlim_cur = 1;
  must(setrlimit(RLIMIT_NPROC, &none) == 0);
  pillion_executor ex = executor_new();
  for (int i = 0; i < 24; i++) {
    snprintf(request, sizeof request, "%d %d %d", from[0], to[1], i);
    submit(ex, "test.read", request, i, PILLION_EVENT);
  }
  nanosleep(&longer, NULL); /* stock Go gives up after 0.21 s */
  must(setrlimit(RLIMIT_NPROC, &limit) == 0);
  for (int i = 0; i < 24; i++) {
    must(read(to[0], report, 2) == 2);
    must(write(from[1], "x", 1) == 1);
  }
  run(ex, &seen);
  must(seen.count == 24);
  must(pillion_executor_free(ex) == 0);
  return 0;
}

/* Go's threads don't inherit a program's real-time policy. */
static int no_thread_of_gos(int policy) {
  int others = 0;
  DIR *tasks = opendir("/proc/self/task");
  struct dirent *task;
  must(tasks != NULL);
  while ((task = readdir(tasks)) != NULL) {
    pid_t tid = atoi(task->d_name);
    if (tid <= 0 || tid == gettid()) continue;
    must(sched_getscheduler(tid) != policy);
    others++;
  }
  closedir(tasks);
  return others;
}

static int threads_are_not_of_real_time(void) {
  struct sched_param param = {.sched_priority = 1};
  if (getenv("REAL_TIME") == NULL) { /* exec loads the library under it */
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
      must(errno == EPERM);
      return 0;
    }
    must(setenv("REAL_TIME", "1", 1) == 0);
    execl("/proc/self/exe", "self", "threads_are_not_of_real_time", NULL);
  }
  must(sched_getscheduler(0) == SCHED_FIFO);
  must(pillion_start(NULL, NULL, 0) == 0);
  must(ask_number("test.waiting", "") == 0);
  must(no_thread_of_gos(SCHED_FIFO) >= 4);
  return 0;
}

/*
 * On one core, threads of real-time priority come to Go for the first time all
 * at once. None may keep Go's own threads from letting the others in.
 */
static pthread_barrier_t all_at_once;

static void *come(void *data) {
  pillion_executor own = executor_new();
  pillion_event event;
  must(pillion_call_submit(NULL, own, *(pillion_function *)data, "x", 1, 0,
                           PILLION_EVENT) == 0);
  pthread_barrier_wait(&all_at_once);
  while (pillion_executor_turn(&event, 1, NULL, own, NULL) == 0) continue;
  must(event.status == 0);
  must(pillion_executor_free(own) == 0);
  return NULL;
}

static int threads_of_real_time_come_at_once(void) {
  struct sched_param param = {.sched_priority = 1};
  pillion_function echo = function("test.loop_echo");
  pthread_t thread[8];
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  must(sched_setaffinity(0, sizeof one, &one) == 0);
  if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
    must(errno == EPERM);
    return 0;
  }
  must(pthread_barrier_init(&all_at_once, NULL, COUNT(thread)) == 0);
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < COUNT(thread); i++)
      must(pthread_create(&thread[i], NULL, come, &echo) == 0);
    for (size_t i = 0; i < COUNT(thread); i++)
      must(pthread_join(thread[i], NULL) == 0);
  }
  return 0;
}

static int the_limit_of_descriptors_stays(void) {
  struct rlimit limit;
  must(pillion_start(NULL, NULL, 0) == 0); /* Go has initialised */
  must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  must(limit.rlim_cur == 100 && limit.rlim_max == 1000);
  return 0;
}

/* ---- Running them ------------------------------------------------------- */

static const struct test_case cases[] = {
    CASE(handlers_keep_their_flags),
    DIES(a_handler_that_resets_itself_runs_once, SIGSEGV),
    CASE(an_earlier_handler_hears_of_urgent_data),
    CASE(no_file_stays_open),
    CASE(the_limit_of_descriptors_stays),
    CASE(children_block_nothing),
    CASE(gos_profiles_have_samples),
    CASE(threads_are_waited_for),
    CASE(threads_are_not_of_real_time),
    CASE(threads_of_real_time_come_at_once),
};

int main(int argc, char **argv) {
  return run_cases(argc, argv, cases, COUNT(cases), in_a_process_of_its_own);
}
