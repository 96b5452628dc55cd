/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_NET_H
#define PILLION_TESTS_NET_H

/* What test.c asks of a loop: loop_uv.c, loop_event.c and loop_glib.c. */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <nats/nats.h>

#include "pillion/adapter.h"

void net_begin(void);
void net_run(void);
void net_stop(void);
/* Calls fn once a millisecond. */
void net_tick(void (*fn)(void));
/* Readable and writable are POLLIN and POLLOUT. With no events it lets go. */
void net_watch(int fd, int events, void (*fn)(int fd, int events));
void net_redis(redisAsyncContext *redis);
int net_nats(natsOptions *options); /* 0: nats.c has no adapter for it */
int net_attach(pillion_executor ex, pillion_event_fn on_event);
void net_detach(void);

#endif
