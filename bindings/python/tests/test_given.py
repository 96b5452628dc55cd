# SPDX-License-Identifier: Apache-2.0
"""Items between Go and the functions of providers."""

import contextlib

import anyio
import pytest
from conftest import everywhere

import pillion

pytestmark = pytest.mark.anyio


class Feed:
    """Gives numbers without an end, or up to one that fails."""

    def __init__(self, fails=None, waits=None):
        self.fails, self.waits = fails, waits
        self.given = self.closed = 0

    async def feed(self, request):
        try:
            while True:
                if self.given == self.fails:
                    raise ValueError(self.given)
                if self.given == self.waits:
                    await anyio.sleep_forever()
                self.given += 1
                yield f"{self.given}".encode()
                await anyio.sleep(0)
        finally:
            self.closed += 1


async def all_over(lib):
    while lib.counts()["calls"] or lib._host().inbound:
        await anyio.sleep(0.001)
    assert not [flow for flow in lib._host().flows.values() if flow.task.value]


# ---- To Go ------------------------------------------------------------------


@everywhere
async def test_generator_answers_item_by_item(lib, anyio_backend):
    feed = Feed()
    with lib.provide("app.Http", feed):
        async with lib.stream("import.feed", "q") as items:
            got = 0
            async for item in items:
                got += 1
                assert item == f"{got}".encode()
                assert feed.given <= got + 250  # it waits for its reader
                if got == 1000:
                    break
        await all_over(lib)
    assert feed.closed == 1


@everywhere
@pytest.mark.parametrize("waits", [None, 3])
async def test_generator_is_closed_when_go_stops_reading(lib, anyio_backend, waits):
    feed = Feed(waits=waits)
    with lib.provide("app.Http", feed):
        assert await lib.call("import.some", "3 q") == b"1 2 3"
        assert feed.closed == 1
        assert feed.given < 250
        await all_over(lib)


@everywhere
async def test_exception_comes_after_the_items_before_it(lib, anyio_backend):
    with lib.provide("app.Http", Feed(fails=100)):
        got = []
        with pytest.raises(pillion.GoError, match="ValueError: 100"):
            async for item in lib.stream("import.feed", "q"):
                got.append(int(item))
        assert got == [*range(1, 101)]
        await all_over(lib)


@everywhere
async def test_generator_that_ends_and_one_that_is_not_async(lib, anyio_backend):
    async def later(request):
        for word in request.split():
            yield word

    class Plain:
        closed = False

        def words(self, request):
            try:
                yield from request.split()
            finally:
                self.closed = True

    plain = Plain()
    for function in (later, plain.words, lambda request: iter(request.split())):
        with lib.provide("app.Http", {"feed": function}):
            assert await lib.call("import.some", "9 a b c") == b"a b c"
            assert await lib.call("import.some", "9 ") == b""
            assert await lib.call("import.some", "1 a b c") == b"a"
    assert plain.closed
    await all_over(lib)


@everywhere
async def test_long_items(lib, anyio_backend):
    def blocks(request):
        for i in range(40):
            yield bytes([65 + i % 26]) * 100_000

    with lib.provide("app.Http", {"feed": blocks}):
        got = [item async for item in lib.stream("import.feed")]
    assert got == [bytes([65 + i % 26]) * 100_000 for i in range(40)]
    await all_over(lib)


@everywhere
async def test_function_that_gives_no_items(lib, anyio_backend):
    def whole(request):
        return request

    def bad(request):
        yield request
        yield 1

    with lib.provide("app.Http", {"feed": whole, "fetch": Feed().feed}):
        with pytest.raises(pillion.GoError, match="TypeError: Go reads items"):
            await lib.call("import.some", "3 q")
        with pytest.raises(pillion.GoError, match="TypeError"):
            await lib.call("import.fetch", "q")
    with lib.provide("app.Http", {"feed": bad}):
        with pytest.raises(pillion.GoError, match="TypeError"):
            await lib.call("import.some", "3 q")
    await all_over(lib)


@everywhere
@pytest.mark.parametrize("waits", [None, 0, 5])
async def test_cancel_of_the_caller_closes_the_generator(lib, anyio_backend, waits):
    feed = Feed(waits=waits)
    with lib.provide("app.Http", feed):
        stream = lib.stream("import.feed", "q")
        while feed.given < (5 if waits is None else waits) or not lib._host().inbound:
            await anyio.sleep(0)
        await stream.aclose()
        await all_over(lib)
    assert feed.closed == (waits != 0 or feed.closed)


@everywhere
async def test_generator_whose_close_fails(lib, anyio_backend):
    async def stubborn(request):
        try:
            while True:
                yield b"x"
        finally:
            raise KeyError("close")

    with lib.provide("app.Http", {"feed": stubborn}):
        with contextlib.suppress(pillion.GoError):
            await lib.call("import.some", "3 q")
        await all_over(lib)


@everywhere
async def test_provider_that_is_closed_while_a_generator_runs(lib, anyio_backend):
    feed = Feed(fails=500)
    with lib.provide("app.Http", feed):
        stream = lib.stream("import.feed", "q")
        await stream.__anext__()
    with pytest.raises(pillion.GoError, match="500"):
        async for _ in stream:
            pass
    assert feed.closed == 1
    await all_over(lib)


# ---- From Go ----------------------------------------------------------------


@everywhere
async def test_function_reads_what_go_gives(lib, anyio_backend):
    async def join(request, items):
        return b"+".join([item async for item in items])

    words = [f"word{i}" for i in range(200)]
    with lib.provide("app.Http", {"join": join}):
        assert await lib.call("import.join", " ".join(words)) == "+".join(words).encode()
        assert await lib.call("import.join", "") == b""
        long = "long" * 50_000
        assert await lib.call("import.join", f"{long} a {long}") == f"{long}+a+{long}".encode()
    await all_over(lib)


@everywhere
async def test_function_that_reads_some(lib, anyio_backend):
    async def first(request, items):
        async for item in items:
            return item

    async def closes(request, items):
        async with items:
            item = await items.__anext__()
        assert [item async for item in items] == []
        return item

    def none(request, items):
        return b"none"

    for function, answer in ((first, b"w"), (closes, b"w"), (none, b"none")):
        with lib.provide("app.Http", {"join": function}):
            assert await lib.call("import.join", "w " * 1000) == answer
    await all_over(lib)


@everywhere
async def test_function_is_cancelled_when_go_gives_up(lib, anyio_backend):
    ended = []

    async def join(request, items):
        try:
            async for _ in items:
                pass
            ended.append("finished")
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    with lib.provide("app.Http", {"join": join}):
        with pytest.raises(pillion.GoError, match="bad"):
            await lib.call("import.join", "a " * 100 + "bad b")
        await all_over(lib)
    assert ended == [ended[0]] != ["finished"]


@everywhere
async def test_task_that_a_function_leaves_with_its_items(lib, anyio_backend):
    left = []

    async def read(items):
        left.append([item async for item in items])

    async with anyio.create_task_group() as group:

        async def join(request, items):
            group.start_soon(read, items)
            return b"at once"

        with lib.provide("app.Http", {"join": join}):
            assert await lib.call("import.join", "w " * 1000) == b"at once"
    assert len(left) == 1
    await all_over(lib)


# ---- Windows ----------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("how", ["call", "timeout", "stream"])
async def test_function_that_calls_its_own_provider_passes_the_window(lib, anyio_backend, how):
    """It is full with functions that wait for this one."""
    called, full, done = 0, anyio.Event(), anyio.Event()

    async def fetch(request):
        nonlocal called
        called += 1
        if called == 1024:
            full.set()
        if request == b"first":
            await full.wait()
            if how == "stream":
                items = lib.stream("import.feed", "q")
                answer = b"".join([item async for item in items])
            else:
                timeout = 100 if how == "timeout" else None
                answer = await lib.call("import.other", "q", timeout=timeout)
            done.set()
            return answer
        await done.wait()
        return b""

    def feed(request):
        yield request[::-1]

    functions = {"fetch": fetch, "other": lambda request: request[::-1], "feed": feed}
    answers = []

    async def ask(text):
        answers.append(await lib.call("import.fetch", text))

    with lib.provide("app.Http", functions), anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "first")
            for _ in range(1023):
                group.start_soon(ask, "")
    assert sorted(answers) == [b""] * 1023 + [b"q"]
    await all_over(lib)
