/* SPDX-License-Identifier: Apache-2.0 */

/* Qt's event loop, on the dispatcher that Qt chooses: on Linux GLib's. */
#include <QtCore/QThread>
#include <QtCore/QTimer>

#include "pillion/qt.hpp"

#include "loop.h"

const int loop_takes_files = 2, loop_is_held = 1;
const uint32_t loop_lacks = PILLION_HANGUP | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {ENDING_CASES, "a program looks at adapter.live"},
    {"an_attach_without_memory_changes_nothing",
     "Qt itself does not stand it, in QObject::connect"},
    {"a_loop_run_on_the_wrong_thread_does_not_spin",
     "a loop of Qt is its thread's"},
    {"a_descriptor_closed_behind_our_back_is_a_fault",
     "Qt writes a warning of it"},
    {"hang_up_comes_to_whoever_waits", "Qt tells of no hang-up"},
    {NULL, NULL}};

/* The loop of the main thread is destroyed with its application, and that of
 * another thread with the thread. */
static int argc = 1;
static char name[] = "qt", *argv[] = {name, NULL};
static QCoreApplication *app = new QCoreApplication(argc, argv);
static QtMessageHandler before = qInstallMessageHandler(
    [](QtMsgType, const QMessageLogContext &, const QString &) { abort(); });
static int count; /* loops that the main thread has: all are one */

static bool is_main() { return QThread::currentThread() == app->thread(); }

void *loop_new(void) {
  if (is_main()) count++;
  return new QEventLoop;
}

void loop_destroy(void *loop) {
  delete static_cast<QEventLoop *>(loop);
  if (!is_main() || --count > 0) return;
  delete app;
  app = new QCoreApplication(argc, argv);
}

void loop_round(void *loop, int wait) {
  static_cast<QEventLoop *>(loop)->processEvents(
      wait ? QEventLoop::WaitForMoreEvents : QEventLoop::AllEvents);
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  QTimer::singleShot(ms, Qt::PreciseTimer, static_cast<QEventLoop *>(loop),
                     [fn, data] { fn(data); });
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  auto *file = new QSocketNotifier(fd, QSocketNotifier::Read,
                                   static_cast<QEventLoop *>(loop));
  QObject::connect(file, &QSocketNotifier::activated, [fn, data] { fn(data); });
  return 0;
}

int host_attach(struct host *host, void *, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_qt_attach(reinterpret_cast<pillion_qt *>(host), ex, on_event,
                           data);
}

int host_detach(struct host *host) {
  return pillion_qt_detach(reinterpret_cast<pillion_qt *>(host));
}
