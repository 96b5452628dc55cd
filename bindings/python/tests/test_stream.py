# SPDX-License-Identifier: Apache-2.0
"""Streams: the items of Go's functions, and items for them."""

import asyncio
import contextlib
import contextvars
import gc

import anyio
import pytest
import trio
from conftest import everywhere, loops, run

import pillion
from pillion import _abi, _inlet

pytestmark = pytest.mark.anyio

var = contextvars.ContextVar("var", default="no context's")


ENDLESS = 1 << 62


async def none_left(lib):
    while lib.counts()["calls"]:
        await anyio.sleep(0.001)


async def collected(stream):
    return [item async for item in stream]


class Source:
    """Strings of numbers, as an async generator, which notes how it ends."""

    def __init__(self, count, pause=0):
        self.count, self.pause = count, pause
        self.sent, self.closed, self.where = 0, 0, None

    async def items(self):
        try:
            for i in range(self.count):
                if self.pause and i % self.pause == self.pause - 1:
                    await anyio.sleep(0)
                self.sent += 1
                yield str(i)
        finally:
            self.closed += 1
            self.where = var.get()


@everywhere
@pytest.mark.parametrize("name", ["flow.count", "flow.cpu", "flow.loop_count"])
async def test_ten_thousand_items_reach_a_slow_reader_in_order(lib, anyio_backend, name):
    got = 0
    async with lib.stream_json(name, 10_000) as stream:
        async for item in stream:
            assert item == got
            got += 1
            if got % 7 == 0:
                await anyio.sleep(0)
    assert got == 10_000


@everywhere
@pytest.mark.parametrize("size", [0, 24, 25, 5000, 1 << 20])
async def test_items_of_every_size(lib, anyio_backend, size):
    got = [item async for item in lib.stream("flow.blocks", str(size))]
    assert got == [bytes([letter]) * size for letter in range(97, 123)]


@everywhere
async def test_streams_side_by_side_with_calls(lib, anyio_backend):
    ends = []

    async def read(count):
        ends.append([int(item) async for item in lib.stream("flow.count", str(count))] == [*range(count)])

    async def call(i):
        ends.append(await lib.call("test.echo", str(i)) == str(i).encode())

    async with anyio.create_task_group() as group:
        for i in range(100):
            group.start_soon(read, 10 * i)
            group.start_soon(call, i)
    assert ends == [True] * 200


@everywhere
async def test_what_came_before_a_failure_is_read_before_it(lib, anyio_backend):
    got, stream = [], lib.stream("flow.fail", "why")
    with pytest.raises(pillion.GoError, match="why") as failure:
        async for item in stream:
            got.append(item)
    assert got == [b"first"] and failure.value.code == 42
    with pytest.raises(pillion.GoPanic):
        await collected(lib.stream("flow.fail", "panic"))
    with pytest.raises(StopAsyncIteration):
        await stream.__anext__()


@everywhere
@pytest.mark.parametrize("after", [0, 1, 15, 16, 17, 31, 32, 33, 100, 999])
async def test_break_ends_the_call(lib, anyio_backend, after):
    async with lib.stream("flow.count", "1000") as stream:
        if after:
            async for item in stream:
                if int(item) == after - 1:
                    break
    assert lib.counts()["calls"] == 0
    with pytest.raises(StopAsyncIteration):
        await stream.__anext__()
    async for item in lib.stream("flow.count", "1000"):
        if int(item) == after:
            break
    await none_left(lib)


@everywhere
async def test_endless_streams_end_with_their_blocks_from_the_inner_to_the_outer(lib, anyio_backend):
    async with lib.stream("flow.count", str(ENDLESS)) as outer, lib.stream("flow.count", str(ENDLESS)) as inner:
        with anyio.move_on_after(0.01):
            await inner.__anext__()
    assert lib.counts()["calls"] == 0
    await outer.aclose()


async def test_reader_that_is_cancelled_may_read_on(lib):
    async with lib.stream("flow.upper", items=slow(3)) as stream:
        got = []
        while len(got) < 3:
            with contextlib.suppress(asyncio.TimeoutError):
                got.append(await asyncio.wait_for(stream.__anext__(), 0.001))
    assert got == [b"0", b"1", b"2"]


async def slow(count):
    for i in range(count):
        await asyncio.sleep(0.01)
        yield str(i)


@everywhere
async def test_dropped_unread(lib, anyio_backend):
    streams = [lib.stream("flow.count", str(count)) for count in (0, 1, 1000, ENDLESS)]
    streams.append(lib.stream("flow.blocks", "100000"))
    await lib.call("test.echo")
    del streams
    await none_left(lib)
    cycle = [lib.stream("flow.count", str(ENDLESS))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    await none_left(lib)


@everywhere
async def test_two_readers_share_the_items(lib, anyio_backend):
    got = []

    async def read():
        async for item in stream:
            got.append(int(item))
            await anyio.sleep(0)

    async with lib.stream("flow.count", "1000") as stream, anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(read)
    assert sorted(got) == [*range(1000)]


@everywhere
async def test_timeout_ends_a_stream(lib, anyio_backend):
    with pytest.raises(pillion.Timeout):
        await collected(lib.stream("flow.count", str(ENDLESS), timeout=0.01))


@everywhere
async def test_stream_of_a_function_without_items_is_empty(lib, anyio_backend):
    assert [item async for item in lib.stream("test.echo", "x")] == []
    for name, way in ("flow.count", "stream or"), ("flow.join", "collect or"):
        with pytest.raises(pillion.NotSupported, match=f"{name} is for Library.{way}"):
            await lib.call(name, "1")
        with pytest.raises(pillion.NotSupported, match=f"{name} is for Library.{way}"):
            await anyio.to_thread.run_sync(lib.call_sync, name, "1")
    with pytest.raises(pillion.NotSupported, match="flow.join is for Library.collect or"):
        lib.stream("flow.join", "1")
    with pytest.raises(pillion.NotFound):
        lib.stream("test.nothing")
    with pytest.raises(TypeError):
        lib.stream("flow.count", 1)


# ---- To Go ------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("pause", [0, 1, 100])
async def test_ten_thousand_items_reach_go(lib, anyio_backend, pause):
    source = Source(10_000 if pause != 1 else 1000, pause)
    joined = " ".join(map(str, range(source.count)))
    assert await lib.collect("flow.join", "-1", source.items()) == joined.encode()
    assert (source.sent, source.closed) == (source.count, 1)


@everywhere
async def test_iterables_reach_go(lib, anyio_backend):
    assert await lib.collect("flow.join", "-1", ["a", "b"]) == b"a b"
    assert await lib.collect("flow.join", "-1") == b""
    blocks = (bytes(size) for size in (0, 24, 25, 5000, 1 << 20, 1 << 20, 3 << 20))
    assert await lib.collect("flow.size", "", blocks) == b"7 5247929"
    assert await lib.collect_json("flow.join", 2, ["a", "b", "c"]) == "a b"
    got = [item async for item in lib.stream_json("flow.upper", {}, (c for c in "abc"))]
    assert got == ["A", "B", "C"]


@everywhere
async def test_items_both_ways(lib, anyio_backend):
    source = Source(10_000, 9)
    got = [int(item) async for item in lib.stream("flow.upper", "", source.items())]
    assert got == [*range(10_000)] and source.closed == 1


@everywhere
async def test_generator_is_closed_in_its_context_when_go_stops_reading(lib, anyio_backend):
    source = Source(10_000)
    token = var.set("the caller's")
    assert await lib.collect("flow.join", "3", source.items()) == b"0 1 2"
    var.reset(token)
    assert (source.closed, source.where) == (1, "the caller's") and source.sent < 100


@everywhere
async def test_generator_that_waits_is_closed_at_the_end(lib, anyio_backend):
    closed = []

    async def forever():
        try:
            yield "1"
            yield "2"
            await anyio.sleep_forever()
        finally:
            closed.append(1)

    assert await lib.collect("flow.join", "2", forever()) == b"1 2"
    async with lib.stream("flow.upper", "", forever()) as stream:
        assert await stream.__anext__() == b"1"
    assert closed == [1, 1]


@everywhere
async def test_generator_that_raises(lib, anyio_backend):
    async def raises():
        yield "1"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await lib.collect("flow.join", "-1", raises())
    with pytest.raises(KeyError, match="mine"):
        async for _ in lib.stream("flow.upper", "", raises()):
            pass
    with pytest.raises(TypeError):
        await lib.collect("flow.join", "-1", iter([1]))
    await none_left(lib)


@everywhere
async def test_cancelled_collect_closes_the_generator(lib, anyio_backend):
    source = Source(1 << 60)
    with anyio.move_on_after(0.02):
        await lib.collect("flow.join", "-1", source.items())
    while not source.closed:
        await anyio.sleep(0.001)
    await none_left(lib)


# ---- Cancelled at every point -----------------------------------------------


@loops
def test_loop_that_stops_at_every_point(lib, new):
    """A run that ends after n steps of the loop leaves no call."""

    async def main():
        source = Source(100, 3)
        async with lib.stream("flow.upper", "", source.items()) as stream:
            async for _ in stream:
                await asyncio.sleep(0)

    for steps in [*range(30), 50, 100, 200]:
        loop = new()
        task = loop.create_task(main())
        for _ in range(steps):
            loop.call_soon(loop.stop)
            loop.run_forever()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(asyncio.sleep(0))
        assert not [t for t in asyncio.all_tasks(loop) if not t.done()]
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@loops
@pytest.mark.parametrize("name", ["flow.upper", "lent.mixed"])
def test_all_tasks_are_cancelled_at_every_point(lib, new, name):
    """As asyncio.run does at its end: a block waits for no task that took no step."""

    async def slowly(word):
        await asyncio.sleep(0)
        return word

    async def main():
        if name == "flow.upper":
            stream = lib.stream(name, "", Source(100, 3).items())
        else:
            stream = lib.stream_json(name, {"log": slowly, "ask": slowly, "text": "a b c d e"})
        async with stream:
            async for _ in stream:
                await asyncio.sleep(0)

    def cancel_all():
        for task in asyncio.all_tasks(loop):
            task.cancel()

    for steps in range(40):
        loop = new()
        task = loop.create_task(main())
        for _ in range(steps):
            loop.call_soon(loop.stop)
            loop.run_forever()
        cancel_all()
        done, _ = loop.run_until_complete(asyncio.wait([task], timeout=30))
        assert done, steps
        cancel_all()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@everywhere
async def test_two_readers_of_a_stream_that_waits_for_room(lib, anyio_backend, monkeypatch):
    abi, got, tried = lib._core().abi, [], 0
    start_call = abi.start_call

    def full_at_first(*arguments):
        nonlocal tried
        tried += 1
        return _abi.EAGAIN if tried < 4 else start_call(*arguments)

    async def read():
        async for item in stream:
            got.append(int(item))

    monkeypatch.setattr(abi, "start_call", full_at_first)
    stream = lib.stream("flow.count", "100")
    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(read)
    assert sorted(got) == [*range(100)] and tried == 4


def test_stream_is_closed_with_its_run_of_trio(lib):
    streams = []

    async def begin():
        streams.append(lib.stream("flow.count", "1000"))
        assert await streams[0].__anext__() == b"0"

    async def read_on():
        with trio.fail_after(30), pytest.raises(pillion.Closed):
            await collected(streams[0])

    trio.run(begin)
    trio.run(read_on)


@loops
def test_loop_that_closes_before_the_end(lib, new):
    loop = new()
    stream = None

    async def main():
        nonlocal stream
        stream = lib.stream("flow.count", "1000")
        await stream.__anext__()

    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    del stream


def test_fork_in_a_stream():
    run(
        """
        import asyncio, gc
        async def main():
            stream = lib.stream("flow.count", "1000")
            await stream.__anext__()
            pid = os.fork()
            if pid == 0:
                try:
                    async for _ in stream:
                        pass
                except pillion.Forked:
                    stream = None
                    gc.collect()
                    os._exit(7)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            assert len([item async for item in stream]) == 999
        asyncio.run(main())
        """
    )


async def test_debug_mode(lib):
    asyncio.get_running_loop().set_debug(True)
    assert len([item async for item in lib.stream("flow.count", "1000")]) == 1000


async def test_credit_is_granted_by_reading(lib):
    """Items that are not read stay with Go, but for a window."""
    stream = lib.stream("flow.count", "1000")
    assert await stream.__anext__() == b"0"
    for _ in range(100):
        await lib.call("test.echo")
    flow = stream._flow
    assert 1 + sum(chunk.size for chunk in [flow.items.chunk, *flow.items.chunks]) <= _inlet.WINDOW + 1
    await stream.aclose()
