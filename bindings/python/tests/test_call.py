# SPDX-License-Identifier: Apache-2.0
import asyncio
import contextvars

import anyio
import pytest
from conftest import ASYNCIO, TRIO, inside, run

import pillion

pytestmark = pytest.mark.anyio
everywhere = pytest.mark.parametrize("anyio_backend", ASYNCIO + TRIO)
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
async def test_json(lib):
    assert await lib.call_json("test.add", {"a": 40, "b": 2}) == {"sum": 42}
    assert lib.describe("test.add")["codec"] == "json"


JSON = [
    ("test.json_none", {"a": 1, "b": 2}, None),
    ("test.json_digits", {"a": 1, "b": 2}, "123"),
    ("test.json_bytes", {"a": 1, "b": 255}, b"\x01\xff"),
    ("test.json_number", {"a": 6, "b": 7}, 42),
    ("test.json_length", "abc€", {"sum": 6}),
    ("test.json_size", b"\x00abc", {"sum": 4}),
    ("test.json_size", "abc€", {"sum": 6}),
    ("test.json_seven", None, {"sum": 7}),
    ("test.json_seven", {}, {"sum": 7}),
    ("test.json_id", '"quoted"', '"quoted"!'),
    ("test.json_time", "2026-11-28T12:00:00Z", "2026-11-28T12:00:01Z"),
    ("test.json_maybe", None, None),
    ("test.json_maybe", "text", "text"),
    ("test.upper", "abc", "ABC"),
    ("test.echo", bytearray(b"abc"), b"abc"),
]


@everywhere
@pytest.mark.parametrize("name, value, answer", JSON)
async def test_json_is_what_the_descriptor_says(lib, name, value, answer):
    assert await lib.call_json(name, value) == answer
    assert await anyio.to_thread.run_sync(lib.call_json_sync, name, value) == answer


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("test.echo", {}, "test.echo takes bytes, not dict"),
        ("test.json_size", 7, "test.json_size takes bytes, not int"),
        ("test.json_length", b"bytes", "test.json_length takes string, not bytes"),
        ("test.json_length", None, "test.json_length takes string, not NoneType"),
        ("test.json_seven", 7, "test.json_seven takes none, not int"),
    ],
)
async def test_json_that_a_function_does_not_take_is_not_sent(lib, name, value, said):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    with pytest.raises(TypeError, match=said):
        await lib.call_json(name, value)
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


async def test_asking(lib):
    assert lib.modules() == ["test"]
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


def test_calls_over_the_quota_wait_for_their_turn():
    out = run(
        """
        import asyncio
        lib.start(max_calls=8, ring=8)
        async def main():
            some = [lib.submit("test.echo", str(i)) for i in range(1000)]
            loops = [lib.submit("test.loop_echo", str(i)) for i in range(100)]
            assert await asyncio.gather(*some) == [str(i).encode() for i in range(1000)]
            assert await asyncio.gather(*loops) == [str(i).encode() for i in range(100)]
            stats = lib.stats()
            assert stats["calls"] == stats["events"] == 1100, stats
        asyncio.run(main())
        counts = lib.counts()
        print(counts["calls"], counts["executors"])
        """
    )
    assert out.split() == ["0", "0"]


def test_two_loops_share_a_quota_and_both_get_on():
    out = run(
        """
        import asyncio, threading
        lib.start(max_calls=1)
        def loop():
            async def main():
                for i in range(50):
                    assert await lib.call("test.echo", str(i)) == str(i).encode()
                print("done", flush=True)
            asyncio.run(main())
        threads = [threading.Thread(target=loop) for _ in range(2)]
        for t in threads: t.start()
        for t in threads: t.join()
        """
    )
    assert out.split() == ["done", "done"]


def test_trio_waits_for_the_quota_too():
    out = run(
        """
        import trio
        lib.start(max_calls=2)
        async def one(i):
            assert await lib.call("test.echo", str(i)) == str(i).encode()
        async def main():
            async with trio.open_nursery() as nursery:
                for i in range(20):
                    nursery.start_soon(one, i)
        trio.run(main)
        print(lib.counts()["calls"], lib.counts()["executors"])
        """
    )
    assert out.split() == ["0", "0"]


def test_requests_over_the_size_are_refused_and_the_rest_goes_on():
    run(
        """
        import asyncio
        lib.start(max_request=1000)
        async def main():
            calls = [lib.submit("test.echo", bytes(n)) for n in (1, 1001, 1000, 5000, 2)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(end).__name__ for end in ends] == [
                "bytes", "TooLarge", "bytes", "TooLarge", "bytes"], ends
            assert ends[1].code == -8
        asyncio.run(main())
        try:
            lib.call_sync("test.echo", bytes(1001))
        except pillion.TooLarge:
            pass
        else:
            raise AssertionError
        """
    )


def test_sync_calls_over_the_quota_are_refused():
    run(
        """
        import asyncio
        lib.start(max_calls=1)
        async def main():
            waiting = lib.submit("test.stubborn")
            await asyncio.sleep(0)
            while lib.counts()["calls"] != 1:
                await asyncio.sleep(0)
            try:
                await asyncio.get_running_loop().run_in_executor(None, lib.call_sync, "test.echo")
            except pillion.Again as error:
                assert error.code == -7
            else:
                raise AssertionError
            os._exit(0)
        asyncio.run(main())
        """
    )


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_ends_that_gather_wake_the_loop_once(uvloop):
    run(
        f"""
        import asyncio
        async def main():
            for wrong in (-1, 4.3):
                try:
                    lib.start(gather=wrong)
                except ValueError as error:
                    assert "gather" in str(error)
                else:
                    assert False, wrong
            lib.start(gather=4)
            assert await lib.call("test.echo", "alone") == b"alone"
            pokes = lib.stats()["pokes"]
            calls = [lib.submit("test.echo", str(i)) for i in range(1000)]
            results = await asyncio.gather(*calls)
            assert results == [b"%d" % i for i in range(1000)]
            # A poke tells of half of the calls in flight. A turn takes a part of them
            # and asks for another turn, without a poke while one is pending.
            pokes = lib.stats()["pokes"] - pokes
            assert pokes <= 40, pokes
        if {uvloop}:
            import uvloop
            uvloop.install()
        asyncio.run(main())
        """
    )


def test_ends_that_gather_in_trio():
    """A lone end is told at once, half of many by one poke. Calls that are cancelled or late
    are told in the same way."""
    run(
        """
        import trio
        from pillion import _trio
        async def main():
            lib.start(gather=4)
            results = {}
            async def one(i):
                results[i] = await lib.call(*work[i])
            async def all():
                before = pokes()
                async with trio.open_nursery() as nursery:
                    for i in work:
                        nursery.start_soon(one, i)
                return pokes() - before
            def pokes():
                (host,) = _trio.hosts().values()
                return host.abi.stats(host.executor).pokes
            assert await lib.call("test.echo", "alone") == b"alone"
            work = {i: ("test.echo", str(i)) for i in range(1000)}
            told = await all()
            assert results == {i: b"%d" % i for i in range(1000)}
            assert told <= 40, told
            results.clear()
            # They end one after the other while the loop sleeps. A poke tells of 10 of them,
            # the next of 5 of the others, and so on.
            work = {i: ("test.sleep", str(5_000_000 * i)) for i in range(1, 21)}
            told = await all()
            assert 1 <= told <= 8, told
            results.clear()
            work = {i: ("test.loop_echo", str(i)) for i in range(100)}
            await all()
            assert results == {i: b"%d" % i for i in range(100)}
            with trio.move_on_after(0.001):
                await lib.call("test.block")
            with trio.move_on_after(10) as scope:  # one ends among calls that block
                async with trio.open_nursery() as nursery:
                    for _ in range(9):
                        nursery.start_soon(lib.call, "test.block")
                    await trio.sleep(0.01)
                    assert await lib.call("test.echo", "quick") == b"quick"
                    nursery.cancel_scope.cancel()
            assert not scope.cancelled_caught
            while lib.counts()["calls"]:
                await trio.sleep(0.001)
        trio.run(main)
        """
    )


def test_blocking_calls_over_max_workers_wait():
    run(
        """
        import asyncio
        async def main():
            lib.start(max_workers=2)
            (r, w), (begun, begins) = os.pipe(), os.pipe()
            calls = [lib.submit("test.read", f"{r} {begins} {i}") for i in range(5)]
            await asyncio.sleep(0)
            first = os.read(begun, 2) + os.read(begun, 2)
            assert sorted(first[::2]) == [0, 1]
            counts = lib.counts()
            assert counts["max_workers"] == counts["workers"] == 2, counts
            assert counts["threads"] >= 2, counts
            calls[2].cancel()
            os.write(w, b"x" * 4)
            await asyncio.gather(*calls, return_exceptions=True)
            assert [c.cancelled() for c in calls] == [False, False, True, False, False]
            assert os.read(begun, 10)[::2] == bytes([3, 4])
        asyncio.run(main())
        """
    )


async def test_submit_of_a_name_with_a_nul(lib):
    with pytest.raises(pillion.NotFound):
        lib.submit("test.echo\0admin", "x")
