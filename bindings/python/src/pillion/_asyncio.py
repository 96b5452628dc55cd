# SPDX-License-Identifier: Apache-2.0
"""One executor on one asyncio loop, uvloop's included.

Calls are gathered for a turn of the loop into a Burst, which goes to Go as one
batch. A token is the burst's number and the call's index in it, so that neither
a submission nor a completion costs a dictionary entry of its own.

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
import weakref
from array import array
from asyncio import AbstractEventLoop, Future, InvalidStateError
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Callable, Deque, Dict, Optional, Set

from . import _abi
from ._burst import Burst, Table
from ._errors import Error, failed, refused

if TYPE_CHECKING:
    from ._core import Core

TAKE = 1024  # events a turn; what is left keeps the descriptor readable
RETRY = 0.001  # seconds, when the quota is used up by others
# Answers that concern one call alone. After any other the rest would get it too.
OWN_FAULTS = frozenset((_abi.EINVAL, _abi.ENOMEM, _abi.EMSGSIZE))


def closed() -> bool:
    return False


class Host:
    """An executor, driven by `loop`."""

    __slots__ = (
        "abi", "loop", "thread", "running", "new_future", "table", "burst", "number", "bursts",
        "backlog", "retry", "loop_functions", "guests", "deadline", "timer", "events", "view",
        "progress", "events_at", "progress_at", "context", "wanted", "executor", "fd",
        "__weakref__",
    )  # fmt: skip

    def __init__(self, core: Core, loop: AbstractEventLoop) -> None:
        abi = core.abi
        self.abi = abi
        self.loop = loop
        self.thread = threading.get_ident()
        self.running = loop.is_running
        self.new_future: Callable[[], Future[bytes]] = partial(Future, loop=loop)
        self.table = Table(abi)
        self.burst = Burst(0)
        self.number = 0
        self.bursts: Dict[int, Burst] = {}
        self.backlog: Deque[Burst] = deque()
        self.retry: Optional[asyncio.TimerHandle] = None
        self.loop_functions = core.loop_functions
        self.guests: Set[int] = set()  # tokens of the calls that run in our turns
        self.deadline = _abi.NEVER
        self.timer: Optional[asyncio.TimerHandle] = None
        self.events = (ctypes.c_char * (_abi.EVENT_SIZE * TAKE))()
        self.view = memoryview(self.events).cast("B")
        self.progress = _abi.Progress(ctypes.sizeof(_abi.Progress))
        self.events_at = ctypes.addressof(self.events)
        self.progress_at = ctypes.addressof(self.progress)
        # What belongs to nobody's request runs in nobody's context.
        self.context = contextvars.Context()
        self.wanted: Callable[[], object] = partial(
            loop.call_soon, self.flush, context=self.context
        )
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

    def flush(self) -> None:
        """Sends what has gathered in this turn of the loop."""
        burst = self.burst
        count = len(burst.futures)
        if not count:
            return  # they have been failed meanwhile
        self.burst = self.next_burst()
        burst.live = count
        burst.tasks = array("Q", bytes(8 * count))
        self.bursts[burst.number] = burst
        if self.backlog or not self.send(burst):
            self.backlog.append(burst)
            self.try_later()

    def next_burst(self) -> Burst:
        self.number = self.number + 1 & 0xFFFFFFFF
        while self.number in self.bursts:  # after 2**32 bursts, a call still lives
            self.number = self.number + 1 & 0xFFFFFFFF
        return Burst(self.number)

    def send(self, burst: Burst) -> bool:
        """Sends what a burst has left; False if the library is full."""
        futures = burst.futures
        total = len(futures)
        while burst.sent < total:
            first, last = burst.sent, total
            if burst.dropped:
                if self.gone(futures[first]):
                    self.end(burst, first, None)
                    burst.sent += 1
                    continue
                last = next((i for i in range(first, total) if self.gone(futures[i])), total)
            rc = self.submit(burst, first, last)
            if rc > 0:
                burst.sent += rc
            elif rc == _abi.EAGAIN:
                return False
            else:
                upto = first + 1 if rc in OWN_FAULTS else total
                for index in range(first, upto):
                    self.end(burst, index, refused(rc, self.abi.strerror(rc)))
                burst.sent = upto
        burst.functions = []
        burst.requests = []
        return True

    @staticmethod
    def gone(future: Optional[Future[bytes]]) -> bool:
        return future is None or future.done()

    def submit(self, burst: Burst, first: int, last: int) -> int:
        """One pillion_call_batch, of burst[first:last]."""
        rc = self.table.submit(self.executor, burst, first, last)
        if self.loop_functions and rc > 0:
            for index in range(first, first + rc):
                if burst.functions[index] in self.loop_functions:
                    self.guests.add(burst.number << 32 | index)
        return rc

    def try_later(self) -> None:
        """Arms a retry, for when no completion of our own will cause one."""
        if self.retry is None:
            self.retry = self.loop.call_later(RETRY, self.resend, context=self.context)

    def resend(self) -> None:
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None
        while self.backlog and self.send(self.backlog[0]):
            self.backlog.popleft()
        if self.backlog:
            self.try_later()

    def cancel(self, burst: Burst, index: int) -> None:
        """Asks Go to stop a call that nobody awaits any more."""
        if burst.futures[index] is None:
            return
        if index < burst.sent:
            self.abi.task_cancel(burst.tasks[index])
        else:
            burst.dropped = True

    # ---- From Go ----------------------------------------------------------

    def turn(self) -> None:
        """Takes completions; enters Go if loop functions are in flight."""
        guests = self.guests
        turn = self.abi.turn_go if guests else self.abi.turn
        count = turn(self.events_at, TAKE, self.progress_at, self.executor, None)
        if count < 0:
            self.lost(count)
            return
        bursts = self.bursts
        burst = self.burst
        futures = burst.futures
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
            futures[index] = None
            try:
                if status or length > 24:
                    self.finish(future, status, length, data)
                else:
                    future.set_result(data[:length])
            except InvalidStateError:
                pass  # cancelled, or out of time, before Go was done
            if guests:
                guests.discard(of << 32 | index)
        if ended:
            self.settle(burst, ended)
        if self.progress.deadline != self.deadline:
            self.arm(self.progress.deadline)
        if self.backlog:
            self.resend()

    def settle(self, burst: Burst, ended: int) -> None:
        burst.live -= ended
        if not burst.live:
            self.bursts.pop(burst.number, None)

    @staticmethod
    def finish(future: Future[bytes], status: int, length: int, data: bytes) -> None:
        """Ends a call whose result is long or a failure."""
        if length > _abi.INLINE:
            data = ctypes.string_at(int.from_bytes(data[:8], "little"), length)
        else:
            data = data[:length]
        if not status:
            future.set_result(data)
        elif status == _abi.ECANCELLED:
            future.cancel()
        else:
            future.set_exception(failed(status, data))

    def arm(self, deadline: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.deadline = deadline
        if deadline != _abi.NEVER:
            # Whole milliseconds, rounded up: uvloop would round to the nearest.
            wait = max(0, math.ceil((deadline - time.monotonic_ns()) / 1e6)) / 1e3
            self.timer = self.loop.call_later(wait, self.due, context=self.context)

    def due(self) -> None:
        self.timer = None
        self.deadline = _abi.NEVER  # so that the turn arms it again if it was early
        self.turn()

    # ---- The end ----------------------------------------------------------

    def end(self, burst: Burst, index: int, error: Optional[Error]) -> None:
        """Ends a call that Go never saw."""
        future = burst.futures[index]
        burst.futures[index] = None
        if future is not None and not future.done() and error is not None:
            future.set_exception(error)
        self.settle(burst, 1)

    def fail(self, error: Error) -> None:
        """Ends every call that is in flight here."""
        for burst in [*self.bursts.values(), self.burst]:
            for index, future in enumerate(burst.futures):
                burst.futures[index] = None  # a cancel finds nothing to do
                if future is not None and not future.done():
                    future.set_exception(error)
        self.bursts.clear()
        self.backlog.clear()
        self.guests.clear()
        self.burst = self.next_burst()

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
