# SPDX-License-Identifier: Apache-2.0
"""A loaded library: its functions, and the executors that it has on loops."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from asyncio import AbstractEventLoop, _get_running_loop
from typing import Any, List, Optional, Set

from . import _abi
from ._asyncio import Host
from ._errors import Forked, WrongThread


class Nobody:
    """The host of a thread that has none yet."""

    @staticmethod
    def running() -> bool:
        return False


class Local(threading.local):
    host: Any = Nobody()


class Core:
    def __init__(
        self,
        path: str,
        local: Local,
        ring: int = 0,
        max_calls: int = 0,
        max_request: int = 0,
        max_workers: int = 0,
    ) -> None:
        self.abi = _abi.Abi(path)
        self.abi.begin(ring, max_calls, max_request, max_workers)
        self.process = os.getpid()
        self.loop_functions: Set[int] = set()
        self.local = local
        self.lock = threading.Lock()
        # Weakly both ways: the loop's own reader is what keeps a host alive.
        self.hosts: weakref.WeakKeyDictionary[AbstractEventLoop, weakref.ref[Host]] = (
            weakref.WeakKeyDictionary()
        )
        self.orphans: List[int] = []

    def attach(self) -> Host:
        """The host of the loop that runs in this thread, made if need be."""
        if os.getpid() != self.process:
            raise Forked()  # first: a child of some versions has no running loop
        loop = _get_running_loop()
        if loop is None:
            raise RuntimeError(
                "no asyncio loop is running in this thread: await Library.call "
                "in a coroutine, or use Library.call_sync here"
            )
        self.sweep()
        host = self.host_of(loop)
        if host is not None and host.running():
            if host.thread == threading.get_ident():
                self.local.host = host
                return host
            host.detach(WrongThread("the loop has moved to another thread"))
        host = Host(self, loop)
        with self.lock:
            self.hosts[loop] = weakref.ref(host)
        self.local.host = host
        return host

    def host_of(self, loop: AbstractEventLoop) -> Optional[Host]:
        """The host of a loop that has one."""
        with self.lock:
            known = self.hosts.get(loop)
        return known() if known is not None else None

    def forget(self, executor: int) -> None:
        """Frees an executor whose loop has closed, on whatever thread that was."""
        if self.abi.executor_free(executor) == _abi.EWRONGTHREAD and not sys.is_finalizing():
            self.orphans.append(executor)  # its thread lives; try again later

    def sweep(self) -> None:
        """Frees what could not be freed at once."""
        for _ in range(len(self.orphans)):
            self.forget(self.orphans.pop(0))

    def find(self, name: str) -> int:
        """A function's handle."""
        if not isinstance(name, str):
            raise TypeError(f"a function's name is a str, not {type(name).__name__}")
        handle = ctypes.c_uint64()
        text = name.encode(errors="replace")  # a surrogate: no name has a question mark
        # C would read up to a NUL, and find another function.
        rc = _abi.ENOTFOUND if b"\0" in text else self.abi.function_find(ctypes.byref(handle), text)
        self.abi.check(rc, f"no such function: {name}" if rc == _abi.ENOTFOUND else "")
        if self.abi.describe(handle.value).kind in (_abi.KIND_LOOP, _abi.KIND_ASYNC):
            self.loop_functions.add(handle.value)
        return handle.value
