# SPDX-License-Identifier: Apache-2.0
"""Numbered items by the cases of tests/conformance/items: none lost, and none after a cancel."""

import json
import os
import random
import time

import anyio
import pytest
from conftest import ROOT, everywhere

from pillion._inlet import WINDOW

pytestmark = pytest.mark.anyio

ROOM = 32  # for items to Go
SEED = int(os.environ.get("ITEMS_SEED", time.time_ns()))
CASES = [
    (shape, where, int(items), int(pause), cancel)
    for line in (ROOT / "tests/conformance/items/cases").read_text().splitlines()
    if line and not line.startswith("#")
    for shape, where, items, window, pause, cancel in [line.split()]
    if int(window) == 32  # the binding has a window of its own
]


class Run:
    """A call, and what has come of it."""

    def __init__(self, lib, case, stop):
        self.lib, (self.shape, self.where, self.items, self.pause, _), self.stop = lib, case, stop
        self.got = self.sent = self.opened = self.closed = 0
        self.stopped, self.scope, self.result = False, anyio.CancelScope(), None

    async def counts(self):
        """What Go gave, took and found wrong, and how many of its functions have ended."""
        with anyio.CancelScope(shield=True):
            return [int(n) for n in (await self.lib.call("items.count")).split()]

    async def nothing_is_ahead(self):
        sent = self.sent
        gave, took, faults, _ = await self.counts()
        assert faults == 0
        assert gave <= self.got + WINDOW
        assert took <= self.sent and sent <= took + ROOM + 2  # one waits for room, one is made

    async def numbers(self):
        """The items for Go."""
        self.opened += 1
        try:
            for i in range(self.items):
                assert not self.stopped  # no item is asked for after the cancel
                if i % self.pause == self.pause - 1:
                    await anyio.sleep(0)
                self.sent += 1
                yield str(i)
                if self.shape == "collect" and self.sent == self.stop:
                    self.scope.cancel()
        finally:
            self.closed += 1

    async def read(self, stream):
        async with stream:
            async for item in stream:
                assert item == str(self.got).encode()
                self.got += 1
                if self.got == self.stop:
                    break
                if self.got % self.pause == 0:
                    await anyio.sleep(0)
                if self.got % 1999 == 0:
                    await self.nothing_is_ahead()

    async def body(self):
        name = f"items.{self.shape}_{self.where}"
        request = json.dumps({"items": self.items, "pause": self.pause})
        if self.shape == "collect":
            self.result = await self.lib.collect(name, request, self.numbers())
        elif self.shape == "duplex":
            await self.read(self.lib.stream(name, request, self.numbers()))
        else:
            await self.read(self.lib.stream(name, request))

    async def play(self, steps=None):
        """To its end, or for so many steps of the loop."""
        before = (await self.counts())[3]
        if self.stop == 0:
            steps, self.stop = 0, None

        async def cancel():
            for _ in range(steps):
                await anyio.sleep(0)
            self.scope.cancel()

        async with anyio.create_task_group() as group:
            if steps is not None:
                group.start_soon(cancel)
            with self.scope:
                await self.body()
            self.stopped = True
            group.cancel_scope.cancel()
        await self.check(before)

    async def check(self, before):
        while self.lib.counts()["calls"] > 0 or self.closed < self.opened:
            await anyio.sleep(0.001)
        gave, took, faults, ended = await self.counts()
        assert faults == 0 and self.opened == self.closed <= 1
        whole = not self.scope.cancelled_caught and self.stop is None
        if ended == before:  # the cancel was before Go began
            assert not whole and self.got == 0
            return
        assert ended == before + 1
        assert self.got <= gave <= self.got + WINDOW or self.shape == "collect"
        assert took <= self.sent
        if self.stop is not None and self.shape != "collect":
            assert self.got == self.stop
        if whole:
            assert self.shape == "collect" or self.got == gave == self.items
            assert self.shape == "stream" or self.sent == took == self.items
            assert self.shape != "collect" or self.result == str(self.items).encode()


@everywhere
@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(map(str, c)))
async def test_numbered_items(lib, anyio_backend, case):
    items, cancel = case[2], case[4]
    if cancel == "never":
        await Run(lib, case, None).play()
    elif cancel == "everywhere":
        for stop in range(items + 1):
            await Run(lib, case, stop).play()
        for steps in range(12):
            await Run(lib, case, None).play(steps)
    else:
        print(f"ITEMS_SEED={SEED}")
        points = random.Random(SEED)
        for _ in range(3):
            await Run(lib, case, points.randrange(items)).play()
