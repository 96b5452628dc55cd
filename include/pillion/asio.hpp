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
typedef asio::system_error pillion__asio_error;
#else
#include <boost/asio.hpp>
namespace pillion__net = ::boost::asio;
typedef boost::system::system_error pillion__asio_error;
#endif
#include <memory>
#include <optional>
#include <typeinfo>

#include "adapter.h"

/* In the caller's storage. on_event, data, adapter.live and .status are not
 * private. */
typedef struct pillion_asio {
  pillion_adapter adapter;
  pillion_event_fn on_event; /* or NULL */
  void *data;                /* of on_event */
  pillion__net::io_context *context;
  pillion_adapter_watch own; /* 0: stopped, or the context is gone */
} pillion_asio;

/* What the context watches: the executor's descriptor, and it has the timer, or
 * that of a task. Only waits own it, so the context's end is its end, too. */
struct pillion__asio : std::enable_shared_from_this<pillion__asio> {
  typedef pillion__net::io_context::executor_type executor;
  pillion_asio *on; /* NULL: the adapter has let go of it */
  uint32_t events = 0, awaited = 0;
  bool nudged = false;
  pillion__net::steady_timer::rebind_executor<executor>::other timer;
  pillion__net::posix::basic_stream_descriptor<executor> io;
  std::optional<pillion__net::executor_work_guard<executor>> keeps{
      io.get_executor()}; /* while it begins to wait, and while tasks live */

  pillion__asio(pillion_asio *its, int fd)
      : on(its), timer(*its->context), io(*its->context, fd) {}
  ~pillion__asio() {
    if (on != NULL && of(on) == this) on->own.as.handle = NULL;
    else if (on != NULL)
      on->adapter.watches[io.native_handle()].as.handle = NULL;
    io.release(); /* otherwise it would close it */
  }
  static pillion__asio *of(const void *on) {
    return (pillion__asio *)((const pillion_asio *)on)->own.as.handle;
  }

  /* Waits do not keep the context running: tasks do. 0 is the timer. */
  int wait_for(uint32_t event) {
    auto came = [self = shared_from_this(), event](auto error) noexcept {
      self->timer.get_executor().on_work_started(); /* as the wait had */
      self->awaited &= ~event;
      if (self->on != NULL && error != pillion__net::error::operation_aborted)
        self->came(event, !error);
    };
    if (awaited & event) return 0;
    try {
      if (event == 0) timer.async_wait(came);
      else if (event == PILLION_READABLE) io.async_wait(io.wait_read, came);
      else if (event == PILLION_WRITABLE) io.async_wait(io.wait_write, came);
      else io.async_wait(io.wait_error, came);
    } catch (...) {
      return PILLION_ENOMEM;
    }
    timer.get_executor().on_work_finished();
    awaited |= event;
    return 0;
  }

  /* A wait hears once. The next comes before a turn, in which a handler may run
   * the context; what the turn has read does not end it. In a loop inside a
   * poll the descriptor stays readable: the timer tries. */
  void came(uint32_t event, bool well) {
    pillion_adapter *adapter = &on->adapter;
    int rc = well ? 0 : PILLION_ESYSTEM;
    if (of(on) != this) {
      if (!(events & event)) return;
      if (!well || wait_for(event) < 0) event = PILLION_FAULT;
      pillion_adapter_report(adapter, io.native_handle(), event);
      return;
    }
    if (well && pillion_executor_bind(adapter->executor) != PILLION_EREENTRANT)
      rc = wait_for(PILLION_READABLE);
    if (rc < 0) pillion_adapter_stop(adapter, rc);
    else if (event == 0) pillion_adapter_fired(adapter);
    else pillion_adapter_turn(adapter);
  }

  static void arm(pillion_adapter *adapter, int64_t deadline) {
    pillion__asio *own = of(adapter);
    if (own == NULL) return;
    own->timer.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(deadline)));
    if ((deadline != PILLION_TIME_NEVER && own->wait_for(0) < 0) ||
        (!adapter->refused && own->wait_for(PILLION_READABLE) < 0))
      pillion_adapter_stop(adapter, PILLION_ENOMEM);
  }

  static void live(pillion_adapter *adapter, int live) {
    pillion__asio *own = of(adapter);
    if (own == NULL) return;
    if (live) own->keeps.emplace(own->timer.get_executor());
    else own->keeps.reset();
  }

  static void stop(pillion_adapter *adapter) {
    unwatch(adapter, &((pillion_asio *)adapter)->own, 0);
  }

  static int watch(pillion_adapter *adapter, pillion_adapter_watch *watch,
                   int fd, uint32_t events) {
    pillion_asio *on = (pillion_asio *)adapter;
    pillion__asio *self = (pillion__asio *)watch->as.handle;
    std::shared_ptr<pillion__asio> added;
    int rc = 0;
    if (watch != &on->own && of(on) == NULL) return PILLION_ECLOSED;
    if (events & PILLION_HANGUP || pillion__adapter_is_file(fd))
      return PILLION_ENOTSUP;
    try {
      if (self == NULL) added = std::make_shared<pillion__asio>(on, fd);
    } catch (const pillion__asio_error &error) {
      return pillion__adapter_error(error.code().value());
    } catch (...) {
      return PILLION_ENOMEM;
    }
    if (self == NULL) watch->as.handle = self = added.get();
    self->events = events;
    for (uint32_t event = 1; event <= events && rc == 0; event *= 2)
      if (events & event) rc = self->wait_for(event);
    if (watch != &on->own) self->keeps.reset();
    return rc;
  }

  static void unwatch(pillion_adapter *, pillion_adapter_watch *watch, int) {
    pillion__asio *self = (pillion__asio *)watch->as.handle;
    watch->as.handle = NULL;
    if (self == NULL) return;
    self->on = NULL;
    self->io.release();
    self->timer.cancel();
  }

  /* A loop that the handler runs begins with what is left of its batch. */
  static void on_event(const pillion_event *event, void *data) {
    pillion_asio *on = (pillion_asio *)data;
    if (pillion_adapter_pending(&on->adapter) && of(on) && !of(on)->nudged) {
      of(on)->nudged = true;
      post(*on->context, [self = of(on)->shared_from_this()]() noexcept {
        self->nudged = false;
        if (self->on != NULL && pillion_adapter_pending(&self->on->adapter))
          self->came(PILLION_READABLE, true);
      });
    }
    try {
      if (on->on_event != NULL) on->on_event(event, on->data);
    } catch (...) {
      post(*on->context, [error = std::current_exception()] {
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
  int fd, rc;

  if (its.target_type() != typeid(Own::executor)) return PILLION_ENOTSUP;
  rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                            Own::on_event, out);
  if (rc < 0) return rc;
  out->on_event = on_event;
  out->data = data;
  out->context = &its.target<Own::executor>()->context();
  out->own.as.handle = NULL;
  rc = Own::watch(&out->adapter, &out->own, fd, PILLION_READABLE);
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
