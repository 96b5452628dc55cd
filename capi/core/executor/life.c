/* SPDX-License-Identifier: Apache-2.0 */

/* Making, closing and freeing executors. */
#include <stddef.h>
#include <unistd.h>

#include "executor/executor.h"

/* ---- New ----------------------------------------------------------------- */

#define READY_MOST (1u << 24) /* the number of all slots */

static uint32_t idle_executors[PILLION__EXECUTORS];

static void first_use(void *memory) {
  struct pillion__executor *ex = memory;
  atomic_init(&ex->fd, -1);
  atomic_init(&ex->timer, -1);
  atomic_init(&ex->park, PILLION__PARK_RUNNING);
}

static struct pillion__table executors = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .most = PILLION__EXECUTORS - 1,
    .idle = idle_executors,
    .entries = pillion__executors,
    .bytes = sizeof(struct pillion__executor),
    .flags = PILLION_NO_FD,
    .what = "executor",
    .first_use = first_use,
};

static uint32_t or_else(uint32_t given, uint32_t otherwise) {
  return given == 0 ? otherwise : given;
}

static int configure(struct pillion__executor *ex,
                     const pillion_executor_options *o,
                     struct pillion__why why) {
  if (o->gather > 0 && o->flags & PILLION_NO_FD)
    return pillion__fail(PILLION_EINVAL, why,
                         "options.gather needs a descriptor");
  if (o->ready > READY_MOST)
    return pillion__fail(PILLION_EINVAL, why,
                         "options.ready is %u, not %u at most", o->ready,
                         READY_MOST);
  if (o->max_ns < 0)
    return pillion__fail(PILLION_EINVAL, why, "options.max_ns is negative");
  if (o->ready > 0) {
    int rc = pillion__tasks_reserve(ex, o->ready);
    if (rc < 0) return pillion__fail(rc, why, "no room for %u tasks", o->ready);
  }
  ex->max_tasks = or_else(o->max_tasks, UINT32_MAX);
  ex->max_calls = or_else(o->max_calls, UINT32_MAX);
  ex->max_watches = or_else(o->max_watches, UINT32_MAX);
  ex->max_polls = or_else(o->max_polls, 256);
  ex->max_ns = o->max_ns;
  ex->seed = o->seed;
  ex->clock = o->clock;
  ex->clock_data = o->clock_data;
  ex->timers.max_armed = or_else(o->max_timers, UINT32_MAX);
  ex->timers.deadline = PILLION_TIME_NEVER;
  return 0;
}

int pillion_executor_new(pillion_executor *out,
                         const pillion_executor_options *options, char *errbuf,
                         size_t errcap) {
  pillion_executor_options o = PILLION_EXECUTOR_OPTIONS_INIT;
  struct pillion__why why = {errbuf, errcap};
  void *memory;
  int rc =
      pillion__owner_new(&memory, &executors, &o, sizeof o,
                         PILLION__FIRST_EXECUTOR_OPTIONS, options, out, why);
  if (rc < 0) return rc;
  struct pillion__executor *ex = memory;
  int fd = o.flags & PILLION_NO_FD ? -1 : pillion__descriptor_event();
  if (fd < 0 && !(o.flags & PILLION_NO_FD))
    rc = pillion__fail_system(why, "no eventfd");
  pillion__context_init(ex);
  if (rc == 0) rc = pillion__hooks_copy(&ex->hooks, o.context_hooks, why);
  if (rc == 0) rc = configure(ex, &o, why);
  if (rc == 0) rc = pillion__posts_init(ex, o.posts, why);
  if (rc == 0 && pillion__gather_init(ex, o.gather, fd) < 0)
    rc = pillion__fail_system(why, "no descriptors to gather with");
  if (rc < 0) {
    pillion__owner_give(&executors, &ex->base);
    if (fd >= 0) close(fd);
    return rc;
  }
  ex->guest_deadline = ex->told_deadline = PILLION_TIME_NEVER;
  atomic_store(&ex->calls, 0);
  atomic_store(&ex->pokes, 0);
  atomic_store(&ex->poke_errors, 0);
  atomic_store(&ex->owner, 0);
  atomic_store(&ex->base.closing, (atomic_load(&ex->base.gen) + 1) << 2);
  atomic_store(&ex->fd, fd);
  pillion__drain(ex); /* late cells for an earlier executor here */
  atomic_fetch_add(&ex->base.gen, 1);
  atomic_store(&ex->park, PILLION__PARK_IDLE);
  *out = pillion__handle(PILLION__EXECUTOR, ex->base.index,
                         (uint32_t)atomic_load(&ex->base.gen));
  return 0;
}

int pillion_executor_fd(int *out, pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  int fd = atomic_load(&ex->watched_fd);
  if (out == NULL || fd < 0) return PILLION_EINVAL;
  *out = fd;
  return 0;
}

int pillion_executor_deadline(int64_t *out, pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_mine(&ex, executor);
  if (rc < 0) return rc;
  if (out == NULL) return PILLION_EINVAL;
  *out = pillion__next_deadline(ex);
  return 0;
}

int pillion_executor_live(uint64_t *out, pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_mine(&ex, executor);
  if (rc < 0) return rc;
  if (out == NULL) return PILLION_EINVAL;
  *out = pillion__live(ex);
  return 0;
}

/* ---- Close --------------------------------------------------------------- */

int pillion_executor_close(pillion_executor executor, int mode) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0)
    rc = pillion__owner_close(&ex->base, pillion__gen_of(executor), mode);
  if (rc <= 0) return rc;
  pillion__poke(ex);
  return 0;
}

/* ---- Free ---------------------------------------------------------------- */

static void reclaim(struct pillion__executor *ex) {
  if (ex->worker != NULL) pillion__pool_side->leave(ex);
  pillion__drain(ex); /* the last ends from pools */
  pillion__tasks_drop(ex);
  pillion__drop_events(ex);
  pillion__tasks_drop_ended(ex);
  pillion__kinds[PILLION__CHUNK_INBOUND]->drop_all(ex);
  pillion__kinds[PILLION__CHUNK_CALLS]->drop_all(ex);
  pillion__posts_free(ex);
  pillion__watches_close(ex);
  pillion__timers_forget(&ex->timers);
  pillion__drain(ex);
  pillion__host_forget(pillion__host_swap(ex, NULL));
  pillion__gather_free(ex);
  int fd = atomic_exchange(&ex->fd, -1);
  if (fd >= 0) close(fd);
  pillion__chunks_return(&ex->chunks);
  pillion__free(ex->ready);
  pillion__free(ex->watched);
  size_t from = offsetof(struct pillion__executor, ready);
  memset((char *)ex + from, 0,
         offsetof(struct pillion__executor, timers) - from);
  atomic_store(&ex->guest_wake, 0);
  atomic_store(&ex->coroutines, 0);
  atomic_store(&ex->pool_events, 0);
}

int pillion_executor_free(pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (atomic_load(&ex->in_turn) || pillion__turning) return PILLION_EREENTRANT;
  uint64_t owner = atomic_load(&ex->owner);
  if (owner != 0 && owner != pillion__me() &&
      (atomic_load(&ex->tasks_live) > 0 || ex->worker != NULL ||
       atomic_load(&ex->watches_live) > 0 || atomic_load(&ex->coroutines) > 0))
    return PILLION_EWRONGTHREAD;
  uint64_t gen = pillion__gen_of(executor);
  if (!atomic_compare_exchange_strong(&ex->base.gen, &gen, gen + 1))
    return PILLION_EBADHANDLE; /* another thread was faster */
  int cancels;                 /* half a free would be worse than none */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  uint32_t round = 0;
  while (atomic_load(&ex->visitors) > 0) pillion__let_run(round++);
  atomic_store(&ex->base.closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
  atomic_store(&ex->owner, pillion__me()); /* for wakes in drops */
  pillion__turning = 1;
  reclaim(ex);
  pillion__turning = 0;
  atomic_store(&ex->owner, 0);
  pillion__owner_give(&executors, &ex->base);
  pthread_setcancelstate(cancels, NULL);
  return 0;
}

/* ---- Counts -------------------------------------------------------------- */

int pillion_executor_stat(pillion_executor_stats *out,
                          pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  pillion_executor_stats stats = ex->counts;
  stats.calls = atomic_load(&ex->calls);
  stats.pokes = atomic_load(&ex->pokes);
  stats.poke_errors = atomic_load(&ex->poke_errors);
  return pillion__sized_out(out, PILLION__FIRST_EXECUTOR_STATS, &stats,
                            sizeof stats);
}
