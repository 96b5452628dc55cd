# SPDX-License-Identifier: Apache-2.0
"""The cases of rig.h's list that a Python program can have, on the loops that Python has.

    python loops.py LIBRARY LOOP

It prints what cmocka does for the loops of C. A loop that is not installed has status 77."""

import asyncio
import gc
import os
import pathlib
import re
import resource
import signal
import socket
import sys
import threading
import time
import traceback

import anyio

import pillion

HERE = pathlib.Path(__file__).resolve().parent
MS = 1_000_000

# ---- Drivers ------------------------------------------------------------------


def on_asyncio(main, **options):
    return asyncio.run(main(), **options)


def on_debug(main):
    return on_asyncio(main, debug=True)


def on_uvloop(main):
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def on_trio(main):
    import trio

    return trio.run(main)


def on_gi(main):
    from gi.events import GLibEventLoop
    from gi.repository import GLib

    own = threading.current_thread() is not threading.main_thread()
    context = GLib.MainContext.new() if own else GLib.MainContext.default()
    with asyncio.Runner(loop_factory=lambda: GLibEventLoop(context)) as runner:
        return runner.run(main())


def on_qasync(main):
    os.environ["QT_API"] = "pyqt6"
    import qasync
    from PyQt6.QtCore import QCoreApplication

    application = QCoreApplication.instance() or QCoreApplication([])
    try:
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
            return runner.run(main())
    finally:
        asyncio.set_event_loop(None)  # where qasync leaves it


DRIVERS = {"asyncio": on_asyncio, "asyncio-debug": on_debug, "uvloop": on_uvloop, "trio": on_trio, "gi": on_gi, "qasync": on_qasync}
NEEDS = {"uvloop": "uvloop", "trio": "trio", "gi": "gi.events", "qasync": "qasync"}
LACKS = {
    "qasync": {
        "every_thread_may_have_a_loop": "Qt's application has one loop",
        "the_loop_may_be_destroyed_first": "a closed loop of qasync may stay, and with it a call that was in flight",
    }
}

# ---- Cases --------------------------------------------------------------------

cases = {}


def case(function):
    """A case is a coroutine that runs on the loop, or a function that runs it itself."""
    cases[function.__name__] = function
    return function


async def at_once(lib, calls):
    """The results of calls that run side by side, in the order of the calls."""
    results = [None] * len(calls)

    async def one(i, name, request):
        results[i] = await lib.call(name, request)

    async with anyio.create_task_group() as group:
        for i, (name, request) in enumerate(calls):
            group.start_soon(one, i, name, request)
    return results


@case
async def calls_submitted_in_on_event_come(lib, run):
    for _ in range(20):
        assert await lib.call("test.echo", "x") == b"x"


@case
async def many_calls_come_in_batches(lib, run):
    requests = [str(i).encode() for i in range(5000)]
    assert await at_once(lib, [("test.echo", r) for r in requests]) == requests


@case
async def functions_on_the_loop_run_in_its_turns(lib, run):
    calls = [("test.loop_echo", "on the loop"), ("test.loop_sleep", "3000000"), ("test.loop_yield", "10")]
    assert (await at_once(lib, calls))[0] == b"on the loop"


@case
async def deadlines_are_met_late_but_never_early(lib, run):
    lengths = [9 * MS + 1, 4 * MS, 1, 300000, 0, 4 * MS]

    async def nap(ns):
        began = time.monotonic_ns()
        await lib.call("test.loop_sleep", str(ns))
        assert time.monotonic_ns() - began >= ns

    async with anyio.create_task_group() as group:
        for ns in lengths:
            group.start_soon(nap, ns)


@case
async def the_soonest_sleep_ends_within_the_loops_resolution(lib, run):
    late = []
    for i in range(30):
        ns = MS // 3 + i * 10000
        began = time.monotonic_ns()
        await lib.call("test.loop_sleep", str(ns))
        late.append(time.monotonic_ns() - began - ns)
    assert 0 <= min(late) <= 2 * MS, min(late)


@case
async def a_task_that_wakes_itself_does_not_starve_the_loop(lib, run):
    async with anyio.create_task_group() as group:
        group.start_soon(lib.call, "test.loop_yield", "1000000000")
        for _ in range(5):
            await anyio.sleep(0.001)
        group.cancel_scope.cancel()


@case
async def the_programs_descriptors_have_their_turn(lib, run):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        async with anyio.create_task_group() as group:
            group.start_soon(lib.call, "test.loop_yield", "1000000000")
            for _ in range(10):
                await anyio.wait_readable(ours)
            group.cancel_scope.cancel()


@case
async def no_wake_is_lost_while_the_loop_goes_to_sleep(lib, run):
    for i in range(int(os.environ.get("LOOPS_WAKES", 50000)) // 25):
        assert await lib.call("test.echo", "x") == b"x"


@case
async def a_storm_from_four_threads_loses_nothing(lib, run):
    came = [0] * 4

    def blow(i):
        for n in range(250):
            assert anyio.from_thread.run(lib.call, "test.echo", str(n)) == str(n).encode()
            came[i] += 1

    async with anyio.create_task_group() as group:
        for i in range(4):
            group.start_soon(anyio.to_thread.run_sync, blow, i)
    assert came == [250] * 4


@case
async def signals_at_a_kilohertz_lose_nothing(lib, run):
    heard = 0

    def hear(*_):
        nonlocal heard
        heard += 1

    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        while heard < 100:
            began = time.monotonic_ns()
            assert (await at_once(lib, [("test.loop_sleep", "500000"), ("test.echo", "x")]))[1] == b"x"
            assert time.monotonic_ns() - began >= 500000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pair():
    """Two ends of a stream; the first is Go's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


async def watched(lib, count):
    while lib.counts()["watches"] != count:
        await anyio.sleep(0)


@case
async def go_and_c_fill_a_socket(lib, run):
    ours, theirs = pair()
    size, back = 1 << 20, 0

    def feed():
        theirs.sendall(b"x" * size)
        theirs.shutdown(socket.SHUT_WR)

    def drain():
        nonlocal back
        while data := theirs.recv(1 << 16):
            back += len(data)

    with ours, theirs:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, feed)
            group.start_soon(anyio.to_thread.run_sync, drain)
            assert await lib.call("test.loop_cat", str(ours.fileno())) == str(size).encode()
            ours.shutdown(socket.SHUT_WR)
    assert back == size


@case
async def a_number_that_is_used_again_is_another(lib, run):
    before = None
    for _ in range(20):
        ours, theirs = pair()
        with ours, theirs:
            assert before in (None, ours.fileno())
            before = ours.fileno()
            theirs.send(b"x")
            theirs.shutdown(socket.SHUT_WR)
            assert await lib.call("test.loop_cat", str(before)) == b"1"


@case
async def a_cancelled_go_task_does_not_spin(lib, run):
    ours, theirs = pair()
    with ours, theirs:
        async with anyio.create_task_group() as group:
            group.start_soon(lib.call, "test.loop_cat", str(ours.fileno()))
            await watched(lib, 1)
            group.cancel_scope.cancel()
        await watched(lib, 0)
        theirs.send(b"x")
        theirs.shutdown(socket.SHUT_WR)
        assert await lib.call("test.loop_cat", str(ours.fileno())) == b"1"


@case
def a_loop_is_destroyed_while_tasks_await_descriptors(lib, run):
    ours, theirs = pair()

    async def leave():
        async with anyio.create_task_group() as group:
            group.start_soon(lib.call, "test.loop_cat", str(ours.fileno()))
            await watched(lib, 1)
            raise EOFError

    async def again():
        theirs.shutdown(socket.SHUT_WR)
        assert await lib.call("test.loop_cat", str(ours.fileno())) == b"0"

    with ours, theirs:
        try:
            run(leave)
        except* EOFError:
            pass
        run(again)


@case
def the_loop_may_be_destroyed_first(lib, run):
    async def leave():
        group = anyio.create_task_group()
        await group.__aenter__()
        group.start_soon(lib.call, "test.block")
        while await lib.call("test.waiting") != b"1":
            pass
        group.cancel_scope.cancel()
        await group.__aexit__(None, None, None)

    for _ in range(3):
        run(leave)


@case
def every_thread_may_have_a_loop(lib, run):
    ended = []

    async def main():
        for i in range(20):
            assert await lib.call("test.echo", str(i)) == str(i).encode()

    def thread():
        run(main)
        ended.append(1)

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(ended) == 4


@case
async def a_forked_child_touches_nothing_of_the_parents(lib, run):
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(lib.call, "test.block")
        while await lib.call("test.waiting") != b"20":
            pass
        child = os.fork()
        if child == 0:
            try:
                lib.counts()
            except pillion.Forked:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        group.cancel_scope.cancel()
    assert await lib.call("test.echo", "x") == b"x"


# ---- What Python cannot have --------------------------------------------------

ATTACH = "the package attaches and detaches by itself"
TASKS = "Python awaits Go functions; it has no tasks of the executor"
WATCH = "Python's own watches are the loop's"
FLOW = "its streams and lent functions have cases of their own, bindings/python/tests"
NEST = "asyncio and trio forbid a loop in a handler"


def why_not(name: str) -> str:
    if re.search(r"item|lent|credit", name):
        return FLOW
    if re.search(r"nest|handler|inside_a_poll|_poll_|a_poll|dialog", name):
        return NEST
    if re.search(r"attach|detach|executor|adapter|free|ends_when|random|any_time", name):
        return ATTACH
    if re.search(r"watch|descriptor|file|pipe|socket|eventfd|hang|fault|urgent|priority|events_that|watched|closes", name):
        return WATCH
    return TASKS


def names() -> list[str]:
    """All cases of the list, in the order of the files."""
    texts = (path.read_text() for path in sorted(HERE.glob("*.c")))
    return [name for text in texts for name in re.findall(r"^(?:TEST\(|GIVEN\(an_executor,\s*)(\w+)\)", text, re.M)]


def main(path: str, host: str) -> int:
    try:
        if host in NEEDS:
            __import__(NEEDS[host])
    except ImportError as error:
        print(f"not installed: {error}")
        return 77
    lib, run = pillion.load(path), DRIVERS[host]
    passed = failed = 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert set(cases) <= set(names()), set(cases) - set(names())
    for name in names():
        reason = LACKS.get(host, {}).get(name) or (None if name in cases else why_not(name))
        if reason:
            print(f"does not apply: {reason}\n[  SKIPPED ] {name}")
            continue
        body = cases[name]
        try:
            if asyncio.iscoroutinefunction(body):
                run(lambda: body(lib, run))  # noqa: B023
            else:
                body(lib, run)
            gc.collect()  # a loop may be in a circle
            lib.shutdown(cancel=True, timeout=30)
            lib.start()
            left = {k: v for k, v in lib.counts().items() if k in ("calls", "payloads", "watches") and v}
            assert not left, left
            passed += 1
            print(f"[       OK ] {name}", flush=True)
        except BaseException:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {name}", flush=True)
    print(f"[  PASSED  ] {passed} test(s).")
    if failed:
        print(f"[  FAILED  ] tests: {failed} test(s), listed below:")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
