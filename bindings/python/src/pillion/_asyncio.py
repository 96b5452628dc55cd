# SPDX-License-Identifier: Apache-2.0
"""One executor on one asyncio loop, uvloop's included.

Calls are gathered for a turn of the loop into a Burst, which goes to Go as one
batch. A token is the burst's number and the call's index in it, so that neither
a submission nor a completion costs a dictionary entry of its own.

An exception may strike between any two bytecodes: a signal handler raises, or
memory ends. So nothing is in local variables alone, and each step may be done
twice; _mend.py does again what was interrupted.

The loop owns the executor: it holds the reader callback, and nobody else does.
When it closes, in whatever order, it drops the callback, and a finalizer frees
the executor.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import math
import threading
import time
import types
import weakref
from asyncio import AbstractEventLoop, Future, InvalidStateError
from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, Optional, Set

from . import _abi
from ._burst import Burst, Table
from ._errors import Error, refused
from ._mend import UNKNOWN, complete
from ._send import Sending
from ._step import STEP

if TYPE_CHECKING:
    from ._core import Core

TAKE = 1024  # events a turn; what is left keeps the descriptor readable
LARGE = 4096  # bytes that there may be no memory for
RETRY = 0.001  # seconds, when the quota is used up by others
FEW = 4  # ends, for which a callback each is quicker than one for all


def closed() -> bool:
    return False


class Host(Sending):
    """An executor, driven by `loop`."""

    __slots__ = (
        "thread", "running", "retry", "timer", "events", "events_at", "progress",
        "progress_at", "fd", "__weakref__",
    )  # fmt: skip

    def __init__(self, core: Core, loop: AbstractEventLoop) -> None:
        abi = core.abi
        self.abi = abi
        self.loop = loop
        self.thread = threading.get_ident()
        self.running = loop.is_running
        self.table = Table(abi)
        self.burst = Burst(0)
        self.number = 0
        self.bursts: Dict[int, Burst] = {}
        self.backlog: Deque[Burst] = deque()
        self.retry: Optional[asyncio.TimerHandle] = None
        self.loop_functions = core.loop_functions
        self.guests: Set[int] = set()  # tokens of the calls that run in our turns
        self.deadline: Optional[int] = _abi.NEVER
        self.timer: Optional[asyncio.TimerHandle] = None
        self.events = (ctypes.c_char * (_abi.EVENT_SIZE * TAKE))()
        self.view = memoryview(self.events).cast("B")
        self.progress = _abi.Progress(ctypes.sizeof(_abi.Progress))
        self.events_at = ctypes.addressof(self.events)
        self.progress_at = ctypes.addressof(self.progress)
        self.left = 0
        self.total = 0
        self.doing = None
        self.steps = deque()
        self.python = isinstance(getattr(loop.call_soon, "__func__", None), types.FunctionType)
        # What belongs to nobody's request runs in nobody's context.
        self.context = contextvars.Context()
        self.executor, self.fd = abi.new_executor()

        def ready() -> None:
            self.turn()

        try:
            self.context.run(loop.add_reader, self.fd, ready)
        except BaseException:
            abi.executor_free(self.executor)
            raise
        weakref.finalize(ready, core.forget, self.executor).atexit = False

    # ---- To Go ------------------------------------------------------------

    def wanted(self) -> None:
        """Asks for a flush. Twice: an exception may strike as the first is entered."""
        self.loop.call_soon(self.flush, context=self.context)
        self.loop.call_soon(self.flush, context=self.context)

    def flush(self) -> None:
        """Sends what has gathered in this turn of the loop."""
        try:
            if self.burst.calls:  # or else they are sent, or failed, already
                self.flush_now()
        except BaseException:
            try:
                self.again()
            except BaseException:  # a further one, as it was entered
                self.again()
            raise

    def flush_now(self) -> None:
        if self.left:
            self.mend()
        self.left = UNKNOWN
        self.gather()
        self.resend()
        self.left = 0

    def try_later(self) -> None:
        """Arms a retry, for when no completion of our own will cause one."""
        if self.retry is None:
            self.loop.call_later(2 * RETRY, self.turn, context=self.context)
            self.retry = self.loop.call_later(RETRY, self.retried, context=self.context)

    def retried(self) -> None:
        self.retry = None
        self.turn()

    def cancel(self, burst: Burst, index: int) -> None:
        """Asks Go to stop a call that nobody awaits any more."""
        if burst.tasks is None:
            burst.dropped = True
        elif burst.futures[index] is not None:
            if burst.tasks[index]:
                self.abi.task_cancel(burst.tasks[index])
            else:
                burst.dropped = True

    # ---- From Go ----------------------------------------------------------

    def turn(self) -> None:
        """Takes completions; enters Go if loop functions are in flight."""
        try:
            self.turn_now()  # a call, since not all of a loop is inside a `try` around it
        except BaseException:
            try:
                self.again()
            except BaseException:  # a further one, as it was entered
                self.again()
            raise

    def turn_now(self) -> None:
        if self.left:
            self.mend()
        guests = self.guests
        turn = self.abi.turn_go if guests else self.abi.turn
        self.left = UNKNOWN
        count = turn(self.events_at, TAKE, self.progress_at, self.executor, None)
        if count < 0:
            self.lost(count)
            return
        self.left = count
        bursts = self.bursts
        burst = self.burst
        futures = burst.futures
        python = self.python
        # In debug mode the loop wants to see how long each step of a task takes.
        together = python and count > FEW and not self.loop.get_debug()
        steps = self.steps
        address, memory = _abi.ADDRESS.unpack_from, _abi.MEMORY
        number, ended = -1, 0
        # Completions of one burst mostly come in a row: what is the burst's is
        # looked up once a row, and each costs two list accesses.
        for index, of, status, length, data in _abi.EVENTS.iter_unpack(
            self.view[: _abi.EVENT_SIZE * count]
        ):
            if of != number:
                if ended:
                    self.settle(burst, ended)
                    ended = 0
                number = of
                burst = bursts[of]
                futures = burst.futures
            ended += 1
            future = futures[index]
            if python:
                callbacks = future._callbacks
                self.doing = future, callbacks
            try:
                if status or length > LARGE:
                    complete(future, status, length, data)
                else:
                    if length > 24:
                        (at,) = address(data)
                        value = memory[at : at + length]
                    else:
                        value = data[:length]
                    if (
                        together
                        and callbacks
                        and len(callbacks) == 1
                        and type(callbacks[0][0]) is STEP
                    ):
                        steps.append((future, callbacks, value))
                    else:
                        future.set_result(value)
            except InvalidStateError:
                pass  # cancelled, or out of time, before Go was done
            futures[index] = None
            if guests:
                guests.discard(of << 32 | index)
        if ended:
            self.settle(burst, ended)
        self.total += count
        self.doing = None
        if steps:
            self.go_on()
        if self.progress.deadline != self.deadline:
            self.arm(self.progress.deadline)
        if self.backlog:
            self.resend()
        self.left = 0

    def arm(self, deadline: int) -> None:
        self.deadline = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if deadline != _abi.NEVER:
            # Whole milliseconds, rounded up: uvloop would round to the nearest.
            wait = max(0, math.ceil((deadline - time.monotonic_ns()) / 1e6)) / 1e3
            self.loop.call_later(wait + RETRY, self.due, deadline, context=self.context)
            self.timer = self.loop.call_later(wait, self.due, deadline, context=self.context)
        self.deadline = deadline

    def due(self, deadline: int) -> None:
        """For a deadline, twice: an exception may strike as the first is entered."""
        if self.deadline in (deadline, None):
            self.deadline = None  # so that the turn arms it again if it was early
            self.turn()

    # ---- The end ----------------------------------------------------------

    def lost(self, status: int) -> None:
        """The executor is another thread's or another process's by now."""
        error = refused(status, self.abi.strerror(status))
        if status == _abi.EFORKED:
            self.fail(error)  # and the epoll set is the parent's too: hands off
        else:
            self.detach(error)

    def detach(self, error: Error) -> None:
        """Takes the executor off a loop that lives on."""
        self.running = closed
        self.fail(error)
        for timer in (self.timer, self.retry):
            if timer is not None:
                timer.cancel()
        self.timer = self.retry = None
        if not self.loop.is_closed():
            self.loop.remove_reader(self.fd)
