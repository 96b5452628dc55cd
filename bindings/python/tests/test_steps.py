# SPDX-License-Identifier: Apache-2.0
"""The tasks of calls that end in one turn go on in one callback of the loop."""

import asyncio
import gc
import time
import traceback

from conftest import finish, loops


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
