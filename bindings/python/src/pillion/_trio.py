# SPDX-License-Identifier: Apache-2.0
"""One executor in one trio run. A system task turns it."""

from __future__ import annotations

import ctypes
import math
import select
import time
from contextvars import Context
from typing import Any, Callable, Dict, List, Optional

import outcome
import trio

from . import _abi, _sync
from ._core import HANDLER, Core
from ._errors import Closed, Error, Forked, Timeout
from ._inbound import Answering
from ._payload import decode

TAKE = 256  # events a turn; a rest keeps the descriptor readable
RETRY = 0.001  # seconds, when the quota is used up


class Waiter:
    """A trio task that waits, if it does."""

    __slots__ = ("waiter",)

    def __init__(self) -> None:
        self.waiter: Optional[trio.lowlevel.Task] = None

    def wake(self, answer: outcome.Outcome[Any]) -> None:
        """Reschedules the waiter; once more if an exception has struck in the middle of it."""
        waiter: Any = self.waiter
        if waiter is None:
            return
        if getattr(waiter, "_next_send_fn", None) is not None:
            if waiter in waiter._runner.runq:
                self.waiter = None
                return
            waiter._next_send_fn = None
        trio.lowlevel.reschedule(waiter, answer)
        self.waiter = None


class Call(Waiter):
    """A call in flight, and the task that waits for it."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        super().__init__()
        self.task = ctypes.c_uint64()


class Host(Answering):
    CANCEL = trio.Cancelled

    def __init__(self, core: Core) -> None:
        self.core = core
        self.abi = core.abi
        self.calls: Dict[int, Call] = {}
        self.begin_inbound()
        self.left = 0  # events that were taken, while they are handed out; or _abi.UNKNOWN
        self.total = 0  # events that have been handed out
        self.error: Optional[BaseException] = None  # for the next call
        self.events = (ctypes.c_char * (_abi.EVENT_SIZE * TAKE))()
        self.view = memoryview(self.events).cast("B")
        self.progress = _abi.Progress(ctypes.sizeof(_abi.Progress))
        self.both: Optional[select.epoll] = None  # the descriptor, and the library's set
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
                try:
                    self.turn()
                    wait = seconds_until(self.progress.deadline)
                except Forked:  # the child runs the loop on, and nothing comes any more
                    for call in [*self.calls.values()]:
                        call.wake(outcome.Error(Forked()))
                    self.fail_flows(Forked())
                    return
                except BaseException as error:
                    self.struck(error)
                    continue
                with trio.move_on_after(wait):
                    await trio.lowlevel.wait_readable(self.both or self.fd)
        finally:
            hosts().pop(self.core, None)
            self.fail_flows(Closed())
            if self.both is not None:
                self.both.close()
            self.core.forget(self.executor)

    def watch_guests(self) -> None:
        """Has the library watch the descriptors that functions on the loop await. The turn for
        the first of these functions comes before the task waits again, for both."""
        if self.both is not None:
            return
        fd = self.abi.epoll(self.executor)
        if fd is not None:
            both = select.epoll()
            for readable in self.fd, fd:
                both.register(readable, select.EPOLLIN)
            self.both = both

    def struck(self, error: BaseException) -> None:
        """An exception in a turn, such as a signal handler's, would end the run. So a waiting
        call gets it, or the next call; the others get their results all the same."""
        for call in [*self.calls.values()]:
            if call.waiter is not None:
                self.abi.task_cancel(call.task)
                call.wake(outcome.Error(error))
                return
        self.error = error

    def turn(self) -> None:
        """Takes completions; enters Go if loop functions are in flight."""
        if self.left:  # an exception ended the turn that took them
            self.hand_out(self.abi.stats(self.executor).events - self.total)
        turn = self.abi.turn_go if self.guests else self.abi.turn
        at = ctypes.addressof(self.events)
        self.turns += 1
        self.left = _abi.UNKNOWN
        self.left = turn(at, TAKE, ctypes.addressof(self.progress), self.executor, None)
        self.hand_out(self.abi.check(self.left))

    def hand_out(self, count: int) -> None:
        """Each of the taken events; it skips those that are done."""
        if self.tokens:
            self.tell(count)
        view = self.view[: _abi.EVENT_SIZE * count]
        for low, high, status, length, data in _abi.EVENTS.iter_unpack(view):
            token = high << 32 | low
            call = self.calls.get(token)
            if call is not None and call.waiter is not None:
                call.wake(result(status, length, data))
            self.calls.pop(token, None)
            self.guests.discard(token)
        self.total, self.left = self.total + count, 0

    def ring(self, waiters: List[Waiter]) -> None:
        for waiter in waiters:
            waiter.wake(outcome.Value(None))

    async def wait(self, waiters: List[Waiter]) -> None:
        self.core.check_process()
        waiter = Waiter()

        def abort(_: Any) -> trio.lowlevel.Abort:
            waiter.waiter = None
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            waiters.append(waiter)
            waiter.waiter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            waiter.waiter = None
            waiters.remove(waiter)

    def spawn(
        self, context: Context, over: Callable[..., object], function: Callable[..., Any],
        *arguments: Any,
    ) -> Callable[[], object]:  # fmt: skip
        scope = trio.CancelScope()

        async def task() -> None:
            try:
                with scope:
                    await function(*arguments)
            finally:
                over()

        trio.lowlevel.spawn_system_task(task, context=context.copy())
        return scope.cancel

    def later(self, work: Callable[[], None]) -> None:
        work()

    def escaped(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            self.struck(error)

    def cancelled(self, error: Error) -> BaseException:
        return error

    async def pause(self) -> None:
        await trio.sleep(RETRY)

    def start(self, function: int, request: bytes, deadline: Optional[int]) -> Call:
        self.tokens += 1
        token = self.tokens
        guest = function in self.core.loop_functions
        call = Call()
        if guest:
            self.watch_guests()
            self.guests.add(token)
        self.calls[token] = call  # before it is sent: its event must find it
        arguments = function, request, token, _abi.EVENT, deadline, 0, 0, HANDLER.get()
        rc = self.abi.start_call(ctypes.byref(call.task), self.executor, *arguments)
        if rc < 0:
            self.calls.pop(token)
            self.guests.discard(token)
            raise self.core.refusal(rc, function)
        return call

    async def call(self, function: int, request: bytes, deadline: Optional[int]) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        while True:
            try:
                call = self.start(function, request, deadline)
                break
            except Error as error:
                if error.status != _abi.EAGAIN:
                    raise
            await self.pause()

        def abort(_: Any) -> trio.lowlevel.Abort:
            call.waiter = None
            self.abi.task_cancel(call.task)
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            call.waiter = trio.lowlevel.current_task()
            data: bytes = await trio.lowlevel.wait_task_rescheduled(abort)
            return data
        finally:
            if call.waiter is not None:  # an exception ended its wait
                call.waiter = None
                self.abi.task_cancel(call.task)


def seconds_until(deadline: int) -> float:
    if deadline == _abi.NEVER:
        return math.inf
    return max(0, deadline - time.monotonic_ns() + 1000) / 1e9  # never early by a rounding


def result(status: int, length: int, data: bytes) -> outcome.Outcome[bytes]:
    answer = decode(status, length, data)
    return outcome.Value(answer) if isinstance(answer, bytes) else outcome.Error(answer)


_hosts: trio.lowlevel.RunVar[Dict[Core, Host]] = trio.lowlevel.RunVar("pillion hosts")


def hosts() -> Dict[Core, Host]:
    """The hosts of this run, by library."""
    try:
        return _hosts.get()
    except LookupError:
        found: Dict[Core, Host] = {}
        _hosts.set(found)
        return found


def attach(core: Core) -> Host:
    """The host of this run; the first call makes it."""
    host = hosts().get(core)
    if host is None:
        core.begin_host()
        host = hosts()[core] = Host(core)
    return host


async def call(core: Core, function: int, request: bytes, timeout: Optional[float]) -> bytes:
    host = attach(core)
    if timeout is None:
        return await host.call(function, request, None)
    with trio.move_on_after(timeout):
        return await host.call(function, request, _sync.deadline(timeout))
    raise Timeout()
