/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CORE_EXECUTOR_H
#define PILLION_CORE_EXECUTOR_H

/*
 * The parts of an executor, and its owner. Read it in this order:
 *
 *   park.c     when and how the host is told; gather.c, told.c, host.c
 *   cells.c    cells and places for tasks; hooks.c  what tasks carry
 *   task.c     local tasks; spawn.c, wake.c, join.c, timer.c
 *   watch.c    awaited descriptors; watches.c  opening and closing them
 *   drain.c    others' pushes; take.c  what the host takes; post.c; log.c
 *   turn.c     one round of work
 *   verbs.c    the functions by handle; ops.c  those of futures
 *   attach.c, table.c, thread.c, life.c
 */
#include "base/guest.h"
#include "cell/kinds.h"
#include "executor/side.h"
#include "queue/queue.h"

#pragma GCC visibility push(hidden)

/* The bits of `park`; the diagram is in park.c. */
#define PILLION__PARK_IDLE 0u    /* none of the next three */
#define PILLION__PARK_POKED 1u   /* set by a poker, until the owner goes idle */
#define PILLION__PARK_RUNNING 2u /* set by the owner, until it goes idle */
#define PILLION__PARK_ARMED 4u   /* its timer is, until the owner goes idle */
#define PILLION__PARK_POKER 8u   /* the count of pokers, which stands above */
#define PILLION__PARK_AWAKE (PILLION__PARK_POKED | PILLION__PARK_RUNNING)

/* The owner's knowledge of the descriptor. */
#define PILLION__NOT_SIGNALED 0u
#define PILLION__SIGNALED 1u         /* it is readable */
#define PILLION__PERHAPS_SIGNALED 2u /* a poker may have written, or will */

#define PILLION__EXECUTORS 4096

#define PILLION__DEPTHS 4u /* a loop in a handler in a loop in a handler … */

/* What a turn has lent whose events the host handles. */
struct pillion__lent {
  struct pillion__list taken;
  struct pillion__block *posts;
};

struct pillion__executor {
  /* The part that other threads touch. */
  struct pillion__owner base;
  _Atomic uint32_t park;
  _Atomic uint64_t ended; /* ends that wait: their count << 32 | slot + 1 */
  _Atomic uint64_t owner; /* a thread's serial, 0: none */
  _Atomic int fd;         /* the eventfd */
  _Atomic int watched_fd; /* the host watches that, or a set with it */
  _Atomic int timer;      /* the timerfd, if it gathers, or -1 */
  _Atomic uint64_t calls_live; /* submitted and not consumed calls */
  _Atomic uint64_t calls, pokes, poke_errors;
  _Atomic uint64_t tasks_live;   /* written by the owner only */
  _Atomic uint64_t watches_live; /* written by the owner only */
  _Atomic uint32_t in_turn;      /* written by the owner only */
  _Atomic uint32_t guest_wake;   /* Go's own inbox is not empty */
  _Atomic uint32_t coroutines;   /* of Go's; bound to the owner's thread */
  _Atomic uint32_t visitors;     /* ending threads and pools inside it */
  _Atomic uint64_t pool_events;  /* tasks of pools that tell their end here */
  _Atomic uint32_t providers;    /* of functions of the host's */
  _Atomic uint32_t max_calls;
  _Atomic uint32_t gather; /* ns */
  _Atomic(pillion_host *) host;

  /* The part that only the owner touches; up to the timers a free zeroes it. */
  _Alignas(64) uint32_t *ready; /* a ring of slots, its size a power of two */
  uint32_t ready_mask, ready_head, ready_tail; /* the latter two only grow */
  struct pillion__cell *polled; /* whose poll is on the stack, or NULL */
  uint32_t ready_stale;         /* cells of ended tasks in the ring */
  uint32_t signaled;            /* the owner's knowledge of the descriptor */
  uint32_t armed;               /* its timer is armed, perhaps */
  uint32_t free_first;          /* recycled cells: slot + 1 */
  uint32_t fresh, fresh_end;
  _Atomic uint32_t chunks;          /* the leased ones; the owner's */
  uint32_t unbegun, unbegun_chunks; /* the first of them, and their number */
  uint32_t max_tasks;
  uint32_t max_polls; /* of a turn whose budget has none */
  int64_t max_ns;
  uint64_t seed; /* the state of the random order of polls; 0: none */
  int64_t (*clock)(void *data); /* or NULL */
  void *clock_data;
  uint32_t closed_with, live_told, guest_more, guest_known;
  struct pillion__list done;      /* ended, waiting to be taken */
  struct pillion__list taken;     /* ends whose payloads the host still reads */
  struct pillion__list guest;     /* posts for Go */
  struct pillion__list unwatched; /* watches that others have closed */
  uint32_t *watched;              /* by descriptor: the slot + 1 of its watch */
  uint32_t watched_cap, max_watches;
  int epoll;        /* the set, if the library is the host */
  uint32_t epolled; /* descriptors in it */
  int64_t guest_deadline, told_deadline;
  struct pillion__worker *worker; /* its place in a pool, or NULL */
  uint32_t pooled; /* it works for that pool, and is not known to be idle */
  pillion_context context;
  uint64_t calls_taken;          /* since calls_live was told */
  pillion_executor_stats counts; /* but those that other threads count */
  struct pillion__timers timers;
  pillion_context_hooks hooks;       /* set before the handle is out */
  struct pillion__block *posts_lent; /* payloads that the host still reads */
  uint32_t depth; /* of the latest turn; `outer` has those around it */
  struct pillion__lent outer[PILLION__DEPTHS];

  /* Posted events; see post.c. The posters' line, and then the owner's. */
  _Alignas(64) _Atomic uint64_t posts_tail; /* gen << 32 | position */
  _Atomic(struct pillion__posted *) posts;  /* the ring, or NULL */
  _Atomic uint32_t posts_mask, posts_making;
  _Alignas(64) _Atomic uint32_t posts_head;
};

/* ---- Local tasks --------------------------------------------------------- */

/* Whether it may be spawned, on an executor or a pool: 0 or an error. */
int pillion__spawn_unusual(const pillion_future *future, uint32_t flags);
static inline int pillion__spawnable(const pillion_future *future,
                                     uint32_t flags) {
  return PILLION__LIKELY(future != NULL && future->size == sizeof *future &&
                         future->poll != NULL && flags <= PILLION_DETACH)
             ? 0
             : pillion__spawn_unusual(future, flags);
}
/* Neither ended nor freed. */
static inline bool pillion__task_running(const struct pillion__cell *cell) {
  return (cell->head.flags & (PILLION__TASK_LIVE | PILLION__TASK_ENDED)) ==
         PILLION__TASK_LIVE;
}
/* The value of a task that is cancelled; returns the outcome. */
static inline uint32_t pillion__cancelled_value(pillion_value *value,
                                                uint32_t flags) {
  pillion__value_empty(value, flags & PILLION__TASK_EXPIRED
                                  ? PILLION_ETIMEDOUT
                                  : PILLION_ECANCELLED);
  return flags & PILLION__TASK_POLLED ? PILLION_OUTCOME_CANCELLED_RUNNING
                                      : PILLION_OUTCOME_CANCELLED_UNSTARTED;
}

/* ---- Watches ------------------------------------------------------------- */

/*
 * The flags of a cell that is a watch.
 *
 *             set                                  cannot be set
 *   LISTED    while it is in `unwatched`, for a    by the owner's close, which
 *             close that another thread asked for  needs no list
 *   CELL      from the opening to the close        on a task
 *   OWNS      at the opening: the descriptor is    without CELL
 *             closed with the watch
 */
#define PILLION__WATCH_LISTED (1u << 29)
#define PILLION__WATCH_CELL (1u << 30)
#define PILLION__WATCH_OWNS (1u << 31)

#define PILLION__WAITERS 4u /* one for each event that a task can await */
#define PILLION__AWAITABLE ((1u << PILLION__WAITERS) - 1u)

struct pillion__watch { /* a cell of the executor's */
  struct pillion__head head;
  pillion_waker waiters[PILLION__WAITERS];
  int32_t fd;
  uint8_t told, woken, came;
  uint8_t known; /* by the host, which is owed an unwatch */
};
_Static_assert(sizeof(struct pillion__watch) == sizeof(struct pillion__cell),
               "a watch is a cell");

static inline uint64_t pillion__watch_key(uint32_t slot,
                                          const struct pillion__head *head) {
  return pillion__handle(PILLION__WATCH, slot, pillion__gen(head));
}
static inline bool pillion__watch_stale(uint64_t key,
                                        const struct pillion__head *head) {
  return atomic_load_explicit(&head->gen, memory_order_acquire) !=
         pillion__gen_of(key);
}

/* ---- Whose executor is it? ----------------------------------------------- */

/* The executor whose turn is on this thread's stack, or NULL. */
extern _Thread_local struct pillion__executor *pillion__here
    __attribute__((tls_model("initial-exec")));

extern _Atomic(void *) pillion__executors[PILLION__EXECUTORS];
int pillion__executor_claim(struct pillion__executor *ex);
/* For an index that was in use before. */
static inline struct pillion__executor *pillion__executor_at(uint32_t index) {
  return atomic_load_explicit(&pillion__executors[index], memory_order_acquire);
}
void pillion__executor_each(void (*fn)(struct pillion__executor *ex,
                                       void *data),
                            void *data);
int pillion__executor_own_outside(struct pillion__executor **ex,
                                  pillion_executor executor);

static inline int pillion__executor_get(struct pillion__executor **out,
                                        pillion_executor handle) {
  if (pillion__forked()) return PILLION_EFORKED;
  *out = (struct pillion__executor *)pillion__owner_at(
      handle, PILLION__EXECUTOR, pillion__executors, PILLION__EXECUTORS);
  return PILLION__LIKELY(*out != NULL) ? 0 : PILLION_EBADHANDLE;
}

static inline bool pillion__executor_claimed(struct pillion__executor *ex) {
  uint64_t owner = pillion__peek(&ex->owner);
  return owner == pillion__serial && owner != 0;
}

static inline int pillion__executor_own(struct pillion__executor *ex) {
  return PILLION__LIKELY(pillion__executor_claimed(ex))
             ? 0
             : pillion__executor_claim(ex);
}

/* As pillion__executor_get, for calls that only the owner may make. */
static inline int pillion__executor_mine(struct pillion__executor **out,
                                         pillion_executor handle) {
  int rc = pillion__executor_get(out, handle);
  return PILLION__LIKELY(rc == 0) ? pillion__executor_own(*out) : rc;
}

static inline struct pillion__executor *pillion__executor_of(uint32_t slot) {
  return (struct pillion__executor *)pillion__owner_of(slot);
}

static inline bool pillion__owned_here(const struct pillion__executor *ex) {
  return pillion__peek(&ex->owner) == pillion__me();
}

/* Then the host learns of the change at the end of the turn. */
static inline bool pillion__in_turn(const struct pillion__executor *ex) {
  return pillion__peek(&ex->in_turn);
}

static inline uint64_t pillion__tasks_live(const struct pillion__executor *ex) {
  return pillion__peek(&ex->tasks_live);
}

static inline uint64_t pillion__live(const struct pillion__executor *ex) {
  uint64_t of_pool =
      PILLION__LIKELY(ex->worker == NULL) ? 0 : pillion__pool_side->live(ex);
  return pillion__tasks_live(ex) + pillion__peek(&ex->calls_live) +
         pillion__peek(&ex->pool_events) + of_pool;
}

/* park.c */
void pillion__poke(struct pillion__executor *ex);
void pillion__push(struct pillion__executor *ex, struct pillion__head *head,
                   uint32_t slot);
void pillion__park_enter(struct pillion__executor *ex);
bool pillion__park_leave(struct pillion__executor *ex, bool more);
void pillion__park_stop(struct pillion__executor *ex);
void pillion__signal_host(struct pillion__executor *ex);
void pillion__poke_for_go(struct pillion__executor *ex);
bool pillion__hooked(struct pillion__executor *ex);

/* gather.c */
int pillion__gather_init(struct pillion__executor *ex, uint32_t ns, int fd);
void pillion__gather_free(struct pillion__executor *ex);
void pillion__ended_push(struct pillion__executor *ex,
                         struct pillion__head *head, uint32_t slot);
bool pillion__gather_on(struct pillion__executor *ex);
void pillion__gather_rest(struct pillion__executor *ex, bool pokers,
                          bool hooked);

/* told.c */
void pillion__tell_live(struct pillion__executor *ex);
void pillion__tell_deadline(struct pillion__executor *ex);
int64_t pillion__next_deadline(const struct pillion__executor *ex);

/* host.c */
pillion_host *pillion__host_swap(struct pillion__executor *ex,
                                 pillion_host *host);
void pillion__host_forget(pillion_host *old);
int pillion__host_watch(struct pillion__executor *ex, int fd, uint32_t events,
                        uint64_t key);
void pillion__host_unwatch(struct pillion__executor *ex, int fd, uint64_t key);
void pillion__epoll_look(struct pillion__executor *ex);
int pillion__fd_claim(struct pillion__executor *ex, int fd, uint32_t slot);
void pillion__fd_let_go(struct pillion__executor *ex, int fd);

/* cells.c */
int pillion__ready_reserve(struct pillion__executor *ex, uint32_t tasks);
int pillion__cell_take(struct pillion__executor *ex, uint32_t *out);
void pillion__cell_give(struct pillion__executor *ex,
                        struct pillion__cell *cell, uint32_t slot);
int pillion__tasks_reserve(struct pillion__executor *ex, uint32_t tasks);

/* hooks.c */
int pillion__hooks_copy(pillion_context_hooks *out,
                        const pillion_context_hooks *hooks,
                        struct pillion__why why);
void pillion__hooks_drop(const pillion_context_hooks *hooks,
                         const pillion_future *future,
                         struct pillion__cell *cell);

static inline void pillion__hooks_release(const pillion_context_hooks *hooks,
                                          void *context) {
  if (context != NULL && hooks->release != NULL)
    hooks->release(context, hooks->data);
}

/* Drops a task's future. */
static inline void pillion__future_drop(const pillion_context_hooks *hooks,
                                        const pillion_future *future,
                                        struct pillion__cell *cell,
                                        uint32_t flags) {
  if (PILLION__UNLIKELY(flags & PILLION__TASK_CONTEXT))
    pillion__hooks_drop(hooks, future, cell);
  else if (future->drop != NULL) future->drop(cell->u.live.self);
}

static inline void *pillion__hooks_capture(const pillion_context_hooks *hooks) {
  return PILLION__LIKELY(hooks->capture == NULL) ? NULL
                                                 : hooks->capture(hooks->data);
}

/* spawn.c */
int pillion__spawn(pillion_task *out, struct pillion__executor *ex,
                   const pillion_future *future, void *self, uint64_t token,
                   uint32_t flags);

/* task.c */
void pillion__ready(struct pillion__executor *ex, struct pillion__head *head,
                    uint32_t slot);
void pillion__task_run(struct pillion__executor *ex, uint32_t slot);
void pillion__task_posted(struct pillion__executor *ex,
                          struct pillion__cell *cell, uint32_t slot,
                          uint32_t bits);
void pillion__task_event(struct pillion__executor *ex,
                         struct pillion__cell *cell, uint32_t slot,
                         pillion_event *event);
void pillion__task_cancelled(struct pillion__executor *ex,
                             struct pillion__cell *cell, uint32_t slot);
void pillion__tasks_cancel(struct pillion__executor *ex);
void pillion__tasks_drop(struct pillion__executor *ex);
void pillion__tasks_drop_ended(struct pillion__executor *ex);
int pillion__task_value(struct pillion__executor *ex,
                        struct pillion__cell *cell, uint32_t slot,
                        pillion_value *out);
void pillion__task_discard(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot);
void pillion__task_release(struct pillion__executor *ex,
                           struct pillion__cell *cell, uint32_t slot);

/* wake.c */
int pillion__wake_local_in(struct pillion__executor *ex, pillion_waker waker);
int pillion__ask(struct pillion__head *head, uint32_t slot, uint32_t gen,
                 uint32_t bits);
int pillion__ask_once(struct pillion__head *head, uint32_t slot, uint32_t gen,
                      uint32_t bit);

/* join.c */
int pillion__join(pillion_value *out, pillion_context *cx, pillion_task task);
int pillion__joiner_set(pillion_waker *joiner, pillion_waker waker);
int pillion__joiner_wait(_Atomic uint64_t *joiner, uint32_t gen,
                         pillion_waker waker);

/* timer.c */
int pillion__timer_set(pillion_timer *timer, pillion_context *cx,
                       int64_t deadline);
void pillion__timer_clear(pillion_timer *timer);
void pillion__timers_fire(struct pillion__executor *ex, int64_t now);
int pillion__deadline_set(struct pillion__executor *ex, pillion_timer *storage,
                          pillion_task task, int64_t at);

static inline int64_t pillion__clock(const struct pillion__executor *ex) {
  if (PILLION__LIKELY(ex->clock == NULL)) return pillion__now();
  int64_t now = ex->clock(ex->clock_data);
  return now < 0 ? 0 : now;
}

/* watch.c */
struct pillion__head *pillion__watch_head(uint64_t key, uint32_t *type);
int pillion__watch_tell(struct pillion__executor *ex,
                        struct pillion__watch *watch, uint32_t slot,
                        uint32_t events);
uint32_t pillion__watch_awaited(const struct pillion__watch *watch);
void pillion__watch_give(struct pillion__watch *watch, uint32_t events,
                         pillion_waker waker);
uint32_t pillion__watch_wake(struct pillion__executor *ex,
                             struct pillion__watch *watch, uint32_t events);
int pillion__watch_report(struct pillion__executor *ex, uint64_t key,
                          uint32_t events);
int pillion__watch_ready(uint32_t *events, pillion_context *cx,
                         pillion_watch handle, uint32_t interest);
void pillion__watch_clear(pillion_context *cx, pillion_watch handle,
                          uint32_t interest);

/* watches.c */
void pillion__watch_posted(struct pillion__executor *ex,
                           struct pillion__head *head, uint32_t slot,
                           uint32_t bits);
void pillion__watches_close_asked(struct pillion__executor *ex);
void pillion__watches_close(struct pillion__executor *ex);
void pillion__watches_leave(struct pillion__executor *ex);
void pillion__watches_tell(struct pillion__executor *ex);

/* drain.c */
void pillion__drain(struct pillion__executor *ex);

/* take.c */
size_t pillion__take(struct pillion__executor *ex, pillion_event *events,
                     size_t cap);
void pillion__lent_end(struct pillion__executor *ex, uint32_t depth);
void pillion__drop_events(struct pillion__executor *ex);

/* post.c */
struct pillion__block { /* a payload in memory of its own */
  struct pillion__block *next;
  _Atomic uint64_t holders; /* once it is lent: the turn, and its keeper */
  char bytes[];             /* they begin where any type may */
};
struct pillion__block *pillion__block_make(size_t length);
struct pillion__block *pillion__block_new(const void *payload, size_t length);

static inline struct pillion__block *pillion__block_of(const void *bytes) {
  return (struct pillion__block *)((char *)bytes -
                                   offsetof(struct pillion__block, bytes));
}

/* The event's payload lies in the block, until the next turn. */
static inline void pillion__lend(struct pillion__executor *ex,
                                 pillion_event *event,
                                 struct pillion__block *block) {
  event->payload.data = block->bytes;
  pillion__set(&block->holders, 1);
  block->next = ex->posts_lent;
  ex->posts_lent = block;
}

int pillion__posts_init(struct pillion__executor *ex, uint32_t posts,
                        struct pillion__why why);
void pillion__posts_free(struct pillion__executor *ex);
bool pillion__posts_ready(struct pillion__executor *ex);
size_t pillion__posts_take(struct pillion__executor *ex, pillion_event *events,
                           size_t cap);
void pillion__posts_release(struct pillion__executor *ex);

/* log.c */
extern _Atomic int32_t pillion__log_level; /* of the listener's */
bool pillion__log_line(const char *line, size_t length);
void pillion__log_keep(const char *text);

/* ops.c */
void pillion__context_init(struct pillion__executor *ex);

/* life.c */
bool pillion__bound(struct pillion__executor *ex);

/* thread.c */
void pillion__thread_ends(void *serial);

#pragma GCC visibility pop

#endif
