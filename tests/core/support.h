/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_SUPPORT_H
#define PILLION_TESTS_CORE_SUPPORT_H

/*
 * What the core's tests share. They compile capi/core without Go: the guest
 * below stands in for it. Its functions are "test.echo" and "test.cpu", whose
 * jobs a test takes from the ring when it likes, and "test.loop", whose posts
 * it finds recorded. Those of the module "flow" have flows.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/test.h"
#include "guest/guest.h"

/* ---- Fixtures ------------------------------------------------------------ */

/*
 * A fixture or the test itself sets these. At the test's end nothing_lives
 * frees them, and nothing else may live then. Tasks that live until then must
 * lie in memory that outlives the test's frame. A test with tasks in its frame
 * frees their executor itself.
 */
extern pillion_executor ex, one, two;
extern pillion_pool pool;

void an_executor(void); /* ex */
void a_worker(void);    /* ex, which has joined pool */
void two_workers(void); /* one and two, which have joined pool, and are idle */
void two_workers_at(int64_t now); /* their time is virtual_now */

int nothing_lives(void **state); /* frees them; 0 if nothing lives */

/* A test program without a main of its own gets one that calls this. */
int test_main(void);

/* ---- Traces -------------------------------------------------------------- */

extern char traced[4096];
void trace(const char *what);
void assert_traced(const char *expected);

/* ---- Futures ------------------------------------------------------------- */

/* Counts, and does what `step` says; without one it is ready at `ready_at`. */
struct probe {
  int polls, drops;
  int ready_at;
  int (*step)(struct probe *probe, pillion_value *out, pillion_context *cx);
  void (*dropped)(struct probe *probe);
  const char *name; /* traced at each poll if there is one */
  void *data;
  pillion_waker waker;
  pillion_task task;
  pillion_executor executor;
  pillion_timer timer;
  pillion_value value;
  int state, rc, awaited;
};

int probe_poll(pillion_value *out, pillion_context *cx, void *self);
extern const pillion_future probing;

pillion_task spawn(pillion_executor ex, struct probe *probe, uint64_t token,
                   uint32_t flags);
pillion_task pool_spawn(pillion_pool pool, pillion_executor home,
                        struct probe *probe, uint64_t token, uint32_t flags);
/* Detached; it leaves `task` to the test. */
void pool_spawn_as(pillion_pool pool, struct probe *probe);
pillion_waker waker_of(pillion_task task);
/* Sets `n` probes to zero and `step`, and spawns them detached. */
void spawn_each(pillion_executor ex, struct probe *probes, size_t n,
                int (*step)(struct probe *probe, pillion_value *out,
                            pillion_context *cx));

/* Steps. joins_task joins the task *data, or without `data` its own `task`. */
int joins_task(struct probe *probe, pillion_value *out, pillion_context *cx);
int sets_its_deadline(struct probe *probe, pillion_value *out,
                      pillion_context *cx); /* `state` ns from its first poll */
void clears_timer(struct probe *probe); /* a drop */

/* Its result is far_bytes, too long to be inline. A release is counted. */
int returns_far(struct probe *probe, pillion_value *out, pillion_context *cx);
extern char far_bytes[100];
extern int far_releases;

/* ---- Executors and pools ------------------------------------------------- */

pillion_executor executor_new(void);
pillion_executor executor_with(const pillion_executor_options *options);
void executor_free(pillion_executor executor);

/* The time of executors that a test moves through time by hand. */
extern int64_t virtual_now;
int64_t virtual_clock(void *data); /* data points to the time */
pillion_executor_options virtual_options(int64_t now);
pillion_executor executor_at(int64_t now); /* its time is virtual_now */

pillion_pool pool_new(void);
void pool_free(pillion_pool p);

extern pillion_event events[256];
extern pillion_progress progress;
int turn(pillion_executor ex); /* answers the number of events */
int run_at(pillion_executor ex, int64_t now); /* at that virtual_now */
bool readable(pillion_executor ex);

pillion_executor_stats stats_of(pillion_executor ex);
pillion_pool_stats pool_stats(pillion_pool pool);
pillion_library_counts library_counts(void);

/* ---- Threads ------------------------------------------------------------- */

pthread_t thread_start(void *(*body)(void *data), void *data);
void *works(void *data); /* for the pool *data, to its end */
void on_thread(void *(*body)(void *data), void *data); /* to its end */
void *asks_for_deadline(void *probe); /* its answer is in `rc` */

uint32_t random_below(uint32_t *state, uint32_t n);

/* ---- The guest: instead of Go -------------------------------------------- */

struct guest {
  int turns, settles, frees, stops, rewatches;
  uint32_t polled, more, coroutines, suspended; /* what its turns answer */
  int64_t deadline;
  struct pillion__errand posts[512];
  uint32_t post_count, max_polls;
  int64_t max_ns;
  struct pillion__call *loop_calls[512]; /* begun, and not yet ended */
  uint32_t loop_count;
  bool dispatching; /* `dispatcher` runs, below */
  pthread_t dispatcher;
};
extern struct guest guest;

void guest_reset(void);
void guest_install(void);
int guest_functions(char *errbuf, size_t errcap);
void guest_turn(struct pillion__guest_turn *t);
void guest_free(uint32_t index);

pillion_function function(const char *name);

/* What Go's workers do with a job. */
extern struct pillion__job jobs[512];
struct pillion__job take_one(void); /* the only job, and takes it up */
bool job_take_up(const struct pillion__job *job);
const void *job_request(const struct pillion__job *job);
void job_return(const struct pillion__job *job, const void *bytes,
                size_t length);
void job_echo(const struct pillion__job *job);

/* Starts a thread that echoes each job until the ring is closed. */
void guest_dispatch(void);

#endif
