/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_SDEVENT_H
#define PILLION_INCLUDE_SDEVENT_H

/*
 * Pillion on sd-event, the loop of libsystemd 243 or later:
 *
 *     pillion_sdevent_attach(&on, loop, SD_EVENT_PRIORITY_NORMAL, ex, on_event,
 *                            data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     sd_event_loop(loop);
 *
 * The deadline is met within microseconds, never early. sd-event cannot end a
 * loop when nothing lives any more: a handler that wants that looks at
 * adapter.live, and calls sd_event_exit. Detaching the executor, freeing it and
 * letting go of the loop may come in any order; until it is detached, the
 * adapter has references of the loop.
 *
 * A descriptor is in a loop once. A task that awaits one that the program has
 * there already gets PILLION_EBUSY.
 */

#include <systemd/sd-event.h>

#include "adapter.h"

/* An executor on a loop, in the caller's storage. All but adapter.data,
 * adapter.live and adapter.status is private. */
typedef struct pillion_sdevent {
  pillion_adapter adapter;
  sd_event *loop;
  int64_t priority;
  sd_event_source *io, *timer;
} pillion_sdevent;

static inline int pillion__sdevent_on_io(sd_event_source *source, int fd,
                                         uint32_t events, void *data) {
  (void)source, (void)fd, (void)events;
  pillion_adapter_turn((pillion_adapter *)data);
  return 0;
}

static inline int pillion__sdevent_on_timer(sd_event_source *source,
                                            uint64_t us, void *data) {
  (void)source, (void)us;
  pillion_adapter_fired((pillion_adapter *)data);
  return 0;
}

static inline int pillion__sdevent_on_ready(sd_event_source *source, int fd,
                                            uint32_t events, void *data) {
  (void)source;
  pillion_adapter_report((pillion_adapter *)data, fd,
                         pillion_adapter_events((int)events));
  return 0;
}

static inline void pillion__sdevent_arm(pillion_adapter *adapter,
                                        int64_t deadline) {
  sd_event_source *timer = ((pillion_sdevent *)adapter)->timer;
  int64_t us = pillion_adapter_wait(deadline, 0, 1000);
  if (us >= 0) sd_event_source_set_time(timer, (uint64_t)us);
  sd_event_source_set_enabled(timer, us < 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static inline void pillion__sdevent_stop(pillion_adapter *adapter) {
  sd_event_source_set_enabled(((pillion_sdevent *)adapter)->io, SD_EVENT_OFF);
  sd_event_source_set_enabled(((pillion_sdevent *)adapter)->timer,
                              SD_EVENT_OFF);
}

static inline void pillion__sdevent_close(pillion_adapter *adapter) {
  sd_event_source_disable_unref(((pillion_sdevent *)adapter)->io);
  sd_event_source_disable_unref(((pillion_sdevent *)adapter)->timer);
}

/* It reports hang-ups unasked: so nothing is watched for nothing. */
static inline int pillion__sdevent_watch(pillion_adapter *adapter,
                                         pillion_adapter_watch *watch, int fd,
                                         uint32_t events) {
  const pillion_sdevent *on = (pillion_sdevent *)adapter;
  sd_event_source *source = (sd_event_source *)watch->as.handle;
  uint32_t mask = (uint32_t)pillion_adapter_mask(events);
  int rc = 0;
  if (source == NULL) {
    rc = sd_event_add_io(on->loop, &source, fd, mask, pillion__sdevent_on_ready,
                         adapter);
    if (rc < 0) return pillion__adapter_error(-rc);
    watch->as.handle = source;
    rc = sd_event_source_set_priority(source, on->priority);
  } else if (events != 0) {
    rc = sd_event_source_set_io_events(source, mask);
  }
  if (rc >= 0)
    rc = sd_event_source_set_enabled(source,
                                     events ? SD_EVENT_ON : SD_EVENT_OFF);
  return rc < 0 ? pillion__adapter_error(-rc) : 0;
}

static inline void pillion__sdevent_unwatch(pillion_adapter *adapter,
                                            pillion_adapter_watch *watch,
                                            int fd) {
  (void)adapter, (void)fd;
  sd_event_source_disable_unref((sd_event_source *)watch->as.handle);
}

/*
 * pillion_sdevent_attach puts `executor` on `loop` in place of other hooks: the
 * loop makes its turns, and `on_event` (may be NULL) hears what has ended. The
 * sources for the executor and for the descriptors that its tasks await have
 * this priority.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_EBUSY, PILLION_ENOMEM, PILLION_ESYSTEM (it was refused),
 *   or as pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_sdevent_attach(pillion_sdevent *out, sd_event *loop,
                                         int64_t priority,
                                         pillion_executor executor,
                                         pillion_event_fn on_event,
                                         void *data) {
  static const pillion_adapter_loop functions = {
      pillion__sdevent_arm,   NULL,
      pillion__sdevent_stop,  pillion__sdevent_close,
      pillion__sdevent_watch, pillion__sdevent_unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    on_event, data);

  if (rc < 0) return rc;
  out->loop = loop;
  out->priority = priority;
  out->io = out->timer = NULL;
  rc = sd_event_add_io(loop, &out->io, fd, 1 /* EPOLLIN */,
                       pillion__sdevent_on_io, out);
  if (rc >= 0) /* an accuracy of 0 would be one of 250 ms */
    rc = sd_event_add_time(loop, &out->timer, CLOCK_MONOTONIC, 0, 1,
                           pillion__sdevent_on_timer, out);
  if (rc >= 0) rc = sd_event_source_set_priority(out->io, priority);
  if (rc >= 0) rc = sd_event_source_set_priority(out->timer, priority);
  if (rc >= 0) return pillion_adapter_hook(&out->adapter, executor);
  pillion__sdevent_close(&out->adapter);
  return pillion__adapter_error(-rc);
}

/*
 * pillion_sdevent_detach takes an executor off, as pillion_adapter_detach does.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *on is the caller's again, in a turn or an event handler only when
 *   the outermost turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_sdevent_detach(pillion_sdevent *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
