/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_DECLARED_EVENT2_EVENT_H
#define PILLION_DECLARED_EVENT2_EVENT_H

/*
 * What pillion/event.h uses of libevent 2.1. The functions are pointers, which
 * capi/loops/find.c sets. event_get_version_number and
 * event_get_struct_event_size tell whether `struct event` is as it is here.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

struct event_base;
typedef int evutil_socket_t;
typedef void (*event_callback_fn)(evutil_socket_t fd, short events, void *data);

struct event {
  struct {
    void *list[2];
    short evcb_flags;
  } ev_evcallback;
  void *its_own[32];
};

#define EV_TIMEOUT 0x01
#define EV_READ 0x02
#define EV_WRITE 0x04
#define EV_PERSIST 0x10
#define EV_CLOSED 0x80
#define EV_FEATURE_EARLY_CLOSE 0x08
#define EVLIST_TIMEOUT 0x01
#define EVLIST_INSERTED 0x02
#define EVLIST_ACTIVE 0x08
#define EVLIST_ACTIVE_LATER 0x20

/* libev has some of these, too, so one that it lacks comes first. */
#define EVENT_FUNCTIONS(_)                                               \
  _(int, event_assign,                                                   \
    (struct event * event, struct event_base * base, evutil_socket_t fd, \
     short events, event_callback_fn callback, void *data))              \
  _(int, event_add, (struct event * event, const struct timeval *wait))  \
  _(int, event_del, (struct event * event))                              \
  _(int, event_base_get_features, (const struct event_base *base))       \
  _(int, event_base_update_cache_time, (struct event_base * base))       \
  _(uint32_t, event_get_version_number, (void))                          \
  _(size_t, event_get_struct_event_size, (void))

EVENT_FUNCTIONS(PILLION__LOOP_FUNCTION)

#endif
