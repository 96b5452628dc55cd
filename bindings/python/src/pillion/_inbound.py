# SPDX-License-Identifier: Apache-2.0
"""Go calls functions of the program's.

A call that has an answer is a task of the loop, in a copy of the context in which its function
was lent or provided. Whatever ends that task, the call is answered, once. Calls without an answer
come in order: one task for each flow runs them, one after the other.
"""

from __future__ import annotations

import ctypes
import inspect
import logging
import struct
import traceback
from collections import deque
from types import CoroutineType
from typing import Any, AsyncIterable, Callable, Deque, Dict, Iterator, List, Optional, Set, Tuple

from . import _abi
from ._core import HANDLER
from ._errors import Error, OutOfMemory
from ._flow import Flow, Function, Telling
from ._inlet import GIVEN
from ._stream import Given, close, give

DEED = struct.Struct("=QIiQQ")  # pillion_deed: task, what, number, payload, length
MANY = 256  # answers at once

log = logging.getLogger("pillion")


class Inbound:
    """A call of Go's that is not answered. Its states:

    1. called: the host's `inbound` has it, and `start` is asked for.
    2. started: its task runs.
    3. answered: the host has forgotten it.

    1 → 2 `run`, 2 → 3 `run` at its end, 1 → 3 `cancel`.
    """

    __slots__ = ("host", "task", "flow", "function", "request", "started", "stop", "flows", "given")

    def __init__(
        self, host: Answering, task: int, flow: Flow, function: Function, request: bytes
    ) -> None:
        self.host = host
        self.task = task
        self.flow = flow
        self.function = function
        self.request = request
        self.started = False
        self.stop: Callable[[], object] = bool
        self.flows = 0  # FLOW_OUT: Go gives items; FLOW_IN: it reads some
        self.given: Optional[Flow] = None  # of the flows

    def open(self) -> None:
        """Finds the call's flows."""
        host = self.host
        told = _abi.CallInformation(ctypes.sizeof(_abi.CallInformation))
        if host.abi.info(ctypes.byref(told), self.task) < 0 or not told.flows:
            return
        given = host.new_flow()
        given.task.value = self.task
        if host.abi.accept(self.task, given.token, GIVEN) == 0:
            self.flows, self.given = told.flows, given

    def start(self) -> None:
        if not self.started:
            self.stop = self.host.begin(self)

    def cancel(self) -> None:
        if self.started:
            self.stop()
        else:  # a task that is cancelled before its first step does nothing
            self.started = True
            self.host.answer(self.task, _abi.ECANCELLED, b"")

    def over(self, *_: Any) -> None:
        if not self.started:
            self.cancel()

    async def run(self) -> None:
        if self.started:  # an exception has had it begun twice
            return
        status, answer = _abi.ECANCELLED, b""
        try:
            self.started = True
            HANDLER.set(self.task)
            function, given = self.function, self.given
            arguments = [function.decode(self.request)]
            if given is not None and self.flows & _abi.FLOW_OUT:
                arguments.append(Given(given, function.decode))
            value = function.call(*arguments)
            if type(value) is CoroutineType or inspect.isawaitable(value):
                value = await value
            if given is not None and self.flows & _abi.FLOW_IN:
                await self.give(given, value)
            else:
                answer = function.encode(value)
            status = 0
        except self.host.CANCEL:
            raise
        except BaseException as error:
            status, answer = _abi.EFAILED, failure(error)
            self.host.escaped(error)
        finally:
            self.host.answer(self.task, status, answer)

    async def give(self, flow: Flow, items: Any) -> None:
        """Gives Go the items of what the function has returned, and closes it."""
        if not isinstance(items, (AsyncIterable, Iterator)):
            raise TypeError(f"Go reads items, and {items!r} gives none")
        try:
            await give(flow, items, self.function.encode)
        finally:
            await close(items)


def failure(error: BaseException) -> bytes:
    """A pillion_failure: the traceback is the stack of the error in Go."""
    kind = type(error).__name__
    text = str(error)
    message = (f"{kind}: {text}" if text else kind).encode(errors="replace")
    trace = error.__traceback__ and error.__traceback__.tb_next  # without `run`
    lines = traceback.format_exception(type(error), error, trace)
    stack = "".join(lines).encode(errors="replace")
    code = error.code if isinstance(error, Error) else 0
    head, middle = struct.pack("=iI", code, len(message)), struct.pack("=I", len(stack))
    return b"".join((head, message, middle, stack))


class Answering(Telling):
    """The part of a host that has the program's functions run."""

    __slots__ = ("inbound", "fresh", "known", "known_of", "deeds")

    inbound: Dict[int, Inbound]  # by the call
    fresh: Deque[Inbound]  # those that are to be started
    known: Set[int]  # the calls of the turn `known_of`
    known_of: int
    deeds: List[Tuple[int, int, bytes]]  # answers that are not given: call, status and payload

    def begin_inbound(self) -> None:
        self.flows = {}
        self.guests = set()
        self.tokens = self.turns = self.known_of = 0
        self.inbound = {}
        self.fresh = deque()
        self.known = set()
        self.deeds = []

    def begin(self, inbound: Inbound) -> Callable[[], object]:
        """Begins the task of a call. Gives what cancels it."""
        return self.spawn(inbound.flow.context, inbound.over, inbound.run)

    def later(self, work: Callable[[], None]) -> None:
        """Has work done outside of the turn, at least once."""
        raise NotImplementedError

    def escaped(self, error: BaseException) -> None:
        """What becomes of an exception of a function, beside an error in Go."""
        raise NotImplementedError

    # ---- Calls --------------------------------------------------------------

    def called(self, flow: Flow, task: int, index: int, request: bytes, flows: int) -> None:
        # It may be for the second time, after an exception. Perhaps the call has its answer.
        if self.known_of != self.turns:
            self.known.clear()
            self.known_of = self.turns
        inbound = self.inbound.get(task)
        if inbound is None and task not in self.known:
            inbound = Inbound(self, task, flow, flow.functions[index], request)
            if flows:
                inbound.open()
            self.inbound[task] = inbound
        self.known.add(task)
        if inbound is not None:
            if inbound.given is not None:
                self.flows[inbound.given.token] = inbound.given
            self.fresh.append(inbound)

    def given_to(self, task: int) -> int:
        inbound = self.inbound.get(task)
        return 0 if inbound is None or inbound.given is None else inbound.given.token

    def tell(self, count: int) -> bool:
        others = super().tell(count)
        if self.fresh:
            self.later(self.start_inbound)
        return others

    def start_inbound(self) -> None:
        while self.fresh:
            self.fresh[0].start()
            self.fresh.popleft()

    def cancel_inbound(self, task: int) -> None:
        inbound = self.inbound.get(task)
        if inbound is not None:
            inbound.cancel()

    def refuse(self, task: int) -> None:
        # An exception may have struck after it began.
        if task not in self.inbound and not (self.known_of == self.turns and task in self.known):
            self.answer(task, _abi.ENOTFOUND, b"")

    def short_of_memory(self, flow: Flow, task: int) -> None:
        if task:
            self.answer(task, _abi.EFAILED, failure(OutOfMemory()))
        else:
            flow.fail(OutOfMemory())

    def hear(self, flow: Flow) -> None:
        def over(*_: Any) -> None:
            flow.hearing = False
            if flow.cancelled:
                flow.signals.chunks.clear()
            elif flow.signals.chunks or flow.signals.chunk.size:
                self.hear(flow)  # a function has raised the exception of a cancelled task
            self.ring(flow.readers)

        def start() -> None:
            if flow.hearing:
                return
            try:
                flow.hearing = True
                flow.deafen = self.spawn(flow.context, over, self.listen, flow)
            except BaseException:
                flow.hearing = False
                raise

        self.later(start)

    async def listen(self, flow: Flow) -> None:
        """Runs the calls without an answer, in order."""
        signals = flow.signals
        while True:
            for index, payload in signals.chunk.items:
                function = flow.functions[index]
                try:
                    value = function.call(function.decode(payload))
                    if inspect.isawaitable(value):
                        await value
                except self.CANCEL:
                    raise
                except BaseException as error:
                    log.error("a function that Go called failed", exc_info=error)
                    self.escaped(error)
            flow.grant(signals.chunk.size)
            signals.chunk.size = 0
            if not signals.chunks:
                return
            signals.next_chunk()

    # ---- Answers ------------------------------------------------------------

    def answer(self, task: int, status: int, payload: bytes) -> None:
        """Gives an answer, with those of others."""
        self.deeds.append((task, status, payload))
        inbound = self.inbound.get(task)
        if inbound is not None and inbound.given is not None:
            given = inbound.given
            given.end = b""  # for a task that the function has left behind
            self.ended(given)
            self.flows.pop(given.token, None)
        self.inbound.pop(task, None)
        if len(self.deeds) == 1:
            self.later(self.say)

    def say(self) -> None:
        """Gives the answers. It may be interrupted, and repeated: the library refuses a second."""
        deeds = self.deeds
        while deeds:
            batch = deeds[:MANY]
            rows, at = [], 0
            for task, status, payload in batch:
                rows.append(DEED.pack(task, _abi.ANSWER, status, at, len(payload)))
                at += len(payload)
            base = b"".join([payload for _, _, payload in batch])
            done = self.abi.deeds(b"".join(rows), len(batch), base)
            if done < 0:  # the first is refused
                task, status, payload = deeds[0]
                if done in (_abi.ENOMEM, _abi.EMSGSIZE) and payload:
                    deeds[0] = task, done, b""
                    continue
                done = 1  # it was answered, or its executor is gone
            del deeds[:done]
