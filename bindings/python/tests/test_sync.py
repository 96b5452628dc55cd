# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest
import trio

import pillion


@pytest.mark.parametrize("size", [0, 24, 25, 100_000])
def test_sync_call_returns_the_bytes(lib, size):
    assert lib.call_sync("test.echo", b"s" * size) == b"s" * size


def test_sync_call_of_every_payload(lib):
    for payload in (b"x", bytearray(b"x"), memoryview(b"x"), "x"):
        assert lib.call_sync("test.echo", payload) == b"x"
    assert lib.call_sync("test.echo") == lib.call_sync("test.echo", None) == b""
    assert lib.call_json_sync("test.add", {"a": 2, "b": 3}) == {"sum": 5}


def test_sync_call_raises_each_error(lib):
    with pytest.raises(pillion.NotFound):
        lib.call_sync("test.nothing")
    with pytest.raises(pillion.GoError) as caught:
        lib.call_sync("test.fail", "sync\0")
    assert (caught.value.message, caught.value.code) == ("sync\0", 42)
    with pytest.raises(pillion.GoPanic, match="boom"):
        lib.call_sync("test.panic", "boom")
    with pytest.raises(pillion.GoExit):
        lib.call_sync("test.goexit")
    with pytest.raises(pillion.InvalidArgument, match="test.loop_echo runs on a loop"):
        lib.call_sync("test.loop_echo")
    with pytest.raises(TypeError):
        lib.call_sync("test.echo", 1)


def test_sync_timeout_cancels(lib):
    with pytest.raises(pillion.Timeout):
        lib.call_sync("test.block", timeout=0.02)
    while lib.call_sync("test.waiting") != b"0":
        pass
    with pytest.raises(TimeoutError):
        lib.call_sync("test.block", timeout=0)
    assert lib.call_sync("test.echo", "x", timeout=100) == b"x"
    assert lib.call_sync("test.echo", "x", timeout=1e300) == b"x"


def test_interrupt_that_comes_with_the_result_leaves_nothing(lib, monkeypatch):
    """Python handles a signal after task_wait's answer, which is lost then."""
    abi = lib._core().abi
    wait = abi.task_wait

    def interrupted(*args):
        assert wait(*args) == 0
        raise KeyboardInterrupt

    monkeypatch.setattr(abi, "task_wait", interrupted)
    for size in (b"1", b"100000"):
        with pytest.raises(KeyboardInterrupt):
            lib.call_sync("test.big", size)
    counts = lib.counts()
    assert (counts["calls"], counts["payloads"]) == (0, 0)


def test_sync_call_lets_other_threads_run(lib):
    results = []
    thread = threading.Thread(target=lambda: results.append(lib.call_sync("test.stubborn")))
    thread.start()
    while lib.call_sync("test.waiting") != b"1":
        pass
    lib.call_sync("test.release")
    thread.join()
    assert results == [b"released"]


def test_sync_calls_from_many_threads(lib):
    results = {}

    def work(number):
        results[number] = [lib.call_sync("test.echo", f"{number} {i}") for i in range(50)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [f"{n} {i}".encode() for i in range(50)] for n in range(8)}


def test_sync_call_on_a_loop_is_refused(lib):
    async def main():
        with pytest.raises(RuntimeError, match="await Library.call"):
            lib.call_sync("test.echo")
        # Another thread may block.
        return await asyncio.get_running_loop().run_in_executor(None, lib.call_sync, "test.echo")

    assert asyncio.run(main()) == b""


def test_sync_call_in_trio_is_refused(lib):
    async def main():
        with pytest.raises(RuntimeError, match="await Library.call"):
            lib.call_sync("test.echo")
        return await trio.to_thread.run_sync(lib.call_sync, "test.echo")

    assert trio.run(main) == b""


def test_call_without_a_loop_names_call_sync(lib):
    with pytest.raises(RuntimeError, match="use Library.call_sync"):
        lib.submit("test.echo")
    with pytest.raises(RuntimeError, match="use Library.call_sync"):
        lib.call("test.echo").send(None)
    with pytest.raises(RuntimeError, match="use Library.call_sync"):
        lib.stats()
