/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_ASIO_HPP
#define PILLION_INCLUDE_ASIO_HPP

/*
 * Pillion on an io_context of Asio 1.18 or later, in C++17: the standalone one,
 * or Boost's if PILLION_BOOST_ASIO is defined or there is no other.
 *
 *     pillion_asio_attach(&on, context.get_executor(), ex, on_event, data);
 *     pillion_call_submit(NULL, ex, f, "you", 3, token, PILLION_EVENT);
 *     context.run();
 *
 * The deadline is met late by microseconds, never early. The context runs while
 * a task or call lives, and no longer: then, as always, it needs restart(). A
 * handler may run it, by run_one, run_for or poll. Detaching the executor,
 * freeing it and destroying the context may come in any order. A forked child
 * that runs its copy calls notify_fork before.
 *
 * An exception of on_event leaves run(), as any handler's does, and no event is
 * lost. A poll, drop or hook that throws has C beneath it: std::terminate.
 *
 * Asio tells of no hang-up: to await it is PILLION_ENOTSUP.
 */

#if !defined(PILLION_BOOST_ASIO) && __has_include(<asio.hpp>)
#include <asio.hpp>
namespace pillion__net = ::asio;
typedef asio::error_code pillion__asio_error;
#else
#include <boost/asio.hpp>
namespace pillion__net = ::boost::asio;
typedef boost::system::error_code pillion__asio_error;
#endif
#include <cerrno>
#include <memory>
#include <typeinfo>

#include "adapter.h"

/* An executor on a context, in the caller's storage. `on_event` and `data` may
 * be set, adapter.live and adapter.status read; the rest is private. */
typedef struct pillion_asio {
  pillion_adapter adapter;
  pillion_event_fn on_event; /* or NULL */
  void *data;                /* of on_event */
  pillion__net::io_context *context;
  struct pillion__asio *own; /* NULL: stopped, or the context is gone */
  int keeps, nudged;
} pillion_asio;

/* What the context watches: the executor's descriptor, and it has the timer, or
 * that of a task. Only waits own it, so the context's end is its end, too. */
struct pillion__asio : std::enable_shared_from_this<pillion__asio> {
  typedef pillion__net::io_context::executor_type executor;
  pillion_asio *on; /* NULL: the adapter has let go of it */
  int fd;
  uint32_t events = 0, awaited = 0;
  pillion__net::posix::stream_descriptor::rebind_executor<executor>::other io;
  pillion__net::steady_timer::rebind_executor<executor>::other timer;

  pillion__asio(pillion_asio *of, int number)
      : on(of), fd(number), io(*of->context), timer(*of->context) {}
  ~pillion__asio() {
    if (on != NULL && on->own == this) on->own = NULL;
    else if (on != NULL && (size_t)fd < on->adapter.watches_cap)
      on->adapter.watches[fd].as.handle = NULL;
    io.release(); /* otherwise it would close it */
  }
  void let_go() {
    on = NULL;
    io.release();
    timer.cancel();
  }

  static int make(std::shared_ptr<pillion__asio> *out, pillion_asio *on,
                  int fd) {
    pillion__asio_error error;
    try {
      (*out = std::make_shared<pillion__asio>(on, fd))->io.assign(fd, error);
      if (!error) return 0;
      return error.value() == EEXIST ? PILLION_EBUSY : PILLION_ESYSTEM;
    } catch (const std::bad_alloc &) {
      return PILLION_ENOMEM;
    } catch (...) {
      return PILLION_ESYSTEM;
    }
  }

  /* Waits do not keep the context running: tasks do. 0 is the timer. */
  void wait_for(uint32_t event) {
    auto came = [self = shared_from_this(), event](auto error) noexcept {
      self->timer.get_executor().on_work_started(); /* as the wait had */
      if (self->on != NULL) self->came(event, error);
    };
    if (event == 0) timer.async_wait(came);
    else if (event == PILLION_READABLE) io.async_wait(io.wait_read, came);
    else if (event == PILLION_WRITABLE) io.async_wait(io.wait_write, came);
    else io.async_wait(io.wait_error, came);
    timer.get_executor().on_work_finished();
    awaited |= event;
  }

  /* A wait hears once. The next comes before a turn, in which a handler may run
   * the context; what the turn has read does not end it. */
  int wait() {
    try {
      for (uint32_t event = 1; event <= events; event *= 2)
        if (events & ~awaited & event) wait_for(event);
    } catch (...) {
      return PILLION_ENOMEM;
    }
    return 0;
  }

  void came(uint32_t event, const pillion__asio_error &error) {
    awaited &= ~event;
    if (error == pillion__net::error::operation_aborted) return;
    if (on->own == this) {
      if (error) pillion_adapter_stop(&on->adapter, PILLION_ESYSTEM);
      else turn(event == 0);
    } else if (events & event) {
      if (error || wait() < 0) event = PILLION_FAULT;
      pillion_adapter_report(&on->adapter, fd, event);
    }
  }

  /* In a loop inside a poll the descriptor stays readable: the timer tries. */
  void turn(int fired) {
    pillion_adapter *adapter = &on->adapter;
    int rc = pillion_executor_bind(adapter->executor);
    if (rc != PILLION_EREENTRANT && wait() < 0)
      pillion_adapter_stop(adapter, PILLION_ENOMEM);
    else if (fired) pillion_adapter_fired(adapter);
    else pillion_adapter_turn(adapter);
  }

  static void arm(pillion_adapter *adapter, int64_t deadline) {
    pillion__asio *own = ((pillion_asio *)adapter)->own;
    if (own == NULL) return;
    try {
      own->timer.expires_at(std::chrono::steady_clock::time_point(
          std::chrono::nanoseconds(deadline)));
      if (deadline != PILLION_TIME_NEVER) own->wait_for(0);
      if (adapter->refused || own->wait() == 0) return;
    } catch (...) {
    }
    pillion_adapter_stop(adapter, PILLION_ENOMEM);
  }

  static void live(pillion_adapter *adapter, int live) {
    pillion_asio *on = (pillion_asio *)adapter;
    if (on->own == NULL || on->keeps == live) return;
    on->keeps = live;
    if (live) on->context->get_executor().on_work_started();
    else on->context->get_executor().on_work_finished();
  }

  static void stop(pillion_adapter *adapter) {
    pillion__asio *own = ((pillion_asio *)adapter)->own;
    if (own == NULL) return;
    live(adapter, 0);
    own->on->own = NULL;
    own->let_go();
  }

  static int watch(pillion_adapter *adapter, pillion_adapter_watch *watch,
                   int fd, uint32_t events) {
    pillion_asio *on = (pillion_asio *)adapter;
    std::shared_ptr<pillion__asio> added;
    if (on->own == NULL) return PILLION_ECLOSED;
    if (events & PILLION_HANGUP || pillion__adapter_is_file(fd))
      return PILLION_ENOTSUP;
    if (events == 0) return unwatch(adapter, watch, fd), 0;
    if (watch->as.handle == NULL) {
      if (int rc = make(&added, on, fd); rc < 0) return rc;
      watch->as.handle = added.get();
    }
    ((pillion__asio *)watch->as.handle)->events = events;
    return ((pillion__asio *)watch->as.handle)->wait();
  }

  static void unwatch(pillion_adapter *, pillion_adapter_watch *watch, int) {
    if (watch->as.handle != NULL) ((pillion__asio *)watch->as.handle)->let_go();
    watch->as.handle = NULL;
  }

  /* A loop that the handler runs begins with what is left of its batch. */
  static void on_event(const pillion_event *event, void *data) {
    pillion_asio *on = (pillion_asio *)data;
    executor context = on->context->get_executor();
    if (pillion_adapter_pending(&on->adapter) && on->own && !on->nudged) {
      on->nudged = 1;
      post(context, [self = on->own->shared_from_this()]() noexcept {
        if (self->on == NULL) return;
        self->on->nudged = 0;
        if (pillion_adapter_pending(&self->on->adapter)) self->turn(0);
      });
    }
    try {
      if (on->on_event != NULL) on->on_event(event, on->data);
    } catch (...) {
      post(context, [error = std::current_exception()] {
        std::rethrow_exception(error);
      });
    }
  }
};

/*
 * pillion_asio_attach puts `executor` on the context of `its`, in place of
 * other hooks: the context makes its turns, and `on_event` (may be NULL) hears
 * what has ended. One thread runs the context.
 *
 * Threads: the context's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_ENOTSUP (`its` is not an io_context's own executor, but
 *   a strand, say), PILLION_EBUSY (it is on this context already),
 *   PILLION_ENOMEM, PILLION_ESYSTEM (no descriptor is left), or as
 *   pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_asio_attach(pillion_asio *out,
                                      const pillion__net::any_io_executor &its,
                                      pillion_executor executor,
                                      pillion_event_fn on_event, void *data) {
  typedef pillion__asio Own;
  static const pillion_adapter_loop functions = {
      Own::arm, Own::live, Own::stop, Own::stop, Own::watch, Own::unwatch};
  std::shared_ptr<Own> own;
  int fd, rc;

  if (its.target_type() != typeid(Own::executor)) return PILLION_ENOTSUP;
  rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                            Own::on_event, out);
  if (rc < 0) return rc;
  out->on_event = on_event;
  out->data = data;
  out->context = &its.target<Own::executor>()->context();
  out->own = NULL;
  out->keeps = out->nudged = 0;
  if ((rc = Own::make(&own, out, fd)) < 0) return rc;
  out->own = own.get();
  Own::live(&out->adapter, 1);
  own->events = PILLION_READABLE;
  Own::arm(&out->adapter, 0);
  rc = out->adapter.status;
  return rc < 0 ? rc : pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_asio_detach takes an executor off: see pillion_adapter_detach.
 *
 * Threads: the context's.
 * Reentrancy: anywhere but in a turn that the context did not make.
 * Ownership: *on is the caller's again, in a turn or an event handler only when
 *   the outermost turn's events have been handed out.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_asio_detach(pillion_asio *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
