/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_ASIO_HPP
#define PILLION_INCLUDE_ASIO_HPP

/*
 * Pillion on an io_context of Asio 1.18 or later, in C++17: the standalone one,
 * or Boost's if PILLION_BOOST_ASIO is defined or there is no other.
 *
 *     pillion_asio_attach(&on, context, ex, on_event, data);
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
 * lost. A poll, drop or hook that throws has C beneath it: std::terminate. To
 * await a hang-up is PILLION_ENOTSUP, since Asio tells of none.
 */

#if !defined(PILLION_BOOST_ASIO) && __has_include(<asio.hpp>)
#include <asio.hpp>
namespace pillion__net = ::asio;
#else
#include <boost/asio.hpp>
namespace pillion__net = ::boost::asio;
#endif
#include <memory>

#include "adapter.h"

/* In the caller's storage. Public: on_event, data, adapter.live and .status. */
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
  enum : uint32_t { TIMER = 0, REST = 1u << 31 }; /* beside the events */
  pillion_asio *on; /* NULL: the adapter has let go of it */
  uint32_t events = 0, awaited = 0;
  pillion__net::steady_timer::rebind_executor<executor>::other timer;
  pillion__net::posix::basic_stream_descriptor<executor> io;

  explicit pillion__asio(pillion_asio *its)
      : on(its), timer(*its->context), io(*its->context) {}
  ~pillion__asio() {
    if (on != NULL && of(on) == this) on->own.as.handle = NULL;
    else if (on != NULL && io.is_open())
      on->adapter.watches[io.native_handle()].as.handle = NULL;
    io.release(); /* otherwise it would close it */
  }
  static pillion__asio *of(const void *on) {
    return (pillion__asio *)((const pillion_asio *)on)->own.as.handle;
  }

  /* Waits do not keep the context running: tasks do, and a post does. */
  int wait_for(uint32_t event) try {
    auto came = [self = shared_from_this(), event](auto error) noexcept {
      if (event != REST) self->timer.get_executor().on_work_started();
      self->awaited &= ~event;
      if (self->on != NULL && error != pillion__net::error::operation_aborted)
        self->came(event, !error);
    };
    if (awaited & event) return 0;
    if (event == TIMER) timer.async_wait(came);
    else if (event == REST) post(io.get_executor(), [came] { came(0); });
    else if (event == PILLION_READABLE) io.async_wait(io.wait_read, came);
    else if (event == PILLION_WRITABLE) io.async_wait(io.wait_write, came);
    else io.async_wait(io.wait_error, came);
    if (event != REST) timer.get_executor().on_work_finished();
    awaited |= event;
    return 0;
  } catch (...) {
    return PILLION_ENOMEM;
  }

  /* A wait hears once: the next begins before the turn, in which a handler may
   * run the context. Inside a poll none begins: the timer tries later. */
  void came(uint32_t event, bool well) {
    pillion_adapter *adapter = &on->adapter;
    int rc = well ? 0 : PILLION_ESYSTEM;
    if (of(on) != this) {
      if (!(events & event)) return;
      if (!well || wait_for(event) < 0) event = PILLION_FAULT;
      return pillion_adapter_report(adapter, io.native_handle(), event);
    }
    if (event == REST && !pillion_adapter_pending(adapter)) return;
    if (well && pillion_executor_bind(adapter->executor) != PILLION_EREENTRANT)
      rc = wait_for(PILLION_READABLE);
    if (rc < 0) pillion_adapter_stop(adapter, rc);
    else if (event == TIMER) pillion_adapter_fired(adapter);
    else pillion_adapter_turn(adapter);
  }

  static void arm(pillion_adapter *adapter, int64_t deadline) {
    pillion__asio *own = of(adapter);
    if (own == NULL) return;
    own->timer.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(deadline)));
    if ((deadline != PILLION_TIME_NEVER && own->wait_for(TIMER) < 0) ||
        (!adapter->refused && own->wait_for(PILLION_READABLE) < 0))
      pillion_adapter_stop(adapter, PILLION_ENOMEM);
  }

  static void live(pillion_adapter *adapter, int live) {
    pillion__asio *own = of(adapter);
    if (own != NULL && live) own->timer.get_executor().on_work_started();
    else if (own != NULL) own->timer.get_executor().on_work_finished();
  }

  static void stop(pillion_adapter *adapter) {
    unwatch(adapter, &((pillion_asio *)adapter)->own, 0);
  }

  static int watch(pillion_adapter *adapter, pillion_adapter_watch *watch,
                   int fd, uint32_t events) try {
    pillion_asio *on = (pillion_asio *)adapter;
    pillion__asio *self = (pillion__asio *)watch->as.handle;
    std::shared_ptr<pillion__asio> added;
    auto error = make_error_code(pillion__net::error::misc_errors());
    if (watch != &on->own && of(on) == NULL) return PILLION_ECLOSED;
    if (events & PILLION_HANGUP || pillion__adapter_is_file(fd))
      return PILLION_ENOTSUP;
    if (self == NULL) {
      added = std::make_shared<pillion__asio>(on);
      added->io.assign(fd, error);
      if (error) return pillion__adapter_error(error.value());
      watch->as.handle = self = added.get();
    }
    self->events = events;
    for (uint32_t event = 1; event <= events; event *= 2)
      if (events & event && self->wait_for(event) < 0) return PILLION_ENOMEM;
    return 0;
  } catch (const std::bad_alloc &) {
    return PILLION_ENOMEM;
  } catch (...) {
    return PILLION_ESYSTEM;
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
  static void on_event(const pillion_event *event, void *data) try {
    pillion_asio *on = (pillion_asio *)data;
    if (pillion_adapter_pending(&on->adapter) && of(on)) of(on)->wait_for(REST);
    if (on->on_event != NULL) on->on_event(event, on->data);
  } catch (...) {
    auto thrown = std::current_exception();
    post(*((pillion_asio *)data)->context,
         [thrown] { std::rethrow_exception(thrown); });
  }
};

/*
 * pillion_asio_attach puts `executor` on a context, in place of other hooks:
 * the context makes its turns, and `on_event` (may be NULL) hears what has
 * ended. One thread runs the context.
 *
 * Threads: the context's, which becomes the executor's owner.
 * Reentrancy: not inside a turn.
 * Ownership: *out must stay until it was detached; `data` is the caller's.
 * Returns: 0, PILLION_EBUSY (it is on this context already), PILLION_ENOMEM,
 *   PILLION_ESYSTEM, or as pillion_adapter_init and pillion_adapter_hook.
 * Since: 0.1
 */
static inline int pillion_asio_attach(pillion_asio *out,
                                      pillion__net::io_context &context,
                                      pillion_executor executor,
                                      pillion_event_fn on_event, void *data) {
  typedef pillion__asio Own;
  static const pillion_adapter_loop functions = {
      Own::arm, Own::live, Own::stop, Own::stop, Own::watch, Own::unwatch};
  int fd, rc = pillion_adapter_init(&out->adapter, &fd, executor, &functions,
                                    Own::on_event, out);

  if (rc < 0) return rc;
  auto begins = make_work_guard(context); /* the wait may be its only work */
  *out = {out->adapter, on_event, data, &context, {}};
  rc = Own::watch(&out->adapter, &out->own, fd, PILLION_READABLE);
  if (rc < 0) return rc;
  context.get_executor().on_work_started(); /* as adapter.keeps says */
  return pillion_adapter_hook(&out->adapter, executor);
}

/*
 * pillion_asio_detach takes an executor off: see pillion_adapter_detach.
 *
 * Threads: the context's.
 * Reentrancy: anywhere but in a turn that the context did not make.
 * Ownership: *on is the caller's again; in a handler, after the outermost turn.
 * Returns: as pillion_adapter_detach.
 * Since: 0.1
 */
static inline int pillion_asio_detach(pillion_asio *on) {
  return pillion_adapter_detach(&on->adapter);
}

#endif
