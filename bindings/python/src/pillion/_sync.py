# SPDX-License-Identifier: Apache-2.0
"""Blocking calls, for threads without a loop."""

from __future__ import annotations

import ctypes
import time
from typing import Optional

from . import _abi
from ._core import Core
from ._errors import Timeout, failed
from ._value import Value


def nanoseconds(timeout: Optional[float]) -> int:
    if timeout is None or timeout > 1e9:
        return _abi.NEVER
    return max(0, int(timeout * 1e9))


def deadline(timeout: float) -> int:
    return min(_abi.NEVER, time.monotonic_ns() + nanoseconds(timeout))


class Waiting:
    """A call that a thread waits for. Every way out of it gives it up."""

    task, value = ctypes.c_uint64(), Value()  # until it has its own

    def __init__(self, abi: _abi.Abi) -> None:
        self.abi = abi
        self.task = ctypes.c_uint64()
        self.value = Value()

    def end(self) -> None:
        """May be called twice, and be interrupted: the library refuses a call that has ended."""
        if self.task.value:
            self.abi.task_cancel(self.task)
            self.abi.task_detach(self.task)
            self.task.value = 0
        self.value.drop()

    __del__ = end  # if an exception struck as `end` was entered


def call(core: Core, function: int, request: bytes, timeout: Optional[float]) -> bytes:
    abi = core.abi
    waiting = Waiting(abi)
    task, value = waiting.task, waiting.value
    end = None if timeout is None else deadline(timeout)
    try:
        out = ctypes.byref(task)
        rc = abi.start_call(out, 0, function, request, 0, _abi.JOIN, end)
        if rc < 0:
            raise core.refusal(rc, function)
        while True:
            left = _abi.NEVER if end is None else max(0, end - time.monotonic_ns())
            rc = abi.task_wait(ctypes.byref(value), task, left)
            if rc == 0:
                break
            if rc == _abi.ETIMEDOUT:
                raise Timeout()
            if rc != _abi.EINTR:
                abi.check(rc)
            # Python's signal handlers run here, and KeyboardInterrupt leaves.
        task.value = 0
        status, data = value.status, value.copy()
    finally:
        waiting.end()
    if status:
        raise failed(status, data)
    return data
