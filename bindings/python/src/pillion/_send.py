# SPDX-License-Identifier: Apache-2.0
"""Sends a host's gathered calls.

A burst stays in the backlog until all of it is sent, and the library writes the
handle of each call that it has taken into the burst's `tasks`. So an exception
cannot have a call sent twice, or never.
"""

from __future__ import annotations

from asyncio import Future, TimerHandle, sleep
from typing import Optional, Set

from . import _abi
from ._burst import Burst, Table
from ._errors import Error
from ._flow import FLOWS
from ._mend import Mending

RETRY = 0.001  # seconds, when others have used up the quota

# Answers that concern one call alone. After any other answer the rest would get it, too.
OWN_FAULTS = frozenset((_abi.EINVAL, _abi.ENOMEM, _abi.EMSGSIZE))


class Sending(Mending):
    """The part of a host that sends."""

    __slots__ = ("table", "number", "loop_functions", "retry", "set")

    table: Table
    number: int
    loop_functions: Set[int]
    retry: Optional[TimerHandle]
    set: Optional[int]

    def flush(self) -> None:
        """Sends the calls that have gathered in this turn of the loop."""
        if self.burst.calls:  # otherwise they are sent, or have failed, already
            self.safely(self.flush_now)

    def flush_now(self) -> None:
        if self.left:
            self.mend()
        self.left = _abi.UNKNOWN
        self.gather()
        self.resend()
        self.left = 0

    async def pause(self) -> None:
        await sleep(RETRY)

    def try_later(self) -> None:
        """Arms a retry, in case no completion of our own causes one."""
        if self.retry is None:
            self.loop.call_later(2 * RETRY, self.turn, context=self.context)
            self.retry = self.loop.call_later(RETRY, self.retried, context=self.context)

    def retried(self) -> None:
        self.retry = None
        self.turn()

    def next_burst(self) -> Burst:
        while True:
            self.number = self.number + 1 & FLOWS - 1
            if self.number not in self.bursts:  # after 2**31 bursts, one still lives
                return Burst(self.abi, self.number)

    def resend(self) -> None:
        """Sends the backlog, as far as the library takes it."""
        backlog = self.backlog
        while backlog:
            burst = backlog[0]
            if burst is self.burst:
                self.burst = self.next_burst()
            if burst.tasks is None:
                self.bursts[burst.number] = burst
                burst.split()
            if not self.send(burst):
                return self.try_later()
            backlog.popleft()

    def send(self, burst: Burst) -> bool:
        """Sends the rest of a burst; False if the library is full."""
        futures, tasks = burst.futures, burst.tasks
        assert tasks is not None
        total = len(futures)
        while burst.sent < total:
            first, last = burst.sent, total
            if tasks[first]:
                burst.sent += 1  # an exception struck after the submission
                continue
            if burst.dropped:
                if self.gone(futures[first]):
                    self.end(burst, first, None)
                    continue
                last = next((i for i in range(first, total) if self.gone(futures[i])), total)
            alone = burst.alone
            if first in alone:
                last = first + 1
            elif alone:
                last = next((i for i in range(first, last) if i in alone), last)
            rc = self.submit(burst, first, last)
            if rc > 0:
                burst.sent += rc
            elif rc == _abi.EAGAIN:
                return False
            else:
                upto = first + 1 if rc in OWN_FAULTS else total
                for index in range(first, upto):
                    self.end(burst, index, self.core.refusal(rc, burst.functions[index]))
        burst.functions = burst.requests = ()
        return True

    @staticmethod
    def gone(future: Optional[Future[bytes]]) -> bool:
        return future is None or future.done()

    def submit(self, burst: Burst, first: int, last: int) -> int:
        """One pillion_call_batch, of burst[first:last]."""
        if self.loop_functions:
            for index in range(first, last):
                if burst.functions[index] in self.loop_functions:
                    self.guests.add(burst.number << 32 | index)
            if self.guests:
                self.watch_guests()
        return self.table.submit(self.executor, burst, first, last)

    def watch_guests(self) -> None:
        """Has the library watch the descriptors that functions on the loop await."""
        if self.set is not None:
            return
        fd = self.abi.epoll(self.executor)
        if fd is not None:
            self.loop.remove_reader(fd)  # an exception may have left it half added
            self.loop.add_reader(fd, self.turn)
        self.set = fd

    def end(self, burst: Burst, index: int, error: Optional[Error]) -> None:
        """Ends a call that Go never saw."""
        future = burst.futures[index]
        if future is not None and not future.done() and error is not None:
            self.note(future)
            future.set_exception(error)
        burst.futures[index] = None
        burst.sent = index + 1
        self.guests.discard(burst.number << 32 | index)
        self.settle(burst, 1)

    def fail(self, error: Error) -> None:
        """Ends every call that is in flight here."""
        for burst in [*self.bursts.values(), *self.backlog, self.burst]:
            for future in burst.waiting():
                if not future.done():
                    self.note(future)
                    future.set_exception(error)
            burst.calls = []
            burst.futures = [None] * len(burst.futures)  # a cancel finds nothing to do
        self.bursts.clear()
        self.backlog.clear()
        self.guests.clear()
        self.burst = self.next_burst()
        self.fail_flows(error)
