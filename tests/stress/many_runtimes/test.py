# SPDX-License-Identifier: Apache-2.0
"""Four loops in one process: libuv, GLib, asyncio and a Local of Go's, each on a thread.

Tokens go round through all of them; see tests/module/relay.go. One loop after another
shuts down while the rest goes on. No token is lost, and none arrives twice.

    test.py LIBRARY LOOPS [ROUNDS]      LOOPS is loops.c, as a library
"""

import asyncio
import ctypes
import os
import random
import sys
import threading

import pillion

TOKENS, HOPS, WORKERS = 200, 40, 16
LIBUV, GLIB, ASYNCIO, GO = stations = range(4)


class Asyncio(threading.Thread):
    """The station on asyncio. Its tokens are taken and passed on by calls."""

    def __init__(self, lib, loop):
        super().__init__()
        self.lib, self.loop, self.passed, self.ready = lib, loop, 0, threading.Event()

    async def work(self):
        while not (token := await self.lib.call("test.relay_take", f"{ASYNCIO}")).startswith(b"0 "):
            name = ("test.relay_hop", "test.relay_loop_hop")[self.passed % 2]
            self.passed += 1
            await self.lib.call(name, f"{ASYNCIO} " + token.decode())

    async def main(self):
        self.ready.set()
        await asyncio.gather(*(self.work() for _ in range(WORKERS)))

    def run(self):
        loop = self.loop()
        loop.run_until_complete(self.main())
        loop.close()


def one_round(lib, loops, dice, new_loop):
    lib.call_sync("test.relay_open")
    ours = Asyncio(lib, new_loop)
    gone = []
    gos = threading.Thread(
        target=lambda: gone.append(lib.call_sync("test.relay_station", f"{GO} {WORKERS}"))
    )
    ours.start()
    gos.start()
    assert loops.loops_begin(WORKERS) == 0
    assert ours.ready.wait(60)
    lib.call_sync("test.relay_send", f"{TOKENS} {HOPS}")

    order = random.Random(dice).sample(stations, 4)
    counts = (ctypes.c_uint * 3)()
    passed = {}
    for n, at in enumerate(order):
        lib.call_sync("test.relay_reach", str(TOKENS * HOPS * (n + 1) // 4))
        cancel = at in (LIBUV, GLIB) and dice % 2 and n < 3  # its workers leave what is queued
        lib.call_sync("test.relay_close", f"{at} {int(cancel)}")
        if at == ASYNCIO:
            ours.join()
            passed[at] = ours.passed
        elif at == GO:
            gos.join()
            assert gone == [b""]
        else:
            if cancel:
                loops.loops_cancel(at)
            rc = loops.loops_join(at, counts)
            assert rc == 0 and counts[1] == 0, (at, rc, *counts)
            assert cancel or counts[2] == 0
            passed[at] = counts[0]
    arrived, twice, hops, *each = map(int, lib.call_sync("test.relay_end").split())
    assert (arrived, twice, hops) == (TOKENS, 0, TOKENS * HOPS), (arrived, twice, hops)
    assert all(each) and sum(each) == hops, each
    assert all(each[at] == n for at, n in passed.items()), (each, passed)
    assert loops.loops_end() == 0
    return order, each


def main(path, helper, rounds="12"):
    lib = pillion.load(path)
    lib.start()
    loops = ctypes.CDLL(helper)
    for dice in range(int(rounds)):
        new_loop = asyncio.new_event_loop
        if dice % 3 == 2:
            import uvloop

            new_loop = uvloop.new_event_loop
        order, each = one_round(lib, loops, dice, new_loop)
        if os.environ.get("VERBOSE"):
            print(order, each, flush=True)
    lib.shutdown(timeout=60)
    lib.start()
    left = lib.counts()
    for name in ("workers", "parked", "threads", "max_workers"):
        left.pop(name)
    assert not any(left.values()), left
    print(f"{rounds} passed, 0 failed")


main(*sys.argv[1:])
