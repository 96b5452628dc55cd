# SPDX-License-Identifier: Apache-2.0
"""Exceptions strike a host in the middle of its work. Still every await ends."""

import asyncio
import collections
import gc
import inspect
import itertools
import random
import signal
import sys
import time

import pytest
import trio
from conftest import loops, run

import pillion
from pillion import _asyncio, _step, _sync, _trio

WORK = {_trio.Host.turn.__code__, _sync.call.__code__, _asyncio.Host.turn.__code__, _asyncio.Host.flush.__code__, _asyncio.Host.due.__code__, _step.Stepping.step.__code__, _step.Stepping.rest.__code__}
LINES, FIRST = inspect.getsourcelines(_step.Stepping.step_now)
STEP = _step.Stepping.step_now.__code__, FIRST + [line.strip() for line in LINES].index("context.run(step, future)")
TIMEOUT = 100
NAMES = ["test.echo"] * 4 + ["test.fail", "test.loop_echo", "test.loop_sleep", "test.upper"]


class Struck(Exception):
    pass


class StruckHard(BaseException):
    """Leaves the loop's run as well, like KeyboardInterrupt."""


def at_work(frame):
    """Reports whether the host runs: the frame is its own or below it, but not a task's step."""
    inner = None
    while frame is not None and not (inner and (frame.f_code, frame.f_lineno) == STEP):
        if frame.f_code in WORK:
            return True
        if frame.f_code.co_name == "unraisable_hook":  # pytest's; the test would fail for its sake
            return False
        inner, frame = frame, frame.f_back
    return False


class Strikes:
    """A trace that raises at lines of the host, and of functions that the host calls."""

    def __init__(self, kind, strikes):
        self.kind, self.strikes = kind, strikes
        self.lines = self.count = 0
        self.on = True

    def __call__(self, frame, event, argument):
        if not at_work(frame):
            return None
        if event in ("call", "line"):
            self.lines += 1
            if self.strikes(self.lines):
                self.count += 1
                raise self.kind(f"at line {frame.f_lineno} of {frame.f_code.co_name}")
        return self


def finish(loop, main):
    """Runs main to its end, although strikes leave the run."""
    task = loop.create_task(main)
    while not task.done():
        try:
            loop.run_until_complete(asyncio.wait([task]))
        except (StruckHard, RuntimeError):
            pass
    return task.result()


async def every_await_ends(lib, trace):
    """Makes calls of all kinds and awaits them in all ways, while `trace` strikes."""
    await lib.call("test.echo")
    host = lib._local.host
    before = lib.stats()["calls"]
    extra = []
    payloads = [b"2000000" if name == "test.loop_sleep" else b"x" * (i, 100)[i % 2] for i, name in enumerate(NAMES)]
    futures = [lib.submit(name, payload) for name, payload in zip(NAMES, payloads)]
    steps = collections.Counter()

    async def call(name, payload):
        try:
            return await lib.call(name, payload)
        finally:
            steps[asyncio.current_task()] += 1

    calls = [asyncio.ensure_future(call(NAMES[i], payloads[i])) for i in (2, 3, 4)]
    await asyncio.sleep(0)
    sys.settrace(trace)  # only now: a strike in `submit` is for its caller
    awaits = [asyncio.ensure_future(asyncio.gather(f, return_exceptions=True)) for f in futures[:4]]
    futures[0].add_done_callback(extra.append)
    futures[0].add_done_callback(extra.append)
    awaits += [asyncio.ensure_future(asyncio.wait([f])) for f in futures[4:]]
    awaits += [asyncio.ensure_future(asyncio.wait(futures)), asyncio.ensure_future(asyncio.wait(calls))]
    done, pending = await asyncio.wait(awaits, timeout=TIMEOUT)
    trace.on = False
    sys.settrace(None)
    assert not pending, (len(pending), futures)
    assert all(future.done() for future in futures)
    assert [f.result() for f in futures[:4]] == [b"", b"x" * 100, b"xx", b"x" * 100]
    assert isinstance(futures[4].exception(), pillion.GoError)
    assert [f.result() for f in futures[5:]] == [b"x" * 100, b"slept", b"X" * 100]
    assert [c.result() for c in calls[:2]] == [b"xx", b"x" * 100]
    assert isinstance(calls[2].exception(), pillion.GoError)
    assert steps == dict.fromkeys(calls, 1)
    await asyncio.sleep(0)
    assert extra == [futures[0]] * 2
    assert lib.stats()["calls"] == before + len(NAMES) + len(calls)
    for _ in range(3):
        await asyncio.sleep(0.001)  # calls that were begun twice end
    assert not (host.bursts or host.backlog or host.guests or host.left or host.doing)


def strike(lib, new, kind, strikes):
    trace = Strikes(kind, strikes)
    loop = new()
    # Python ends a trace that raises.
    loop.set_exception_handler(lambda loop, context: trace.on and sys.settrace(trace))
    gc.disable()  # a collection isn't the host's work
    try:
        finish(loop, every_await_ends(lib, trace))
    finally:
        sys.settrace(None)
        gc.enable()
        loop.close()
    return trace


@pytest.fixture(autouse=True)
def tasks_go_on_together(monkeypatch):
    """The tests take the way of many ends also where one call ends alone."""
    monkeypatch.setattr(_asyncio, "FEW", 0)


@pytest.fixture(autouse=True)
def tracebacks_are_collected(nothing_left):
    yield
    gc.collect()


@loops
@pytest.mark.parametrize("kind", [Struck, StruckHard])
def test_exception_at_every_line(lib, new, kind):
    at, struck = 1, 1
    while struck:
        struck = strike(lib, new, kind, lambda line: line == at).count
        at += 1
    assert at > 150


@loops
def test_exceptions_one_after_the_other(lib, new):
    for seed in range(40):
        chance = random.Random(seed)
        lines = set(itertools.accumulate(chance.randrange(5, 100) for _ in range(20)))
        strike(lib, new, Struck, lines.__contains__)


@loops
def test_signal_handler_that_raises(lib, new):
    """The handler raises again and again, at any point of the host's work."""
    strikes = 0

    def handler(number, frame):
        nonlocal strikes
        if at_work(frame):
            strikes += 1
            raise Struck

    async def main():
        for size in [1, 10, 100, 1000] * 4:
            futures = [lib.submit("test.echo", str(i)) for i in range(size)]
            futures += [lib.submit("test.fail", "no") for _ in range(size)]
            await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), TIMEOUT)
            assert [f.result() for f in futures[:size]] == [b"%d" % i for i in range(size)]
            assert all(isinstance(f.exception(), pillion.GoError) for f in futures[size:])

    loop = new()
    loop.set_exception_handler(lambda loop, context: None)
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.004, 0.004)
    try:
        end = time.monotonic() + 60
        while strikes < 30 and time.monotonic() < end:
            loop.run_until_complete(main())
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        loop.close()
    assert strikes >= 30


@loops
def test_loop_that_is_closed_in_the_middle(lib, new):
    """Ends that it can't be told any more are dropped, and keep nothing alive."""
    loop = new()
    loop.set_exception_handler(lambda loop, context: None)

    async def main():
        await lib.call("test.echo")
        futures = [lib.submit("test.echo", b"x" * 100) for _ in range(10)]
        futures[3].add_done_callback(lambda future: loop.stop())
        return asyncio.ensure_future(asyncio.wait(futures))

    waiting = loop.run_until_complete(main())
    waiting.add_done_callback(lambda _: None)
    loop.run_forever()
    host = lib._local.host
    loop.close()
    host.burst.calls.append((lib._functions["test.echo"], b"", asyncio.Future(loop=loop)))
    host.again()
    with pytest.raises(RuntimeError, match="closed"):
        host.later(host.flush)


def test_result_without_memory_fails_its_own_await():
    out = run(
        """
        import asyncio, resource, time
        async def main():
            await lib.call("test.echo", "warm")
            handled = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: handled.append(context))
            big = lib.submit("test.big", str(300 << 20))
            await asyncio.sleep(0)
            while lib.counts()["calls"] != 1 or lib.counts()["payloads"] != 1:
                time.sleep(0.01)  # it completes while the loop is busy,
            small = [lib.submit("test.echo", str(i)) for i in range(500)]
            host = lib._local.host
            loop.call_soon(time.sleep, 0.2)  # so that one turn takes all of them
            pages = int(open("/proc/self/statm").read().split()[0])
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (200 << 20), hard))
            done, pending = await asyncio.wait([big, *small], timeout=20)
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
            print(len(done), len(pending), type(big.exception()).__name__, handled)
            assert isinstance(big.exception(), MemoryError)
            assert [f.result() for f in small] == [b"%d" % i for i in range(500)]
        asyncio.run(main())
        print(lib.counts()["payloads"], lib.counts()["calls"])
        """
    )
    assert out == "501 0 OutOfMemory []\n0 0\n"


def test_exception_at_every_line_in_trio(lib):
    """One waiting call gets the exception, and the run goes on."""

    async def main(trace):
        await lib.call("test.echo")
        answers = []

        async def one(i):
            try:
                answers.append(await lib.call(NAMES[i], (b"x" * i, b"2000000")[NAMES[i] == "test.loop_sleep"]))
            except (Struck, StruckHard, pillion.GoError) as error:
                answers.append(type(error))

        with trio.fail_after(TIMEOUT):
            async with trio.open_nursery() as nursery:
                sys.settrace(trace)
                for i in range(len(NAMES)):
                    nursery.start_soon(one, i)
        sys.settrace(None)
        wrong = [answer for answer in answers if answer is trace.kind]
        assert len(answers) == len(NAMES) and len(wrong) <= trace.count, answers
        try:
            await lib.call("test.echo")
        except trace.kind:
            assert not wrong
        while lib.counts()["calls"]:  # the host cancels struck calls
            await trio.sleep(0.001)

    struck = 0
    for kind in (Struck, StruckHard):
        for at in range(1, 150):
            trace = Strikes(kind, lambda line: line == at)
            gc.disable()
            try:
                trio.run(main, trace)
            finally:
                sys.settrace(None)
                gc.enable()
            struck += trace.count
    assert struck > 100


@pytest.mark.parametrize("name, timeout", [("test.big", None), ("test.block", 0.001)])
def test_exception_at_every_line_of_a_blocking_call(lib, name, timeout):
    """The struck call leaves neither a call nor a payload."""
    at, struck = 1, 1
    while struck:
        trace = Strikes(Struck, lambda line: line == at)
        gc.disable()
        sys.settrace(trace)
        try:
            lib.call_sync(name, "100", timeout=timeout)
        except (Struck, pillion.Timeout):
            pass
        finally:
            sys.settrace(None)
            gc.enable()
        counts = lib.counts()
        while counts["calls"]:
            time.sleep(0.001)  # the cancelled call hasn't ended
            counts = lib.counts()
        assert counts["payloads"] == 0, (at, counts)
        at, struck = at + 1, trace.count
    assert at > 20
