# SPDX-License-Identifier: Apache-2.0
"""Await Go work from asyncio: N tasks, each of which awaits again and again.

    await.py ours|naive|floor asyncio|uvloop IN_FLIGHT LIBRARY

ours   the binding, `await library.call(...)`
naive  what one writes first: a ctypes callback and call_soon_threadsafe
floor  no Go at all: a future that call_soon resolves

Prints nanoseconds for one await.
"""

import asyncio
import ctypes
import json
import sys
import time


def ours(path):
    import pillion

    library = pillion.load(path)
    return lambda: library.call("test.echo", b"x")


def naive(path):
    bridge = ctypes.CDLL(path)
    done_type = ctypes.CFUNCTYPE(
        None, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t)
    bridge.bridge_call.argtypes = [
        ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t, done_type]
    bridge.bridge_call.restype = None
    loop = asyncio.get_running_loop()
    waiting = {}
    ids = iter(range(1 << 62))

    def resolve(key, data):
        future = waiting.pop(key)
        if not future.done():
            future.set_result(data)

    @done_type
    def done(key, data, length):
        loop.call_soon_threadsafe(resolve, key, ctypes.string_at(data, length))

    async def call():
        key, future = next(ids), loop.create_future()
        waiting[key] = future
        bridge.bridge_call(key, b"x", 1, done)
        return await future

    return call


def floor(_path):
    loop = asyncio.get_running_loop()

    async def call():
        future = loop.create_future()
        loop.call_soon(future.set_result, b"x")
        return await future

    return call


async def worker(call, times, gate):
    await gate
    for _ in range(times):
        if await call() != b"x":
            raise AssertionError


async def measure(make, path, in_flight, total):
    call = make(path)
    times = max(1, total // in_flight)
    for rounds in (max(1, times // 10), times):  # the first warms up
        gate = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(worker(call, rounds, gate))
                 for _ in range(in_flight)]
        await asyncio.sleep(0)
        start = time.perf_counter_ns()
        gate.set_result(None)
        await asyncio.gather(*tasks)
        end = time.perf_counter_ns()
    return (end - start) / (rounds * in_flight)


def main():
    side, loop, in_flight, path = sys.argv[1:]
    in_flight = int(in_flight)
    total = {"ours": 100_000, "floor": 100_000, "naive": 10_000}[side]
    if in_flight == 1:
        total = {"ours": 5_000, "floor": 50_000, "naive": 3_000}[side]
    work = measure(globals()[side], path, in_flight, total)
    if loop == "uvloop":
        import uvloop
        value = uvloop.run(work)
    else:
        value = asyncio.run(work)
    print(json.dumps({"await": round(value, 1)}))


if __name__ == "__main__":
    main()
