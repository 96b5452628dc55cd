# SPDX-License-Identifier: Apache-2.0
"""One executor on one asyncio loop, uvloop's included.

The calls of one turn of the loop gather in a Burst, which goes to Go as one batch. A
token is the burst's number and the call's index in it, so that neither a submission
nor a completion costs a dictionary entry of its own.

An exception may strike between any two bytecodes: a signal handler raises, or memory ends.
So no state is in local variables alone, and _mend.py does again what was interrupted.

The loop owns the executor, for only the loop holds the reader callback. When the
loop closes, it drops the callback, and a finalizer frees the executor.
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
from asyncio import AbstractEventLoop, Future, InvalidStateError, _get_running_loop
from collections import deque
from typing import Any, Deque, Dict, Optional, Tuple, Type

from . import _abi
from ._burst import Burst, Table
from ._core import Core
from ._errors import Error, WrongThread, refused
from ._flow import FLOWS
from ._mend import complete
from ._payload import Payload, encode
from ._send import RETRY, Sending
from ._step import STEP

TAKE = 1024  # events a turn; a rest keeps the descriptor readable
LARGE = 4096  # bytes for which there may be no memory
FEW = 4  # so few ends are quicker with a callback each than with one for all


def closed() -> bool:
    return False


class Host(Sending):
    """An executor, driven by `loop`."""

    __slots__ = (
        "hosts", "thread", "running", "timer", "events", "events_at", "progress",
        "progress_at", "fd", "__weakref__",
    )  # fmt: skip

    def __init__(self, hosts: Hosts, core: Core, loop: AbstractEventLoop) -> None:
        abi = core.abi
        self.hosts = hosts
        self.core = core
        self.abi = abi
        self.loop = loop
        self.thread = threading.get_ident()
        self.running = loop.is_running
        self.table = Table(abi)
        self.burst = Burst(abi, 0)
        self.number = 0
        self.bursts: Dict[int, Burst] = {}
        self.backlog: Deque[Burst] = deque()
        self.retry: Optional[asyncio.TimerHandle] = None
        self.loop_functions = core.loop_functions
        self.set: Optional[int] = None  # in which the library watches descriptors
        self.begin_inbound()
        self.deadline: Optional[int] = _abi.NEVER
        self.timer: Optional[asyncio.TimerHandle] = None
        self.events = (ctypes.c_char * (_abi.EVENT_SIZE * TAKE))()
        self.view = memoryview(self.events).cast("B")
        self.progress = _abi.Progress(ctypes.sizeof(_abi.Progress))
        self.events_at = ctypes.addressof(self.events)
        self.progress_at = ctypes.addressof(self.progress)
        self.left = self.total = 0
        self.doing = None
        self.steps = deque()
        self.python = isinstance(getattr(loop.call_soon, "__func__", None), types.FunctionType)
        # Work that belongs to no request runs in an empty context.
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

    def add(
        self, function: int, payload: Payload, kind: Type[Future[bytes]]
    ) -> Tuple[Burst, int, Future[bytes]]:
        """Adds a call to the burst of this turn. No other place does."""
        # Every line here costs each await; there is no call into C among them.
        if type(payload) is str:
            payload = payload.encode()
        elif type(payload) is not bytes:
            payload = encode(payload)
        burst = self.burst
        calls = burst.calls
        index = len(calls)
        if index:
            future = kind(loop=self.loop)
        else:
            if _get_running_loop() is not self.loop:  # that one runs in another thread by now
                return self.hosts.attach(self.core).add(function, payload, kind)
            future = kind(loop=self.loop)
            self.later(self.flush)
        calls.append((function, payload, future))
        return burst, index, future

    # ---- From Go ----------------------------------------------------------

    def turn(self) -> None:
        """Takes completions; enters Go if loop functions are in flight."""
        self.safely(self.turn_now)

    def turn_now(self) -> None:
        if self.left:
            self.mend()
        guests = self.guests
        turn = self.abi.turn_go if guests else self.abi.turn
        if self.tokens:
            self.turns += 1
        self.left = _abi.UNKNOWN
        count = turn(self.events_at, TAKE, self.progress_at, self.executor, None)
        if count < 0:
            self.lost(count)
            return
        self.left = count
        ends = 0 if self.tokens and not self.tell(count) else count
        bursts = self.bursts
        burst = self.burst
        futures = burst.futures
        python = self.python
        # In debug mode the loop wants to see how long each step of a task takes.
        together = python and count > FEW and not self.loop.get_debug()
        steps = self.steps
        address, memory = _abi.ADDRESS.unpack_from, _abi.MEMORY
        number, ended = -1, 0
        # Completions of one burst mostly come in a row: one look-up of the burst serves a row,
        # and each completion costs two list accesses.
        for index, of, status, length, data in _abi.EVENTS.iter_unpack(
            self.view[: _abi.EVENT_SIZE * ends]
        ):
            if of != number:
                if ended:
                    self.settle(burst, ended)
                    ended = 0
                if of >= FLOWS:
                    number = -1
                    continue
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
        """For a deadline, two turns: an exception may strike as the first is entered."""
        if self.deadline in (deadline, None):
            self.deadline = None  # so that the turn arms it again if it was early
            self.turn()

    # ---- The end ----------------------------------------------------------

    def lost(self, status: int) -> None:
        """The executor belongs to another thread or another process by now."""
        error = refused(status, self.abi.strerror(status))
        if status == _abi.EFORKED:
            self.fail(error)  # and the epoll set belongs to the parent, too
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
            if self.set is not None:
                self.loop.remove_reader(self.set)
            self.loop.remove_reader(self.fd)


# ---- Attaching --------------------------------------------------------------


class NoHost:
    """Stands for the host of a thread that has none yet."""

    @staticmethod
    def running() -> bool:
        return False


class Local(threading.local):
    host: Any = NoHost()


class Hosts:
    """The hosts of one library, by loop."""

    def __init__(self) -> None:
        self.local = Local()  # the last one of each thread
        self.lock = threading.Lock()
        # Weakly both ways: the loop's own reader keeps a host alive.
        self.known: weakref.WeakKeyDictionary[AbstractEventLoop, weakref.ref[Host]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, loop: AbstractEventLoop) -> Optional[Host]:
        """The host of a loop that has one."""
        with self.lock:
            known = self.known.get(loop)
        return known() if known is not None else None

    def attach(self, core: Core) -> Host:
        """The host of the loop that runs in this thread; the first call makes it."""
        core.begin_host()  # first: a forked child of some versions has no running loop
        loop = _get_running_loop()
        if loop is None:
            raise RuntimeError(
                "no asyncio loop is running in this thread: await Library.call "
                "in a coroutine, or use Library.call_sync here"
            )
        host = self.of(loop)
        if host is not None and host.running():
            if host.thread == threading.get_ident():
                self.local.host = host
                return host
            host.detach(WrongThread("the loop has moved to another thread"))
        host = Host(self, core, loop)
        with self.lock:
            self.known[loop] = weakref.ref(host)
        self.local.host = host
        return host
