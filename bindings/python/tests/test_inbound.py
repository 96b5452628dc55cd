# SPDX-License-Identifier: Apache-2.0
"""Go calls functions of the program's: those lent with a call, and those of providers."""

import asyncio
import contextvars
import gc
import logging
import os
import threading
import weakref

import anyio
import pytest
from conftest import everywhere, loops

import pillion

pytestmark = pytest.mark.anyio

var = contextvars.ContextVar("var", default="no context's")
ASK = ["lent.ask", "lent.loop_ask", "lent.async_ask"]


async def none_left(lib):
    while lib.counts()["calls"]:
        await anyio.sleep(0.001)


def asking(function, text="x"):
    return {"ask": function, "text": text}


# ---- With an answer ---------------------------------------------------------


@everywhere
@pytest.mark.parametrize("name", ASK)
async def test_function_answers(lib, anyio_backend, name):
    async def later(text):
        await anyio.sleep(0.001)
        return text * 100

    assert await lib.call_json(name, asking(lambda text: text + "!", "what")) == "what!"
    assert await lib.call_json(name, asking(later, "what")) == "what" * 100
    assert await lib.call_json(name, asking(str.upper, "long" * 100)) == "LONG" * 100


@everywhere
async def test_function_is_refused_where_the_request_has_none(lib, anyio_backend):
    with pytest.raises(TypeError, match="lent.ask takes no function there"):
        await lib.call_json("lent.ask", {"ask": str.upper, "text": str.upper})
    with pytest.raises(TypeError, match="lent.ask takes no function there"):
        await lib.call_json("lent.ask", {"aks": str.upper, "text": "x"})
    with pytest.raises(TypeError, match="lent.ask takes a function there, not 'x'"):
        await lib.call_json("lent.ask", {"ask": "x", "text": "x"})


@everywhere
@pytest.mark.parametrize("name", ASK)
async def test_function_runs_in_the_context_that_lent_it(lib, anyio_backend, name):
    seen = []

    def see(text):
        seen.append((text, var.get()))
        var.set("its own")
        return ""

    async def see_later(text):
        await anyio.sleep(0)
        return see(text)

    async def lend(value):
        var.set(value)
        await lib.call_json(name, asking(see, value))
        await lib.call_json(name, asking(see_later, value))
        assert var.get() == value

    async with anyio.create_task_group() as group:
        for value in "abc":
            group.start_soon(lend, value)
    assert sorted(seen) == sorted([(value, value) for value in "abc"] * 2)


class Mine(Exception):
    pass


@everywhere
@pytest.mark.parametrize("name", ASK)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_exception_is_an_error_in_go(lib, anyio_backend, name, asynchronous):
    def fail(text):
        raise Mine("what happened")

    async def fail_later(text):
        await anyio.sleep(0)
        fail(text)

    with pytest.raises(pillion.GoError, match="Mine: what happened"):
        await lib.call_json(name, asking(fail_later if asynchronous else fail))
    with pytest.raises(pillion.GoError, match="TypeError"):
        await lib.call_json(name, asking(lambda text: 1))  # no str
    assert await lib.call_json(name, asking(str.upper)) == "X"


@everywhere
async def test_cancelled_call_cancels_its_function(lib, anyio_backend):
    begun, ended = anyio.Event(), []

    async def forever(text):
        try:
            begun.set()
            await anyio.sleep_forever()
        finally:
            ended.append(text)

    async with anyio.create_task_group() as group:
        group.start_soon(lib.call_json, "lent.ask", asking(forever))
        await begun.wait()
        group.cancel_scope.cancel()
    await none_left(lib)
    assert ended == ["x"]


@everywhere
async def test_function_that_go_leaks_ends_with_the_call(lib, anyio_backend):
    ended = []

    async def forever(text):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(text)

    for _ in range(100):
        assert await lib.call_json("lent.leak", asking(forever)) == "returned"
    assert lib.counts()["calls"] == 0
    assert len(ended) <= 100
    host = lib._host()
    assert not (host.inbound or host.deeds or host.fresh or host.flows)


@everywhere
async def test_functions_that_call_go_back(lib, anyio_backend):
    async def deeper(text):
        if len(text) == 10:
            return text
        return await lib.call_json("lent.ask", asking(deeper, text + "."))

    assert await lib.call_json("lent.ask", asking(deeper, "")) == "." * 10


@everywhere
async def test_many_at_once(lib, anyio_backend):
    done = []

    async def answer(text):
        await anyio.sleep(0)
        return text[::-1]

    async def call(i):
        done.append(await lib.call_json("lent.ask", asking(answer, f"{i}-")) == f"{i}-"[::-1])

    async with anyio.create_task_group() as group:
        for i in range(300):
            group.start_soon(call, i)
    assert done == [True] * 300


@everywhere
async def test_what_is_no_function_is_refused(lib, anyio_backend):
    with pytest.raises(TypeError, match="takes a function"):
        await lib.call_json("lent.ask", asking("no"))
    with pytest.raises(pillion.GoError):
        await lib.call_json("lent.ask", {"text": "no function to ask"})
    for value in (None, "text", 5, ["text"]):
        with pytest.raises(TypeError, match="takes struct"):
            await lib.call_json("lent.ask", value)


@everywhere
async def test_64_lent_calls_run_at_once_and_a_nested_one_passes(lib, anyio_backend):
    running, most, nested, full = 0, 0, 0, anyio.Event()

    async def answer(text):
        nonlocal running, most, nested
        if text == "nested":
            nested += 1
            return text
        running += 1
        most = max(most, running)
        if running == 64:
            full.set()
        await full.wait()
        answered = await lib.call_json("lent.crowd_again", "nested")
        running -= 1
        return answered

    assert await lib.call_json("lent.crowd", asking(answer)) == "x"
    assert (most, nested) == (64, 100)


@everywhere
async def test_nothing_is_kept_of_a_lent_function(lib, anyio_backend):
    class Asked:
        def __call__(self, text):
            return text

    asked = Asked()
    known = weakref.ref(asked)
    assert await lib.call_json("lent.ask", asking(asked)) == "x"
    del asked
    for _ in range(3):
        await anyio.sleep(0)
    gc.collect()
    assert known() is None


def test_blocking_call_runs_its_functions_in_its_thread(lib):
    def where(text):
        return str(threading.get_ident())

    answers = []
    thread = threading.Thread(
        target=lambda: answers.append((str(threading.get_ident()), lib.call_json_sync("lent.ask", asking(where))))
    )
    thread.start()
    thread.join()
    assert answers[0][0] == answers[0][1]
    assert lib.call_json_sync("lent.ask", asking(where)) == str(threading.get_ident())


async def test_blocking_call_on_a_loop_is_refused(lib):
    with pytest.raises(RuntimeError, match="stop the loop"):
        lib.call_json_sync("lent.ask", asking(str.upper))


@loops
def test_base_exception_answers_and_leaves_the_run(lib, new):
    """As it would from a task of the program's."""
    loop = new()

    def leave(text):
        raise KeyboardInterrupt

    async def main():
        return await lib.call_json("lent.ask", asking(leave))

    task = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    with pytest.raises(pillion.GoError, match="KeyboardInterrupt"):
        loop.run_until_complete(task)
    loop.close()


@loops
def test_loop_that_stops_at_every_point(lib, new):
    async def answer(text):
        await asyncio.sleep(0)
        return text

    async def main():
        await asyncio.gather(*(lib.call_json("lent.ask", asking(answer)) for _ in range(3)))

    for steps in [*range(30), 50, 100]:
        loop = new()
        loop.set_exception_handler(lambda loop, context: None)
        task = loop.create_task(main())
        for _ in range(steps):
            loop.call_soon(loop.stop)
            loop.run_forever()
        task.cancel()
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        for left in asyncio.all_tasks(loop):
            left.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


# ---- Without ----------------------------------------------------------------


@everywhere
async def test_signals_come_in_order_before_the_result(lib, anyio_backend):
    words, logged, done = [f"w{i}" for i in range(1000)], [], []

    async def slowly(word):
        await anyio.sleep(0)
        logged.append(word)

    for log in (logged.append, slowly):
        logged.clear()
        done.clear()
        request = {"log": log, "done": done.append, "text": " ".join(words)}
        assert await lib.call_json("lent.upload", request) == 1000
        assert logged == words
        assert done == sorted(done) and done[-1] == 1000


@everywhere
async def test_signal_that_raises_is_logged(lib, anyio_backend, caplog):
    logged = []

    def fail(word):
        logged.append(word)
        raise Mine(word)

    with caplog.at_level(logging.ERROR, "pillion"):
        assert await lib.call_json("lent.upload", {"log": fail, "text": "a b"}) == 2
    assert logged == ["a", "b"]
    assert [record.exc_info[0] for record in caplog.records] == [Mine, Mine]


async def test_signal_that_awaits_what_was_cancelled(lib):
    """Its exception is that of a cancelled task, and the next signals come all the same."""
    cancelled, logged = asyncio.get_running_loop().create_future(), []
    cancelled.cancel()

    async def log(word):
        logged.append(word)
        if word in ("w3", "w999"):
            await cancelled

    words = [f"w{i}" for i in range(1000)]
    assert await lib.call_json("lent.upload", {"log": log, "text": " ".join(words)}) == 1000
    assert logged == words


@everywhere
async def test_stream_with_functions(lib, anyio_backend):
    words, logged = [f"w{i}" for i in range(200)], []

    async def upper(word):
        await anyio.sleep(0)
        return word.upper()

    request = {"log": logged.append, "ask": upper, "text": " ".join(words)}
    async with lib.stream_json("lent.mixed", request) as stream:
        assert [item async for item in stream] == [word.upper() for word in words]
    assert logged == words
    async with lib.stream_json("lent.mixed", request) as stream:
        async for _ in stream:
            break
    assert lib.counts()["calls"] == 0


# ---- Providers --------------------------------------------------------------


class Http:
    async def fetch(self, url):
        await anyio.sleep(0)
        if url == b"bad":
            raise Mine(url)
        return b"<" + url + b"> for " + var.get().encode()

    def other(self, url):
        return url[::-1]


@everywhere
@pytest.mark.parametrize("name", ["import.fetch", "import.loop_fetch", "import.async_fetch"])
async def test_provider_lasts_for_its_block_and_runs_in_its_context(lib, anyio_backend, name):
    token = var.set("the provider's")
    provider = lib.provide("app.Http", Http())
    with provider:
        var.reset(token)
        assert await lib.call(name, "here") == b"<here> for the provider's"
        assert await lib.call("import.other", "abc") == b"cba"
        with pytest.raises(pillion.GoError, match="Mine"):
            await lib.call(name, "bad")
        with pytest.raises(pillion.Busy):
            lib.provide("app.Http", Http()).__enter__()
    with pytest.raises(pillion.GoError):
        await lib.call(name, "gone")
    with lib.provide("app.Http", {"fetch": bytes.upper}):
        assert await lib.call(name, "again") == b"AGAIN"
        with pytest.raises(pillion.GoError):
            await lib.call("import.other", "not provided")


@everywhere
async def test_functions_that_wait_leave_their_seats(lib, anyio_backend):
    """More than there are seats wait until another that needs one has run."""
    ran = anyio.Event()
    asked = []

    async def wait(text):
        asked.append(text)
        await ran.wait()
        return text

    async def ask(text):
        assert await lib.call_json("lent.cpu_ask", asking(wait, text)) == text

    async with anyio.create_task_group() as group:
        for i in range(2 * (os.cpu_count() or 1) + 2):
            group.start_soon(ask, str(i))
        while len(asked) <= 2 * (os.cpu_count() or 1):
            await anyio.sleep(0.001)
        await lib.call_json("test.spin", "1")
        ran.set()


@everywhere
async def test_provider_that_is_entered_twice(lib, anyio_backend):
    with lib.provide("app.Http", Http()) as provider:
        with pytest.raises(pillion.Busy):
            provider.__enter__()
        assert await lib.call("import.other", "abc") == b"cba"
    assert not lib._host().flows


@everywhere
@pytest.mark.parametrize("name", ["import.fetch", "import.loop_fetch"])
async def test_provider_that_another_thread_closes_in_a_turn(lib, anyio_backend, monkeypatch, name):
    """A call that the turn has told is answered all the same."""
    host, provider = lib._host(), lib.provide("app.Http", Http())

    def closing(turn):
        def turn_and_close(*arguments):
            count = turn(*arguments)
            if count:
                provider.close()
            return count

        return turn_and_close

    for turn in ("turn", "turn_go"):
        monkeypatch.setattr(host.abi, turn, closing(getattr(host.abi, turn)))
    with provider, pytest.raises(pillion.GoError):
        await lib.call(name, "x")
