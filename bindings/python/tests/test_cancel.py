# SPDX-License-Identifier: Apache-2.0
import asyncio

import anyio
import pytest
from conftest import everywhere, inside

import pillion

pytestmark = pytest.mark.anyio
BLOCKS = ["test.block", "test.loop_block"]


async def settled(lib):
    """Waits until Go has ended all calls, and returns the number of events."""
    while lib.counts()["calls"]:
        await anyio.sleep(0)
    return lib.stats()["events"]


@pytest.mark.parametrize("name", BLOCKS)
async def test_cancelled_task_cancels_the_call(lib, name):
    task = asyncio.create_task(lib.call(name))
    await asyncio.sleep(0)
    await inside(lib, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await inside(lib, 0)
    await settled(lib)


@pytest.mark.parametrize("name", BLOCKS)
async def test_cancelled_future_cancels_the_call(lib, name):
    future = lib.submit(name)
    await inside(lib, 1)
    assert future.cancel() and future.cancelled()
    assert not future.cancel()
    await inside(lib, 0)
    await settled(lib)


@everywhere
@pytest.mark.parametrize("name", BLOCKS)
async def test_cancelled_scope_cancels_the_call(lib, name):
    async with anyio.create_task_group() as group:
        group.start_soon(lib.call, name)
        await inside(lib, 1)
        group.cancel_scope.cancel()
    await inside(lib, 0)


@everywhere
@pytest.mark.parametrize("name", BLOCKS)
async def test_timeout_cancels_the_call(lib, name):
    with pytest.raises(TimeoutError) as caught:
        await lib.call(name, timeout=0.02)
    assert isinstance(caught.value, (pillion.Timeout, asyncio.TimeoutError))
    await inside(lib, 0)


@everywhere
async def test_timeout_that_is_not_needed(lib):
    assert await lib.call("test.echo", "quick", timeout=100) == b"quick"
    assert await lib.call_json("test.add", {"a": 1, "b": 1}, timeout=100) == {"sum": 2}
    with pytest.raises(pillion.GoError):
        await lib.call("test.fail", timeout=100)


async def test_timeout_of_zero_ends_at_once(lib):
    with pytest.raises(pillion.Timeout):
        await lib.call("test.block", timeout=0)
    await settled(lib)


async def test_cancel_during_a_timeout(lib):
    task = asyncio.create_task(lib.call("test.block", timeout=100))
    await asyncio.sleep(0)
    await inside(lib, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await inside(lib, 0)


@pytest.mark.parametrize("name", ["test.echo", "test.loop_echo"])
async def test_cancel_before_the_call_is_sent(lib, name):
    """A cancel in the same turn of the loop as the call: nothing is sent to Go."""
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    futures = [lib.submit(name, str(i)) for i in range(10)]
    tasks = [asyncio.ensure_future(future) for future in futures]
    for future in futures[::2]:
        future.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert ends[1::2] == [str(i).encode() for i in range(1, 10, 2)]
    assert all(isinstance(end, asyncio.CancelledError) for end in ends[::2])
    assert lib.stats()["calls"] - before == 5
    host = lib._local.host
    assert not host.bursts and not host.guests


async def test_cancel_of_all_before_any_is_sent(lib):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    futures = [lib.submit("test.block") for _ in range(10)]
    for future in futures:
        future.cancel()
    assert await lib.call("test.echo", "next") == b"next"
    assert lib.stats()["calls"] - before == 1
    assert not lib._local.host.bursts


async def test_late_completion_is_thrown_away(lib):
    futures = [lib.submit("test.stubborn") for _ in range(3)]
    await inside(lib, 3)
    for future in futures[:2]:
        future.cancel()
    await inside(lib, 3)  # they ignore the cancel
    await lib.call("test.release")
    assert await futures[2] == b"released"
    assert futures[0].cancelled()
    await settled(lib)
    assert not lib._local.host.bursts


async def test_many_cancelled_at_once(lib):
    futures = [lib.submit("test.block") for _ in range(1000)]
    await inside(lib, 1000)
    for future in futures:
        future.cancel()
    await settled(lib)
    host = lib._local.host
    assert not host.bursts and not host.backlog


async def test_wait_for_cancels(lib):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(lib.call("test.block"), 0.02)
    await inside(lib, 0)


async def test_finished_calls_are_not_kept_by_a_long_one(lib):
    long = lib.submit("test.stubborn")
    await asyncio.gather(*(lib.submit("test.big", "1000") for _ in range(100)))
    (burst,) = lib._local.host.bursts.values()
    assert burst.live == 1
    assert [future for future in burst.futures if future is not None] == [long]
    await inside(lib, 1)
    await lib.call("test.release")
    await long


@everywhere
async def test_go_may_return_although_it_was_cancelled(lib):
    """The await ends at the timeout; Go's function returns when it likes."""
    with pytest.raises(TimeoutError):
        await lib.call("test.stubborn", timeout=0.02)
    await inside(lib, 1)
    await lib.call("test.release")
    await inside(lib, 0)


async def test_shutdown_in_time_or_not(lib):
    call = lib.submit("test.block")
    await inside(lib, 1)
    with pytest.raises(pillion.Timeout):
        lib.shutdown(timeout=0.05)
    lib.shutdown(cancel=True)
    with pytest.raises(asyncio.CancelledError):
        await call
