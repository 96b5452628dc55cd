/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/asio.hpp on an io_context: what Asio alone has. */
#include <new>
#include <stdexcept>

#include "pillion/asio.hpp"

extern "C" {
#include "watch_support.h"
}

using namespace pillion__net;

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

static int attach(pillion_asio *on, io_context &context,
                  pillion_event_fn on_event, void *data) {
  return pillion_asio_attach(on, context, ex, on_event, data);
}

static void end(pillion_asio *on) {
  assert_ok(pillion_asio_detach(on));
}

/* The other work of the program keeps it, and the executor hears meanwhile. */
GIVEN(an_executor, a_post_comes_while_other_work_keeps_the_context) {
  io_context context;
  pillion_asio on;
  memset(&seen, 0, sizeof seen);
  auto work = make_work_guard(context);
  assert_ok(attach(&on, context, see, &seen));
  context.poll();
  assert_ok(pillion_executor_post(ex, 7, "x", 1));
  while (seen.count == 0) context.run_one();
  assert_int_equal(seen.event[0].token, 7);
  work.reset();
  context.run();
  end(&on);
}

/* Two events come at once, after which nothing lives; the handler of the first
 * makes a call, and runs the context until it has heard its end. */
static void run_until_three(const pillion_event *event, void *data) {
  see(event, &seen);
  if (seen.count != 1) return;
  submit(ex, "test.echo", "x", 3, PILLION_EVENT);
  while (seen.count < 3 && ((io_context *)data)->run_one() > 0) {
  }
  assert_int_equal(seen.count, 3);
}

GIVEN(an_executor, a_handler_runs_a_context_that_is_for_one_thread) {
  io_context context(1);
  pillion_asio on;
  static struct probe probes[2];
  memset(&seen, 0, sizeof seen);
  memset(probes, 0, sizeof probes);
  assert_ok(attach(&on, context, run_until_three, &context));
  for (int i = 0; i < 2; i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i + 1, PILLION_EVENT);
  }
  context.run();
  for (int i = 0; i < 3; i++) assert_int_equal(seen.event[i].token, i + 1);
  end(&on);
}

/* ---- Exceptions ---------------------------------------------------------- */

static void see_and_throw(const pillion_event *event, void *data) {
  see(event, data);
  if (event->token % 2 == 0) throw std::runtime_error("on purpose");
}

GIVEN(an_executor, exceptions_of_handlers_leave_run_and_no_event_is_lost) {
  io_context context;
  pillion_asio on;
  static struct probe probes[10];
  int thrown = 0;
  memset(&seen, 0, sizeof seen);
  memset(probes, 0, sizeof probes);
  assert_ok(attach(&on, context, see_and_throw, &seen));
  for (int i = 0; i < 10; i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
  }
  for (bool ended = false; !ended;) {
    try {
      context.run();
      ended = true;
    } catch (const std::runtime_error &error) {
      assert_string_equal(error.what(), "on purpose");
      thrown++;
    }
  }
  assert_int_equal(thrown, 5);
  assert_int_equal(seen.count, 10);
  submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  context.restart();
  context.run();
  assert_int_equal(seen.count, 11);
  end(&on);
}

static void throw_at_the_end(const pillion_event *, void *data) {
  pillion_asio_detach((pillion_asio *)data);
  throw std::runtime_error("on purpose");
}

GIVEN(an_executor, a_handler_detaches_and_throws) {
  io_context context;
  pillion_asio on;
  int thrown = 0;
  assert_ok(attach(&on, context, throw_at_the_end, &on));
  submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  try {
    context.run();
  } catch (const std::runtime_error &) { thrown++; }
  assert_int_equal(thrown, 1);
  assert_int_equal(pillion_asio_detach(&on), PILLION_ECLOSED);
}

static int throw_in_poll(struct probe *, pillion_context *) {
  throw std::runtime_error("on purpose");
}

/* The status of a child that does it. */
static int in_a_child(void (*fn)(void)) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    fn();
    _exit(0);
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

static void terminated() { _exit(7); }

static int run_a_throwing_poll(void) {
  io_context context;
  pillion_asio on;
  struct probe probe = {};
  std::set_terminate(terminated);
  ex = executor_new();
  probe.then = throw_in_poll;
  if (attach(&on, context, NULL, NULL) < 0) return 1;
  spawn(ex, &probe, 1, PILLION_DETACH);
  try {
    context.run();
  } catch (...) { return 2; }
  return 3;
}

TEST(an_exception_of_a_poll_never_crosses_the_library) {
  assert_int_equal(run_self("throw"), 7);
}

/* ---- Refusals ------------------------------------------------------------ */

TEST(a_refused_attach_leaves_the_context_alone) {
  io_context context;
  pillion_asio on;
  assert_int_equal(pillion_asio_attach(&on, context, 0, NULL, NULL),
                   PILLION_EBADHANDLE);
  assert_false(context.stopped());
}

GIVEN(an_executor, a_descriptor_of_the_programs_is_refused) {
  io_context context;
  pillion_asio on, again;
  struct stream in;
  int ends[2];
  pair_new(ends);
  assert_ok(attach(&on, context, NULL, NULL));
  assert_int_equal(attach(&again, context, NULL, NULL), PILLION_EBUSY);
  open_watch(ex, &in, ends[0]);
  in.length = R;
  {
    posix::stream_descriptor its_own(context, ends[0]);
    start(ex, &in, &waiting);
    context.run();
    assert_int_equal(in.rc, PILLION_EBUSY);
    its_own.release();
  }
  end(&on);
  close(ends[1]);
}

/* An attach that fails leaves the executor to the context that it is on. */
GIVEN(an_executor, an_attach_without_memory_changes_nothing) {
  io_context context;
  pillion_asio on, next;
  int failures = 0;
  memset(&seen, 0, sizeof seen);
  assert_ok(attach(&on, context, see, &seen));
  for (int i = 0, rc = -1; rc < 0; i++) {
    io_context other;
    fail_after = i;
    rc = attach(&next, other, see, &seen);
    fail_after = -1;
    if (rc == 0) {
      end(&next);
      break;
    }
    assert_int_equal(rc, PILLION_ENOMEM);
    failures++;
    submit(ex, "test.echo", "x", i, PILLION_EVENT);
    context.restart();
    context.run();
    assert_int_equal(seen.count, failures);
    other.run(); /* nothing of ours keeps it */
  }
  assert_true(failures >= 3);
  end(&on);
}

/* A wait that cannot begin stops the adapter, or is an error of the task. */
GIVEN(an_executor, no_memory_for_a_wait_is_an_error) {
  io_context context;
  pillion_asio on;
  struct stream in;
  int ends[2];
  pair_new(ends);
  assert_ok(attach(&on, context, NULL, NULL));
  open_watch(ex, &in, ends[0]);
  in.length = R;
  start(ex, &in, &waiting);
  fail_after = 0;
  context.poll();
  fail_after = -1;
  if (on.adapter.status == 0) {
    assert_int_equal(in.rc, PILLION_ENOMEM);
    context.run();
  } else {
    assert_int_equal(on.adapter.status, PILLION_ENOMEM);
  }
  end(&on);
  close(ends[1]);
}

/* ---- Forks --------------------------------------------------------------- */

static io_context *shared;
static pillion_asio *shared_on;

static void use_the_copy(void) {
  shared->notify_fork(io_context::fork_child);
  if (pillion_asio_detach(shared_on) != PILLION_EFORKED) _exit(1);
  shared->poll();
  delete shared;
}

static void drop_the_copy(void) { delete shared; }

GIVEN(an_executor, a_child_leaves_the_parents_set_alone) {
  pillion_asio on;
  struct stream in;
  int ends[2];
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  shared = new io_context;
  shared_on = &on;
  assert_ok(attach(&on, *shared, see, &seen));
  open_watch(ex, &in, ends[0]);
  in.length = 1;
  start(ex, &in, &reading);
  shared->poll();
  shared->notify_fork(io_context::fork_prepare);
  assert_int_equal(in_a_child(use_the_copy), 0);
  assert_int_equal(in_a_child(drop_the_copy), 0);
  shared->notify_fork(io_context::fork_parent);
  submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  assert_int_equal(write(ends[1], "x", 1), 1);
  shared->run();
  assert_int_equal(in.bytes, 1);
  assert_int_equal(seen.count, 1);
  delete shared;
  end(&on);
  close(ends[1]);
}

int main(int argc, char **argv) {
  return argc > 1 ? run_a_throwing_poll() : test_main();
}
