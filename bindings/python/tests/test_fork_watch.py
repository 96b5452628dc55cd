# SPDX-License-Identifier: Apache-2.0
"""Forks in a running loop, while a Go function on it awaits a descriptor."""

import pytest
from conftest import run

# The parent's function reads on after the fork, and the library's epoll set has not changed.
HEAD = """
import asyncio, multiprocessing, signal, socket
loop, fork = sys.argv[1:]
if loop == "trio":
    import trio
sleep = trio.sleep if loop == "trio" else asyncio.sleep
ours, theirs = socket.socketpair()
ours.setblocking(False)
theirs.setblocking(False)

def sets():
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                entries = sorted(line for line in file if line.startswith("tfd:"))
        except FileNotFoundError:
            continue
        if entries:
            found[fd] = entries
    return found

def refused(use, *arguments):
    try:
        use(*arguments)
    except pillion.Forked:
        return True
    raise AssertionError(use)

def child():
    signal.alarm(20)
    refused(lib.functions)
    refused(lib.shutdown)
    if fork == "process":
        refused(asyncio.run, lib.call("test.loop_echo"))
    elif loop != "trio":
        refused(lib.submit, "test.loop_echo")

async def awaits():
    try:
        await lib.call("test.loop_echo")
    except pillion.Forked:
        pass
    else:
        raise AssertionError

def forks(ended):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        finally:
            os._exit(code)
    ended.append(os.waitpid(pid, 0)[1])

async def heard():
    while True:
        try:
            return theirs.recv(1)
        except BlockingIOError:
            await sleep(0)

async def body():
    theirs.send(b"x")
    assert await heard() == b"x"  # the function awaits the next byte
    before, ended = sets(), []
    if fork == "process":
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        ended.append(process.exitcode)
    elif fork == "handler":
        asyncio.get_running_loop().call_soon(forks, ended)
        while not ended:
            await sleep(0)
    else:
        forks(ended)
    assert ended == [0]
    assert before == sets()
    theirs.send(b"y")
    assert await heard() == b"y"
    theirs.shutdown(socket.SHUT_WR)
"""

ASYNCIO = """
async def main():
    cat = asyncio.create_task(lib.call("test.loop_cat", str(ours.fileno())))
    await body()
    assert await cat == b"2"
if loop == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""

TRIO = """
async def cat():
    assert await lib.call("test.loop_cat", str(ours.fileno())) == b"2"
async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cat)
        await body()
trio.run(main)
"""


@pytest.mark.parametrize("fork", ["fork", "handler", "process"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_child_leaves_the_parents_descriptors_alone(loop, fork):
    run(HEAD + ASYNCIO, loop, fork)


@pytest.mark.parametrize("fork", ["fork", "process"])
def test_a_child_leaves_the_parents_descriptors_alone_in_trio(fork):
    run(HEAD + TRIO, "trio", fork)


def test_in_a_child_that_runs_trio_on_calls_end():
    """Its epoll set is the parent's, too: so the parent only waits for the child."""
    run(
        """
        import signal, socket, trio
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ended = []
        async def cat():
            try:
                await lib.call("test.loop_cat", str(ours.fileno()))
            except pillion.Forked:
                ended.append("cat")
        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cat)
                await lib.call("test.loop_echo")
                if os.fork() > 0:
                    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
                signal.alarm(20)
                try:
                    await lib.call("test.echo")
                except pillion.Forked:
                    ended.append("echo")
                theirs.send(b"x")
            assert ended == ["echo", "cat"], ended
        trio.run(main)
        """
    )
