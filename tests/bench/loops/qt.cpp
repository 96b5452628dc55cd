/* SPDX-License-Identifier: Apache-2.0 */
#include "../../conformance/loops/drivers/qt.cpp"

#include "post.h"

static QEventLoop *posted;
static void (*call)(void *data);

void loop_post_init(void *loop, void (*fn)(void *data), void *) {
  posted = static_cast<QEventLoop *>(loop);
  call = fn;
}

void loop_post(void) {
  QMetaObject::invokeMethod(posted, [] { call(NULL); }, Qt::QueuedConnection);
}
