# SPDX-License-Identifier: Apache-2.0
"""Await Go from asyncio, uvloop and trio.

    import asyncio, pillion

    async def main():
        lib = pillion.load()
        print(await lib.call("hello.greet", "you"))

    asyncio.run(main())
"""

from ._errors import (
    Again,
    BadHandle,
    Busy,
    Cancelled,
    Closed,
    Deadlock,
    Error,
    Forked,
    GoError,
    GoExit,
    GoPanic,
    Interrupted,
    InvalidArgument,
    LibraryNotFound,
    NotFound,
    NotSupported,
    OutOfMemory,
    Reentrant,
    RequestError,
    SystemFailure,
    Timeout,
    TooLarge,
    VersionMismatch,
    WrongThread,
)
from ._library import Library
from ._load import load
from ._log import Log
from ._object import Object, ObjectClass
from ._payload import Payload
from ._provide import Provider
from ._stream import Stream

__version__ = "0.1.0"

__all__ = [
    "Again", "BadHandle", "Busy", "Cancelled", "Closed", "Deadlock", "Error", "Forked", "GoError",
    "GoExit", "GoPanic", "Interrupted", "InvalidArgument", "Library", "LibraryNotFound", "Log", "NotFound",
    "NotSupported", "Object", "ObjectClass", "OutOfMemory", "Payload", "Provider", "Reentrant", "RequestError", "Stream",
    "SystemFailure",
    "Timeout", "TooLarge", "VersionMismatch", "WrongThread", "load",
]  # fmt: skip
