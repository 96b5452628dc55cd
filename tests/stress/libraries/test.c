/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A mixed load on several libraries in one process. The arguments give the
 * order of loading. Each job runs on a thread for each library, but one that
 * serves them all in turns. A job counts its rounds, each of which asserts what
 * came of it.
 *
 *   test LIBRARY...     SECONDS in the environment, 8 by default
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "../../support/libraries.h"

#define MOST 4

static struct library lib[MOST];
static size_t libraries;
static atomic_bool over;
static atomic_int heard; /* SIGURG, by the handler from before the load */
static int broken;       /* a pipe's end; its other end is closed */

static void count(int signal) {
  (void)signal;
  heard++;
}

/* Runs before any library's constructor. */
static void before_load(int argc, char **argv, char **envp) {
  struct sigaction action;
  (void)argc, (void)argv, (void)envp;
  memset(&action, 0, sizeof action);
  action.sa_handler = count;
  action.sa_flags = SA_RESTART;
  sigaction(SIGURG, &action, NULL);
}
__attribute__((section(".preinit_array"), used)) static void (
    *preinit)(int, char **, char **) = before_load;

/* ---- Jobs: a round each -------------------------------------------------- */

static void asks(const struct library *one) {
  char text[32];
  needed(library_ask(one, "test.upper", "abc", text, sizeof text) == 0);
  needed(strcmp(text, "ABC") == 0);
  needed(library_ask(one, "test.panic", "x", NULL, 0) == PILLION_EPANIC);
}

static void faults(const struct library *one) {
  needed(library_ask(one, "test.fault", "", NULL, 0) == PILLION_EPANIC);
}

/* EPIPE is the answer, and SIGPIPE goes no further. */
static void writes(const struct library *one) {
  char request[16], text[64];
  snprintf(request, sizeof request, "%d", broken);
  needed(library_ask(one, "test.write", request, text, sizeof text) == 0);
  needed(strcmp(text, "broken pipe") == 0);
}

static void collects(const struct library *one) {
  needed(library_ask(one, "test.garbage", "2", NULL, 0) == 0);
  needed(library_ask(one, "test.collect", "", NULL, 0) == 0);
}

/* Nothing but a preemption interrupts the loop for the collection. */
static void *collects_and_loosens(void *data) {
  const struct library *one = data;
  library_await_waiting(one, 1);
  needed(library_ask(one, "test.collect", "", NULL, 0) == 0);
  needed(library_ask(one, "test.loosen", "", NULL, 0) == 0);
  return NULL;
}

static void computes(const struct library *one) {
  pthread_t other;
  needed(pthread_create(&other, NULL, collects_and_loosens, (void *)one) == 0);
  needed(library_ask(one, "test.tight", "", NULL, 0) == 0);
  needed(pthread_join(other, NULL) == 0);
}

static void has_children(const struct library *one) {
  char mask[32];
  needed(library_ask(one, "test.child_mask", "", mask, sizeof mask) == 0);
  needed(strcmp(mask, "0000000000000000") == 0);
}

/* Functions on one loop, a fault among them. */
static void turns(const struct library *one, pillion_executor ex) {
  static const char *const names[] = {"test.loop_yield", "test.loop_garbage",
                                      "test.loop_fault", "test.echo"};
  pillion_event event;
  for (uint64_t i = 0; i < 4; i++) library_submit(one, ex, names[i], "20", i);
  for (int i = 0; i < 4; i++) {
    library_event(&event, one, ex);
    needed(event.status == (event.token == 2 ? PILLION_EPANIC : 0));
  }
}

static void has_a_loop(const struct library *one) {
  pillion_executor ex;
  needed(one->executor_new(&ex, NULL, NULL, 0) == 0);
  turns(one, ex);
  needed(one->executor_free(ex) == 0);
}

/* ---- Threads ------------------------------------------------------------- */

static void (*const jobs[])(const struct library *) = {
    asks, faults, writes, collects, computes, has_children, has_a_loop};
static const char *const names[] = {"asks",     "faults",       "writes",
                                    "collects", "computes",     "has children",
                                    "has a loop", "is one of all"};
#define JOBS (sizeof jobs / sizeof *jobs)

static struct work {
  size_t library, job;
  pthread_t thread;
  unsigned long rounds;
} work[MOST * JOBS + 1];

static void *run(void *data) {
  struct work *w = data;
  while (!over) {
    jobs[w->job](&lib[w->library]);
    w->rounds++;
  }
  return NULL;
}

/* One loop's thread enters all libraries, and ends; the next thread goes on. */
static void *serve_all(void *data) {
  pillion_executor ex[MOST];
  struct work *w = data;
  for (size_t i = 0; i < libraries; i++)
    needed(lib[i].executor_new(&ex[i], NULL, NULL, 0) == 0);
  for (int n = 0; n < 20; n++)
    for (size_t i = 0; i < libraries; i++) turns(&lib[i], ex[i]);
  for (size_t i = 0; i < libraries; i++)
    needed(lib[i].executor_free(ex[i]) == 0);
  w->rounds++;
  return NULL;
}

static void *serve(void *data) {
  while (!over) {
    pthread_t thread;
    needed(pthread_create(&thread, NULL, serve_all, data) == 0);
    needed(pthread_join(thread, NULL) == 0);
  }
  return NULL;
}

int main(int argc, char **argv) {
  const char *seconds = getenv("SECONDS");
  struct timespec nap = {0, 1000000}, now, end;
  int ends[2], bad = 0;
  size_t n = 0;
  needed(argc > 2 && argc <= 1 + MOST);
  needed(pipe(ends) == 0 && close(ends[0]) == 0);
  broken = ends[1];
  signal(SIGPIPE, SIG_DFL); /* it would end the process */
  for (int i = 1; i < argc; i++) library_open(&lib[libraries++], argv[i]);
  for (size_t i = 0; i < libraries; i++)
    for (size_t job = 0; job < JOBS; job++, n++) {
      work[n] = (struct work){i, job, 0, 0};
      needed(pthread_create(&work[n].thread, NULL, run, &work[n]) == 0);
    }
  work[n].job = JOBS;
  needed(pthread_create(&work[n].thread, NULL, serve, &work[n]) == 0);
  n++;

  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += seconds != NULL ? atoi(seconds) : 8;
  do {
    int before = heard;
    needed(kill(getpid(), SIGURG) == 0);
    while (heard == before) sched_yield();
    nanosleep(&nap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < end.tv_sec);
  over = true;
  for (size_t i = 0; i < n; i++) {
    needed(pthread_join(work[i].thread, NULL) == 0);
    printf("library %zu %-14s %8lu rounds\n", work[i].library,
           names[work[i].job], work[i].rounds);
    bad += work[i].rounds == 0;
  }
  for (size_t i = 0; i < libraries; i++) {
    pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
    needed(lib[i].shutdown(PILLION_CLOSE_DRAIN, PILLION_TIME_NEVER) == 0);
    needed(lib[i].library_count(&counts) == 0);
    needed(counts.executors + counts.calls + counts.payloads == 0);
  }
  printf("%zu passed, %d failed\n", n - (size_t)bad, bad);
  return bad != 0;
}
