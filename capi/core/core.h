/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_H
#define PILLION_CORE_H

/*
 * The C executor, from the inside. Read it in this order:
 *
 *   cell.c   slots, handles, and the one way anything crosses threads: post
 *   park.c   when and how the host is told
 *   slot.c   cells and places for tasks
 *   task.c   C futures;  join.c  who awaits them;
 *            handle.c  what is done to them by handle;  context.c  what they
 *            see, and carry
 *   timer.c  when they are woken;  wheel.c  in which order;
 *            deadline.c  when they are cancelled
 *   watch.c  descriptors that are awaited;  host.c  who watches them
 *   call.c   calls of Go functions;  node.c  their memory;  ring.c  their way
 *            to Go;  sweep.c  all of them at once
 *   post.c   events that any thread posts
 *   turn.c   one round of work
 *   pool.h   tasks that move between executors
 *   executor.c, configure.c, guard.c, start.c, wait.c, memory.c, log.c,
 *   error.c, function.c
 *
 * No Go, no cgo: Go stands behind what guest.h declares; cells and calls are
 * laid out in cell.h.
 */

#include "cell.h"
#include "guest.h"
#include "wheel.h"

/* ---- Executors ----------------------------------------------------------- */

enum pillion__park { /* the diagram is in park.c */
  PILLION__IDLE,
  PILLION__POKING,
  PILLION__POKED,
  PILLION__RUNNING,
  PILLION__SEEN,
};

#define PILLION__EXECUTORS 4096

struct pillion__list { /* of slots, through head.next */
  uint32_t first, last; /* slot + 1 */
};

struct pillion__executor {
  /* What other threads touch. Never unmapped, so a late touch is harmless. */
  _Atomic uint32_t inbox; /* slot + 1 */
  _Atomic uint32_t park;
  _Atomic uint64_t gen;   /* of the handle; even: not in use */
  _Atomic uint64_t owner; /* a thread's serial, 0: none */
  _Atomic int fd;
  _Atomic uint64_t closing; /* gen << 2, below it 0 or 1 + mode */
  _Atomic uint64_t calls_live; /* submitted, and not consumed */
  _Atomic uint64_t calls, pokes, poke_errors;
  _Atomic uint64_t tasks_live;      /* written by the owner only */
  _Atomic uint64_t watches_live;    /* written by the owner only */
  _Atomic uint32_t in_turn;         /* written by the owner only */
  _Atomic uint32_t guest_wake;      /* Go's own inbox has something */
  _Atomic uint32_t coroutines;      /* of Go's; bound to the owner's thread */
  _Atomic uint32_t visitors; /* exit hooks and pools that look at it */
  _Atomic uint64_t pool_events; /* tasks of pools whose end is told here */
  _Atomic uint32_t max_calls;
  _Atomic(pillion_host *) host;

  /* What the owner touches. */
  _Alignas(64) uint32_t *ready; /* a ring of slots, its size a power of two */
  uint32_t ready_mask, ready_head, ready_tail; /* the latter two only grow */
  struct pillion__cell *polled; /* whose poll is on the stack, or NULL */
  uint32_t ready_stale; /* cells in the ring whose tasks are gone */
  uint32_t signaled; /* the descriptor is known to be readable */
  uint32_t free_first; /* recycled cells: slot + 1 */
  uint32_t fresh, fresh_end;
  uint32_t chunk_count, chunks_begun, chunk_cap;
  uint32_t *chunks; /* bases of the leased ones */
  uint32_t max_tasks;
  uint32_t max_polls; /* of a turn whose budget does not say */
  int64_t max_ns;
  uint64_t seed; /* the present state of what orders the polls; 0: nothing */
  int64_t (*clock)(void *data); /* or NULL */
  void *clock_data;
  uint32_t closed_with, live_told, guest_more, guest_known;
  struct pillion__list done; /* ended, waiting to be taken */
  struct pillion__list taken; /* those whose payloads the host still reads */
  struct pillion__list guest; /* posts for Go */
  struct pillion__list unwatched; /* watches that others have closed */
  uint32_t *watched; /* by descriptor: the slot + 1 of its watch */
  uint32_t watched_cap, max_watches;
  int64_t guest_deadline, told_deadline;
  struct pillion__worker *worker; /* its place in a pool, or NULL */
  uint32_t pooled; /* it works for that pool, and isn't known to be idle */
  pillion_context context;
  uint64_t turns, polls, wakes, spawned, dropped, events, go_entries;
  uint32_t index;
  struct pillion__timers timers;
  pillion_context_hooks hooks; /* set before the handle is out */
  struct pillion__block *posts_lent; /* payloads that the host still reads */
  uint32_t posts_lending;            /* there are some */

  /* Posted events; see post.c. The posters' line, and then the owner's. */
  _Alignas(64) _Atomic uint64_t posts_tail; /* gen << 32 | position */
  _Atomic(struct pillion__posted *) posts;  /* the ring, or NULL */
  _Atomic uint32_t posts_mask, posts_making;
  _Alignas(64) _Atomic uint32_t posts_head;
};

PILLION__HIDDEN struct pillion__executor *pillion__executor_at(uint32_t index);
PILLION__HIDDEN void pillion__executor_each(
    void (*fn)(struct pillion__executor *ex, void *data), void *data);

/* park.c */
PILLION__HIDDEN void pillion__poke(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__park_enter(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__park_leave(struct pillion__executor *ex,
                                         bool more);
PILLION__HIDDEN void pillion__park_stop(struct pillion__executor *ex);

/* executor.c */
PILLION__HIDDEN bool pillion__bound(struct pillion__executor *ex);

/* configure.c */
PILLION__HIDDEN int pillion__configure(struct pillion__executor *ex,
                                       const pillion_executor_options *o,
                                       char *errbuf, size_t errcap);
/* cell.c */
PILLION__HIDDEN void pillion__inbox_push(struct pillion__executor *ex,
                                         struct pillion__head *head,
                                         uint32_t slot);

/* turn.c */
PILLION__HIDDEN void pillion__drain(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__list_push(struct pillion__list *list,
                                        uint32_t slot);
PILLION__HIDDEN uint32_t pillion__list_pop(struct pillion__list *list);
PILLION__HIDDEN int64_t
pillion__next_deadline(const struct pillion__executor *ex);
PILLION__HIDDEN void pillion__tell_live(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__release_taken(struct pillion__executor *ex);

static inline uint32_t pillion__closing(struct pillion__executor *ex) {
  return (uint32_t)atomic_load_explicit(&ex->closing, memory_order_relaxed) &
         3u;
}

/* pool.h: as far as executors know of it */
struct pillion__worker;
struct pillion__ptask;
PILLION__HIDDEN int pillion__ptask_wake(struct pillion__ptask *task,
                                        uint32_t slot, uint32_t gen,
                                        struct pillion__worker *worker);
PILLION__HIDDEN int pillion__ptask_cancel(struct pillion__ptask *task,
                                          uint32_t slot, uint32_t gen);
PILLION__HIDDEN int pillion__ptask_deadline(pillion_timer *storage,
                                            pillion_task handle, int64_t at);
PILLION__HIDDEN int pillion__ptask_join(pillion_value *out,
                                        pillion_context *cx,
                                        pillion_task handle);
PILLION__HIDDEN int pillion__ptask_detach(pillion_task handle);
PILLION__HIDDEN void pillion__ptask_event(struct pillion__executor *ex,
                                          struct pillion__ptask *task,
                                          uint32_t slot,
                                          pillion_event *event);
PILLION__HIDDEN void pillion__ptask_release(struct pillion__ptask *task,
                                            uint32_t slot);
PILLION__HIDDEN int pillion__pool_wake(pillion_waker waker);
PILLION__HIDDEN uint32_t pillion__pool_run(struct pillion__executor *ex,
                                           uint32_t max_polls, int64_t now,
                                           int64_t until);
PILLION__HIDDEN bool pillion__pool_more(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__pool_rest(struct pillion__executor *ex);
PILLION__HIDDEN uint64_t pillion__pool_live(struct pillion__worker *worker);
PILLION__HIDDEN int64_t pillion__pool_deadline(struct pillion__worker *worker);
PILLION__HIDDEN void pillion__worker_leave(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__pool_count(pillion_library_counts *out);
PILLION__HIDDEN void pillion__guest_push(struct pillion__pool *pool,
                                         struct pillion__head *head,
                                         uint32_t slot);
PILLION__HIDDEN uint32_t pillion__guest_pool(struct pillion__worker *worker);
PILLION__HIDDEN int pillion__pool_call(uint32_t *out, pillion_pool pool);
PILLION__HIDDEN void pillion__pool_called(uint32_t pool);
PILLION__HIDDEN bool pillion__pool_cancels(uint32_t pool);

static inline uint64_t pillion__live(const struct pillion__executor *ex) {
  uint64_t live =
      atomic_load_explicit(&ex->tasks_live, memory_order_relaxed) +
      atomic_load_explicit(&ex->calls_live, memory_order_relaxed) +
      atomic_load_explicit(&ex->pool_events, memory_order_relaxed);
  return PILLION__LIKELY(ex->worker == NULL)
             ? live
             : live + pillion__pool_live(ex->worker);
}

/* slot.c */
PILLION__HIDDEN int pillion__ready_reserve(struct pillion__executor *ex,
                                           uint32_t tasks);
PILLION__HIDDEN int pillion__slot_take(struct pillion__executor *ex,
                                       uint32_t *out);
PILLION__HIDDEN void pillion__slot_give(struct pillion__executor *ex,
                                        struct pillion__cell *cell,
                                        uint32_t slot);
PILLION__HIDDEN int pillion__tasks_reserve(struct pillion__executor *ex,
                                           uint32_t tasks);

/* task.c */
PILLION__HIDDEN void pillion__ready(struct pillion__executor *ex,
                                    struct pillion__head *head, uint32_t slot);
PILLION__HIDDEN void pillion__task_run(struct pillion__executor *ex,
                                       uint32_t slot);
PILLION__HIDDEN void pillion__task_posted(struct pillion__executor *ex,
                                          struct pillion__cell *cell,
                                          uint32_t slot, uint32_t bits);
PILLION__HIDDEN void pillion__task_event(struct pillion__executor *ex,
                                         struct pillion__cell *cell,
                                         uint32_t slot, pillion_event *event);
PILLION__HIDDEN void pillion__task_cancelled(struct pillion__executor *ex,
                                             struct pillion__cell *cell,
                                             uint32_t slot);
PILLION__HIDDEN void pillion__tasks_cancel(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__tasks_drop(struct pillion__executor *ex);
PILLION__HIDDEN int pillion__task_value(struct pillion__executor *ex,
                                        struct pillion__cell *cell,
                                        uint32_t slot, pillion_value *out);
PILLION__HIDDEN void pillion__task_discard(struct pillion__executor *ex,
                                           struct pillion__cell *cell,
                                           uint32_t slot);
PILLION__HIDDEN void pillion__task_release(struct pillion__executor *ex,
                                           struct pillion__cell *cell,
                                           uint32_t slot);
PILLION__HIDDEN int pillion__spawn(pillion_task *out,
                                   struct pillion__executor *ex,
                                   const pillion_future *future, void *self,
                                   uint64_t token, uint32_t flags);
PILLION__HIDDEN void pillion__task_free(struct pillion__executor *ex,
                                        struct pillion__cell *cell,
                                        uint32_t slot);

/* context.c */
PILLION__HIDDEN int pillion__context_init(struct pillion__executor *ex,
                                          const pillion_context_hooks *hooks,
                                          char *errbuf, size_t errcap);
PILLION__HIDDEN int pillion__hooks_copy(pillion_context_hooks *out,
                                        const pillion_context_hooks *hooks,
                                        char *errbuf, size_t errcap);
PILLION__HIDDEN void pillion__hooks_drop(const pillion_context_hooks *hooks,
                                         void *context,
                                         const pillion_future *future,
                                         void *self);

static inline void pillion__hooks_release(const pillion_context_hooks *hooks,
                                          void *context) {
  if (context != NULL && hooks->release != NULL)
    hooks->release(context, hooks->data);
}

static inline void *pillion__context_capture(struct pillion__executor *ex) {
  return PILLION__LIKELY(ex->hooks.capture == NULL)
             ? NULL
             : ex->hooks.capture(ex->hooks.data);
}
static inline void pillion__context_enter(struct pillion__executor *ex,
                                          void *context) {
  ex->hooks.enter(context, ex->hooks.data);
}
static inline void pillion__context_leave(struct pillion__executor *ex,
                                          void *context) {
  ex->hooks.leave(context, ex->hooks.data);
}
static inline void pillion__context_release(struct pillion__executor *ex,
                                            void *context) {
  pillion__hooks_release(&ex->hooks, context);
}

/* post.c */
PILLION__HIDDEN int pillion__posts_init(struct pillion__executor *ex,
                                        uint32_t posts, char *errbuf,
                                        size_t errcap);
PILLION__HIDDEN void pillion__posts_free(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__posts_ready(struct pillion__executor *ex);
PILLION__HIDDEN size_t pillion__posts_take(struct pillion__executor *ex,
                                           pillion_event *events, size_t cap);
PILLION__HIDDEN void pillion__posts_release(struct pillion__executor *ex);

/* timer.c */
PILLION__HIDDEN int pillion__timer_set(pillion_timer *timer,
                                       pillion_context *cx, int64_t deadline);
PILLION__HIDDEN void pillion__timer_clear(pillion_timer *timer);
PILLION__HIDDEN int pillion__timer_arm(struct pillion__executor *ex,
                                       pillion_timer *timer, uint64_t waker,
                                       int64_t deadline);
PILLION__HIDDEN void pillion__timers_fire(struct pillion__executor *ex,
                                          int64_t now);
PILLION__HIDDEN int pillion__timers_arm(struct pillion__timers *timers,
                                        pillion_timer *timer,
                                        const pillion_context *cx,
                                        uint64_t waker, int64_t deadline);
PILLION__HIDDEN void pillion__timers_disarm(struct pillion__timers *timers,
                                            pillion_timer *timer);
PILLION__HIDDEN void
pillion__timers_expire(struct pillion__timers *timers, int64_t now,
                       void (*fn)(void *data, uint64_t waker), void *data);
PILLION__HIDDEN void pillion__timers_forget(struct pillion__timers *timers);
PILLION__HIDDEN int64_t pillion__now(void);

static inline int64_t pillion__clock(const struct pillion__executor *ex) {
  if (PILLION__LIKELY(ex->clock == NULL)) return pillion__now();
  int64_t now = ex->clock(ex->clock_data);
  return now < 0 ? 0 : now;
}

/* deadline.c */
PILLION__HIDDEN void pillion__expire(struct pillion__executor *ex,
                                     pillion_task task);

/* host.c */
PILLION__HIDDEN void pillion__host_drop(struct pillion__executor *ex);
PILLION__HIDDEN int pillion__host_watch(struct pillion__executor *ex, int fd,
                                        uint32_t events, uint64_t key);
PILLION__HIDDEN void pillion__host_unwatch(struct pillion__executor *ex,
                                           int fd, uint64_t key);
PILLION__HIDDEN int pillion__fd_claim(struct pillion__executor *ex, int fd,
                                      uint32_t slot);
PILLION__HIDDEN void pillion__fd_let_go(struct pillion__executor *ex, int fd);

/* watch.c */
PILLION__HIDDEN int pillion__watch_ready(uint32_t *events, pillion_context *cx,
                                         pillion_watch handle,
                                         uint32_t interest);
PILLION__HIDDEN void pillion__watch_clear(pillion_context *cx,
                                          pillion_watch handle,
                                          uint32_t interest);
PILLION__HIDDEN void pillion__watch_posted(struct pillion__executor *ex,
                                           struct pillion__head *head,
                                           uint32_t slot, uint32_t bits);
PILLION__HIDDEN void pillion__watches_close_asked(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__watches_close(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__watches_leave(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__watches_tell(struct pillion__executor *ex);

/* join.c */
PILLION__HIDDEN int pillion__join(pillion_value *out, pillion_context *cx,
                                  pillion_task task);
PILLION__HIDDEN int pillion__wake_local_in(struct pillion__executor *ex,
                                           pillion_waker waker);

/* call.c */
PILLION__HIDDEN void pillion__call_posted(struct pillion__executor *ex,
                                          struct pillion__call *call,
                                          uint32_t slot, uint32_t bits);
PILLION__HIDDEN void pillion__call_event(struct pillion__executor *ex,
                                         struct pillion__call *call,
                                         pillion_event *event);
PILLION__HIDDEN void pillion__call_value(struct pillion__call *call,
                                         pillion_value *out);
PILLION__HIDDEN void pillion__call_free(struct pillion__call *call);
PILLION__HIDDEN int pillion__call_cancel(struct pillion__call *call,
                                         uint32_t gen, uint32_t bits);
PILLION__HIDDEN int pillion__call_detach(struct pillion__call *call,
                                         pillion_task task);
PILLION__HIDDEN void pillion__call_consumed(struct pillion__executor *ex,
                                            struct pillion__call *call);
PILLION__HIDDEN void pillion__calls_cancel(struct pillion__executor *ex,
                                           uint32_t bits);
PILLION__HIDDEN void pillion__calls_cancel_in(uint32_t pool);
PILLION__HIDDEN uint64_t pillion__calls_alive(void);
PILLION__HIDDEN bool pillion__call_start(struct pillion__call *call);

/* wait.c */
PILLION__HIDDEN int pillion__call_join(pillion_value *out, pillion_context *cx,
                                       struct pillion__call *call,
                                       pillion_task task);
PILLION__HIDDEN bool pillion__joiner_alive(uint64_t joiner);

/* node.c */
PILLION__HIDDEN struct pillion__call *
pillion__node_get(struct pillion__executor *executor);
PILLION__HIDDEN void pillion__node_put(struct pillion__call *call);
PILLION__HIDDEN void pillion__nodes_each(void (*fn)(struct pillion__call *call,
                                                    void *data),
                                         void *data);
PILLION__HIDDEN bool pillion__payload_set(struct pillion__call *call,
                                          const void *bytes, uint64_t length);
PILLION__HIDDEN void pillion__payload_clear(struct pillion__call *call,
                                            uint64_t length);
PILLION__HIDDEN void pillion__payload_free(void *memory);
extern PILLION__HIDDEN _Atomic uint64_t pillion__calls_running;
extern PILLION__HIDDEN _Atomic uint64_t pillion__payloads_alive;

/* ring.c */
PILLION__HIDDEN int pillion__ring_open(uint32_t capacity, char *errbuf,
                                       size_t errcap);
PILLION__HIDDEN bool pillion__ring_push(uint32_t slot, uint32_t gen);
PILLION__HIDDEN void pillion__ring_close(void);
PILLION__HIDDEN void pillion__ring_cancel(struct pillion__call *call);
PILLION__HIDDEN void pillion__ring_publish(void);
PILLION__HIDDEN void pillion__ring_poke(void);

/* guard.c: fork, thread serials, signal masks */
PILLION__HIDDEN extern const uint32_t *pillion__alive_page;
PILLION__HIDDEN extern _Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
/* The executor whose turn is on this thread's stack, or NULL. */
PILLION__HIDDEN extern _Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN extern _Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));
PILLION__HIDDEN uint64_t pillion__serial_new(void);
PILLION__HIDDEN extern bool pillion__second_go;

static inline bool pillion__forked(void) {
  return PILLION__UNLIKELY(*pillion__alive_page == 0);
}
static inline uint64_t pillion__me(void) {
  return PILLION__LIKELY(pillion__serial != 0) ? pillion__serial
                                               : pillion__serial_new();
}

/* ---- Whose executor is it? ----------------------------------------------- */

extern PILLION__HIDDEN _Atomic(struct pillion__executor *)
    pillion__executors[PILLION__EXECUTORS];
PILLION__HIDDEN int pillion__executor_claim(struct pillion__executor *ex);
PILLION__HIDDEN int
pillion__executor_own_outside(struct pillion__executor **ex,
                              pillion_executor executor);

static inline int pillion__executor_get(struct pillion__executor **out,
                                        pillion_executor handle) {
  if (pillion__forked()) return PILLION_EFORKED;
  uint32_t index = pillion__slot_of(handle);
  if (PILLION__UNLIKELY(pillion__kind_of(handle) != PILLION__EXECUTOR ||
                        index >= PILLION__EXECUTORS))
    return PILLION_EBADHANDLE;
  struct pillion__executor *ex =
      atomic_load_explicit(&pillion__executors[index], memory_order_acquire);
  if (PILLION__UNLIKELY(ex == NULL ||
                        atomic_load_explicit(&ex->gen, memory_order_relaxed) !=
                            pillion__gen_of(handle) ||
                        pillion__gen_of(handle) % 2 == 0))
    return PILLION_EBADHANDLE;
  *out = ex;
  return 0;
}

static inline int pillion__executor_own(struct pillion__executor *ex) {
  uint64_t owner = atomic_load_explicit(&ex->owner, memory_order_relaxed);
  return PILLION__LIKELY(owner == pillion__serial && owner != 0)
             ? 0
             : pillion__executor_claim(ex);
}

/* memory.c, log.c, start.c */
PILLION__HIDDEN void *pillion__alloc(size_t bytes);
PILLION__HIDDEN void pillion__free(void *memory);
PILLION__HIDDEN void pillion__allocator_set(const pillion_allocator *a);
PILLION__HIDDEN void pillion__log(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
PILLION__HIDDEN int pillion__fail(int code, char *errbuf, size_t errcap,
                                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));
PILLION__HIDDEN int pillion__started(void); /* starts if need be */
PILLION__HIDDEN int pillion__started_for(int version, char *errbuf,
                                         size_t errcap);
PILLION__HIDDEN extern _Atomic bool pillion__stopping;
PILLION__HIDDEN extern uint64_t pillion__max_request;
PILLION__HIDDEN extern uint32_t pillion__max_calls;

/* function.c */
PILLION__HIDDEN bool pillion__function_any(void);
PILLION__HIDDEN int pillion__function_kind(uint32_t *index, uint32_t *kind,
                                           pillion_function function);

#endif
