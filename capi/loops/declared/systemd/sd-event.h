/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_DECLARED_SD_EVENT_H
#define PILLION_DECLARED_SD_EVENT_H

/*
 * What pillion/sdevent.h uses of libsystemd 243 or later. The functions are
 * pointers, which capi/loops/find.c sets.
 */
#include <stdint.h>

typedef struct sd_event sd_event;
typedef struct sd_event_source sd_event_source;
typedef int (*sd_event_io_handler_t)(sd_event_source *source, int fd,
                                     uint32_t events, void *data);
typedef int (*sd_event_time_handler_t)(sd_event_source *source, uint64_t us,
                                       void *data);

enum { SD_EVENT_OFF = 0, SD_EVENT_ON = 1, SD_EVENT_ONESHOT = -1 };

#define SD_EVENT_FUNCTIONS(_)                                                  \
  _(int, sd_event_add_io,                                                      \
    (sd_event * loop, sd_event_source * *source, int fd, uint32_t events,      \
     sd_event_io_handler_t callback, void *data))                              \
  _(int, sd_event_add_time,                                                    \
    (sd_event * loop, sd_event_source * *source, int clock, uint64_t us,       \
     uint64_t accuracy, sd_event_time_handler_t callback, void *data))         \
  _(sd_event_source *, sd_event_source_disable_unref,                          \
    (sd_event_source * source))                                                \
  _(int, sd_event_source_set_enabled, (sd_event_source * source, int enabled)) \
  _(int, sd_event_source_set_time, (sd_event_source * source, uint64_t us))    \
  _(int, sd_event_source_set_io_events,                                        \
    (sd_event_source * source, uint32_t events))                               \
  _(int, sd_event_source_set_priority,                                         \
    (sd_event_source * source, int64_t priority))

SD_EVENT_FUNCTIONS(PILLION__LOOP_FUNCTION)

#endif
