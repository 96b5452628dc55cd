# SPDX-License-Identifier: Apache-2.0
"""A loop that starts children by the hundred, in a storm of signals, while Go works."""

import os

import pytest
from conftest import run

PROGRAM = """
import asyncio, signal, threading

CHILDREN = int(os.environ["STORM_CHILDREN"])
heard = dict.fromkeys((signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM, signal.SIGIO, signal.SIGPROF), 0)

def on_signal(number, frame):
    heard[number] += 1

kinds = list(heard)
for kind in kinds[::2]:
    signal.signal(kind, on_signal)
lib.call_sync("test.echo", "loaded")
for kind in kinds[1::2]:
    signal.signal(kind, on_signal)
over = threading.Event()

def send():
    others = [k for k in kinds if k not in (signal.SIGALRM, signal.SIGPROF)]
    while not over.wait(0.001):
        for kind in others:
            os.kill(os.getpid(), kind)

async def work(name, ended):
    while not over.is_set():
        await lib.call(name, "20")
        ended[0] += 1

async def children(n, ended):
    for _ in range(n):
        process = await asyncio.create_subprocess_exec("/bin/true")
        code = await process.wait()
        ended[0] += code == 0

async def main():
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    sender = threading.Thread(target=send)
    sender.start()
    calls, ended = [0], [0]
    names = ("test.loop_yield", "test.loop_garbage", "test.garbage", "test.echo")
    works = [asyncio.create_task(work(name, calls)) for name in names]
    try:
        await asyncio.gather(*(children(CHILDREN // 4, ended) for _ in range(4)))
    finally:
        over.set()
        sender.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
    await asyncio.gather(*works)
    print(ended[0], calls[0] > 4, min(heard.values()) > 0)

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_children_are_started_in_a_storm_of_signals(loop):
    children = os.environ.get("STORM_CHILDREN", "300")
    assert run(PROGRAM, loop, STORM_CHILDREN=children).split() == [children, "True", "True"]
