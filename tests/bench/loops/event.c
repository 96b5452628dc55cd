/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/thread.h>

#include "../../conformance/loops/drivers/event.c"

#include "post.h"

/* Before any base is made: event_active may come from another thread. */
__attribute__((constructor)) static void use_threads(void) {
  evthread_use_pthreads();
}

static struct event *posted;

static void on_post(evutil_socket_t fd, short events, void *data) {
  own_call(data);
}

void loop_post_init(void *loop, void (*fn)(void *data), void *data) {
  posted = event_new(loop, -1, EV_PERSIST, on_post, own_new(fn, data));
  event_add(posted, NULL);
}

void loop_post(void) { event_active(posted, 0, 0); }
