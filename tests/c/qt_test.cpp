/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/qt.hpp on an event loop: what Qt alone has. */
#include <QtCore/QCoreApplication>
#include <QtCore/QEventLoop>
#include <QtCore/QTimer>
#include <exception>
#include <new>
#include <stdexcept>

#include "pillion/qt.hpp"

extern "C" {
#include "watch_support.h"
}

static int fail_after = -1; /* so many allocations by C++ */

__attribute__((noinline)) void *operator new(size_t size) {
  void *memory = fail_after == 0 ? NULL : malloc(size);
  if (memory == NULL) throw std::bad_alloc();
  if (fail_after > 0) fail_after--;
  return memory;
}
__attribute__((noinline)) void operator delete(void *memory) noexcept {
  free(memory);
}
void operator delete(void *memory, size_t) noexcept {
  operator delete(memory);
}

static pillion_qt on;

static void quit_at_the_end(const pillion_event *event, void *data) {
  see(event, data);
  if (on.adapter.live == 0) QCoreApplication::quit();
}

GIVEN(an_executor, a_handler_ends_the_loop_when_nothing_lives) {
  memset(&seen, 0, sizeof seen);
  assert_ok(pillion_qt_attach(&on, ex, quit_at_the_end, &seen));
  for (int i = 0; i < 3; i++)
    submit(ex, "test.echo", "x", i, PILLION_EVENT);
  assert_ok(QCoreApplication::exec());
  assert_int_equal(seen.count, 3);
  assert_ok(pillion_qt_detach(&on));
}

/* ---- Loops in handlers --------------------------------------------------- */

static QEventLoop *dialog;
static size_t inside;

static void open_a_dialog(const pillion_event *event, void *data) {
  QEventLoop loop;
  see(event, data);
  if (seen.count == 4) dialog->quit();
  if (seen.count > 1) return;
  dialog = &loop;
  submit(ex, "test.upper", "inside", 9, PILLION_EVENT);
  loop.exec();
  inside = seen.count;
  QCoreApplication::quit();
}

/* It waits for what stands behind its own event, and for a call. */
GIVEN(an_executor, all_goes_on_in_a_dialog_that_a_handler_opens) {
  static struct probe probes[3];
  memset(&seen, 0, sizeof seen);
  memset(probes, 0, sizeof probes);
  assert_ok(pillion_qt_attach(&on, ex, open_a_dialog, &seen));
  for (int i = 0; i < 3; i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
  }
  assert_ok(QCoreApplication::exec());
  assert_int_equal(inside, 4);
  assert_string_equal(seen.event[3].bytes, "INSIDE");
  assert_ok(pillion_qt_detach(&on));
}

GIVEN(an_executor, a_timers_handler_opens_a_dialog) {
  memset(&seen, 0, sizeof seen);
  static struct doze nap;
  memset(&nap, 0, sizeof nap);
  nap.ns = 2 * MS;
  assert_ok(pillion_qt_attach(&on, ex, see, &seen));
  QTimer::singleShot(0, [] {
    assert_ok(pillion_task_spawn(NULL, ex, &dozing, &nap, 1, PILLION_EVENT));
    while (seen.count == 0)
      QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
  });
  QTimer::singleShot(0, [] { QCoreApplication::quit(); });
  assert_ok(QCoreApplication::exec());
  assert_int_equal(seen.count, 1);
  assert_true(nap.woke - nap.began >= nap.ns);
  assert_ok(pillion_qt_detach(&on));
}

/* ---- Refusals ------------------------------------------------------------ */

static int attach_here(void *) {
  pillion_qt other;
  pillion_executor executor;
  int rc = pillion_executor_new(&executor, NULL, NULL, 0);
  if (rc == 0) rc = pillion_qt_attach(&other, executor, NULL, NULL);
  pillion_executor_free(executor);
  return rc;
}

TEST(a_thread_without_a_dispatcher_is_refused) {
  assert_int_equal(on_thread(attach_here, NULL), PILLION_EINVAL);
}

/* An attach that fails leaves the executor to the loop that it is on. (Qt does
 * not stand it everywhere: QObject::connect does not.) */
GIVEN(an_executor, an_attach_without_memory_changes_nothing) {
  pillion_qt next;
  memset(&seen, 0, sizeof seen);
  assert_ok(pillion_qt_attach(&on, ex, quit_at_the_end, &seen));
  for (int i = 0; i < 2; i++) {
    fail_after = i;
    int rc = pillion_qt_attach(&next, ex, quit_at_the_end, &seen);
    fail_after = -1;
    assert_int_equal(rc, PILLION_ENOMEM);
    submit(ex, "test.echo", "x", 1, PILLION_EVENT);
    assert_ok(QCoreApplication::exec());
    assert_int_equal(seen.count, i + 1);
  }
  assert_ok(pillion_qt_detach(&on));
}

/* ---- Exceptions ---------------------------------------------------------- */

static void throw_in_handler(const pillion_event *, void *) {
  throw std::runtime_error("on purpose");
}

static int throw_in_poll(struct probe *, pillion_context *) {
  throw std::runtime_error("on purpose");
}

static void terminated() { _exit(7); }

static int run_what_throws(const char *what) {
  static struct probe probe;
  std::set_terminate(terminated);
  alarm(20);
  ex = executor_new();
  probe.ready_at = 1;
  if (strcmp(what, "poll") == 0) probe.then = throw_in_poll;
  if (pillion_qt_attach(&on, ex, throw_in_handler, NULL) < 0) return 1;
  spawn(ex, &probe, 1, PILLION_EVENT);
  try {
    QCoreApplication::exec();
  } catch (...) { return 2; }
  return 3;
}

TEST(no_exception_goes_into_qt_or_the_library) {
  assert_int_equal(run_self("handler"), 7);
  assert_int_equal(run_self("poll"), 7);
}

static void fail_on_a_warning(QtMsgType, const QMessageLogContext &,
                              const QString &text) {
  fprintf(stderr, "Qt says: %s\n", qPrintable(text));
  abort();
}

int main(int argc, char **argv) {
  QCoreApplication app(argc, argv);
  qInstallMessageHandler(fail_on_a_warning);
  return argc > 1 ? run_what_throws(argv[1]) : test_main();
}
