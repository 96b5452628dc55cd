# SPDX-License-Identifier: Apache-2.0
"""Continues the tasks whose calls have ended.

For a future that ends, asyncio calls each callback by a callback of the loop: of an
await that is a third. So a turn that ends many calls leaves the futures that only
a task awaits in `steps`, and one callback of the loop makes the steps of all these
tasks. That callback has a new context each time: a task may run this loop inside of
its step (nest_asyncio), and no context can be entered twice.

uvloop's own callbacks cost less than that.
"""

from __future__ import annotations

import asyncio
import types
from asyncio import AbstractEventLoop, Future
from contextvars import Context
from typing import Any, Callable, Deque, Generator, List

from ._errors import Error
from ._inbound import Answering, Inbound

STEP: type = type(len)  # the callback that a task of C gives to the future it awaits


def wake(callback: Callable[[Future[bytes]], object], future: Future[bytes]) -> None:
    """Calls a future's callback late, unless it is a task's that has gone on already."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task) or getattr(task, "_fut_waiter", future) is future:
        callback(future)


@types.coroutine
def once() -> Generator[None, None, None]:
    yield


async def begun(inbound: Inbound) -> None:
    try:
        await once()
    except asyncio.CancelledError:
        inbound.over()
        raise
    await inbound.run()


class Stepping(Answering):
    """The part of a host that ends futures."""

    __slots__ = ("loop", "context", "doing", "steps", "python")

    CANCEL = asyncio.CancelledError
    loop: AbstractEventLoop
    context: Context
    doing: Any  # the future that is ending, and its callbacks
    steps: Deque[Any]  # futures that wait for `step`, each with its one callback and its result
    python: bool  # the loop's call_soon is Python, and can be interrupted

    def safely(self, work: Callable[[], None]) -> None:
        raise NotImplementedError

    def go_on(self) -> None:
        """Asks for `step`."""
        self.loop.call_soon(self.step, context=Context())
        self.loop.call_soon(self.rest, context=self.context)

    def rest(self) -> None:
        """Asks again if `step` was interrupted, or is in a task that runs this loop."""
        if self.steps:
            self.go_on()

    def step(self) -> None:
        """Continues each task in `steps`."""
        self.safely(self.step_now)

    def step_now(self) -> None:
        steps = self.steps
        while steps:
            self.doing = future, callbacks, value = steps[0]
            ((step, context),) = callbacks
            removed = future.remove_done_callback(step)  # 0 if it was cancelled meanwhile
            if removed:
                future.set_result(value)
            steps.popleft()
            if removed:
                context.run(step, future)
        self.doing = None

    def ring(self, waiters: List[Future[None]]) -> None:
        for future in [*waiters]:
            if not future.done():
                self.note(future)
                future.set_result(None)

    async def wait(self, waiters: List[Future[None]]) -> None:
        self.core.check_process()
        future = self.loop.create_future()
        try:
            waiters.append(future)
            await future
        finally:
            waiters.remove(future)

    def spawn(
        self, context: Context, over: Callable[..., object], function: Callable[..., Any],
        *arguments: Any,
    ) -> Callable[[], object]:  # fmt: skip
        task = context.run(self.loop.create_task, function(*arguments))
        task.add_done_callback(over, context=self.context)
        return task.cancel

    def begin(self, inbound: Inbound) -> Callable[[], object]:
        """As `spawn`, but without a callback of the loop at the task's end."""
        coroutine = begun(inbound)
        coroutine.send(None)  # so that it gets a cancel that comes before the task's first step
        task: asyncio.Task[None] = inbound.flow.context.run(self.loop.create_task, coroutine)
        return task.cancel

    def later(self, work: Callable[[], None]) -> None:
        """Twice: an exception may strike as it is entered."""
        self.loop.call_soon(work, context=self.context)
        self.loop.call_soon(work, context=self.context)

    def escaped(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            raise error  # leaves the loop's run, as from any task

    def cancelled(self, error: Error) -> BaseException:
        return asyncio.CancelledError()

    def note(self, future: Future[Any]) -> None:
        """Before a future ends: notes the facts that `rescue` needs."""
        if self.python:
            self.doing = future, future._callbacks

    def rescue(self) -> None:
        """Gives a future back the callbacks that it lost when an exception struck.

        `step_now` takes a task's callback off before it ends the future. An ended
        future forgets its callbacks, called or not. Those that the loop has got are still
        in its list, since one callback of it is running.
        """
        if self.doing is None:
            return
        future, callbacks, *_ = self.doing
        if callbacks and not future.done():
            if not future._callbacks:
                ((step, context),) = callbacks
                future.add_done_callback(step, context=context)
        elif callbacks:
            got = [  # also from here, if another exception struck
                handle._args[0] if handle._callback is wake else handle._callback
                for handle in getattr(self.loop, "_ready", ())
                if handle._args and handle._args[-1] is future
            ]
            for callback, context in callbacks:
                if not any(known is callback for known in got):
                    self.loop.call_soon(wake, callback, future, context=context)
        self.doing = None
