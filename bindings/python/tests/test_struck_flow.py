# SPDX-License-Identifier: Apache-2.0
"""Exceptions strike a host that streams. No item is lost, and none comes twice."""

import asyncio
import gc
import itertools
import random
import sys

import pytest
import test_struck
import trio
from conftest import loops
from test_struck import TIMEOUT, Strikes, Struck, StruckHard, finish

from pillion import _inbound

test_struck.WORK |= {
    _inbound.Answering.say.__code__,
    _inbound.Answering.start_inbound.__code__,
    next(code for code in _inbound.Answering.hear.__code__.co_consts if getattr(code, "co_name", "") == "start"),
}
LINES = range(1, 900, 61)  # of the host's, which repeat in each turn
COUNT = 70  # items: more than two windows


@pytest.fixture(autouse=True)
def tracebacks_are_collected(nothing_left):
    yield
    gc.collect()


async def numbers(sleep):
    for i in range(COUNT):
        if i % 20 == 0:
            await sleep(0)
        yield str(i)


async def read(stream, sleep):
    got = []
    async with stream:
        async for item in stream:
            got.append(int(item))
            if len(got) % 5 == 0:
                await sleep(0)
    return got


async def joined(lib, sleep):
    answer = await lib.collect("flow.join", "-1", numbers(sleep))
    return [*map(int, answer.split())]


def works(lib, sleep):
    """Streams of all kinds, each of which gives the numbers."""
    return [
        lambda: read(lib.stream("flow.count", str(COUNT)), sleep),
        lambda: read(lib.stream("flow.loop_count", str(COUNT)), sleep),
        lambda: read(lib.stream("flow.upper", "", numbers(sleep)), sleep),
        lambda: joined(lib, sleep),
    ]


async def every_item_comes_once(lib, trace):
    await lib.call("test.echo")
    host = lib._local.host
    sys.settrace(trace)
    tasks = [asyncio.ensure_future(work()) for work in works(lib, asyncio.sleep)]
    done, pending = await asyncio.wait(tasks, timeout=TIMEOUT)
    trace.on = False
    sys.settrace(None)
    assert not pending, [(hex(token), flow.end, flow.items.chunks) for token, flow in host.flows.items()]
    assert [task.result() for task in tasks] == [[*range(COUNT)]] * len(tasks)
    for _ in range(3):
        await asyncio.sleep(0.001)
    assert not (host.flows or host.guests or host.left or host.doing)


def strike(lib, new, kind, strikes):
    trace = Strikes(kind, strikes)
    loop = new()
    loop.set_exception_handler(lambda loop, context: trace.on and sys.settrace(trace))
    gc.disable()
    try:
        finish(loop, every_item_comes_once(lib, trace))
    finally:
        sys.settrace(None)
        gc.enable()
        loop.close()
    return trace


@loops
@pytest.mark.parametrize("kind", [Struck, StruckHard])
def test_exception_at_one_line_after_the_other(lib, new, kind):
    struck = [strike(lib, new, kind, lambda line: line == at).count for at in LINES]
    assert sum(struck) > len(LINES) // 2


@loops
def test_exceptions_one_after_the_other(lib, new):
    for seed in range(5):
        chance = random.Random(seed)
        lines = set(itertools.accumulate(chance.randrange(5, 100) for _ in range(20)))
        strike(lib, new, Struck, lines.__contains__)


def test_exceptions_in_trio(lib):
    """At most one task gets the exception; the others get all their items."""

    async def main(trace):
        await lib.call("test.echo")
        answers = []

        async def one(work):
            try:
                answers.append(await work())
            except (Struck, StruckHard) as error:
                answers.append(type(error))

        with trio.fail_after(TIMEOUT):
            async with trio.open_nursery() as nursery:
                sys.settrace(trace)
                for work in works(lib, trio.sleep):
                    nursery.start_soon(one, work)
        sys.settrace(None)
        wrong = [answer for answer in answers if answer is trace.kind]
        assert len(wrong) <= trace.count
        assert all(answer == [*range(COUNT)] for answer in answers if answer is not trace.kind)
        try:
            await lib.call("test.echo")
        except trace.kind:
            pass
        while lib.counts()["calls"]:
            await trio.sleep(0.001)

    struck = 0
    for kind in (Struck, StruckHard):
        for at in range(1, 300, 31):
            trace = Strikes(kind, lambda line: line == at)
            gc.disable()
            try:
                trio.run(main, trace)
            finally:
                sys.settrace(None)
                gc.enable()
            struck += trace.count
    assert struck > 8
