/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_QT_HPP
#define PILLION_INCLUDE_QT_HPP

/*
 * Pillion on the event loop of a thread in Qt 6.2 or later, in C++17:
 *
 *     QCoreApplication app(argc, argv);
 *     pillion_qt_attach(&on, ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     app.exec();
 *
 * The deadline is met up to 1 ms late, never early. Qt cannot end a loop when
 * nothing lives any more: a handler that wants that looks at adapter.live, and
 * calls quit. Detaching the executor, freeing it and destroying the application
 * or ending the QThread may come in any order; detach on the same thread.
 *
 * Tasks, calls and events go on in a QEventLoop that a handler runs, so in a
 * dialog. An exception of on_event, a poll or a hook is std::terminate: Qt does
 * not let them through.
 *
 * Qt tells of no hang-up: to await it is PILLION_ENOTSUP. Its own dispatcher,
 * which it has where GLib is not, takes one QSocketNotifier of a kind for a
 * descriptor: so the program has none for what a task awaits.
 */

#include <QtCore/QAbstractEventDispatcher>
#include <QtCore/QCoreApplication>
#include <QtCore/QSocketNotifier>
#include <climits>

#include "adapter.h"

/* An executor on a thread's loop, in the caller's storage. All but
 * adapter.on_event, .data, .live and .status is private. */
typedef struct pillion_qt {
  pillion_adapter adapter;
  class pillion__qt *own;
} pillion_qt;

/* A notifier of the executor's descriptor, with its timer, or of a watched one.
 * It may be deleted in its own event. */
class pillion__qt : public QSocketNotifier {
 public:
  pillion__qt(pillion_adapter *adapter, int fd, Type type, uint32_t bit)
      : QSocketNotifier(type), adapter(adapter), bit(bit) {
    setSocket(fd);
  }

  bool event(QEvent *event) noexcept override {
    if (event->type() == QEvent::SockAct) {
      if (bit == 0) pillion_adapter_turn(adapter);
      else pillion_adapter_report(adapter, (int)socket(), bit);
    } else if (event->type() == QEvent::Timer) {
      stop_timer();
      pillion_adapter_fired(adapter);
    } else {
      return QSocketNotifier::event(event);
    }
    return true;
  }

  void stop_timer() {
    if (timer != 0) killTimer(timer);
    timer = 0;
  }

  /* A zero timer has the priority of GLib's idle sources: at least 1. In a loop
   * inside a poll the descriptor stays readable, and the timer tries again. */
  static void arm(pillion_adapter *adapter, int64_t deadline) {
    pillion__qt *own = ((pillion_qt *)adapter)->own;
    int64_t ms = pillion_adapter_wait(deadline, pillion_adapter_now(), 1000000);
    own->setEnabled(!adapter->refused);
    own->stop_timer();
    if (ms < 0) return;
    ms = ms < 1 ? 1 : ms < INT_MAX ? ms : INT_MAX;
    own->timer = own->startTimer((int)ms, Qt::PreciseTimer);
  }

  static void stop(pillion_adapter *adapter) {
    pillion__qt *own = ((pillion_qt *)adapter)->own;
    own->setEnabled(false);
    own->stop_timer();
  }

  static void close(pillion_adapter *adapter) {
    delete ((pillion_qt *)adapter)->own;
  }

  /* as.handle has a notifier for each kind. */
  static int watch(pillion_adapter *adapter, pillion_adapter_watch *watch,
                   int fd, uint32_t events) {
    static const uint32_t bits[] = {PILLION_READABLE, PILLION_WRITABLE,
                                    PILLION_PRIORITY}; /* as in Type */
    pillion__qt **all = (pillion__qt **)watch->as.handle;
    if (!QAbstractEventDispatcher::instance()) return PILLION_ECLOSED;
    if (events & PILLION_HANGUP) return PILLION_ENOTSUP;
    try {
      if (all == NULL) watch->as.handle = all = new pillion__qt *[3]();
      for (int i = 0; i < 3; i++) {
        if (events & bits[i] && all[i] == NULL)
          all[i] = new pillion__qt(adapter, fd, (Type)i, bits[i]);
        if (all[i] != NULL) all[i]->setEnabled((events & bits[i]) != 0);
      }
      return 0;
    } catch (...) {
      return PILLION_ENOMEM;
    }
  }

  static void unwatch(pillion_adapter *, pillion_adapter_watch *watch, int) {
    pillion__qt **all = (pillion__qt **)watch->as.handle;
    for (int i = 0; i < 3; i++) delete all[i];
    delete[] all;
  }

 private:
  pillion_adapter *adapter;
  uint32_t bit; /* the event it reports; 0: the executor's */
  int timer = 0;
};

/*
 * pillion_qt_attach puts `executor` on the loop of this thread, in place of
 * other hooks: the loop makes its turns, and `on_event` (may be NULL) hears
 * what has ended.
 *
 * Threads: the loop's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_EINVAL (also if the thread has no event dispatcher yet:
 *   make a QCoreApplication or a QEventLoop first), PILLION_ENOMEM, or as
 *   pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_qt_attach(pillion_qt *out, pillion_executor executor,
                                    pillion_event_fn on_event, void *data) {
  typedef pillion__qt Own;
  static const pillion_adapter_loop functions = {
      Own::arm, NULL, Own::stop, Own::close, Own::watch, Own::unwatch};
  QAbstractEventDispatcher *dispatcher = QAbstractEventDispatcher::instance();
  pillion_adapter *adapter = &out->adapter;
  int fd, rc = pillion_adapter_init(adapter, &fd, executor, &functions,
                                    on_event, data);

  if (rc == 0 && dispatcher == NULL) rc = PILLION_EINVAL;
  if (rc < 0) return rc;
  out->own = NULL;
  try {
    out->own = new Own(adapter, fd, QSocketNotifier::Read, 0);
    /* A loop that a handler runs begins with what is left of its batch. */
    QObject::connect(dispatcher, &QAbstractEventDispatcher::aboutToBlock,
                     out->own, [adapter, dispatcher]() noexcept {
                       if (!pillion_adapter_pending(adapter)) return;
                       dispatcher->wakeUp();
                       pillion_adapter_turn(adapter);
                     });
  } catch (...) {
    delete out->own;
    return PILLION_ENOMEM;
  }
  /* Not before the hooks: another adapter may have a notifier for it. */
  if ((rc = pillion_adapter_hook(adapter, executor)) < 0) return rc;
  Own::arm(adapter, 0);
  return 0;
}

/*
 * pillion_qt_detach takes an executor off, as pillion_adapter_detach does.
 *
 * Threads: the loop's.
 * Reentrancy: anywhere but in a turn that the loop did not make.
 * Ownership: *on is the caller's again, in a turn or an event handler only when
 *   the outermost turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_qt_detach(pillion_qt *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
