# SPDX-License-Identifier: Apache-2.0
"""Calls with flows, as a host knows them: from the submission to the end.

Their tokens have the highest bit, which no burst's has. A turn first hands out the events of
such tokens. What it has handed out it may hand out again, after an exception has struck in the
middle. So each effect here can happen twice, but for the items, which go to their flow in
chunks: all items of one turn in one operation, marked with the number of the turn.
"""

from __future__ import annotations

import ctypes
from contextvars import Context, copy_context
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple, Type, Union

from . import _abi
from ._core import HANDLER, Core
from ._errors import Error, OutOfMemory
from ._inlet import Inlet
from ._payload import decode

MARK = 1 << 63  # in the tokens of calls with flows
FLOWS = MARK >> 32


class Function:
    """A function of the program's that Go may call."""

    __slots__ = ("call", "decode", "encode")

    def __init__(
        self, call: Callable[[Any], Any], decode: Callable[[bytes], Any],
        encode: Callable[[Any], bytes],
    ) -> None:  # fmt: skip
        self.call, self.decode, self.encode = call, decode, encode


class Flow:
    """A call with flows, until its host has its end. A provider is one without an end."""

    __slots__ = (
        "host", "token", "task", "items", "signals", "functions", "context", "end", "error",
        "cancelled", "readers", "senders", "sending", "idle", "stop", "hearing", "deafen",
        "object", "handles", "gives",
    )  # fmt: skip

    def __init__(self, host: Telling, token: int) -> None:
        self.host = host
        self.token = token
        self.task = ctypes.c_uint64()
        self.items = Inlet()
        self.signals = Inlet()  # one-way calls: each an index and a payload
        self.functions: Sequence[Function] = ()  # that it lends, or provides
        self.context = copy_context()  # of a copy of which they run in another
        self.object = 0  # whose method it calls
        self.handles: Sequence[int] = ()  # of the objects that its request names
        self.gives = False  # its items, or its end, are handles of objects
        self.end: Union[bytes, int, Error, None] = None
        self.error: Optional[BaseException] = None  # for the reader, instead of the end's
        self.cancelled = False
        self.readers: List[Any] = []  # those that wait for items or the end
        self.senders: List[Any] = []  # those that wait for room
        self.sending = False  # a task sends items, or closes where they came from
        self.idle = False  # it waits for the next item, or for its first step
        self.stop: Callable[[], object] = bool  # cancels it
        self.hearing = False  # a task runs the one-way calls
        self.deafen: Callable[[], object] = bool  # cancels it

    def over(self) -> bool:
        """Reports whether it has ended, and nothing of it runs here any more."""
        return not (self.end is None or self.sending or self.hearing or self.signals.chunks)

    def cancel(self) -> None:
        """Asks Go to stop; nothing is read any more. On any thread, in finalizers too."""
        self.cancelled = True
        if self.end is None and self.task.value:
            self.host.abi.task_cancel(self.task)

    def fail(self, error: BaseException) -> None:
        """Asks Go to stop because of an error on this side."""
        if self.error is None:
            self.error = error
        self.cancel()

    def lose(self, items: Iterable[Any] = ()) -> None:
        """Drops the objects that nothing reads any more. A second drop does nothing."""
        if self.gives:
            chunks = (self.items.chunk, *self.items.chunks)
            for item in (*items, *(i for chunk in chunks for i in chunk.items), self.end):
                if isinstance(item, int):
                    self.host.abi.object_drop(item)

    __del__ = lose

    def grant(self, items: int) -> None:
        if self.end is None:
            self.host.abi.credit(self.task, items)


class Telling:
    """The part of a host that hands out events of calls with flows."""

    __slots__ = ("core", "abi", "executor", "view", "turns", "flows", "tokens", "guests")

    CANCEL: Type[BaseException]  # what a cancelled task of the loop gets

    core: Core
    abi: _abi.Abi
    executor: int
    view: memoryview  # of the events
    turns: int  # the number of the turn; it counts from the first flow on
    flows: Dict[int, Flow]
    tokens: int  # the last one of a flow's
    guests: Set[int]  # tokens of the calls that run in our turns

    def cancelled(self, error: Error) -> BaseException:
        """What one who reads gets if Go, or the library, cancelled the call."""
        raise NotImplementedError

    def ring(self, waiters: List[Any]) -> None:
        """Wakes those that wait."""
        raise NotImplementedError

    async def wait(self, waiters: List[Any]) -> None:
        """Waits until it is rung for."""
        raise NotImplementedError

    async def pause(self) -> None:
        """Waits a little for room in the library."""
        raise NotImplementedError

    def hear(self, flow: Flow) -> None:
        """Has the one-way calls run that a flow has brought."""
        raise NotImplementedError

    def called(self, flow: Flow, task: int, index: int, request: bytes, flows: int) -> None:
        """Has a function run that Go calls, with items if there are flows."""
        raise NotImplementedError

    def refuse(self, task: int) -> None:
        """Refuses a call of Go's whose provider was closed as it came."""
        raise NotImplementedError

    def cancel_inbound(self, task: int) -> None:
        """Asks a function to stop that Go has called."""
        raise NotImplementedError

    def given_to(self, task: int) -> int:
        """The token of the flow that a call of Go's gives items by; 0: it has none any more."""
        raise NotImplementedError

    def short_of_memory(self, flow: Flow, task: int) -> None:
        """Refuses what there is no memory for: a call of Go's, or an item."""
        raise NotImplementedError

    def spawn(
        self, context: Context, over: Callable[..., object], function: Callable[..., Any],
        *arguments: Any,
    ) -> Callable[[], object]:  # fmt: skip
        """Begins a task in a copy of a context, and calls `over` when it has ended: a task that
        is cancelled early never takes a step. Gives what cancels it."""
        raise NotImplementedError

    def watch_guests(self) -> None:
        """Before the first call that runs in our turns."""
        raise NotImplementedError

    # ---- To Go --------------------------------------------------------------

    def new_flow(self) -> Flow:
        """A flow that is not submitted."""
        while True:
            self.tokens = self.tokens + 1 & MARK - 1
            token = MARK | self.tokens
            if token not in self.flows:
                return Flow(self, token)

    def submit_flow(
        self, flow: Flow, function: int, request: bytes, deadline: Optional[int], credit: int,
        flags: int,
    ) -> bool:  # fmt: skip
        """Submits a call; False if the library is full."""
        token = flow.token
        if function in self.core.loop_functions:
            self.watch_guests()
            self.guests.add(token)
        self.flows[token] = flow  # before it is sent: its events must find it
        out = ctypes.byref(flow.task)
        rc = self.abi.start_call(
            out, self.executor, function, request, token, flags, deadline, credit,
            len(flow.functions), HANDLER.get(), flow.object, flow.handles,
        )  # fmt: skip
        if rc < 0:
            self.flows.pop(token, None)
            self.guests.discard(token)
            if rc == _abi.EAGAIN:
                return False
            raise self.core.refusal(rc, function)
        return True

    # ---- From Go ------------------------------------------------------------

    def tell(self, count: int) -> bool:
        """Hands out the events of flows; reports whether there are others."""
        view = self.view[: _abi.EVENT_SIZE * count]
        if bytes(view[_abi.TOP_OF_TOKEN :: _abi.EVENT_SIZE]).isascii():
            return True  # no token has the mark
        others = False
        row, flow = 0, None
        items: List[Any] = []
        signals: List[Tuple[int, bytes]] = []
        read: Dict[Flow, Tuple[List[Any], List[Tuple[int, bytes]]]] = {}
        for low, of, task, status, outcome, flags, length, data, link in _abi.ALL_OF_EVENTS.iter_unpack(view):
            if of < FLOWS:
                others = True
                continue
            if flags == _abi.CANCEL:
                self.cancel_inbound(task)
                continue
            token = of << 32 | low if flags != _abi.FINISHED else self.given_to(task)
            if token != row:
                row, flow = token, self.flows.get(token)
                if flow is not None:
                    items, signals = read.setdefault(flow, ([], []))
            if flow is None:  # it has ended, and an exception struck afterwards
                if flags & _abi.CALLED and task:
                    self.refuse(task)
                continue
            if flags == _abi.WRITABLE:
                self.ring(flow.senders)
            elif flags in (0, _abi.FINISHED, _abi.OBJECT):
                self.read(flow, *read.pop(flow))
                flow.end = link if flags == _abi.OBJECT else decode(status, length, data)
                self.ended(flow)
                self.guests.discard(token)
                self.flows.pop(token, None)  # last, for an exception may strike before
                row = 0
            else:
                try:
                    if length > _abi.INLINE:
                        data = _abi.copied(_abi.ADDRESS.unpack_from(data)[0], length)
                    else:
                        data = data[:length]
                    if flags & _abi.ITEM:
                        items.append(link if flags & _abi.OBJECT else data)
                    elif flags & _abi.CALLED and task:
                        self.called(flow, task, outcome, data, flags & _abi.FLOWS)
                    elif flags & _abi.ONE_WAY:
                        signals.append((outcome, data))
                except MemoryError:
                    self.short_of_memory(flow, task if flags & _abi.CALLED else 0)
        for flow, (items, signals) in read.items():
            self.read(flow, items, signals)
        return others

    def read(self, flow: Flow, items: List[Any], signals: List[Tuple[int, bytes]]) -> None:
        """Hands out what came in a turn."""
        if flow.cancelled:
            flow.lose(items)
        if items and not flow.cancelled:
            flow.items.put(self.turns, items)
            self.ring(flow.readers)
        if signals and not flow.cancelled:
            flow.signals.put(self.turns, signals)
            self.hear(flow)

    def ended(self, flow: Flow) -> None:
        """Tells those that have to do with a flow of its end."""
        self.ring(flow.readers)
        self.ring(flow.senders)
        if flow.idle:
            flow.stop()
        if flow.cancelled and flow.hearing:
            flow.deafen()

    def fail_flows(self, error: Error) -> None:
        """Ends all flows."""
        for flow in [*self.flows.values()]:
            flow.end = error
            self.ended(flow)
        self.flows.clear()
