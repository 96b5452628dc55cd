# SPDX-License-Identifier: Apache-2.0
"""Blocking calls, for threads without a loop."""

from __future__ import annotations

import ctypes
import time
from typing import Optional

from . import _abi
from ._core import Core
from ._errors import Timeout, failed


def nanoseconds(timeout: Optional[float]) -> int:
    if timeout is None or timeout > 1e9:
        return _abi.NEVER
    return max(0, int(timeout * 1e9))


def call(core: Core, function: int, request: bytes, timeout: Optional[float]) -> bytes:
    abi = core.abi
    task = ctypes.c_uint64()
    value = _abi.Value()
    end = time.monotonic_ns() + nanoseconds(timeout)
    waiting = True  # from before the submission on: an interrupt may strike right after it
    try:
        submit = abi.submit if len(request) < _abi.LARGE else abi.submit_large
        rc = submit(ctypes.byref(task), 0, function, request, len(request), 0, _abi.JOIN)
        if rc < 0:
            waiting = False
            abi.check(rc)
        while True:
            left = min(_abi.NEVER, max(0, end - time.monotonic_ns()))
            rc = abi.task_wait(ctypes.byref(value), task, left)
            if rc == 0:
                waiting = False
                status, data = value.status, value.take()
                break
            if rc == _abi.ETIMEDOUT:
                raise Timeout()
            if rc != _abi.EINTR:
                abi.check(rc)
            # Python's signal handlers run here, and KeyboardInterrupt leaves.
    finally:
        if waiting and task.value:
            abi.task_cancel(task)
            abi.task_detach(task)
        value.drop()  # what came together with an interrupt
    if status:
        raise failed(status, data)
    return data
