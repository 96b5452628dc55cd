# SPDX-License-Identifier: Apache-2.0
"""Callbacks and tasks of a call run in the context in which the call was made."""

import asyncio
import contextvars
import gc
import weakref

import anyio
import pytest
from conftest import everywhere, inside

import pillion

pytestmark = pytest.mark.anyio

var = contextvars.ContextVar("var", default="nobody's")


class Carried:
    """An object that lives as long as a context has it."""


@everywhere
async def test_each_caller_goes_on_in_its_own(lib, anyio_backend):
    seen = []

    async def caller(value):
        var.set(value)
        for name in ("test.echo", "test.loop_yield", "test.fail", "test.panic"):
            try:
                await lib.call(name, "3")
            except pillion.Error:
                pass
            seen.append((value, var.get()))

    async with anyio.create_task_group() as group:
        for value in range(3):
            group.start_soon(caller, value)
    assert var.get() == "nobody's"
    assert len(seen) == 12
    assert all(mine == found for mine, found in seen)


@everywhere
async def test_cancelled_and_late_callers_clean_up_in_their_own(lib, anyio_backend):
    seen = []

    async def caller(value, **timeout):
        var.set(value)
        try:
            await lib.call("test.block", **timeout)
        except pillion.Timeout:
            seen.append(("late", value, var.get()))
        finally:
            seen.append(("end", value, var.get()))

    async with anyio.create_task_group() as group:
        group.start_soon(caller, 1)
        await inside(lib, 1)
        var.set("the canceller's")
        group.cancel_scope.cancel()
    await caller(2, timeout=0.001)
    assert seen == [("end", 1, 1), ("late", 2, 2), ("end", 2, 2)]


def add(seen, future, value):
    """Adds a callback, in a context of the callback's own."""

    def run():
        var.set(value)
        future.add_done_callback(lambda _: seen.append((value, var.get())))

    contextvars.copy_context().run(run)


@pytest.mark.parametrize("name", ["test.echo", "test.loop_yield", "test.fail", "test.block"])
async def test_callbacks_run_where_they_were_added(lib, name):
    seen = []
    future = lib.submit(name, "3")
    for value in range(3):
        add(seen, future, value)
    if name == "test.block":
        await inside(lib, 1)
        other = contextvars.copy_context()
        other.run(var.set, "the canceller's")
        other.run(future.cancel)
    await asyncio.wait([future])
    await asyncio.sleep(0)
    assert seen == [(0, 0), (1, 1), (2, 2)]
    if not future.cancelled():
        future.exception()


async def test_callbacks_of_refused_calls_run_where_they_were_added(lib):
    seen = []
    refused = lib.submit("test.echo", bytes(1 << 10))
    add(seen, refused, 1)
    lib._local.host.fail(pillion.Closed())  # as after the loss of the executor
    await asyncio.wait([refused])
    await asyncio.sleep(0)
    assert isinstance(refused.exception(), pillion.Closed)
    assert seen == [(1, 1)]


@everywhere
async def test_no_context_is_kept(lib, anyio_backend):
    """Even the first call's context goes, although that call made the executor."""
    carried = Carried()
    known = weakref.ref(carried)

    async def caller(carried):
        var.set(carried)
        await lib.call("test.echo")
        with anyio.move_on_after(0):
            await lib.call("test.echo")

    async with anyio.create_task_group() as group:
        group.start_soon(caller, carried)
        del carried
    for _ in range(3):
        await anyio.sleep(0)
    gc.collect()
    assert known() is None
    assert await lib.call("test.echo", "alive") == b"alive"
