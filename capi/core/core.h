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
 *            to Go;  probe.c  what that needs;  sweep.c  all of them at once
 *   post.c   events that any thread posts
 *   turn.c   one round of work
 *   pool.h   tasks that move between executors
 *   visit.c  a host's thread inside Go
 *   executor.c, configure.c, guard.c, start.c, wait.c, memory.c, descriptor.c,
 *   log.c, error.c, function.c
 *
 * No Go, no cgo: Go stands behind what guest.h declares; cells and calls are
 * laid out in cell.h, executors in executor.h.
 */

#include <signal.h>

#include <pthread.h>

#include "executor.h"
#include "guest.h"

/* park.c */
PILLION__HIDDEN void pillion__poke(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__park_enter(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__park_leave(struct pillion__executor *ex,
                                         bool more);
PILLION__HIDDEN void pillion__park_stop(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__signal_host(struct pillion__executor *ex);
PILLION__HIDDEN bool pillion__hooked(struct pillion__executor *ex);

/* gather.c */
PILLION__HIDDEN int pillion__gather_init(struct pillion__executor *ex,
                                         uint32_t ns, int fd);
PILLION__HIDDEN void pillion__gather_free(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__ended_push(struct pillion__executor *ex,
                                         struct pillion__head *head,
                                         uint32_t slot);
PILLION__HIDDEN bool pillion__gather_on(struct pillion__executor *ex);
PILLION__HIDDEN void pillion__gather_rest(struct pillion__executor *ex,
                                          bool pokers, bool hooked);

/* executor.c */
PILLION__HIDDEN bool pillion__bound(struct pillion__executor *ex);

/* visit.c: around everything that enters Go on a host's thread */
PILLION__HIDDEN void pillion__visit_begin(sigset_t *mask);
PILLION__HIDDEN void pillion__visit_end(const sigset_t *mask);

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
PILLION__HIDDEN void pillion__let_run(uint32_t round);

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

/* guard.c */
PILLION__HIDDEN int pillion__thread_start(pthread_t *out,
                                          void *(*body)(void *data),
                                          void *data);

/* probe.c */
PILLION__HIDDEN int pillion__probe_threads(char *errbuf, size_t errcap);
PILLION__HIDDEN int pillion__probe_poller(int fd, char *errbuf,
                                          size_t errcap);

/* ring.c */
PILLION__HIDDEN int pillion__ring_open(uint32_t capacity, char *errbuf,
                                       size_t errcap);
PILLION__HIDDEN bool pillion__ring_push(uint32_t slot, uint32_t gen,
                                        uint32_t *kinds);
PILLION__HIDDEN void pillion__ring_close(void);
PILLION__HIDDEN void pillion__ring_undo(bool first);
PILLION__HIDDEN void pillion__ring_cancel(struct pillion__call *call);
PILLION__HIDDEN void pillion__ring_publish(uint32_t kinds);
PILLION__HIDDEN void pillion__ring_poke(void);

/* descriptor.c */
PILLION__HIDDEN int pillion__descriptor_event(void);
PILLION__HIDDEN int pillion__descriptor_timer(void);
PILLION__HIDDEN int pillion__descriptor_set(int event, int timer);
PILLION__HIDDEN int pillion__descriptor_copy(int fd);
PILLION__HIDDEN bool pillion__descriptor_poke(int fd);
PILLION__HIDDEN void pillion__descriptor_arm(int timer, uint32_t ns);
PILLION__HIDDEN bool pillion__descriptor_empty(int fd);
PILLION__HIDDEN void pillion__descriptor_close(int fd);

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
PILLION__HIDDEN extern uint32_t pillion__max_calls, pillion__max_workers;

/* function.c */
PILLION__HIDDEN bool pillion__function_any(void);
PILLION__HIDDEN int pillion__function_kind(uint32_t *index, uint32_t *kind,
                                           pillion_function function);

#endif
