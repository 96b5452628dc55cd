# SPDX-License-Identifier: Apache-2.0
"""What a program reads of a call with flows, and what it sends."""

from __future__ import annotations

import ctypes
from typing import (
    Any, AsyncIterable, AsyncIterator, Callable, Generic, Iterable, Iterator, Optional, TypeVar,
    Union,
)  # fmt: skip

from . import _abi
from ._errors import Cancelled, Error, refused
from ._flow import Flow
from ._inlet import GIVEN, SHARE
from ._value import Value

T = TypeVar("T")
Items = Union[AsyncIterable[Any], Iterable[Any]]


class Stream(Generic[T]):
    """The items of a Go function.

        async with lib.stream("log.tail", "/var/log/syslog") as lines:
            async for line in lines:
                print(line)

    The call begins with `Library.stream`. The block ends it: it asks Go to stop, and waits until
    it has. A stream that is dropped asks Go as well, but waits for nothing. So a bare
    `async for line in lib.stream(…)` is right, too; a `break` there ends the call as soon as
    Python drops the stream, which CPython does at once.

    Cancelling a task that waits for an item leaves the stream as it is. After an error there is
    nothing more to read.
    """

    __slots__ = ("_flow", "_items", "_decode", "_owed", "_begin", "_over")
    share = SHARE

    def __init__(
        self, flow: Flow, decode: Optional[Callable[[Any], T]], begin: Callable[[], bool]
    ) -> None:
        self._flow = flow
        self._decode = decode
        self._items: Iterator[Any] = flow.items.chunk.items
        self._owed = 0  # items that were read, and for which no others were granted
        self._over = False
        # None once the call is submitted. The library may be full.
        self._begin: Optional[Callable[[], bool]] = None if begin() else begin

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        for item in self._items:  # the quickest way to ask an iterator once
            return item  # type: ignore[no-any-return]
        return await self._next()

    async def _next(self) -> T:
        """The next item, when it comes."""
        flow = self._flow
        while not self._over:
            for item in self._items:  # another task has waited, too, and was first
                return item  # type: ignore[no-any-return]
            self._owed += flow.items.chunk.size
            flow.items.chunk.size = 0
            if self._owed >= self.share:
                flow.grant(self._owed)
                self._owed = 0
            if flow.items.chunks:
                items: Iterator[Any] = flow.items.next_chunk().items
                self._items = items if self._decode is None else map(self._decode, items)
            elif self._begin is not None:
                await self._submit()
            elif not flow.over():
                await flow.host.wait(flow.readers)
            else:
                self._over = True
                result(flow)
        raise StopAsyncIteration

    async def _submit(self) -> None:
        """Tries a little later whether the library takes the call."""
        await self._flow.host.pause()
        if not self._over and self._begin is not None and self._begin():
            self._begin = None

    async def aclose(self) -> None:
        """Asks Go to stop, and waits until it has. What wasn't read is thrown away."""
        flow = self._flow
        self._over = True
        self._items = iter(())
        flow.cancel()
        flow.lose()
        flow.items.chunks.clear()
        flow.signals.chunks.clear()
        while self._begin is None and not flow.over():
            await flow.host.wait(flow.readers)

    async def __aenter__(self) -> Stream[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        flow: Optional[Flow] = getattr(self, "_flow", None)
        if flow is not None and flow.end is None:
            flow.cancel()


class Given(Stream[T]):
    """The items that Go gives to a function of the program's, which it calls.

    Go waits while nothing is read, until the function returns.
    """

    __slots__ = ()
    share = GIVEN // 2

    def __init__(self, flow: Flow, decode: Callable[[bytes], T]) -> None:
        super().__init__(flow, decode, lambda: True)

    async def aclose(self) -> None:
        """Reads no more."""
        self._over = True
        self._items = iter(())
        self._flow.items.chunks.clear()

    def __del__(self) -> None:
        pass


def result(flow: Flow) -> Any:
    """What a call has ended with, or its exception."""
    end = flow.end
    if flow.error is not None:
        raise flow.error
    if isinstance(end, Cancelled):
        raise flow.host.cancelled(end)
    if isinstance(end, Error):
        raise end
    assert end is not None
    return end


async def collect(flow: Flow, begin: Callable[[], bool]) -> Any:
    """Makes a call that gives no items, and awaits its result."""
    host = flow.host
    try:
        while not begin():
            await host.pause()
        while not flow.over():
            await host.wait(flow.readers)
    except BaseException:
        flow.cancel()
        raise
    return result(flow)


# ---- To Go ------------------------------------------------------------------


def start_sending(flow: Flow, items: Items, encode: Callable[[Any], bytes]) -> None:
    """Sends items in a task of its own, in a copy of the flow's context."""

    def over(*_: Any) -> None:
        if flow.idle:  # it was cancelled before its first step
            flow.cancel()
        flow.sending = False
        flow.host.ring(flow.readers)

    flow.sending = flow.idle = True
    flow.stop = flow.host.spawn(flow.context, over, send, flow, items, encode)


async def send(flow: Flow, items: Items, encode: Callable[[Any], bytes]) -> None:
    """Sends items until there are no more, or Go reads no more. Then closes where they come from."""
    host = flow.host
    flow.idle = False
    try:
        await give(flow, items, encode)
        host.abi.finish(flow.task)
    except host.CANCEL:
        flow.cancel()
        raise
    except BaseException as error:
        flow.fail(error)
    finally:
        try:
            await close(items)
        except Exception as error:
            flow.fail(error)


async def give(flow: Flow, items: Items, encode: Callable[[Any], bytes]) -> None:
    if not isinstance(items, AsyncIterable):
        for item in items:
            if not await put(flow, encode(item)):
                return
        return
    items = items.__aiter__()
    while True:
        flow.idle = True
        try:
            item = await items.__anext__()
        except StopAsyncIteration:
            return
        finally:
            flow.idle = False
        if not await put(flow, encode(item)):
            return


async def put(flow: Flow, data: bytes) -> bool:
    """Sends one item when there is room; False if Go reads no more."""
    host, value = flow.host, Value.of(data)
    while flow.end is None and not flow.cancelled:
        rc = host.abi.send(flow.task, ctypes.byref(value))
        if rc == 0:
            return True
        if rc in (_abi.ECLOSED, _abi.EBADHANDLE):
            break
        if rc != _abi.EAGAIN:
            raise refused(rc, host.abi.strerror(rc))
        await host.wait(flow.senders)
    return False


async def close(items: Items) -> None:
    """Closes a generator."""
    if hasattr(items, "aclose"):
        await items.aclose()
    elif hasattr(items, "close"):
        items.close()
