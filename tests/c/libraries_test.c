/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Three libraries in one process: the tests' own, another author's, and a copy
 * of that under another name, but with its SONAME. Each has a Go runtime. What
 * they share is the process: signals, the host's threads, and names.
 */
#include "../support/libraries.h"
#include "cases.h"

#define LIBRARIES 3

static struct library lib[LIBRARIES];
static char copy[4096];

static void load(size_t count) {
  char other[4096];
  Dl_info us;
  must(dladdr(dlsym(RTLD_DEFAULT, "pillion_version"), &us) != 0);
  snprintf(other, sizeof other, "%.*s/libpillion-other.so",
           (int)(strrchr(us.dli_fname, '/') - us.dli_fname), us.dli_fname);
  library_open(&lib[0], us.dli_fname);
  library_open(&lib[1], other);
  if (count < LIBRARIES) return;
  library_copy(copy, sizeof copy, other);
  library_open(&lib[2], copy);
  must(unlink(copy) == 0);
}

static pillion_executor new_in(size_t i) {
  pillion_executor made;
  must(lib[i].executor_new(&made, NULL, NULL, 0) == 0);
  return made;
}

static void free_in(size_t i, pillion_executor made) {
  must(lib[i].executor_free(made) == 0);
}

static void nothing_lives_in(size_t i) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  must(lib[i].shutdown(PILLION_CLOSE_DRAIN, LONG_ENOUGH) == 0);
  must(lib[i].library_count(&counts) == 0);
  must(counts.executors + counts.tasks + counts.calls + counts.payloads == 0);
}

/* ---- Goroutines --------------------------------------------------------- */

static void *collect(void *data) {
  struct library *one = data;
  must(library_ask(one, "test.collect", "", NULL, 0) == 0);
  must(library_number(one, "test.loosen", "") == 0);
  return NULL;
}

static void *tight(void *data) {
  must(library_ask(data, "test.tight", "", NULL, 0) == 0);
  return NULL;
}

/* A loop without calls ends after a collection, which must interrupt it. */
static void each_is_interruptible(size_t loaded) {
  for (size_t i = 0; i < loaded; i++) {
    pthread_t loop;
    must(pthread_create(&loop, NULL, tight, &lib[i]) == 0);
    library_await_waiting(&lib[i], 1);
    collect(&lib[i]);
    must(pthread_join(loop, NULL) == 0);
  }
}

static int goroutines_of_two_libraries_are_interruptible(void) {
  load(2);
  each_is_interruptible(2);
  return 0;
}

static int goroutines_of_three_libraries_are_interruptible(void) {
  load(3);
  each_is_interruptible(3);
  return 0;
}

/* The loops of all run at once. They end in either order. */
static int all_collect_while_all_compute(void) {
  pthread_t loop[LIBRARIES];
  load(3);
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < LIBRARIES; i++) {
      must(pthread_create(&loop[i], NULL, tight, &lib[i]) == 0);
      library_await_waiting(&lib[i], 1);
    }
    for (size_t n = 0; n < LIBRARIES; n++)
      must(library_ask(&lib[n], "test.collect", "", NULL, 0) == 0);
    for (size_t n = 0; n < LIBRARIES; n++) {
      size_t i = round == 0 ? n : LIBRARIES - 1 - n;
      collect(&lib[i]);
      must(pthread_join(loop[i], NULL) == 0);
    }
  }
  return 0;
}

/* ---- Signals ------------------------------------------------------------ */

static atomic_int heard;

static void count(int signal) { heard++; }

/* Runs before any library's constructor. */
static void before_load(int argc, char **argv, char **envp) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = count;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, NULL);
}
__attribute__((section(".preinit_array"), used)) static void (
    *preinit)(int, char **, char **) = before_load;

/* Each library passes the signal on to the one before it, the first to us. */
static int an_earlier_handler_hears_through_three_libraries(void) {
  load(3);
  for (int i = 0; i < 100; i++) {
    int before = heard;
    must(kill(getpid(), SIGURG) == 0);
    while (heard == before) sched_yield();
  }
  return 0;
}

/* SIGSEGV is for the library whose goroutine has read from address 0. */
static int a_fault_panics_in_its_own_library(void) {
  pillion_executor own[LIBRARIES];
  pillion_event event;
  load(3);
  for (size_t i = 0; i < LIBRARIES; i++) own[i] = new_in(i);
  for (int round = 0; round < 10; round++)
    for (size_t n = 0; n < LIBRARIES; n++) {
      size_t i = round % 2 == 0 ? n : LIBRARIES - 1 - n;
      must(library_ask(&lib[i], "test.fault", "", NULL, 0) == PILLION_EPANIC);
      library_submit(&lib[i], own[i], "test.loop_fault", "", 1);
      library_event(&event, &lib[i], own[i]);
      must(event.status == PILLION_EPANIC);
    }
  for (size_t i = 0; i < LIBRARIES; i++) free_in(i, own[i]);
  return 0;
}

/* The signal stack of a thread is the first library's. A coroutine of a later
   one may need it when the thread ends. */
static void *leave_a_coroutine(void *data) {
  pillion_executor *own = data;
  pillion_event event;
  for (size_t i = 0; i < 2; i++) {
    library_submit(&lib[i], own[i], "test.loop_echo", "", 1);
    library_event(&event, &lib[i], own[i]);
  }
  library_submit(&lib[1], own[1], "test.loop_defer_fault", "", 2);
  must(lib[1].executor_turn(NULL, 0, NULL, own[1], NULL) == 0);
  return NULL;
}

static void *enter(void *data) {
  pillion_executor first = new_in(0);
  pillion_event event;
  library_submit(&lib[0], first, "test.loop_echo", "", 1);
  library_event(&event, &lib[0], first);
  free_in(0, first);
  return NULL;
}

static int a_coroutine_faults_when_its_thread_ends(void) {
  pillion_executor own[2];
  pthread_t thread;
  char ended[32];
  Dl_info us;
  must(dladdr(dlsym(RTLD_DEFAULT, "pillion_version"), &us) != 0);
  library_open(&lib[0], us.dli_fname);
  must(pthread_create(&thread, NULL, enter, NULL) == 0);
  must(pthread_join(thread, NULL) == 0);
  load(2); /* the other comes only now */
  for (size_t i = 0; i < 2; i++) own[i] = new_in(i);
  for (int n = 0; n < 10; n++) {
    must(pthread_create(&thread, NULL, leave_a_coroutine, own) == 0);
    must(pthread_join(thread, NULL) == 0);
    for (size_t i = 0; i < 2; i++) {
      free_in(i, own[i]);
      own[i] = new_in(i);
    }
  }
  must(library_ask(&lib[1], "test.ended", "", ended, sizeof ended) == 0);
  must(strcmp(ended, "10 0") == 0);
  for (size_t i = 0; i < 2; i++) free_in(i, own[i]);
  return 0;
}

/* ---- Processes ---------------------------------------------------------- */

static int a_forked_child_is_told_so_by_each(void) {
  int status;
  load(3);
  pillion_executor own[LIBRARIES];
  for (size_t i = 0; i < LIBRARIES; i++) own[i] = new_in(i);
  pid_t pid = fork();
  if (pid == 0) {
    pillion_function function;
    for (size_t i = 0; i < LIBRARIES; i++) {
      if (lib[i].executor_turn(NULL, 0, NULL, own[i], NULL) != PILLION_EFORKED)
        _exit(1);
      if (lib[i].function_find(&function, "test.echo") != PILLION_EFORKED)
        _exit(2);
    }
    _exit(0);
  }
  must(waitpid(pid, &status, 0) == pid && status == 0);
  for (size_t i = 0; i < LIBRARIES; i++) {
    must(library_ask(&lib[i], "test.child_mask", "", NULL, 0) == 0);
    free_in(i, own[i]);
    nothing_lives_in(i);
    must(lib[i].start(NULL, NULL, 0) == 0);
  }
  return 0;
}

/* ---- Handles ------------------------------------------------------------ */

static int handles_of_another_library_are_refused(void) {
  pillion_function_info info = PILLION_FUNCTION_INFO_INIT;
  uint64_t live;
  load(3);
  for (size_t i = 0; i < LIBRARIES; i++) {
    struct library *other = &lib[(i + 1) % LIBRARIES];
    pillion_executor own = new_in(i);
    pillion_executor theirs = new_in((i + 1) % LIBRARIES);
    pillion_function echo = library_function(&lib[i], "test.echo");
    pillion_pool pool;
    must(lib[i].pool_new(&pool, NULL, NULL, 0) == 0);
    pillion_task task = library_submit(&lib[i], own, "test.block", "", 1);
    library_submit(other, theirs, "test.block", "", 1);
    must(other->executor_live(&live, own) == PILLION_EBADHANDLE);
    must(other->executor_free(own) == PILLION_EBADHANDLE);
    must(other->function_describe(&info, echo) == PILLION_EBADHANDLE);
    must(other->pool_free(pool) == PILLION_EBADHANDLE);
    must(other->task_cancel(task) == PILLION_EBADHANDLE);
    must(lib[i].pool_free(pool) == 0);
    free_in(i, own);
    free_in((i + 1) % LIBRARIES, theirs);
  }
  return 0;
}

/* ---- Names ------------------------------------------------------------- */

int author_test(uint64_t *executors), author_other(uint64_t *executors);

/* The names are the same, but for a version that the linker knows. */
static int a_c_library_is_linked_to_its_own_library(void) {
  int (*const author[])(uint64_t *) = {author_other, author_test};
  for (uint64_t n = 1; n <= 3; n++)
    for (size_t i = 0; i < COUNT(author); i++) {
      uint64_t executors = 0;
      must(author[i](&executors) == 0);
      must(executors == n);
    }
  _exit(0); /* the executors stay */
}

/* ---- Running them ------------------------------------------------------- */

static const struct test_case cases[] = {
    CASE(goroutines_of_two_libraries_are_interruptible),
    CASE(goroutines_of_three_libraries_are_interruptible),
    CASE(all_collect_while_all_compute),
    CASE(an_earlier_handler_hears_through_three_libraries),
    CASE(a_fault_panics_in_its_own_library),
    CASE(a_coroutine_faults_when_its_thread_ends),
    CASE(a_forked_child_is_told_so_by_each),
    CASE(handles_of_another_library_are_refused),
    CASE(a_c_library_is_linked_to_its_own_library),
};

int main(int argc, char **argv) {
  return run_cases(argc, argv, cases, COUNT(cases), in_a_process_of_its_own);
}
