# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextvars

import anyio
import pytest
from conftest import everywhere, inside

import pillion

pytestmark = pytest.mark.anyio
KINDS = ["test.echo", "test.loop_echo"]


@everywhere
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [0, 1, 23, 24, 25, 1000, 100_000, 3 << 20])
async def test_bytes_come_back_as_they_went(lib, name, size):
    data = bytes(i * 7 & 255 for i in range(1000)) * (size // 1000 + 1)
    assert await lib.call(name, data[:size]) == data[:size]


@pytest.mark.parametrize(
    "payload", [b"text", bytearray(b"text"), memoryview(b"-text-")[1:5], "text"]
)
async def test_payloads_of_every_kind(lib, payload):
    assert await lib.call("test.echo", payload) == b"text"
    assert await lib.submit("test.echo", payload) == b"text"


async def test_no_payload_and_text(lib):
    assert await lib.call("test.echo") == b""
    assert await lib.call("test.echo", None) == b""
    assert (await lib.call("test.upper", "äöü €")).decode() == "ÄÖÜ €"
    assert (await lib.call("test.echo", "€")).decode() == "€"


async def test_payload_is_copied_when_the_call_is_made(lib):
    data = bytearray(b"before")
    call = lib.submit("test.echo", data)
    data[:] = b"after!"
    assert await call == b"before"


@pytest.mark.parametrize("payload", [1, 1.5, object(), ["a"]])
async def test_payload_of_a_wrong_type_submits_nothing(lib, payload):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    with pytest.raises(TypeError, match="bytes, bytearray, memoryview, str or None"):
        await lib.call("test.echo", payload)
    assert lib.stats()["calls"] == before


@everywhere
async def test_loop_functions_sleep_and_yield_in_turns(lib):
    assert await lib.call("test.loop_yield", "100") == b"100"
    start = anyio.current_time()
    assert await lib.call("test.loop_sleep", "20000000") == b"slept"
    assert anyio.current_time() - start >= 0.0195
    assert await lib.call("test.loop_sleep", "1") == b"slept"


async def test_sleeping_loop_functions_share_one_timer(lib):
    naps = [lib.submit("test.loop_sleep", str(ms * 1_000_000)) for ms in (30, 1, 20, 10, 2)]
    order = []
    for nap in naps:
        nap.add_done_callback(lambda done: order.append(naps.index(done)))
    assert await asyncio.gather(*naps) == [b"slept"] * 5
    assert order == [1, 4, 3, 2, 0]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", [1, 100, 10_000])
async def test_many_in_flight(lib, name, count):
    results = await asyncio.gather(*(lib.submit(name, str(i)) for i in range(count)))
    assert results == [str(i).encode() for i in range(count)]
    stats = lib.stats()
    assert stats["calls"] == stats["events"] == count


@everywhere
async def test_many_tasks_that_await_again_and_again(lib):
    seen = []

    async def worker(number):
        for i in range(20):
            seen.append(await lib.call("test.echo", f"{number} {i}"))

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(worker, number)
    assert sorted(seen) == sorted(f"{n} {i}".encode() for n in range(50) for i in range(20))


async def test_one_turn_of_the_loop_is_one_batch(lib):
    await lib.call("test.echo")
    table = lib._local.host.table
    batches = []
    batch = table.batch
    table.batch = lambda *args: batches.append(batch(*args)) or batches[-1]
    await asyncio.gather(*(lib.submit("test.echo") for _ in range(500)))
    assert batches == [500]


async def test_offloaded_work_never_enters_go_from_the_loop(lib):
    await asyncio.gather(*(lib.submit("test.echo") for _ in range(1000)))
    assert lib.stats()["go_entries"] == 0
    await lib.call("test.loop_echo")
    assert lib.stats()["go_entries"] > 0


async def test_the_loop_runs_on_while_go_works(lib):
    call = lib.submit("test.stubborn")
    await inside(lib, 1)
    assert not call.done()
    await lib.call("test.release")
    assert await call == b"released"


async def test_call_is_a_coroutine_and_submit_a_future(lib):
    assert await asyncio.create_task(lib.call("test.echo", "task")) == b"task"
    assert await asyncio.wait_for(lib.call("test.echo", "wait"), 10) == b"wait"
    assert await asyncio.gather(lib.call("test.echo", "a"), lib.submit("test.echo", "b")) == [
        b"a", b"b",
    ]  # fmt: skip
    done, _ = await asyncio.wait([lib.submit("test.echo", "c")])
    assert [future.result() for future in done] == [b"c"]


async def test_context_variables_are_kept(lib):
    var = contextvars.ContextVar("var", default="nobody's")
    seen = []

    async def caller(value):
        var.set(value)
        await lib.call("test.echo")
        seen.append((value, var.get()))
        future = lib.submit("test.echo")
        future.add_done_callback(lambda _: seen.append((value, var.get())))
        await future

    await asyncio.gather(*(caller(i) for i in range(3)))
    await asyncio.sleep(0)
    assert sorted(seen) == [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2), (2, 2)]
    host = lib._local.host
    assert list(host.context) == []  # the host keeps no request's context


async def test_a_callback_that_raises_harms_nobody(lib):
    loop = asyncio.get_running_loop()
    reports = []
    loop.set_exception_handler(lambda _, report: reports.append(report["exception"]))
    calls = [lib.submit("test.echo", str(i)) for i in range(3)]
    calls[0].add_done_callback(lambda _: 1 / 0)
    assert await asyncio.gather(*calls) == [b"0", b"1", b"2"]
    assert await lib.call("test.echo", "next") == b"next"
    assert [type(error) for error in reports] == [ZeroDivisionError]


async def test_modules_functions_and_kinds_are_told(lib):
    assert lib.modules() == ["flow", "import", "items", "lent", "store", "test", "vector"]
    names = lib.functions()
    assert names == sorted(names) and {"test.echo", "test.loop_echo"} <= set(names)
    echo = lib.describe("test.echo")
    assert (echo["module"], echo["name"], echo["kind"]) == ("test", "echo", "offload")
    assert lib.describe("test.spin")["kind"] == "cpu"
    assert lib.describe("test.loop_echo")["kind"] == "loop"
    assert lib.version() == pillion.__version__
    assert lib.counts()["calls"] == 0


def test_load_gives_one_library_for_one_file(lib, tmp_path):
    link = tmp_path / "link.so"
    link.symlink_to(lib.path)
    assert pillion.load(str(link)) is lib
    assert pillion.load(link) is lib


async def test_submit_of_a_name_with_a_nul(lib):
    with pytest.raises(pillion.NotFound):
        lib.submit("test.echo\0admin", "x")
