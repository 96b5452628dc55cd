# SPDX-License-Identifier: Apache-2.0
"""Descriptors that Go functions on the loop await, and deadlines that they see."""

import asyncio
import os
import socket

import anyio
import pytest
from conftest import ASYNCIO, TRIO

import pillion

pytestmark = pytest.mark.anyio
everywhere = pytest.mark.parametrize("anyio_backend", ASYNCIO + TRIO)
SIZE = 1 << 20


def pair():
    """Two ends of a stream. The first is Go's: it does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


async def feed(theirs, size):
    """Writes `size` bytes and counts those that come back, in threads."""
    await anyio.to_thread.run_sync(theirs.sendall, b"x" * size)
    theirs.shutdown(socket.SHUT_WR)


async def drain(theirs, into):
    while data := await anyio.to_thread.run_sync(theirs.recv, 1 << 16):
        into.append(len(data))


@everywhere
async def test_a_go_function_reads_and_writes_on_the_host(lib):
    ours, theirs = pair()
    back = []
    with ours, theirs:
        async with anyio.create_task_group() as group:
            group.start_soon(feed, theirs, SIZE)
            group.start_soon(drain, theirs, back)
            assert await lib.call("test.loop_cat", str(ours.fileno())) == str(SIZE).encode()
            ours.shutdown(socket.SHUT_WR)
    assert sum(back) == SIZE


@everywhere
async def test_twenty_descriptors_at_once(lib):
    pairs = [pair() for _ in range(20)]
    told = []

    async def cat(ours):
        told.append(await lib.call("test.loop_cat", str(ours.fileno())))

    async with anyio.create_task_group() as group:
        for ours, _ in pairs:
            group.start_soon(cat, ours)
        for step in range(5):
            for _, theirs in pairs:
                theirs.sendall(b"x" * (step + 1))
                await anyio.sleep(0)
        for _, theirs in pairs:
            theirs.shutdown(socket.SHUT_WR)
    assert told == [b"15"] * 20
    for ours, theirs in pairs:
        assert len(theirs.recv(100)) == 15
        ours.close()
        theirs.close()


async def test_after_a_cancel_the_descriptor_wakes_the_loop_no_more(lib):
    ours, theirs = pair()
    with ours, theirs:
        call = asyncio.create_task(lib.call("test.loop_cat", str(ours.fileno())))
        theirs.sendall(b"x")
        while not await asyncio.to_thread(theirs.recv, 1):
            pass
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while lib.counts()["calls"]:
            await asyncio.sleep(0)
        turns = lib.stats()["turns"]
        theirs.sendall(b"y")
        for _ in range(100):
            await asyncio.sleep(0.0001)
        assert lib.stats()["turns"] - turns <= 1
        assert ours.recv(10) == b"y"
        # The same descriptor once more.
        theirs.shutdown(socket.SHUT_WR)
        assert await lib.call("test.loop_cat", str(ours.fileno())) == b"0"


@everywhere
async def test_a_hang_up_while_go_waits(lib):
    ours, theirs = pair()
    with ours:
        async with anyio.create_task_group() as group:

            async def cat():
                assert await lib.call("test.loop_cat", str(ours.fileno())) == b"0"

            group.start_soon(cat)
            await anyio.sleep(0.001)
            theirs.close()


@everywhere
async def test_a_file_that_cannot_be_watched_is_the_functions_error(lib):
    with open(os.devnull, "rb") as null:
        assert await lib.call("test.loop_cat", str(null.fileno())) == b"0"
    with pytest.raises(pillion.GoError):
        await lib.call("test.loop_cat", "1000000")


def test_a_loop_may_end_while_go_awaits_a_descriptor(lib):
    ours, theirs = pair()

    async def main():
        lib.submit("test.loop_cat", str(ours.fileno()))
        theirs.sendall(b"x")
        assert await asyncio.to_thread(theirs.recv, 1) == b"x"

    with ours, theirs:
        asyncio.run(main())
        theirs.sendall(b"y")
        assert ours.recv(1) == b"y"


# ---- Deadlines ---------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("payload", [b"", b"x" * (2 << 20)], ids=["short", "long"])
async def test_go_sees_the_timeout_as_its_deadline(lib, payload):
    assert await lib.call("test.deadline", payload) == b"none"
    left = int(await lib.call("test.deadline", payload, timeout=50))
    assert 0 < left <= 50e9
    assert await lib.call("test.deadline", payload, timeout=1e12) == b"none"


async def test_each_call_of_a_turn_has_its_own_deadline(lib):
    timeouts = [None, 10, 20, None, None, 30, None]
    left = await asyncio.gather(*(lib.call("test.deadline", timeout=t) for t in timeouts))
    for timeout, told in zip(timeouts, left):
        if timeout is None:
            assert told == b"none"
        else:
            assert (timeout - 9) * 1e9 < int(told) <= timeout * 1e9


@everywhere
async def test_a_function_that_heeds_its_deadline_has_timed_out(lib):
    with pytest.raises(pillion.Timeout):
        await lib.call("test.block", timeout=0.01)


def test_a_blocking_call_has_a_deadline_too(lib):
    assert lib.call_sync("test.deadline") == b"none"
    assert 0 < int(lib.call_sync("test.deadline", timeout=50)) <= 50e9
