/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_DECLARED_EV_H
#define PILLION_DECLARED_EV_H

/*
 * What pillion/ev.h uses of libev 4. The functions are pointers, which
 * capi/loops/find.c sets. Watchers look as a build of libev wants them: these
 * are those of the usual build, and capi/loops/ev.c asks ev_invoke for them.
 */
struct ev_loop;
typedef double ev_tstamp;

/* A build may have one loop only, and then no argument for it. */
#define EV_P_ struct ev_loop *loop,
#define EV_WATCHER(type)         \
  int active, pending, priority; \
  void *data;                    \
  void (*cb)(struct ev_loop * loop, struct type * self, int events);

typedef struct ev_io {
  EV_WATCHER(ev_io)
  void *next;
  int fd, events;
} ev_io;

typedef struct ev_timer {
  EV_WATCHER(ev_timer)
  ev_tstamp at, repeat;
} ev_timer;

typedef struct ev_prepare {
  EV_WATCHER(ev_prepare)
} ev_prepare;

typedef struct ev_cleanup {
  EV_WATCHER(ev_cleanup)
} ev_cleanup;

/* libevent has other values. */
#undef EV_READ
#undef EV_WRITE
#define EV_READ 0x01
#define EV_WRITE 0x02
#define EV_ERROR ((int)0x80000000)

#define ev_is_active(watcher) (0 + (watcher)->active)
#define ev_init(watcher, callback)                                   \
  ((watcher)->active = (watcher)->pending = (watcher)->priority = 0, \
   (watcher)->cb = (callback))
#define ev_io_set(io, descriptor, mask) \
  ((io)->fd = (descriptor), (io)->events = (mask) | 0x80 /* fd is new */)
#define ev_timer_set(timer, after, again) \
  ((timer)->at = (after), (timer)->repeat = (again))
#define ev_io_init(io, callback, descriptor, mask) \
  (ev_init(io, callback), ev_io_set(io, descriptor, mask))
#define ev_timer_init(timer, callback, after, again) \
  (ev_init(timer, callback), ev_timer_set(timer, after, again))
#define ev_prepare_init ev_init
#define ev_cleanup_init ev_init

#define EV_FUNCTIONS(_)                                                    \
  _(struct ev_loop *, ev_loop_new, (unsigned flags))                       \
  _(void, ev_io_start, (struct ev_loop * loop, ev_io * io))                \
  _(void, ev_io_stop, (struct ev_loop * loop, ev_io * io))                 \
  _(void, ev_timer_start, (struct ev_loop * loop, ev_timer * timer))       \
  _(void, ev_timer_stop, (struct ev_loop * loop, ev_timer * timer))        \
  _(void, ev_prepare_start, (struct ev_loop * loop, ev_prepare * prepare)) \
  _(void, ev_prepare_stop, (struct ev_loop * loop, ev_prepare * prepare))  \
  _(void, ev_cleanup_start, (struct ev_loop * loop, ev_cleanup * cleanup)) \
  _(void, ev_cleanup_stop, (struct ev_loop * loop, ev_cleanup * cleanup))  \
  _(void, ev_ref, (struct ev_loop * loop))                                 \
  _(void, ev_unref, (struct ev_loop * loop))                               \
  _(void, ev_now_update, (struct ev_loop * loop))                          \
  _(void, ev_invoke, (struct ev_loop * loop, void *watcher, int events))   \
  _(int, ev_version_major, (void))

EV_FUNCTIONS(PILLION__LOOP_FUNCTION)

#endif
