# SPDX-License-Identifier: Apache-2.0
"""The calls of one turn of a loop, and the table in which they go to Go."""

from __future__ import annotations

from array import array
from asyncio import Future
from itertools import accumulate
from typing import Dict, List, Optional, Sequence, Tuple

from . import _abi


class Burst:
    """The calls of one turn, by index. Its states:

    1. gathering: `tasks` is None. It is the host's `burst`, and `Host.add` appends to
       `calls`, by one append each, which no exception can leave half done. A flush puts
       it into the host's backlog, and while older bursts are sent it gathers on.
    2. being sent: the first of the backlog. `split` has made columns of its calls, and
       it is in the host's `bursts`. The library writes a call's handle into `tasks` as it
       takes it; `sent` calls have been taken, or have ended without it. After an EAGAIN
       it stays for a retry.
    3. live: it has left the backlog, and `live` of its calls have not ended.
    4. ended: the host has forgotten it.

    1 → 2 `resend`, 2 → 3 `resend` as all is sent, 3 → 4 `settle` with the last end. All calls
    can end in state 2, which passes 3 by; and `fail` leads from each to 4.

    What counts is in `futures` and `tasks`: a call whose future is None has ended, one
    whose task is 0 has not been sent. The rest follows from them.
    """

    __slots__ = (
        "abi", "number", "calls", "futures", "functions", "requests", "tasks", "sent", "live",
        "dropped", "alone",
    )  # fmt: skip

    def __init__(self, abi: _abi.Abi, number: int) -> None:
        self.abi = abi
        self.number = number
        self.calls: List[Tuple[int, bytes, Future[bytes]]] = []
        self.futures: List[Optional[Future[bytes]]] = []
        self.functions: Sequence[int] = ()
        self.requests: Sequence[bytes] = ()
        self.tasks: Optional[array[int]] = None
        self.sent = 0
        self.live = 0
        self.dropped = False  # some were cancelled before they were sent
        # The deadline in ns, or None, and the parent of those that have one. They are sent alone.
        self.alone: Dict[int, Tuple[Optional[int], int]] = {}

    def split(self) -> array[int]:
        """Turns the calls into columns; `tasks` comes last, as the sign that this is done."""
        functions, requests, futures = zip(*self.calls)
        self.functions, self.requests, self.futures = functions, requests, [*futures]
        self.live = len(futures)
        self.tasks = tasks = array("Q", bytes(8 * len(futures)))
        self.calls = []
        return tasks

    def cancel(self, index: int) -> None:
        """Asks Go to stop a call that nothing awaits any more."""
        if self.tasks is None:
            self.dropped = True
        elif self.futures[index] is not None:
            if self.tasks[index]:
                self.abi.task_cancel(self.tasks[index])
            else:
                self.dropped = True

    def waiting(self) -> List[Future[bytes]]:
        """The futures of the calls that have not ended."""
        if self.tasks is None:
            return [future for _, _, future in self.calls]
        return [future for future in self.futures if future is not None]


class Table:
    """The array of pillion_call that a batch is submitted from, used again and again.

    It is filled by columns, each of which is one operation in C.
    """

    def __init__(self, abi: _abi.Abi) -> None:
        self.abi = abi
        self.batch = abi.batch
        self.batch_large = abi.batch_large
        self.single = abi.submit
        self.grow(256)

    def grow(self, rows: int) -> None:
        self.rows = rows
        self.calls = array("L", bytes(32 * rows))  # 64 bits, and quicker to fill than "Q"
        self.at = self.calls.buffer_info()[0]

    def submit(self, executor: int, burst: Burst, first: int, last: int) -> int:
        """One pillion_call_batch, of burst[first:last]."""
        functions, requests = burst.functions, burst.requests
        count = last - first
        token = burst.number << 32 | first
        assert burst.tasks is not None
        out = burst.tasks.buffer_info()[0] + 8 * first
        if first in burst.alone:
            deadline, parent = burst.alone[first]
            arguments = functions[first], requests[first], token, _abi.EVENT, deadline
            return self.abi.start_call(out, executor, *arguments, parent=parent) or 1
        if count == 1 and len(requests[first]) < _abi.LARGE:
            request = requests[first]
            arguments = functions[first], request, len(request), token, _abi.EVENT
            return self.single(out, executor, *arguments) or 1
        if count != len(functions):
            functions, requests = functions[first:last], requests[first:last]
        if count > self.rows:
            self.grow(count * 2)
        calls = self.calls
        end = count * 4
        lengths = [0, *map(len, requests)]
        offsets = list(accumulate(lengths))
        calls[0:end:4] = array("L", functions)
        calls[1:end:4] = array("L", [*range(token, token + count)])
        size = offsets.pop()
        calls[2:end:4] = array("L", offsets)
        del lengths[0]
        calls[3:end:4] = array("L", lengths)
        batch = self.batch if size < _abi.LARGE else self.batch_large
        return batch(out, executor, self.at, count, b"".join(requests), _abi.EVENT)


class CallFuture(Future):  # type: ignore[type-arg]
    """The result of `submit`. Its cancel cancels the call in Go."""

    _pillion_call: Optional[Tuple[Burst, int]] = None

    def cancel(self, msg: Optional[str] = None) -> bool:
        done = super().cancel(msg) if msg is not None else super().cancel()
        if done and self._pillion_call is not None:
            burst, index = self._pillion_call
            burst.cancel(index)
        return done
