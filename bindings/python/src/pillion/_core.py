# SPDX-License-Identifier: Apache-2.0
"""A loaded library: its functions, and the executors that wait to be freed. It knows no loop."""

from __future__ import annotations

import ctypes
import os
import sys
from contextvars import ContextVar
from typing import Callable, Dict, List, Set

from . import _abi
from ._errors import Error, Forked, InvalidArgument, refused

BOTH = _abi.FLOW_OUT | _abi.FLOW_IN
WAYS = {  # by a function's flows
    _abi.FLOW_OUT: "stream or stream_json", _abi.FLOW_IN: "collect or collect_json",
    BOTH: "stream or stream_json, with items",
}  # fmt: skip


# The call of Go's in whose function this runs; a call that is made here names it.
HANDLER: ContextVar[int] = ContextVar("pillion_handler", default=0)


class Core:
    def __init__(
        self,
        path: str,
        ring: int = 0,
        max_calls: int = 0,
        max_request: int = 0,
        max_workers: int = 0,
    ) -> None:
        self.abi = _abi.Abi(path)
        self.abi.begin(ring, max_calls, max_request, max_workers)
        self.process = os.getpid()
        self.loop_functions: Set[int] = set()
        self.orphans: List[int] = []
        self.logs: Dict[int, Callable[[], None]] = {}  # what closes each, by its executor

    def check_process(self) -> None:
        if os.getpid() != self.process:
            raise Forked()

    def begin_host(self) -> None:
        """Before a loop gets an executor."""
        self.check_process()
        self.sweep()

    def forget(self, executor: int) -> None:
        """Frees an executor whose loop has closed, on any thread."""
        self.logs.get(executor, bool)()
        if self.abi.executor_free(executor) == _abi.EWRONGTHREAD and not sys.is_finalizing():
            self.orphans.append(executor)  # its thread lives; try again later

    def sweep(self) -> None:
        """Frees executors that could not be freed at once."""
        for _ in range(len(self.orphans)):
            self.forget(self.orphans.pop(0))

    def refusal(self, status: int, function: int) -> Error:
        """Why the library refuses a call: it may be made in the wrong way."""
        text = self.abi.strerror(status)
        if status == _abi.ENOTSUP:
            info = self.abi.describe(function)
            text = f"{info.name.decode()} is for Library.{WAYS.get(info.flows & BOTH, 'call or call_json')}"
        return refused(status, text)

    def handle(self, name: str) -> int:
        """A function's or a method's handle."""
        if not isinstance(name, str):
            raise TypeError(f"a function's name is a str, not {type(name).__name__}")
        handle = ctypes.c_uint64()
        text = name.encode(errors="replace")  # a surrogate: no name has a question mark
        # C would read up to a NUL, and find another function.
        rc = _abi.ENOTFOUND if b"\0" in text else self.abi.function_find(ctypes.byref(handle), text)
        self.abi.check(rc, f"no such function: {name}" if rc == _abi.ENOTFOUND else "")
        return handle.value

    def find(self, name: str) -> int:
        """The handle of a function that needs no object and gives none."""
        handle = self.handle(name)
        info = self.abi.describe(handle)
        if info.flows & (_abi.FLOW_METHOD | _abi.FLOW_GIVES):
            raise InvalidArgument(f"{name} is for Library.object")
        self.know(handle, info.kind)
        return handle

    def know(self, handle: int, kind: int) -> None:
        if kind in (_abi.KIND_LOOP, _abi.KIND_ASYNC):
            self.loop_functions.add(handle)
