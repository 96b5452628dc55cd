# SPDX-License-Identifier: Apache-2.0
"""Mends a host's work when an exception strikes in the middle of it.

Taken events lie in the host's buffer until the next turn of the executor. `left`
counts those that are not handed out. A call that has got its event has no future
any more. So after an exception the host hands out all events again from the first,
and skips those that are done.
"""

from __future__ import annotations

from asyncio import Future
from typing import Callable, Deque, Dict, Optional

from . import _abi
from ._burst import Burst
from ._errors import Cancelled, Error
from ._payload import decode
from ._step import Stepping


def complete(future: Future[bytes], status: int, length: int, data: bytes) -> None:
    """Ends a future as its call has ended."""
    answer = decode(status, length, data)
    if isinstance(answer, bytes):
        future.set_result(answer)
    elif isinstance(answer, Cancelled):
        future.cancel()
    else:
        future.set_exception(answer)


class Mending(Stepping):
    """The part of a host that an exception may leave half done."""

    __slots__ = (
        "burst", "bursts", "backlog", "deadline", "left", "total",
    )  # fmt: skip

    burst: Burst
    bursts: Dict[int, Burst]
    backlog: Deque[Burst]
    deadline: Optional[int]
    left: int  # events that were taken, while they are handed out; or UNKNOWN
    total: int  # events that have been handed out

    def turn(self) -> None:
        raise NotImplementedError

    def safely(self, work: Callable[[], None]) -> None:
        """Does work that an exception may strike, and has it mended."""
        try:
            work()
        except BaseException:
            try:
                self.again()
            except BaseException:  # a further exception, as it was entered
                self.again()
            raise

    def again(self) -> None:
        """Makes another turn begin where an exception ended this one.

        Twice, since an exception may strike as one is entered. A further exception here
        does not prevent it, and gives way to the one under way.
        """
        for _ in range(3):
            try:
                self.rescue()
                self.loop.call_soon(self.turn, context=self.context)
                self.loop.call_soon(self.turn, context=self.context)
                return
            except BaseException:
                if self.loop.is_closed():
                    return

    def gather(self) -> None:
        """Puts the calls that have come since the last flush into the backlog."""
        if self.burst.calls and (not self.backlog or self.backlog[-1] is not self.burst):
            self.backlog.append(self.burst)

    def settle(self, burst: Burst, ended: int) -> None:
        burst.live -= ended
        if not burst.live:
            self.bursts.pop(burst.number, None)

    def mend(self) -> None:
        """Hands out the taken events, and makes the counts agree with them."""
        try:
            taken = self.abi.stats(self.executor).events
        except Error:
            taken = self.total  # the executor is another thread's, or the parent's
        count = taken - self.total if self.left == _abi.UNKNOWN else self.left
        self.tell(count)
        for index, of, status, length, data in _abi.EVENTS.iter_unpack(
            self.view[: _abi.EVENT_SIZE * count]
        ):
            burst = self.bursts.get(of)
            if burst is not None:
                future = burst.futures[index]
                if future is not None and not future.done():
                    self.note(future)
                    complete(future, status, length, data)
                burst.futures[index] = None
            self.guests.discard(of << 32 | index)
        for burst in [*self.bursts.values()]:
            if burst.tasks is not None:
                burst.live = len(burst.waiting())
                if not burst.live:
                    self.bursts.pop(burst.number, None)
        self.gather()
        for burst in self.backlog:
            burst.dropped = True  # perhaps one of them has ended
        self.deadline = None
        self.total = taken
        self.left = 0
