/* SPDX-License-Identifier: Apache-2.0 */
#include "../../conformance/loops/drivers/ev.c"

#include "post.h"

static struct ev_loop *posted;
static ev_async async;

static void on_async(struct ev_loop *loop, ev_async *w, int events) {
  own_call(w->data);
}

void loop_post_init(void *loop, void (*fn)(void *data), void *data) {
  posted = loop;
  ev_async_init(&async, on_async);
  async.data = own_new(fn, data);
  ev_async_start(loop, &async);
}

void loop_post(void) { ev_async_send(posted, &async); }
