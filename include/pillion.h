/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_H
#define PILLION_H

/*
 * Pillion: an async executor that rides on somebody else's event loop.
 *
 * This page has the rules that hold everywhere, and an index. Each noun has a
 * header of its own, which this one includes; what a function does, and from
 * where it may be called, stands above it there. The adapters for loops are
 * included by those who need them.
 *
 * THE SHORTEST PROGRAM. No loop at all:
 *
 *     pillion_function f;
 *     pillion_value v;
 *     pillion_function_find(&f, "hello.greet");
 *     pillion_call_wait(&v, f, "you", 3, PILLION_TIME_NEVER);
 *     fwrite(pillion_value_data(&v), 1, v.length, stdout);
 *     pillion_value_drop(&v);
 *
 * BUILDING. cc app.c $(pkg-config --cflags --libs pillion), with libuv for
 * pillion/uv.h, glib-2.0 for glib.h, gio-2.0 for gio.h; or cc -Iinclude app.c
 * libfoo.so for a library of your own, which Go 1.26 or later makes:
 *
 *     go run github.com/pillion-dev/pillion/capi/build -o libfoo.so ./pkg
 *
 * ANY LOOP. An executor is a descriptor and a deadline:
 *
 *     wait until pillion_executor_fd is readable or the deadline has come;
 *     n = pillion_executor_turn(events, cap, &progress, ex, NULL);
 *     handle the n events; the new deadline is progress.deadline; repeat.
 *
 * pillion/poll.h does that for programs without a loop, pillion/uv.h on
 * libuv, pillion/glib.h on GLib, and pillion/adapter.h helps to do it on
 * another loop. pillion_executor_attach is for languages that call C without
 * a compiler.
 *
 * THREADS. "Any" means any thread at any time. "The owner's" means the one
 * thread that an executor belongs to: the first to spawn on it, turn it or
 * bind it. Every other thread gets PILLION_EWRONGTHREAD.
 *
 * REENTRANCY. "Anywhere" includes polls, drops, event handlers and hooks.
 * What must not be called inside a turn answers PILLION_EREENTRANT there.
 * A signal handler may call a function only if its documentation says so.
 *
 * OWNERSHIP. A handle is a number. One that is zero, forged or stale gets
 * PILLION_EBADHANDLE, never undefined behaviour. Memory that a function gets
 * is copied, unless its documentation says otherwise.
 *
 * ERRORS. Functions answer 0 or more, or a negative PILLION_E… (error.h).
 *
 * TIME is int64_t nanoseconds of CLOCK_MONOTONIC, absolute, where it is not
 * called a timeout.
 *
 * SIZES. Lengths are bytes. Structs that begin with `size` are made with their
 * PILLION_…_INIT, and later versions add to their end only. So a program may
 * know less of a struct than the library, or more. What a struct lacks that the
 * program gives is as in the library's INIT; if it has bytes beyond what the
 * library knows, they must be zero, else it is refused with PILLION_ENOTSUP. A
 * struct that the program gets is written as far as both know it, and `size`
 * and all beyond stay as they were. A size that is less than in the struct's
 * first version, or more than 4,096, is PILLION_EINVAL. What a later version
 * adds to pillion_context and pillion_ops is there if their size says so.
 * Members named `reserved` are zero. A payload has at most PILLION_MAX_PAYLOAD
 * bytes: a longer request or post is refused with PILLION_EMSGSIZE; a longer
 * result, of a Go function or a C future, is thrown away, and the task or call
 * that gave it ends with the status PILLION_EMSGSIZE.
 *
 * FORK. In a forked child every function but pillion_version and
 * pillion_strerror answers PILLION_EFORKED and touches nothing of the
 * parent's. Fork before the library is loaded, or exec.
 *
 * SIGNALS. The library's threads take none of the program's signals. A thread
 * of the program's that is inside Go, in a turn with Go tasks to poll, holds
 * them back until it has left Go. So handlers need no SA_ONSTACK, and hooks
 * that Go calls run with signals blocked. Such a thread gets a signal stack
 * of 512 KiB, unless it has one. Handlers for SIGSEGV, SIGBUS, SIGFPE, SIGPIPE
 * and SIGURG have to be set before the library is loaded.
 *
 * WHAT GO IMPOSES. Loading starts 5 to 6 threads and reserves up to 1.6 GB of
 * address space (0.75 GB at least); there is no unloading. A thread that makes
 * turns needs a stack of 64 KiB. Without memory for its own needs Go ends the
 * process. Linux with glibc; not musl, not dlclose.
 *
 * SEVERAL LIBRARIES that capi/build has made can share a process, each with a
 * SONAME, executors and functions of its own. A handle belongs to the library
 * that gave it: another one answers PILLION_EBADHANDLE. A task of one awaits
 * what another does by wakers: its future asks the other library, and wakes
 * itself by cx->ops->wake. A stock Go library that is loaded after them keeps
 * their goroutines from being interrupted.
 *
 * INDEX
 *
 * error.h: what functions answer
 *   pillion_strerror            says what an error means
 *
 * library.h: start, end, log
 *   pillion_version             tells the library's version
 *   pillion_start               starts the library, with options
 *   pillion_shutdown            ends Go's calls and workers
 *   pillion_log_set             registers who hears warnings
 *   pillion_library_count       counts everything that is alive
 *
 * executor.h: what rides on a loop
 *   pillion_executor_new        makes an executor
 *   pillion_executor_bind       makes this thread its owner
 *   pillion_executor_release    lets another thread bind it
 *   pillion_executor_fd         tells the descriptor to watch
 *   pillion_executor_deadline   tells when a turn is due
 *   pillion_executor_live       counts what keeps its loop
 *   pillion_executor_turn       does a round of work, takes events
 *   pillion_event_data          finds the bytes of an event
 *   pillion_event_keep          moves them out of it
 *   pillion_executor_post       sends it an event from any thread
 *   pillion_log_take            takes what was logged, and listens
 *   pillion_executor_close      lets nothing begin any more
 *   pillion_executor_free       reclaims it, with all that lives on it
 *   pillion_executor_stat       counts what it did
 *
 * host.h: what a loop does for an executor
 *   pillion_host_set            sets the hooks
 *   pillion_host_get            tells the hooks
 *   pillion_host_epoll          watches descriptors itself, by an epoll set
 *   pillion_executor_attach     puts it on a loop that the process has
 *   pillion_executor_detach     takes it off again
 *   pillion_executor_ready      reports a watched descriptor
 *
 * call.h: functions of Go
 *   pillion_function_find       looks a function up by its name
 *   pillion_function_list       lists all functions
 *   pillion_function_describe   tells name, kind and types
 *   pillion_module_list         lists all modules
 *   pillion_call_submit         calls a function, does not wait
 *   pillion_call_submit_with    the same with all options
 *   pillion_call_batch          submits many calls at once
 *   pillion_call_wait           calls a function and waits
 *   pillion_failure_parse       reads why a call has failed
 *   pillion_failure_write       says why a handler has failed
 *
 * flow.h: items that a call carries beside request and result
 *   pillion_call_credit         lets more items come
 *   pillion_call_send           sends an item to Go
 *   pillion_call_finish         says that no more will be sent
 *
 * inbound.h: functions of the host's that Go calls
 *   pillion_call_answer         gives such a call its result
 *   pillion_call_accept         gives it a token of its own
 *   pillion_call_info           tells its function, its deadline
 *   pillion_call_deeds          answers, sends and grants many at once
 *   pillion_provider_new        gives functions a name for Go
 *   pillion_provider_free       takes it away
 *
 * object.h: values of Go's that live on between calls
 *   pillion_object_drop         gives one up
 *
 * task.h: futures of C that run, and calls
 *   pillion_task_spawn          starts a future on an executor
 *   pillion_task_cancel         asks a task or call to stop
 *   pillion_task_deadline       cancels it at a time
 *   pillion_task_detach         gives its result up
 *   pillion_task_evict          drops a task right now
 *   pillion_task_wait           waits for a call
 *   pillion_wake                has a task polled, from anywhere
 *   pillion_wake_local          the same on the owner's thread
 *
 * future.h: for authors of futures; freestanding
 *   pillion_join                awaits a task or call
 *   pillion_next                awaits the next item of a call
 *   pillion_spawn               starts another future
 *   pillion_shield              holds a cancel off
 *   pillion_cancelled           tells whether a cancel was asked for
 *   pillion_cancel              asks a task or call to stop
 *   pillion_abandon             cancels, and gives the result up
 *
 * value.h: results; freestanding
 *   pillion_value_set           makes a short value
 *   pillion_value_data          finds its bytes
 *   pillion_value_drop          releases them
 *
 * time.h: waiting for times; freestanding
 *   pillion_timer_set           wakes the task at a time
 *   pillion_timer_clear         takes that back
 *   pillion_sleep               waits for so long
 *   pillion_sleep_until         waits until a time
 *   pillion_timeout             limits how long something takes
 *   pillion_interval_init       makes an interval
 *   pillion_interval_tick       waits for its next tick
 *   pillion_interval_clear      takes its timer back
 *
 * watch.h: descriptors
 *   pillion_watch_open          watches a descriptor
 *   pillion_watch_close         watches it no more
 *   pillion_ready               waits until it is ready
 *   pillion_ready_clear         waits no more
 *
 * scope.h: children that end before their owner; freestanding
 *   pillion_scope_init          makes a scope, with a limit
 *   pillion_scope_spawn         starts a child in it
 *   pillion_scope_next          waits for the next child that ends
 *   pillion_scope_join          waits for all children
 *   pillion_scope_cancel        asks all children to stop
 *   pillion_scope_detach        lets a child go
 *   pillion_scope_drop          ends all children now
 *
 * select.h: several futures in one task; freestanding
 *   pillion_join_all            waits for all of them
 *   pillion_select              waits for the first, drops the others
 *   pillion_branches_drop       drops all that have not ended
 *
 * pool.h: tasks that move between threads
 *   pillion_pool_new            makes a pool
 *   pillion_pool_join           makes an executor a worker
 *   pillion_pool_leave          ends its work
 *   pillion_pool_spawn          starts a future on the pool
 *   pillion_pool_start          starts threads that work for it
 *   pillion_pool_stop           ends these threads
 *   pillion_pool_close          lets nothing begin any more
 *   pillion_pool_free           reclaims the pool
 *   pillion_pool_stat           counts what it is doing
 *
 * static.h: a microcontroller's executor; freestanding; include it yourself
 *   pillion_static_init         makes the executor
 *   pillion_static_spawn        starts a future on it
 *   pillion_block_on            runs until a future has ended
 *   pillion_static_turn         does a round of work
 *   pillion_static_deadline     tells when a turn is due
 *   pillion_static_ops          tells the operations, for pillion_cancel
 *   pillion_wake                has a task polled, also from interrupts
 *   pillion_ticks_now           makes a time of a counter that wraps
 *   pillion_ticks_until         tells how long to sleep
 *
 * poll.h: a loop of one's own; include it yourself
 *   pillion_poll_run            runs until nothing lives
 *   pillion_poll_init           makes a loop
 *   pillion_poll_once           waits, and makes one turn
 *   pillion_poll_loop           runs a loop, which may be stopped
 *
 * uv.h: libuv; include it yourself
 *   pillion_uv_attach           puts an executor on a loop
 *   pillion_uv_detach           takes it off again
 *
 * glib.h: GLib's main loop; include it yourself
 *   pillion_glib_attach         puts an executor on a GMainContext
 *   pillion_glib_detach         takes it off again
 *
 * gio.h: calls in GTask's form; include it yourself
 *   pillion_glib_call_async     calls a function, then a callback
 *   pillion_glib_call_finish    takes the result there
 *
 * epoll.h: a loop of your own around epoll(7); include it yourself
 *   pillion_epoll_attach        puts an executor on a set
 *   pillion_epoll_timeout       says how long epoll_wait may wait
 *   pillion_epoll_take          takes an event that is the adapter's
 *   pillion_epoll_turn          makes a turn if one is due
 *   pillion_epoll_detach        takes it off again
 *
 * asio.hpp: Asio, in C++; include it yourself
 *   pillion_asio_attach         puts an executor on an io_context
 *   pillion_asio_detach         takes it off again
 *
 * qt.hpp: Qt, in C++; include it yourself
 *   pillion_qt_attach           puts an executor on the thread's event loop
 *   pillion_qt_detach           takes it off again
 *
 * ev.h: libev; include it yourself
 *   pillion_ev_attach           puts an executor on a loop
 *   pillion_ev_detach           takes it off again
 *
 * event.h: libevent; include it yourself
 *   pillion_libevent_attach     puts an executor on a base
 *   pillion_libevent_detach     takes it off again
 *
 * sdevent.h: sd-event, the loop of libsystemd; include it yourself
 *   pillion_sdevent_attach      puts an executor on a loop
 *   pillion_sdevent_detach      takes it off again
 *
 * adapter.h: for authors of adapters; include it yourself
 *   pillion_adapter_init        begins to attach
 *   pillion_adapter_hook        becomes the executor's host
 *   pillion_adapter_turn        makes a turn, hands events out
 *   pillion_adapter_fired       the same because a timer has fired
 *   pillion_adapter_pending     reports whether there is more to hand out
 *   pillion_adapter_report      tells of a ready descriptor, with a turn
 *   pillion_adapter_ready       the same without a turn
 *   pillion_adapter_stop        makes no more turns after an error
 *   pillion_adapter_detach      lets go of executor and loop
 *   pillion_adapter_now         tells the time of deadlines
 *   pillion_adapter_wait        says how long a loop may wait
 *   pillion_adapter_mask        turns events into poll(2)'s bits
 *   pillion_adapter_events      turns them back
 */

#include "pillion/call.h"
#include "pillion/flow.h"
#include "pillion/error.h"
#include "pillion/executor.h"
#include "pillion/future.h"
#include "pillion/host.h"
#include "pillion/inbound.h"
#include "pillion/library.h"
#include "pillion/object.h"
#include "pillion/pool.h"
#include "pillion/scope.h"
#include "pillion/select.h"
#include "pillion/size.h"
#include "pillion/task.h"
#include "pillion/time.h"
#include "pillion/value.h"
#include "pillion/version.h"
#include "pillion/watch.h"

#endif
