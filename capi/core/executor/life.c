/* SPDX-License-Identifier: Apache-2.0 */

/* Making, finding, closing and freeing executors. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

/*
 * Executors are never unmapped, only used again: a late waker that still
 * holds one finds an executor there, another's at worst, and pokes it once
 * too often.
 */

_Atomic(struct pillion__executor *) pillion__executors[PILLION__EXECUTORS];
static pthread_mutex_t executor_lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock: the entries of the table, and a stack of those not in use. */
static uint32_t executors_known;
static uint32_t executors_idle[PILLION__EXECUTORS], executors_idle_count;

static pillion_executor executor_handle(const struct pillion__executor *ex) {
  return pillion__handle(PILLION__EXECUTOR, ex->index,
                         (uint32_t)atomic_load(&ex->gen));
}

/* For an index that is known to have been in use. */
struct pillion__executor *pillion__executor_at(uint32_t index) {
  return atomic_load_explicit(&pillion__executors[index], memory_order_acquire);
}

void pillion__executor_each(void (*fn)(struct pillion__executor *ex,
                                       void *data),
                            void *data) {
  for (uint32_t i = 0; i < PILLION__EXECUTORS; i++) {
    struct pillion__executor *ex = atomic_load(&pillion__executors[i]);
    if (ex == NULL) return;
    if (atomic_load(&ex->gen) % 2 == 1) fn(ex, data);
  }
}

/* Makes the calling thread the owner, if there is none. */
int pillion__executor_claim(struct pillion__executor *ex) {
  uint64_t nobody = 0, me = pillion__me();
  return atomic_compare_exchange_strong(&ex->owner, &nobody, me) ||
                 nobody == me
             ? 0
             : PILLION_EWRONGTHREAD;
}

static int executor_get_idle(struct pillion__executor **out) {
  struct pillion__executor *ex = NULL;
  pthread_mutex_lock(&executor_lock);
  if (executors_idle_count > 0)
    ex = atomic_load(&pillion__executors[executors_idle[--executors_idle_count]]);
  pthread_mutex_unlock(&executor_lock);
  *out = ex;
  if (ex != NULL) return 0;
  void *memory = pillion__alloc(sizeof *ex + 63);
  if (memory == NULL) return PILLION_ENOMEM;
  ex = (void *)((char *)memory + (-(uintptr_t)memory & 63));
  memset(ex, 0, sizeof *ex);
  atomic_init(&ex->fd, -1);
  atomic_init(&ex->timer, -1);
  atomic_init(&ex->park, PILLION__RUNNING);
  pthread_mutex_lock(&executor_lock);
  ex->index = executors_known;
  bool room = executors_known < PILLION__EXECUTORS - 1;
  if (room)
    atomic_store_explicit(&pillion__executors[executors_known++], ex,
                          memory_order_release);
  pthread_mutex_unlock(&executor_lock);
  *out = ex;
  if (room) return 0;
  pillion__free(memory);
  return PILLION_EAGAIN;
}

static void executor_put_idle(struct pillion__executor *ex) {
  pthread_mutex_lock(&executor_lock);
  if (atomic_load(&ex->gen) < UINT32_MAX - 1) /* else used up: retired */
    executors_idle[executors_idle_count++] = ex->index;
  pthread_mutex_unlock(&executor_lock);
}

static void drop_guest_posts(struct pillion__executor *ex) {
  uint32_t found, type;
  while ((found = pillion__list_pop(&ex->guest)) != 0) {
    struct pillion__head *head =
        pillion__head_of((uint64_t)(found - 1) << 32, &type);
    if (type != PILLION__CHUNK_CALLS) {
      atomic_store(&head->pend, 0); /* Go forgets the task below */
      continue;
    }
    bool arrived = head->flags & PILLION__ARRIVED;
    head->flags &= ~(PILLION__LISTED | PILLION__ARRIVED);
    if (arrived) pillion__call_consumed(ex, (struct pillion__call *)head);
  }
}

int pillion_executor_new(pillion_executor *out,
                         const pillion_executor_options *options, char *errbuf,
                         size_t errcap) {
  pillion_executor_options o = PILLION_EXECUTOR_OPTIONS_INIT;
  if (pillion__forked())
    return pillion__fail(PILLION_EFORKED, errbuf, errcap, "a forked child");
  if (out == NULL)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap, "out is NULL");
  if (options != NULL) {
    if (options->size < sizeof o)
      return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                           "options.size is %zu, not %zu or more",
                           options->size, sizeof o);
    o = *options;
  }
  if (o.flags & ~PILLION_NO_FD)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap, "unknown flags %#x",
                         o.flags);
  int rc = pillion__started_for(o.version, errbuf, errcap);
  if (rc < 0) return rc;

  int fd = -1;
  if (!(o.flags & PILLION_NO_FD)) {
    fd = pillion__descriptor_event();
    if (fd < 0)
      return pillion__fail(PILLION_ESYSTEM, errbuf, errcap, "no eventfd: %s",
                           strerror(errno));
  }
  struct pillion__executor *ex;
  rc = executor_get_idle(&ex);
  if (rc < 0) {
    if (fd >= 0) close(fd);
    return pillion__fail(rc, errbuf, errcap,
                         rc == PILLION_ENOMEM ? "no memory for an executor"
                                              : "too many executors");
  }
  rc = pillion__context_init(ex, o.context_hooks, errbuf, errcap);
  if (rc == 0) rc = pillion__configure(ex, &o, errbuf, errcap);
  if (rc == 0) rc = pillion__posts_init(ex, o.posts, errbuf, errcap);
  if (rc == 0 && pillion__gather_init(ex, o.gather, fd) < 0)
    rc = pillion__fail(PILLION_ESYSTEM, errbuf, errcap,
                       "no descriptors to gather with: %s", strerror(errno));
  if (rc < 0) {
    executor_put_idle(ex);
    if (fd >= 0) close(fd);
    return rc;
  }
  ex->guest_deadline = ex->told_deadline = PILLION_TIME_NEVER;
  ex->turns = ex->polls = ex->wakes = ex->spawned = 0;
  ex->dropped = ex->events = ex->go_entries = 0;
  atomic_store(&ex->calls, 0);
  atomic_store(&ex->pokes, 0);
  atomic_store(&ex->poke_errors, 0);
  atomic_store(&ex->owner, 0);
  atomic_store(&ex->closing, (atomic_load(&ex->gen) + 1) << 2);
  atomic_store(&ex->fd, fd);
  pillion__drain(ex); /* what came late for an earlier executor here */
  drop_guest_posts(ex);
  atomic_fetch_add(&ex->gen, 1);
  atomic_store(&ex->park, PILLION__IDLE);
  *out = executor_handle(ex);
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
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0) rc = pillion__executor_own(ex);
  if (rc < 0) return rc;
  if (out == NULL) return PILLION_EINVAL;
  *out = pillion__next_deadline(ex);
  return 0;
}

/* For what must not happen inside a turn. */
int pillion__executor_own_outside(struct pillion__executor **ex,
                                  pillion_executor executor) {
  int rc = pillion__executor_get(ex, executor);
  if (rc == 0) rc = pillion__executor_own(*ex);
  if (rc == 0 && pillion__turning) rc = PILLION_EREENTRANT;
  return rc;
}

int pillion_executor_bind(pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc == 0 && pillion__turning) rc = PILLION_EREENTRANT;
  return rc < 0 ? rc : pillion__executor_own(ex);
}

/* Whether coroutines of Go's are suspended on its thread. Idle ones end here. */
bool pillion__bound(struct pillion__executor *ex) {
  if (atomic_load(&ex->coroutines) == 0) return false;
  uint32_t suspended = pillion__guest.settle(ex->index);
  atomic_store(&ex->coroutines, suspended);
  return suspended > 0;
}

int pillion_executor_release(pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  if (pillion__bound(ex)) return PILLION_EBUSY;
  atomic_store(&ex->owner, 0);
  return 0;
}

int pillion_executor_close(pillion_executor executor, int mode) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (mode != PILLION_CLOSE_DRAIN && mode != PILLION_CLOSE_CANCEL)
    return PILLION_EINVAL;
  uint64_t gen = pillion__gen_of(executor);
  uint64_t closing = gen << 2 | (1u + (uint32_t)mode);
  uint64_t old = atomic_load(&ex->closing);
  do {
    if (old >> 2 != gen) return PILLION_EBADHANDLE; /* freed meanwhile */
    if (old >= closing) return 0;
  } while (!atomic_compare_exchange_weak(&ex->closing, &old, closing));
  pillion__poke(ex);
  return 0;
}

/* ---- Free ---------------------------------------------------------------- */

static void drop_events(struct pillion__executor *ex) {
  uint32_t found, type;
  pillion__release_taken(ex);
  while ((found = pillion__list_pop(&ex->done)) != 0) {
    struct pillion__head *head =
        pillion__head_of((uint64_t)(found - 1) << 32, &type);
    if (type == PILLION__CHUNK_CALLS)
      pillion__call_consumed(ex, (struct pillion__call *)head);
    else if (type == PILLION__CHUNK_POOL)
      pillion__ptask_release((struct pillion__ptask *)head, found - 1);
    else
      pillion__task_discard(ex, (struct pillion__cell *)head, found - 1);
  }
}

/* Joined tasks that ended and were never asked for. */
static void drop_unjoined(struct pillion__executor *ex) {
  for (uint32_t i = 0; i < ex->chunk_count; i++)
    for (uint32_t j = 0; j < PILLION__CHUNK; j++) {
      uint32_t slot = ex->chunks[i] + j;
      struct pillion__cell *cell = pillion__cell_at(slot);
      if (cell->head.flags & PILLION__ENDED)
        pillion__task_discard(ex, cell, slot);
    }
}

static void drop_unjoined_call(struct pillion__call *call, void *data) {
  struct pillion__executor *ex = data;
  if (atomic_load(&call->state) != 0 && atomic_load(&call->executor) == ex &&
      call->head.flags & PILLION__ENDED)
    pillion__call_consumed(ex, call);
}

/*
 * A call whose result is being published is waited for: its publisher is
 * between two instructions. So is a submission that began before the handle
 * went stale; it either backs out or is swept. The sweep frees what Go has not
 * begun, so nothing may stand in the list for Go by then.
 */
static void drop_calls(struct pillion__executor *ex) {
  bool told_go = !ex->guest_known;
  uint32_t round = 0;
  while (atomic_load(&ex->calls_live) > 0 || !told_go) {
    pillion__drain(ex);
    drop_guest_posts(ex);
    pillion__calls_cancel(ex, PILLION__CALL_ORPHAN);
    if (!told_go) pillion__guest.free(ex->index);
    told_go = true;
    pillion__drain(ex);
    drop_guest_posts(ex);
    drop_events(ex);
    pillion__nodes_each(drop_unjoined_call, ex);
    if (atomic_load(&ex->calls_live) > 0) pillion__let_run(round++);
  }
}

static void reclaim(struct pillion__executor *ex) {
  if (ex->worker != NULL) pillion__worker_leave(ex);
  pillion__drain(ex); /* the last that pools had to tell */
  pillion__tasks_drop(ex);
  drop_events(ex);
  drop_unjoined(ex);
  drop_calls(ex);
  pillion__posts_free(ex);
  pillion__watches_close(ex);
  pillion__timers_forget(&ex->timers);
  pillion__drain(ex);
  drop_guest_posts(ex);
  pillion__host_drop(ex);
  pillion__gather_free(ex);
  int fd = atomic_exchange(&ex->fd, -1);
  if (fd >= 0) close(fd);
  for (uint32_t i = 0; i < ex->chunk_count; i++)
    pillion__chunk_return(ex->chunks[i]);
  pillion__free(ex->chunks);
  pillion__free(ex->ready);
  pillion__free(ex->watched);
  ex->chunks = ex->ready = ex->watched = NULL;
  ex->watched_cap = 0;
  ex->chunk_count = ex->chunks_begun = ex->chunk_cap = 0;
  ex->fresh = ex->fresh_end = 0;
  ex->free_first = ex->ready_head = ex->ready_tail = ex->ready_mask = 0;
  ex->ready_stale = 0;
  ex->signaled = ex->closed_with = ex->guest_more = ex->guest_known = 0;
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
       atomic_load(&ex->watches_live) > 0 ||
       atomic_load(&ex->coroutines) > 0))
    return PILLION_EWRONGTHREAD;
  uint64_t gen = pillion__gen_of(executor);
  if (!atomic_compare_exchange_strong(&ex->gen, &gen, gen + 1))
    return PILLION_EBADHANDLE; /* another thread was faster */
  int cancels; /* a half of a free would be worse than none */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  uint32_t round = 0;
  while (atomic_load(&ex->visitors) > 0) pillion__let_run(round++);
  atomic_store(&ex->closing, gen << 2 | (1 + PILLION_CLOSE_CANCEL));
  atomic_store(&ex->owner, pillion__me()); /* for wakes in drops */
  pillion__turning = 1;
  reclaim(ex);
  pillion__turning = 0;
  atomic_store(&ex->owner, 0);
  executor_put_idle(ex);
  pthread_setcancelstate(cancels, NULL);
  return 0;
}

/* ---- Counts -------------------------------------------------------------- */

int pillion_executor_stat(pillion_executor_stats *out,
                          pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_get(&ex, executor);
  if (rc < 0) return rc;
  if (out == NULL || out->size < sizeof *out) return PILLION_EINVAL;
  *out = (pillion_executor_stats){
      .size = out->size,
      .turns = ex->turns,
      .polls = ex->polls,
      .wakes = ex->wakes,
      .pokes = atomic_load(&ex->pokes),
      .poke_errors = atomic_load(&ex->poke_errors),
      .spawned = ex->spawned,
      .dropped = ex->dropped,
      .calls = atomic_load(&ex->calls),
      .events = ex->events,
      .go_entries = ex->go_entries,
  };
  return 0;
}
