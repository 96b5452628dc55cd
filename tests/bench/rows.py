# SPDX-License-Identifier: Apache-2.0
"""What is measured: each row is some work of ours, and the same work of peers.

A command is a kind and arguments; prepare.py knows how to run each kind. It
prints one JSON object; "A + B" is the sum of what two of them print. A target is
either a ratio to the peer (0.5) or an absolute bound, which is a text ("10 ns").
None: only for information.
"""

from typing import NamedTuple, Union


class Peer(NamedTuple):
    command: str
    name: str  # {tokio} and so on are replaced by versions
    target: Union[float, str, None]


class Row(NamedTuple):
    name: str
    unit: str
    ours: str
    peers: list
    scale: float = 1.0  # from what the program prints to the unit


class Tail(NamedTuple):
    """Percentiles of all samples. A command here is followed by #key."""
    name: str
    unit: str
    ours: str
    peers: list
    percentiles: tuple


TOKIO = "tokio {tokio} current-thread"
SMOL = "smol: async-executor {smol}, LocalExecutor"
TOKIO_MT = "tokio {tokio} multi-thread"


def await_rows():
    """A lone call is two wake-ups between cores and nothing else: there the bound
    is what one writes by hand, with the same two. With many in flight it is what
    the loop itself costs."""
    by_hand = "libuv {libuv}: goroutine a call, mutex queue + uv_async"
    for loop, name in (("asyncio", "asyncio"), ("uvloop", "uvloop {uvloop}")):
        for n in (1, 100, 10_000):
            yield Row(f"await Go from {loop}, {n:,} in flight", "µs", f"py ours {loop} {n}",
                      [Peer(f"py floor {loop} {n}", name + ": a future resolved by call_soon",
                            1.5 if n > 1 else None),
                       Peer(f"py naive {loop} {n}",
                            name + ": ctypes callback + call_soon_threadsafe",
                            None if n > 1 else 1.0)],
                      1e-3)
    yield Row("await a socket on libuv, a byte to and fro", "µs", "c uv_watch",
              [Peer("c uv_watch raw", "libuv {libuv}: uv_poll_t and a callback", 1.1)], 1e-3)
    for n in (1, 100, 10_000):
        yield Row(f"await Go from libuv, {n:,} in flight", "µs", f"c uv_await {n}",
                  [Peer(f"peer uv_bridge {n}", by_hand, 0.5 if n > 1 else 1.0)], 1e-3)
    by_hand = "GLib {glib}: goroutine and GTask a call, g_main_context_invoke"
    yield Row("await a socket on GLib, a byte to and fro", "µs", "c glib_watch",
              [Peer("c glib_watch raw", "GLib {glib}: g_unix_fd_add and a callback", 1.1)], 1e-3)
    yield Row("a wake of a sleeping GLib loop", "µs", "c glib_wake",
              [Peer("c glib_wake invoke", "GLib {glib}: what g_main_context_invoke does", 1.1)],
              1e-3)
    for loop, way, name in (("glib", "invoke", "GLib {glib}: g_main_context_invoke"),
                            ("uv", "async", "libuv {libuv}: uv_async_send")):
        yield Row(f"Go without cgo: a wake of a sleeping loop and back, {loop}", "µs",
                  f"foreign goforeign {loop}",
                  [Peer(f"foreign goforeign {way}", name + " by purego", 1.1)], 1e-3)
    for n in (1, 100, 10_000):
        yield Row(f"await Go from GLib, {n:,} in flight", "µs", f"c glib_await {n}",
                  [Peer(f"peer glib_bridge {n}", by_hand, 0.3 if n > 1 else 1.0)], 1e-3)
        yield Row(f"await Go from GLib in GTask's form, {n:,} in flight", "µs",
                  f"c glib_await {n} task",
                  [Peer(f"peer glib_bridge {n}", by_hand, 1.0 if n > 1 else None)], 1e-3)


def loop_rows():
    """The loops that have no rows of their own above."""
    for loop, name, way in (("epoll", "epoll(7)", None), ("event", "libevent", "event_active"),
                            ("ev", "libev", "ev_async_send"), ("sdevent", "sd-event", None),
                            ("asio", "Asio", "asio::post"),
                            ("qt", "Qt", "QMetaObject::invokeMethod")):
        ours = f"c loops_{loop}"
        yield Row(f"a wake of a sleeping loop and back, {name}", "µs", f"{ours} wake",
                  [*([Peer(f"{ours} wake own", way, None)] if way else []),
                   Peer(f"{ours} wake hand", "an eventfd, by hand", None)], 1e-3)
        for n in (100, 10_000):
            yield Row(f"await Go from {name}, {n:,} in flight", "µs", f"{ours} await {n}",
                      [Peer(f"c loop_bridge_{loop} {n}",
                            "goroutine a call, mutex queue + eventfd, by hand", None)], 1e-3)
        yield Row(f"await a socket on {name}, a byte to and fro", "µs", f"{ours} watch",
                  [Peer(f"{ours} watch raw", "a callback of the loop's", None)], 1e-3)


def bare_rows():
    """Instructions, which QEMU counts exactly, and not cycles."""
    for name, unit, key in (("a poll that wakes itself", "instructions", "turn"),
                            ("a task's place", "B", "slot")):
        yield Row(f"Cortex-M4: {name}", unit, f"bare m4 {key}",
                  [Peer(f"embassy {key}", "embassy-executor {embassy}", 1.0 if key == "turn" else None),
                   Peer(f"bare m0 {key}", "the same on a Cortex-M0", None),
                   Peer(f"bare riscv {key}", "the same on rv32imac", None)])
    yield Row("Cortex-M4: a poll that wakes itself, with a clock", "instructions", "bare m4 clocked",
              [Peer("bare m4 turn", "without", None)])


def timer_rows():
    """Growth, from a hundred live timers to a million. A million don't fit into the
    caches, and `touch` is what that costs: one look at each, in the same order. Set
    goes through them in the order of their addresses."""
    for what in ("set", "move", "fire", "clear"):
        few, name = f"c timer 100 {what}", "one of a hundred"
        if what != "set":
            few, name = few + " + c timer 1000000 touch", name + ", and a look at one of a million"
        peers = [Peer(few, name, 2.0)]
        if what == "fire":
            peers.append(Peer("tokio timer 1000000 fire", TOKIO, 1.0))
        yield Row(f"C: {what} one of a million timers", "ns", f"c timer 1000000 {what}", peers)


def stress_rows():
    """Named after the tests in tests/stress."""
    yield Row("single_threaded: a step of 100 tasks that share plain data", "ns",
              "c single_threaded",
              [Peer("tokio ledger", "tokio {tokio} LocalSet, Rc<Cell>, yield_now", 0.5),
               Peer("smol ledger", SMOL + ", Rc<Cell>, yield_now", 0.5)])
    yield Row("zero_allocation: a task's life: spawn, wait, wake, end", "ns", "c zero_allocation",
              [Peer("tokio life", TOKIO + ", one allocation", 0.7),
               Peer("smol life", SMOL + ", one allocation", 0.7)])
    for way, target in (("descriptor", 1.1), ("embedded", 1.1), ("hooks", 0.5)):
        yield Row(f"bring_your_own_runtime: a wake of a sleeping loop, {way}", "ns",
                  f"c bring_your_own_runtime {way}",
                  [Peer("c bring_your_own_runtime uv", "libuv {libuv}, uv_async_send", target)])


def both_rows():
    """Calls, items and calls of the host. An item is published and taken on one core, and its
    peer is a call's end: without the submission and Go's workers. Go writes 24 bytes into C's
    memory itself; `cgo` and longer items are a call into C each."""
    for length, target in ((24, 0.35), (200, 0.8), (4096, None)):
        yield Row(f"an item of {length:,} bytes to the host", "ns", f"flow item {length}",
                  [Peer(f"flow completion {length}", "the end of a call", target)])
    yield Row("an item of 24 bytes by a call into C", "ns", "flow cgo 24",
              [Peer("flow completion 24", "the end of a call", 0.8)])
    yield Row("an item of 24 bytes that export.Stream yields", "ns", "flow yield 24",
              [Peer("flow completion 24", "the end of a call", None)])
    yield Row("an idle stream with a window of 32, bytes in C", "B", "flow idle 32",
              [Peer("flow idle 128", "with a window of 128", "1280 B")])
    grpc, uniffi = "grpc.aio {grpc} on a Unix socket, Go's gRPC", "UniFFI {uniffi} on tokio"
    yield Row("asyncio: an item by async for", "µs", "both stream ours",
              [Peer("both call ours", "awaiting a call, 100 in flight", 0.6),
               Peer("both stream grpc", grpc, None)], 1e-3)
    yield Row("asyncio: Python awaits a call, 100 in flight", "µs", "both call ours",
              [Peer("both call grpc", grpc, None), Peer("both call uniffi", uniffi, None)], 1e-3)
    yield Row("asyncio: Go awaits Python's async def, 100 in flight", "µs", "both fetch ours",
              [Peer("both call ours", "Python awaits a call, 100 in flight", 1.5),
               Peer("both fetch grpc", grpc, None), Peer("both fetch uniffi", uniffi, None)], 1e-3)


ROWS = [
    Row("C: wake and poll one step, 100 tasks", "ns", "c step",
        [Peer("tokio wake", TOKIO + ", wake_by_ref", 0.5),
         Peer("tokio yield", TOKIO + ", yield_now", 0.5),
         Peer("smol wake", SMOL + ", wake_by_ref", 0.5),
         Peer("go gosched", "goroutines, runtime.Gosched", None),
         Peer("c step uv", "libuv {libuv}, idle handles", None)]),
    Row("Go: wake and poll one step, 100 tasks", "ns", "go step",
        [Peer("tokio wake", TOKIO + ", wake_by_ref", 0.5),
         Peer("tokio yield", TOKIO + ", yield_now", 0.5),
         Peer("smol wake", SMOL + ", wake_by_ref", 0.5),
         Peer("go gosched", "goroutines, runtime.Gosched", None),
         Peer("c step uv", "libuv {libuv}, idle handles", None)]),
    Row("C: spawn and complete, batch of 1000", "ns", "c spawn detach",
        [Peer("tokio spawn", TOKIO + ", handle dropped", 0.7),
         Peer("tokio spawn-local", "tokio {tokio} LocalSet, handle dropped", 0.7),
         Peer("smol spawn", SMOL + ", detached", 0.7),
         Peer("go go-spawn", "goroutines", None)]),
    Row("C: spawn, complete and take, batch of 1000", "ns", "c spawn event",
        [Peer("tokio spawn-join", TOKIO + ", handle awaited", 0.7),
         Peer("smol spawn-join", SMOL + ", task awaited", 0.7)]),
    Row("Go: spawn and complete, batch of 1000", "ns", "go spawn",
        [Peer("tokio spawn", TOKIO + ", handle dropped", 0.7),
         Peer("tokio spawn-local", "tokio {tokio} LocalSet, handle dropped", 0.7),
         Peer("smol spawn", SMOL + ", detached", 0.7),
         Peer("go go-spawn", "goroutines", None)]),
    Row("C: spawn and await another task, 100 tasks", "ns", "c join",
        [Peer("tokio await", TOKIO + ", spawn and await", 0.7),
         Peer("smol await", SMOL + ", spawn and await", 0.7)]),
    Row("Go: suspend and resume one of 100 coroutines", "ns", "go suspend",
        [Peer("go gosched", "goroutines, runtime.Gosched", "110 ns"),
         Peer("tokio yield", TOKIO + ", yield_now", None)]),
    Row("multi_threaded: C: a step on a pool of 2 workers, 1000 tasks", "ns", "c pool yield",
        [Peer("tokio yield-mt", TOKIO_MT + ", yield_now", 1.0),
         Peer("go go-yield", "goroutines, runtime.Gosched", 1.0)]),
    Row("multi_threaded: C: a ring of 1000 tasks on a pool, a hop", "ns", "c pool ring",
        [Peer("tokio ring-mt", TOKIO_MT + ", wake_by_ref", 1.0),
         Peer("go go-ring", "goroutines and channels", None)]),
    Row("multi_threaded: Go: a step on a pool of 2 workers, 1000 tasks", "ns", "go pool-yield",
        [Peer("tokio yield-mt", TOKIO_MT + ", yield_now", 1.0),
         Peer("go go-yield", "goroutines, runtime.Gosched", 0.5)]),
    Row("multi_threaded: Go: a ring of 1000 tasks on a pool, a hop", "ns", "go pool-ring",
        [Peer("tokio ring-mt", TOKIO_MT + ", wake_by_ref", 1.0),
         Peer("go go-ring", "goroutines and channels", 0.7)]),
    Row("multi_threaded: C's pool: a step of 1000 Go futures", "ns", "c pool_go yield",
        [Peer("go pool-yield", "the same on a pool of Go's", None),
         Peer("go go-yield", "goroutines, runtime.Gosched", 0.5)]),
    Row("multi_threaded: C's pool: a ring of 1000 Go futures, a hop", "ns", "c pool_go ring",
        [Peer("go pool-ring", "the same on a pool of Go's", None),
         Peer("go go-ring", "goroutines and channels", 0.7)]),
    Row("an empty turn", "ns", "c empty",
        [Peer("peer go_call", "a call from C into Go that does nothing", "10 ns"),
         Peer("c empty epoll", "epoll_wait with timeout 0", "10 ns")]),
    Row("wake from another thread, coalesced", "ns", "c wake pillion",
        [Peer("c wake uv", "libuv {libuv} uv_async_send", 1.0),
         Peer("tokio coalesced", "tokio {tokio} Waker::wake_by_ref", None),
         Peer("tokio notify", "tokio {tokio} Notify::notify_one", None)]),
    Row("post 24 bytes from another thread, the owner elsewhere", "ns", "c post burst",
        [Peer("tokio burst", "tokio {tokio} mpsc, unbounded", 0.5),
         Peer("go burst", "a Go channel of 1024", None)]),
    Row("post 24 bytes from another thread, the owner takes them", "ns", "c post stream",
        [Peer("tokio stream", "tokio {tokio} mpsc, unbounded", None),
         Peer("go stream", "a Go channel of 1024", None)]),
    *timer_rows(),
    Row("C: a million idle tasks, bytes each", "B", "c idle",
        [Peer("tokio idle", TOKIO, "128 B"),
         Peer("smol idle", SMOL, None),
         Peer("go go-idle", "goroutines", None)]),
    Row("Go: a million idle tasks, bytes each", "B", "go idle",
        [Peer("tokio idle", TOKIO, "128 B"),
         Peer("smol idle", SMOL, None),
         Peer("go go-idle", "goroutines", None)]),
    *stress_rows(),
    *await_rows(),
    *both_rows(),
    *loop_rows(),
    *bare_rows(),
    *(Tail(f"a ticker of 1 ms beside {name}, with calls in flight: how late", "µs",
           f"near {loop} late#late", [Peer(f"near {loop} alone#late", "the same without Pillion", None)],
           (50, 99))
      for loop, name in (("uv", "libcurl, c-ares, hiredis and nats.c on libuv"),
                         ("event", "libcurl, c-ares, hiredis and nats.c on libevent"),
                         ("glib", "libcurl, c-ares and hiredis on GLib"))),
    Tail("take a completion while Go computes and collects", "ns", "c stall#turn",
         [Peer("c stall#queue", "plain C: eventfd and mutex queue, by hand", 2.0),
          Peer("c stall#copy", "plain C: copying an event, nothing else", None)],
         (50, 99, 99.9)),
    Tail("the same, against entering Go every millisecond", "ns", "c stall#turn",
         [Peer("peer go_call stall#samples", "a call from C into Go", None)],
         (50, 99)),
]
