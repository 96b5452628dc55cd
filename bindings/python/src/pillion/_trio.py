# SPDX-License-Identifier: Apache-2.0
"""One executor in one trio run. A system task turns it."""

from __future__ import annotations

import ctypes
import math
import time
from typing import Any, Dict, Optional

import outcome
import trio

from . import _abi
from ._core import Core
from ._errors import Cancelled, Error, Timeout, failed

TAKE = 256  # events a turn; what is left keeps the descriptor readable
RETRY = 0.001  # seconds, when the quota is used up
GUEST = 1 << 63  # marks the tokens of loop functions, which run in our turns


class Call:
    """A call in flight, and the trio task that waits for it, if it still does."""

    __slots__ = ("task", "waiter")

    def __init__(self) -> None:
        self.task = ctypes.c_uint64()
        self.waiter: Optional[trio.lowlevel.Task] = trio.lowlevel.current_task()


class Host:
    def __init__(self, core: Core) -> None:
        self.core = core
        self.abi = core.abi
        self.calls: Dict[int, Call] = {}
        self.tokens = 0
        self.guests = 0
        self.events = (ctypes.c_char * (_abi.EVENT_SIZE * TAKE))()
        self.progress = _abi.Progress(ctypes.sizeof(_abi.Progress))
        self.executor, self.fd = self.abi.new_executor()
        try:
            trio.lowlevel.spawn_system_task(self.serve, name="pillion")
        except BaseException:
            self.abi.executor_free(self.executor)
            raise

    async def serve(self) -> None:
        """Turns the executor until the run ends, which cancels system tasks."""
        try:
            while True:
                with trio.move_on_after(seconds_until(self.turn())):
                    await trio.lowlevel.wait_readable(self.fd)
        finally:
            hosts().pop(self.core, None)
            self.core.forget(self.executor)

    def turn(self) -> int:
        """Takes completions; enters Go if loop functions are in flight."""
        turn = self.abi.turn_go if self.guests else self.abi.turn
        at = ctypes.addressof(self.events)
        count = turn(at, TAKE, ctypes.addressof(self.progress), self.executor, None)
        self.abi.check(count)
        view = memoryview(self.events).cast("B")[: _abi.EVENT_SIZE * count]
        for low, high, status, length, data in _abi.EVENTS.iter_unpack(view):
            token = high << 32 | low
            call = self.calls.pop(token)
            self.guests -= token >= GUEST
            if call.waiter is not None:
                if length > _abi.INLINE:
                    data = ctypes.string_at(int.from_bytes(data[:8], "little"), length)
                trio.lowlevel.reschedule(call.waiter, result(status, data[:length]))
        return int(self.progress.deadline)

    def start(self, function: int, request: bytes) -> Call:
        self.tokens += 1
        guest = function in self.core.loop_functions
        token = self.tokens | GUEST if guest else self.tokens
        call = Call()
        submit = self.abi.submit if len(request) < _abi.LARGE else self.abi.submit_large
        task = ctypes.byref(call.task)
        self.abi.check(
            submit(task, self.executor, function, request, len(request), token, _abi.EVENT)
        )
        self.guests += guest
        self.calls[token] = call
        return call

    async def call(self, function: int, request: bytes) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                call = self.start(function, request)
                break
            except Error as error:
                if error.status != _abi.EAGAIN:
                    raise
            await trio.sleep(RETRY)

        def abort(_: Any) -> trio.lowlevel.Abort:
            call.waiter = None
            self.abi.task_cancel(call.task)
            return trio.lowlevel.Abort.SUCCEEDED

        data: bytes = await trio.lowlevel.wait_task_rescheduled(abort)
        return data


def seconds_until(deadline: int) -> float:
    if deadline == _abi.NEVER:
        return math.inf
    return max(0, deadline - time.monotonic_ns() + 1000) / 1e9  # never early by a rounding


def result(status: int, data: bytes) -> outcome.Outcome[bytes]:
    if not status:
        return outcome.Value(data)
    return outcome.Error(Cancelled() if status == _abi.ECANCELLED else failed(status, data))


_hosts: trio.lowlevel.RunVar[Dict[Core, Host]] = trio.lowlevel.RunVar("pillion hosts")


def hosts() -> Dict[Core, Host]:
    """The hosts of this run, by library."""
    try:
        return _hosts.get()
    except LookupError:
        found: Dict[Core, Host] = {}
        _hosts.set(found)
        return found


async def call(core: Core, function: int, request: bytes, timeout: Optional[float]) -> bytes:
    host = hosts().get(core)
    if host is None:
        core.sweep()
        host = hosts()[core] = Host(core)
    if timeout is None:
        return await host.call(function, request)
    with trio.move_on_after(timeout):
        return await host.call(function, request)
    raise Timeout()
