# SPDX-License-Identifier: Apache-2.0
"""Loops that come, go, move and end in every order."""

import asyncio
import gc
import os
import threading
import time
import traceback
import warnings

import pytest
import uvloop
from conftest import inside, run

import pillion

NEW = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]
loops = pytest.mark.parametrize("new", NEW)


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def finish(loop):
    """Does what asyncio.run does at its end."""
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


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


def test_debug_mode():
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


async def together(lib, count, then):
    """Makes calls whose results are all there before the loop looks. After its result each of
    them awaits `then(i)`."""

    async def one(i):
        answer = await lib.call("test.echo", b"%100d" % i)
        await then(i)
        return answer

    tasks = [asyncio.ensure_future(one(i)) for i in range(count)]
    await asyncio.sleep(0)  # the tasks call
    await asyncio.sleep(0)  # the calls are sent
    while lib.counts()["payloads"] < count:
        time.sleep(0.001)
    return tasks


@loops
def test_task_that_raises_out_of_the_loop_keeps_no_other_from_its_result(lib, new):
    loop, tasks, left = new(), [], 0

    async def leave(i):
        if i % 2:
            raise KeyboardInterrupt

    async def begin():
        await lib.call("test.echo")
        tasks.extend(await together(lib, 9, leave))
        await asyncio.wait(tasks)

    main = loop.create_task(begin())
    while not main.done():
        try:
            loop.run_until_complete(asyncio.wait([main]))
        except KeyboardInterrupt:
            left += 1
    assert left  # uvloop raises only the last of one round
    assert [task.result() for task in tasks[::2]] == [b"%100d" % i for i in range(0, 9, 2)]
    assert all(isinstance(task.exception(), KeyboardInterrupt) for task in tasks[1::2])
    tasks.clear()
    gc.collect()  # tracebacks keep frames alive
    finish(loop)


@loops
def test_task_that_cancels_another_which_has_its_result_in_the_same_turn(lib, new):
    loop, tasks = new(), []

    async def cancel(i):
        if i == 0:
            tasks[5].cancel("enough")

    async def main():
        await lib.call("test.echo")
        tasks.extend(await together(lib, 9, cancel))
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    assert [i for i, task in enumerate(tasks) if task.cancelled()] == [5]
    finish(loop)


def test_task_that_runs_its_own_loop(lib):
    """It runs the loop in a step, like nest_asyncio. Calls of the same turn and new ones end
    in the inner run."""
    loop, ended = asyncio.new_event_loop(), []

    async def nest(i):
        if i == 3:
            task = asyncio.current_task()
            asyncio.tasks._leave_task(loop, task)
            timer = loop.call_later(20, ended.append, None)  # fails the test instead of a hang
            while len(ended) < 8:  # without a further call
                loop._run_once()
            timer.cancel()
            inner = [loop.create_task(lib.call("test.echo", b"%50d" % k)) for k in range(20)]
            while not all(other.done() for other in inner):
                loop._run_once()
            asyncio.tasks._enter_task(loop, task)
            assert [other.result() for other in inner] == [b"%50d" % k for k in range(20)]
        ended.append(i)

    async def main():
        await lib.call("test.echo")
        tasks = await together(lib, 9, nest)
        assert await asyncio.gather(*tasks) == [b"%100d" % i for i in range(9)]
        assert sorted(ended) == [*range(9)] and ended[-1] == 3
        await lib.call("test.echo")
        host = lib._local.host
        assert not (host.bursts or host.backlog or host.left or host.doing)

    loop.run_until_complete(main())
    finish(loop)


@loops
def test_loop_in_debug_mode_sees_each_step(lib, new):
    loop, stacks = new(), []

    async def main():
        async def one(i):
            stacks[-1].update(frame.name for frame in traceback.extract_stack())

        await lib.call("test.echo")
        stacks.append(set())
        await asyncio.wait(await together(lib, 9, one))

    for debug in (False, True):
        loop.set_debug(debug)
        loop.run_until_complete(main())
    assert ["step_now" in stack for stack in stacks] == [new is asyncio.new_event_loop, False]
    finish(loop)
