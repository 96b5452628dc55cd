# SPDX-License-Identifier: Apache-2.0
"""Loops that run in several threads, or move from one to another."""

import asyncio
import threading

import pytest
from conftest import inside, loops

import pillion


@loops
def test_two_loops_in_two_threads(lib, new):
    results = {}

    def work(number):
        loop = new()

        async def worker(i):
            return [await lib.call("test.echo", f"{number} {i} {j}") for j in range(20)]

        async def main():
            nap = lib.submit("test.loop_sleep", "1000000")
            results[number] = await asyncio.gather(*(worker(i) for i in range(20)))
            await nap

        loop.run_until_complete(main())
        loop.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(2):
        assert results[n] == [
            [f"{n} {i} {j}".encode() for j in range(20)] for i in range(20)
        ]  # fmt: skip
    assert lib.counts()["executors"] == 0


@loops
def test_loop_that_moves_to_another_thread(lib, new):
    """Its executor doesn't move: calls in flight fail, and later ones work."""
    loop = new()

    async def begin():
        future = lib.submit("test.stubborn")
        await inside(lib, 1)
        return future

    future = loop.run_until_complete(begin())
    seen = []

    def elsewhere():
        seen.append(loop.run_until_complete(lib.call("test.echo", "moved")))
        with pytest.raises(pillion.WrongThread):
            loop.run_until_complete(future)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [b"moved"]
    lib.call_sync("test.release")
    loop.close()
    assert lib.counts()["executors"] == 0


@loops
@pytest.mark.parametrize("method", ["call", "submit"])
def test_loop_that_runs_elsewhere_is_not_taken_for_this_threads(lib, new, method):
    """A thread remembers its loop. That loop runs on another thread, while this one runs a
    second loop."""
    first, second = new(), new()
    first.run_until_complete(lib.call("test.echo"))

    async def here():
        return await getattr(lib, method)("test.echo", "here")

    running = threading.Event()
    first.call_soon(running.set)
    thread = threading.Thread(target=first.run_forever)
    thread.start()
    running.wait()
    try:
        assert second.run_until_complete(here()) == b"here"
    finally:
        first.call_soon_threadsafe(first.stop)
        thread.join()
        second.close()
        first.close()
    assert lib.counts()["executors"] == 0


@loops
def test_loop_closed_by_another_thread(lib, new):
    loop = new()

    async def begin():
        lib.submit("test.block")
        await inside(lib, 1)

    thread = threading.Thread(target=loop.run_until_complete, args=(begin(),))
    thread.start()
    thread.join()
    loop.close()
    lib.shutdown(cancel=True, timeout=30)
    lib.start()
    assert lib.counts()["executors"] == 0
