/* SPDX-License-Identifier: Apache-2.0 */
#include "../../conformance/loops/drivers/asio.cpp"

#include "post.h"

static io_context *posted;
static void (*call)(void *data);

void loop_post_init(void *loop, void (*fn)(void *data), void *) {
  posted = static_cast<io_context *>(loop);
  call = fn;
}

void loop_post(void) {
  pillion__net::post(*posted, [] { call(NULL); });
}
