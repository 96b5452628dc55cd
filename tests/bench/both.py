# SPDX-License-Identifier: Apache-2.0
"""Python and Go, both ways, on asyncio.

    both.py call|stream|fetch ours LIBRARY
    both.py call|stream|fetch grpc PROGRAM
    both.py call|fetch uniffi FOLDER

call    100 tasks, each of which awaits call after call; another thread or process answers
stream  one `async for` over the items of a call
fetch   100 goroutines, or tasks of tokio's, each of which awaits an `async def` of Python's

ours    the binding
grpc    grpc.aio on a Unix socket; the other side is Go's gRPC in another process. Both sides
        pass bytes, without protobuf
uniffi  the module that UniFFI makes of the crate in uniffi/, on tokio; it has no streams

Prints the nanoseconds of one call, item or fetch.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

IN_FLIGHT = 100
CALLS = {"ours": 100_000, "uniffi": 10_000, "grpc": 5_000}
FETCHES = {"ours": 50_000, "uniffi": 10_000, "grpc": 5_000}
ITEMS = {"ours": 200_000, "grpc": 20_000}


async def fetch(request):
    return request


@contextlib.asynccontextmanager
async def ours(what, path):
    import pillion

    library = pillion.load(path)

    async def often(times):
        with library.provide("app.Http", {"fetch": fetch}):
            return await library.call_json("import.fetch_often", {"InFlight": IN_FLIGHT, "Times": times})

    yield {"call": lambda: library.call("test.echo", b"x"),
           "stream": lambda n: library.stream("flow.count", str(n)), "fetch": often}[what]


@contextlib.asynccontextmanager
async def grpc(what, program):
    from grpc import aio, unary_unary_rpc_method_handler, method_handlers_generic_handler

    with tempfile.TemporaryDirectory() as folder:
        socket = os.path.join(folder, "socket")
        if what == "fetch":
            server = aio.server()

            async def answer(request, _context):
                return await fetch(request)

            server.add_generic_rpc_handlers([method_handlers_generic_handler(
                "bench.Bench", {"Fetch": unary_unary_rpc_method_handler(answer)})])
            server.add_insecure_port("unix:" + socket)
            await server.start()

            async def often(times):
                client = await asyncio.create_subprocess_exec(
                    program, "fetch", socket, str(IN_FLIGHT), str(times), stdout=subprocess.PIPE)
                text, _ = await client.communicate()
                return float(text)

            yield often
            await server.stop(None)
            return
        process = subprocess.Popen([program, "serve", socket])
        try:
            async with aio.insecure_channel("unix:" + socket) as channel:
                echo = channel.unary_unary("/bench.Bench/Echo")
                count = channel.unary_stream("/bench.Bench/Count")
                await echo(b"x", wait_for_ready=True)
                yield {"call": lambda: echo(b"x"), "stream": lambda n: count(str(n).encode())}[what]
        finally:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def uniffi(what, folder):
    sys.path.insert(0, folder)
    import bench_uniffi

    bench_uniffi.uniffi_set_event_loop(asyncio.get_running_loop())

    class Python(bench_uniffi.Fetcher):
        async def fetch(self, request):
            return await fetch(request)

    fetcher = Python()
    yield {"call": lambda: bench_uniffi.echo(b"x"),
           "fetch": lambda times: bench_uniffi.fetch_often(fetcher, IN_FLIGHT, times)}[what]


async def calls(call, total):
    async def worker():
        for _ in range(total // IN_FLIGHT):
            if await call() != b"x":
                raise AssertionError

    start = time.perf_counter_ns()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return (time.perf_counter_ns() - start) / total


async def items(stream, total):
    seen = 0
    start = time.perf_counter_ns()
    async for _ in stream(total):
        seen += 1
    if seen != total:
        raise AssertionError
    return (time.perf_counter_ns() - start) / total


async def measure(what, side, path):
    async with globals()[side](what, path) as work:
        for part in (10, 1):  # the first warms up
            if what == "call":
                ns = await calls(work, CALLS[side] // part)
            elif what == "stream":
                ns = await items(work, ITEMS[side] // part)
            else:
                ns = await work(FETCHES[side] // part // IN_FLIGHT)
    return ns


if __name__ == "__main__":
    print(json.dumps({"ns": round(asyncio.run(measure(*sys.argv[1:])), 1)}))
