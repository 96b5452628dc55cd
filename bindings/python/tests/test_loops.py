# SPDX-License-Identifier: Apache-2.0
"""Loops that come, go and end in every order."""

import asyncio
import gc
import os
import threading
import warnings

import pytest
from conftest import finish, inside, loops, run

import pillion


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


@loops
def test_hundred_runs_leave_no_descriptor_and_no_thread(lib, new):
    def once():
        loop = new()

        async def main():
            await asyncio.gather(*(lib.submit("test.echo") for _ in range(10)))
            await lib.call("test.loop_sleep", "1000")
            asyncio.create_task(lib.call("test.block"))
            asyncio.create_task(lib.call("test.loop_block"))
            lib.submit("test.echo", b"nobody waits")
            await inside(lib, 2)

        loop.run_until_complete(main())
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        finish(loop)

    once()
    gc.collect()
    gc.disable()  # a close frees all, without a collection
    try:
        files, threads = descriptors(), threading.active_count()
        for _ in range(100):
            once()
            assert lib.counts()["executors"] == 0
        assert descriptors() == files
        assert threading.active_count() == threads
    finally:
        gc.enable()


def test_asyncio_run_hundred_times(lib):
    async def main():
        return await lib.call("test.echo", "run")

    asyncio.run(main())
    os_threads = len(os.listdir("/proc/self/task"))
    files = descriptors()
    for _ in range(100):
        assert asyncio.run(main()) == b"run"
    assert descriptors() == files
    # Go starts a thread now and then, but not one for each run.
    assert len(os.listdir("/proc/self/task")) <= os_threads + 4


@loops
@pytest.mark.parametrize("name", ["test.block", "test.stubborn", "test.loop_block"])
@pytest.mark.parametrize("how", ["call", "submit", "unsent"])
def test_loop_closed_with_work_in_flight(lib, new, name, how):
    loop = new()

    async def main():
        if how == "call":
            loop.tasks = [asyncio.create_task(lib.call(name))]
            await asyncio.sleep(0)
        else:
            loop.tasks = [lib.submit(name)]
        if how != "unsent":
            await inside(lib, 1)

    loop.run_until_complete(main())
    tasks = loop.tasks
    loop.close()
    assert lib.counts()["executors"] == 0
    lib.call_sync("test.release")
    while lib.counts()["calls"]:
        pass
    assert not tasks[0].done()
    if how == "call":
        tasks[0]._log_destroy_pending = False
    del loop.tasks


@loops
def test_completions_that_wait_when_the_loop_closes(lib, new):
    loop = new()

    async def main():
        lib.submit("test.big", "100000")
        lib.submit("test.stubborn")
        await inside(lib, 1)

    loop.run_until_complete(main())
    lib.call_sync("test.release")
    while lib.call_sync("test.waiting") != b"0":
        pass
    loop.close()
    assert lib.counts()["executors"] == 0


def test_loop_that_is_dropped_without_close(lib):
    """It is asyncio's: uvloop's loops live until they are closed."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(lib.call("test.echo"))
    assert lib.counts()["executors"] == 1
    # The thread remembers its last loop until it uses another.
    other = asyncio.new_event_loop()
    other.run_until_complete(lib.call("test.echo"))
    other.close()
    del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    assert lib.counts()["executors"] == 0


@loops
def test_loop_that_runs_again_and_again(lib, new):
    loop = new()
    for i in range(5):
        assert loop.run_until_complete(lib.call("test.echo", str(i))) == str(i).encode()
    assert lib.counts()["executors"] == 1
    loop.close()


@loops
def test_two_loops_take_turns_in_one_thread(lib, new):
    first, second = new(), new()
    for i in range(5):
        for loop in (first, second):
            assert loop.run_until_complete(lib.call("test.echo", str(i))) == str(i).encode()
    assert lib.counts()["executors"] == 2
    second.close()
    assert lib.counts()["executors"] == 1
    first.close()
    assert lib.counts()["executors"] == 0


@loops
def test_call_that_outlives_a_stop_of_its_loop(lib, new):
    loop, other = new(), new()

    async def begin():
        future = lib.submit("test.stubborn")
        await inside(lib, 1)
        return future

    future = loop.run_until_complete(begin())
    other.run_until_complete(lib.call("test.release"))
    assert loop.run_until_complete(future) == b"released"
    loop.close()
    other.close()


def test_loop_stopped_before_its_calls_were_sent(lib):
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def begin():
        first.stop()
        return lib.submit("test.echo", "first")

    task = first.create_task(begin())
    first.run_forever()
    assert second.run_until_complete(lib.call("test.echo", "second")) == b"second"
    future = first.run_until_complete(task)
    assert first.run_until_complete(future) == b"first"
    first.close()
    second.close()


@pytest.mark.parametrize("timeout", [None, 100])
def test_cancel_of_a_call_that_failed_before_it_was_sent(lib, timeout):
    async def main():
        await lib.call("test.echo")
        task = asyncio.create_task(lib.call("test.echo", timeout=timeout))
        await asyncio.sleep(0)  # it has called, but the call isn't sent yet
        host = lib._local.host
        assert host.burst.calls
        host.fail(pillion.WrongThread())
        task.cancel()  # raises no IndexError
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_calls_of_a_thread_whose_loop_is_closed_name_call_sync(lib):
    asyncio.run(lib.call("test.echo"))
    with pytest.raises(RuntimeError, match="use Library.call_sync"):
        lib.submit("test.echo")


def test_loop_that_watches_no_descriptors(lib):
    class Blind(asyncio.SelectorEventLoop):
        def add_reader(self, *_):
            raise NotImplementedError

    loop = Blind()
    with pytest.raises(NotImplementedError):
        loop.run_until_complete(lib.call("test.echo"))
    assert lib.counts()["executors"] == 0
    loop.close()


def test_exit_with_everything_in_flight():
    for ending in ("sys.exit(0)", "return", "os._exit(0)"):
        run(
            f"""
            import asyncio, threading
            async def main():
                keep = [lib.submit("test.block") for _ in range(10)]
                keep.append(lib.submit("test.loop_block"))
                task = asyncio.create_task(lib.call("test.stubborn"))
                await lib.call("test.echo")
                {ending}
            def sync():
                lib.call_sync("test.block")
            threading.Thread(target=sync, daemon=True).start()
            asyncio.run(main())
            """
        )


def test_asyncios_debug_mode_reports_nothing():
    run(
        """
        import asyncio
        async def main():
            await asyncio.gather(*(lib.submit("test.echo") for _ in range(10)))
            await lib.call("test.loop_sleep", "1000000")
        asyncio.run(main(), debug=True)
        """,
        PYTHONWARNINGS="error",
        PYTHONASYNCIODEBUG="1",
    )
