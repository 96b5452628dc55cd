# SPDX-License-Identifier: Apache-2.0
"""Objects of Go's: constructors, methods, their ends, and those that are forgotten."""

import gc
import os
import warnings

import anyio
import pytest
from conftest import everywhere, inside, run

import pillion

pytestmark = [everywhere, pytest.mark.anyio]
ROWS = {"name": "rows", "rows": {"a": "1", "b": "2", "c": "3"}}


async def closed(lib):
    return await lib.call_json("store.closed", None)


async def until_objects(lib, count):
    """Go's part of a drop is over."""
    while lib.counts()["objects"] != count:
        await anyio.sleep(0)


@pytest.fixture
def store(lib):
    return lib.object("store.Store")


async def test_methods_are_awaited_or_stream(lib, store):
    before = await closed(lib)
    async with await store.open(ROWS) as s:
        assert await s.get("b", timeout=10) == "2"
        assert [row async for row in s.rows("")] == [
            {"key": key, "value": value} for key, value in ROWS["rows"].items()
        ]
        assert await s.load(None, [{"key": "d", "value": "4"}]) == 1
        assert [row["value"] async for row in s.each(None, ["d", "a"])] == ["4", "1"]
    await until_objects(lib, 0)
    assert await closed(lib) == before + 1


async def test_errors_have_the_codes_of_the_class(lib, store):
    async with await store.open(ROWS) as s:
        with pytest.raises(pillion.GoError, match="no such row") as failed:
            await s.get("z")
        assert failed.value.code == 1
    with pytest.raises(pillion.Closed):
        await s.get("a")
    with pytest.raises(pillion.GoError, match="a store has a name"):
        await store.open({})
    assert lib.counts()["objects"] == 0


async def test_aclose_tells_of_a_failure_and_gives_up_all_the_same(lib, store):
    s = await store.open({"name": "fails"})
    with pytest.raises(pillion.GoError, match="the disk is full"):
        await s.aclose()
    await s.aclose()
    await until_objects(lib, 0)


async def test_methods_on_the_loop(lib):
    counter = await lib.object("store.Counter").newCounter()
    assert await counter.next(3) == 3
    assert [n async for n in counter.ticks(2)] == [4, 5]
    await counter.aclose()
    await until_objects(lib, 0)


async def test_objects_come_from_methods_and_go_to_them(lib, store):
    counter = await lib.object("store.Counter").newCounter()
    async with await store.open(ROWS) as s, await s.copy("copy") as copy:
        assert await s.merge({"from": [copy, s], "into": counter}) == 6
        assert await counter.next(1) == 7
        parts = [part async for part in s.split("")]
        assert await parts[2].get("c") == "3"
        for part in parts:
            await part.aclose()
        with pytest.raises(TypeError, match=r"takes a store\.Store there"):
            await s.merge({"from": [counter]})
        with pytest.raises(TypeError, match=r"takes a store\.Store there"):
            await s.merge({"from": ["copy"]})
    with pytest.raises(pillion.BadHandle):
        await counter._class._call(store._members["get"], s.__class__(store, 1))("a")
    await counter.aclose()
    await until_objects(lib, 0)


async def test_a_method_keeps_its_object(lib, store):
    s = await store.open(ROWS)
    async with anyio.create_task_group() as group:
        group.start_soon(s.hold)
        await inside(lib, 1)
        await s.aclose()
        assert lib.counts()["objects"] == 1
        group.cancel_scope.cancel()
    await until_objects(lib, 0)


async def test_a_forgotten_object_warns_and_is_dropped(lib, store):
    before = await closed(lib)
    s = await store.open(ROWS)
    with pytest.warns(ResourceWarning, match="store.Store of Go's. was forgotten"):
        del s
        gc.collect()
    await until_objects(lib, 0)
    assert await closed(lib) == before + 1
    s = await store.open(ROWS)
    await s.aclose()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del s
        gc.collect()


async def test_objects_that_nothing_reads_are_dropped(lib, store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with await store.open(ROWS) as s:
            async with s.split("") as parts:
                async for part in parts:
                    await part.aclose()
                    break
            await until_objects(lib, 1)
            async for part in s.split(""):
                await part.aclose()
                break
            gc.collect()
            await until_objects(lib, 1)
            s.split("")
            gc.collect()
            await until_objects(lib, 1)
    await until_objects(lib, 0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it may be done before the cancel
async def test_a_cancelled_constructor_leaves_no_object(lib, store):
    for steps in range(6):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(store.open, ROWS)
                for _ in range(steps):
                    await anyio.sleep(0)
                scope.cancel()
        gc.collect()
        await until_objects(lib, 0)


async def test_names(lib, store):
    with pytest.raises(pillion.NotFound, match=r"no such class: store\.Shop"):
        lib.object("store.Shop")
    with pytest.raises(AttributeError):
        store.get
    with pytest.raises(AttributeError):
        store.shut
    assert "open" in dir(store) and "get" not in dir(store)
    async with await store.open(ROWS) as s:
        with pytest.raises(AttributeError):
            s.open
        assert "get" in dir(s) and "open" not in dir(s)
        assert await s.get_("a") == "1"
    for name in ("store.Store.open", "store.Store.get", "store.counter"):
        with pytest.raises(pillion.InvalidArgument, match=r"Library\.object"):
            await lib.call(name)
        with pytest.raises(pillion.InvalidArgument, match=r"Library\.object"):
            lib.stream(name)
    assert lib.describe("store.Store.get")["object"] == "store.Store"
    assert lib.describe("store.Store.get")["errors"][0] == {
        "code": 1, "message": "there is no such row",
    }  # fmt: skip
    assert lib.object("store.Store") is store


async def test_a_shutdown_ends_objects(lib, store):
    before = await closed(lib)
    s = await store.open(ROWS)
    await anyio.to_thread.run_sync(lambda: lib.shutdown(timeout=30))
    assert lib.counts()["objects"] == 0
    lib.start()
    assert await closed(lib) == before + 1
    with pytest.raises(pillion.BadHandle):
        await s.get("a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del s


async def test_a_forked_child_drops_nothing(lib, store):
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    printed = run(
        """
        import asyncio, warnings
        warnings.simplefilter("error")
        async def main():
            global store
            store = await lib.object("store.Store").open({"name": "a", "rows": {"x": "1"}})
            child = os.fork()
            if child == 0:
                del store
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(await store.get("x"))
            await store.aclose()
        asyncio.run(main())
        """
    )
    assert printed == "1\n"
