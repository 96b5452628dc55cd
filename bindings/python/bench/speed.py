# SPDX-License-Identifier: Apache-2.0
"""What an await of Go work costs, beside the floor: a future that call_soon resolves.

    python bench/speed.py [LIBRARY] [--rounds N] [--loops asyncio,uvloop]

Medians in microseconds for one await, with 1, 100 and 10,000 in flight. The
library must have test.echo: build/lib/libpillion-test.so by default.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time

import pillion

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(HERE, "../../../build/lib/libpillion-test.so")


def sides(library):
    loop = asyncio.get_running_loop()

    async def floor():
        future = loop.create_future()
        loop.call_soon(future.set_result, b"x")
        await future

    return {
        "floor": floor,
        "call": lambda: library.call("test.echo", b"x"),
        "submit": lambda: library.submit("test.echo", b"x"),
    }


async def once(call, in_flight, total):
    async def worker():
        for _ in range(total // in_flight):
            await call()

    tasks = [asyncio.ensure_future(worker()) for _ in range(in_flight)]
    start = time.perf_counter()
    await asyncio.gather(*tasks)
    return (time.perf_counter() - start) / total * 1e6


async def measure(library, rounds):
    calls = sides(library)
    for in_flight, total in ((1, 2000), (100, 50_000), (10_000, 50_000)):
        times = {side: [] for side in calls}
        for turn in range(rounds + 1):
            for side, call in calls.items():
                took = await once(call, in_flight, total)
                if turn:
                    times[side].append(took)
        medians = {side: statistics.median(values) for side, values in times.items()}
        cells = "  ".join(
            f"{side} {value:6.2f} ({value / medians['floor']:4.2f})"
            for side, value in medians.items()
        )
        print(f"  {in_flight:6}  {cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", nargs="?", default=LIBRARY)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loops", default="asyncio,uvloop")
    options = parser.parse_args()
    library = pillion.load(options.library)
    for name in options.loops.split(","):
        print(f"{name}, Python {sys.version.split()[0]}: in flight, µs an await (times the floor)")
        if name == "uvloop":
            import uvloop

            uvloop.run(measure(library, options.rounds))
        else:
            asyncio.run(measure(library, options.rounds))


if __name__ == "__main__":
    main()
