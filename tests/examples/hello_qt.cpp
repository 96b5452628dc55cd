/* SPDX-License-Identifier: Apache-2.0 */
#include <QtCore/QCoreApplication>
#include <QtCore/QTextStream>

#include "pillion/qt.hpp"

/* Qt's loop does not end when nothing lives: the program says when. */
static void on_event(const pillion_event *event, void *data) {
  pillion_qt *on = static_cast<pillion_qt *>(data);
  QTextStream(stdout) << QString::fromUtf8(
                             static_cast<const char *>(
                                 pillion_event_data(event)),
                             static_cast<qsizetype>(event->length))
                      << Qt::endl;
  if (on->adapter.live == 0) QCoreApplication::quit();
}

int main(int argc, char **argv) {
  QCoreApplication app(argc, argv);
  pillion_executor ex;
  pillion_function greet;
  pillion_qt on;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_qt_attach(&on, ex, on_event, &on) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  app.exec();
  pillion_qt_detach(&on);
  return pillion_executor_free(ex);
}
