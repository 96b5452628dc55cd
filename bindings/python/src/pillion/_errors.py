# SPDX-License-Identifier: Apache-2.0
"""The exceptions, one for each code of the library."""

from __future__ import annotations

import struct
import sys
from typing import Dict, Type

if sys.version_info >= (3, 11):
    _Timeouts = TimeoutError
else:
    from asyncio import TimeoutError as _AsyncioTimeoutError

    class _Timeouts(TimeoutError, _AsyncioTimeoutError):
        """A class that either `except` clause of an older Python catches."""


class Error(Exception):
    """Pillion refused something, or it went wrong in Go.

    `code` is the library's number (PILLION_E...), or, in a GoError, the number that the
    Go function's author chose. `status` is always the library's.
    """

    status: int = 0
    code: int = 0

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__ or "")
        self.code = self.status


class InvalidArgument(Error, ValueError):
    """An argument that can never be right."""

    status = -1


class OutOfMemory(Error, MemoryError):
    """There is no memory; nothing was changed."""

    status = -2


class BadHandle(Error):
    """A handle that is stale or forged."""

    status = -3


class WrongThread(Error, RuntimeError):
    """The executor belongs to another thread."""

    status = -4


class Reentrant(Error, RuntimeError):
    """This cannot be called inside a turn."""

    status = -5


class Forked(Error, RuntimeError):
    """This process was forked after the library was loaded."""

    status = -6


class Again(Error):
    """Too many calls are in flight; a later try may succeed."""

    status = -7


class TooLarge(Error, ValueError):
    """The request is larger than the library allows."""

    status = -8


class Busy(Error):
    """In use by another."""

    status = -9


class Closed(Error):
    """The executor or the library is closing."""

    status = -10


class Cancelled(Error):
    """The call was cancelled. asyncio code sees asyncio.CancelledError."""

    status = -11


class NotFound(Error, LookupError):
    """There is no such function."""

    status = -14


class VersionMismatch(Error, ImportError):
    """The library and this package do not fit."""

    status = -15


class Timeout(Error, _Timeouts):
    """The time is up."""

    status = -16


class Interrupted(Error):
    """A signal handler ran."""

    status = -17


class SystemFailure(Error, OSError):
    """The system refused."""

    status = -18


class LibraryNotFound(Error, ImportError):
    """The shared library cannot be found or loaded."""


class GoError(Error):
    """The Go function returned an error; `code` is its author's, or 0."""

    status = -13

    def __init__(self, message: str, code: int = 0) -> None:
        Exception.__init__(self, message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message


class RequestError(GoError, ValueError):
    """The request is none that the Go function can read; `code` is as a GoError's."""

    status = -22


class GoPanic(Error):
    """The Go function panicked; `stack` is the goroutine's."""

    status = -12

    def __init__(self, message: str, stack: str = "") -> None:
        Exception.__init__(self, message, stack)
        self.message = message
        self.stack = stack
        self.code = self.status

    def __str__(self) -> str:
        return self.message


class GoExit(Error):
    """The Go function called runtime.Goexit."""

    status = -19


class NotSupported(Error):
    """The loop or the library cannot do it."""

    status = -20


class Deadlock(Error, RuntimeError):
    """This thread would wait for itself."""

    status = -21


BY_STATUS: Dict[int, Type[Error]] = {
    kind.status: kind
    for kind in (
        InvalidArgument, OutOfMemory, BadHandle, WrongThread, Reentrant,
        Forked, Again, TooLarge, Busy, Closed, Cancelled, NotFound,
        VersionMismatch, Timeout, Interrupted, SystemFailure, GoExit,
        NotSupported, Deadlock,
    )
}  # fmt: skip


def refused(status: int, detail: str = "") -> Error:
    """The exception for an answer of the library's."""
    kind = BY_STATUS.get(status)
    if kind is not None:
        return kind(detail)
    error = Error(detail or f"the library answered {status}")
    error.status = error.code = status
    return error


def failed(status: int, payload: bytes) -> Error:
    """The exception for a call that failed, made of its pillion_failure."""
    if status not in (GoError.status, RequestError.status, GoPanic.status, GoExit.status):
        return refused(status)
    code, message, stack = 0, "", ""
    try:
        code, length = struct.unpack_from("=iI", payload)
        message = payload[8 : 8 + length].decode("utf-8", "replace")
        (deep,) = struct.unpack_from("=I", payload, 8 + length)
        stack = payload[12 + length : 12 + length + deep].decode("utf-8", "replace")
    except struct.error:
        message = message or payload.decode("utf-8", "replace")
    if status == GoError.status:
        return GoError(message, code)
    if status == RequestError.status:
        return RequestError(message, code)
    if status == GoPanic.status:
        return GoPanic(message, stack)
    return GoExit(message)
