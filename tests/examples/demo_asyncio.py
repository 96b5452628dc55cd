# SPDX-License-Identifier: Apache-2.0
"""An asyncio program that hashes every file below a directory, and fetches from a
server, with blocking Go code that it awaits; all the while a ticker on the same
loop measures how late the loop is. First, for comparison, a child process does
the hashing."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import stat
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import pillion

HASHES_IN_FLIGHT = 256
FETCHES_IN_FLIGHT = 64
TICK = 1_000_000  # ns


class Ticker:
    """Every millisecond on the loop: by how much is it late?"""

    def __init__(self) -> None:
        self.late: list[int] = []

    def __enter__(self) -> Ticker:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self.due = time.monotonic_ns() + TICK
        spec = struct.pack("qqqq", 0, TICK, *divmod(self.due, 1_000_000_000))
        if self.fd < 0 or libc.timerfd_settime(self.fd, 1, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd")
        asyncio.get_running_loop().add_reader(self.fd, self.tick)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)

    def tick(self) -> None:
        now = time.monotonic_ns()
        # A missed tick was late, too.
        for _ in range(*struct.unpack("Q", os.read(self.fd, 8))):
            self.late.append(now - self.due)
            self.due += TICK

    def late_us(self, quantile: float) -> float:
        late = sorted(self.late) or [0]
        return late[min(int(quantile * len(late)), len(late) - 1)] / 1000


def report(what: str, items: int, size: int, seconds: float, ticker: Ticker) -> tuple[float, float]:
    """Prints a row; MB a second, and the 99th percentile of the lateness."""
    mb = size / 1e6
    done = f"{items:8} {mb:8.1f} {seconds:8.2f} {mb / seconds:8.1f}" if items else f"{'':17} {seconds:8.2f} {'':8}"
    late = " ".join(f"{ticker.late_us(q):7.0f}" for q in (0.5, 0.99, 0.999, 1))
    print(f"{what:22} {done} | {late}", flush=True)
    return mb / seconds, ticker.late_us(0.99)


def files_below(directory: str) -> Iterator[tuple[str, int]]:
    for where, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(where, name)
            info = os.lstat(path)
            if stat.S_ISREG(info.st_mode):
                yield path, info.st_size


class Bar:
    """A progress bar, for people only."""

    def __init__(self, total: int) -> None:
        self.done, self.total, self.on = 0, total, sys.stderr.isatty()

    def step(self) -> None:
        self.done += 1
        if self.on and self.done % 256 == 0:
            print(f"\r[{'#' * (30 * self.done // self.total):30}] {self.done}/{self.total}", end="", file=sys.stderr)
        if self.on and self.done == self.total:
            print(f"\r{'':60}\r", end="", file=sys.stderr)


async def each(count: int, in_flight: int, work: Callable[[int], Awaitable[None]]) -> float:
    """Runs work(0 … count - 1), so many at a time; the seconds that it took."""
    numbers, bar = iter(range(count)), Bar(count)

    async def worker() -> None:
        for number in numbers:
            await work(number)
            bar.step()

    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, count)):
            group.create_task(worker())
    return time.monotonic() - start


def thread_cpu() -> float:
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--library", default="build/demo/libdemo.so")
    parser.add_argument("--child", help="a program that does the hashing")
    parser.add_argument("--url", help="a server to fetch from")
    parser.add_argument("--fetches", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--digests", help="where to write them")
    options = parser.parse_args()

    files = list(files_below(options.directory))
    digests: list[bytes] = [b""] * len(files)
    lib = pillion.load(options.library)
    lib.start(gather=1e-3)
    failed = 0

    async def hash_one(number: int) -> None:
        nonlocal failed
        i = number % len(files)
        try:
            digest = await lib.call("demo.sha256", files[i][0])
        except pillion.Error as error:
            print(f"demo_asyncio: {error}", file=sys.stderr)
            failed += 1
            return
        failed += digests[i] not in (b"", digest)  # every round must agree
        digests[i] = digest

    fetched = 0

    async def fetch_one(number: int) -> None:
        nonlocal failed, fetched
        size = 1000 + number % 50 * 1000
        answer = await lib.call("demo.fetch", f"{options.url}/{size}")
        failed += answer != b"200 %d" % size
        fetched += size

    print(f"{'Python on asyncio':57} | the loop is late by, µs")
    print(f"{'beside the ticker':22} {'items':>8} {'MB':>8} {'seconds':>8} {'MB/s':>8}", end=" | ")
    print(f"{'p50':>7} {'p99':>7} {'p99.9':>7} {'max':>7}")
    with Ticker() as ticker:
        await asyncio.sleep(1)
    report("nothing", 0, 0, 1, ticker)
    if options.child:
        with Ticker() as ticker:
            child = await asyncio.create_subprocess_exec(
                options.child, "-r", str(options.rounds), options.directory, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await child.communicate()
        items, size, ns = map(int, out.split())
        beside = report("hashing in a child", items, size, ns / 1e9, ticker)
    items = options.rounds * len(files)
    size = options.rounds * sum(size for _, size in files)
    cpu = thread_cpu()
    with Ticker() as ticker:
        seconds = await each(items, HASHES_IN_FLIGHT, hash_one)
    ours = report("hashing, Pillion", items, size, seconds, ticker)
    if options.url:
        with Ticker() as ticker:
            seconds = await each(options.fetches, FETCHES_IN_FLIGHT, fetch_one)
        report("fetching, Pillion", options.fetches, fetched, seconds, ticker)
        items += options.fetches
    cpu = (thread_cpu() - cpu) * 1e6 / items
    if options.child:
        print(f"hashing: {ours[0] / beside[0]:.2f} of the child's throughput;", end=" ")
        print(f"the loop's p99 is {ours[1] / beside[1]:.2f} of the one beside the child")
    go_entries = lib.stats()["go_entries"]
    if options.digests:
        with open(options.digests, "wb") as out_file:
            for (path, _), digest in zip(files, digests, strict=True):
                if digest:
                    out_file.write(digest + b"  " + os.fsencode(path) + b"\0")
    print(f"{items} calls, {failed} failed; each took {cpu:.1f} µs of the loop's thread,", end=" ")
    print(f"which entered Go {go_entries} times")
    return failed != 0 or go_entries != 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
