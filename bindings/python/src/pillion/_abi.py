# SPDX-License-Identifier: Apache-2.0
"""The C ABI as ctypes sees it: pillion.h, and nothing besides.

Each function stands here once. A function that neither enters Go nor blocks keeps
the GIL (PyDLL): beside a busy Python thread a release of the GIL costs a hundred
times as much as such a call. The others release it (CDLL).
"""

from __future__ import annotations

import ctypes
import struct
import sys
from ctypes import c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ._errors import LibraryNotFound, refused

VERSION = (0, 1, 0)
VERSION_NUMBER = VERSION[0] << 16 | VERSION[1] << 8 | VERSION[2]
SONAME = "libpillion.so.0"

NEVER = (1 << 63) - 1
CLOSE_DRAIN, CLOSE_CANCEL = 0, 1
KINDS = ("offload", "cpu", "loop", "async")
KIND_LOOP, KIND_ASYNC = 2, 3
EVENT, JOIN, DETACH = 0, 1, 2
SENDING = 4  # beside the mode: the host will send items
FLOW_OUT, FLOW_IN, FLOW_CALLBACKS, FLOW_METHOD, FLOW_NAMES, FLOW_GIVES = 1, 2, 4, 8, 16, 32
# In an event's flags.
ITEM, CALLED, WRITABLE, FINISHED, CANCEL, OBJECT, FLOWS = 2, 4, 8, 16, 32, 128, 256
ONE_WAY = CALLED | 1  # or posted: a call without an answer
LOG_ROOM = 1 << 18
INLINE = 24
EINVAL, ENOMEM, EBADHANDLE, EWRONGTHREAD, EFORKED, EAGAIN, EMSGSIZE = -1, -2, -3, -4, -6, -7, -8
ECLOSED, ECANCELLED, EFAILED, ENOTFOUND, ETIMEDOUT, EINTR = -10, -11, -13, -14, -16, -17
ENOTSUP = -20

LARGE = 1 << 20  # a copy of so many bytes is worth a release of the GIL

# pillion_event, 64 bytes: the token in two halves, the status, the length and
# the payload. It skips what an end does not need: task, outcome, flags and link.
EVENT_SIZE = 64
EVENTS = struct.Struct("=II8xi4xQ24s8x")
ALL_OF_EVENTS = struct.Struct("=IIQiHHQ24sQ")
ANSWER = 1  # what a deed does
TOP_OF_TOKEN = 7  # where the token's highest byte is
ADDRESS = struct.Struct("=Q")
UNKNOWN = -1  # how many a turn took, if an exception struck before it was written down

# The memory from its first byte to its last. A slice of it is a copy, which costs
# a fourth of what ctypes.string_at does.
MEMORY: Any = (ctypes.c_char * sys.maxsize).from_address(0)


def copied(at: int, length: int) -> bytes:
    """The bytes at an address."""
    data: bytes = MEMORY[at : at + length]
    return data


class StartOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("version", c_int), ("ring", c_uint32),
        ("max_calls", c_uint32), ("max_workers", c_uint32),
        ("max_request", c_uint64), ("allocator", c_void_p),
    ]  # fmt: skip


class ExecutorOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("version", c_int), ("flags", c_uint32),
        ("max_tasks", c_uint32), ("max_calls", c_uint32),
        ("max_timers", c_uint32), ("max_watches", c_uint32), ("ready", c_uint32),
        ("max_polls", c_uint32), ("max_ns", c_int64), ("seed", c_uint64),
        ("clock", c_void_p), ("clock_data", c_void_p),
        ("context_hooks", c_void_p), ("posts", c_uint32), ("gather", c_uint32),
    ]  # fmt: skip


class FunctionInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("module", c_char_p),
        ("descriptor", c_char_p), ("kind", c_uint32), ("flows", c_uint32),
    ]  # fmt: skip


class LibraryCounts(ctypes.Structure):
    names = (
        "executors", "tasks", "calls", "payloads", "workers", "parked",
        "watches", "pools", "threads", "max_workers",
        "providers", "inbound", "objects",
    )  # fmt: skip
    _fields_ = [("size", c_size_t)] + [(name, c_uint64) for name in names]


class ExecutorStats(ctypes.Structure):
    names = (
        "turns", "polls", "wakes", "pokes", "poke_errors", "spawned",
        "dropped", "calls", "events", "go_entries",
    )  # fmt: skip
    _fields_ = [("size", c_size_t)] + [(name, c_uint64) for name in names]


class CallOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("function", c_uint64), ("request", c_char_p), ("length", c_size_t),
        ("token", c_uint64), ("flags", c_uint32), ("reserved", c_uint32), ("deadline", c_int64),
        ("pool", c_uint64), ("credit", c_uint32), ("callbacks", c_uint32), ("parent", c_uint64),
        ("object", c_uint64), ("handles", c_void_p), ("handle_count", c_uint32), ("reserved2", c_uint32),
    ]  # fmt: skip


class ProviderOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("name", c_char_p), ("descriptor", c_char_p), ("token", c_uint64),
        ("functions", c_uint32), ("window", c_uint32),
    ]  # fmt: skip


class CallInformation(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("token", c_uint64), ("call", c_uint64), ("function", c_uint32),
        ("flows", c_uint32), ("deadline", c_int64),
    ]  # fmt: skip


class Progress(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("polled", c_uint32), ("more", c_uint32),
        ("deadline", c_int64), ("live", c_uint64),
    ]  # fmt: skip


Function = Callable[..., int]


class Abi:
    """The functions of one loaded library."""

    gather = 0  # ns, of executors to come

    def __init__(self, path: str) -> None:
        try:
            # Both are the same library; they differ only in ctypes' work around a call.
            quick: Any = ctypes.PyDLL(path)
            slow: Any = ctypes.CDLL(path)

            def of(dll: Any, name: str, *types: Any) -> Function:
                function = getattr(dll, "pillion_" + name)
                function.argtypes = types
                function.restype = c_int
                return function  # type: ignore[no-any-return]

            self.version = of(quick, "version")
            self.start = of(slow, "start", c_void_p, c_char_p, c_size_t)
            self.shutdown = of(slow, "shutdown", c_int, c_int64)
            self.library_count = of(quick, "library_count", c_void_p)
            self.executor_new = of(quick, "executor_new", c_void_p, c_void_p, c_char_p, c_size_t)
            self.executor_fd = of(quick, "executor_fd", c_void_p, c_uint64)
            self.executor_free = of(slow, "executor_free", c_uint64)
            self.executor_stat = of(quick, "executor_stat", c_void_p, c_uint64)
            turn = (c_void_p, c_size_t, c_void_p, c_uint64, c_void_p)
            self.turn = of(quick, "executor_turn", *turn)
            self.turn_go = of(slow, "executor_turn", *turn)
            self.function_find = of(slow, "function_find", c_void_p, c_char_p)
            self.function_list = of(slow, "function_list", c_void_p, c_size_t)
            self.function_describe = of(quick, "function_describe", c_void_p, c_uint64)
            self.module_list = of(slow, "module_list", c_void_p, c_size_t)
            batch = (c_void_p, c_uint64, c_void_p, c_size_t, c_char_p, c_uint32)
            self.batch = of(quick, "call_batch", *batch)
            self.batch_large = of(slow, "call_batch", *batch)
            submit = (c_void_p, c_uint64, c_uint64, c_char_p, c_size_t, c_uint64, c_uint32)
            self.submit = of(quick, "call_submit", *submit)
            self.submit_large = of(slow, "call_submit", *submit)
            self.submit_with = of(quick, "call_submit_with", c_void_p, c_uint64, c_void_p)
            self.submit_with_large = of(slow, "call_submit_with", c_void_p, c_uint64, c_void_p)
            self.credit = of(quick, "call_credit", c_uint64, c_uint32)
            self.send = of(quick, "call_send", c_uint64, c_void_p)
            self.finish = of(quick, "call_finish", c_uint64)
            self.accept = of(quick, "call_accept", c_uint64, c_uint64, c_uint32)
            self.info = of(quick, "call_info", c_void_p, c_uint64)
            self.deeds = of(quick, "call_deeds", c_char_p, c_size_t, c_char_p)
            provider = (c_void_p, c_uint64, c_void_p, c_char_p, c_size_t)
            self.provider_new = of(slow, "provider_new", *provider)
            self.provider_free = of(quick, "provider_free", c_uint64)
            log = (c_void_p, c_size_t, c_uint64, c_uint64, c_int)
            self.log_take = of(quick, "log_take", *log)
            self.object_drop = of(quick, "object_drop", c_uint64)
            self.host_epoll = of(quick, "host_epoll", c_void_p, c_uint64)
            self.task_cancel = of(quick, "task_cancel", c_uint64)
            self.task_detach = of(quick, "task_detach", c_uint64)
            self.task_wait = of(slow, "task_wait", c_void_p, c_uint64, c_int64)
            self._strerror: Any = quick.pillion_strerror
            self._strerror.argtypes = (c_int,)
            self._strerror.restype = c_char_p
        except (OSError, AttributeError) as error:
            raise LibraryNotFound(f"{path}: {error}") from error

    def strerror(self, status: int) -> str:
        text: bytes = self._strerror(status)
        return text.decode()

    def check(self, status: int, detail: str = "") -> int:
        """Raises the error of a negative answer."""
        if status < 0:
            raise refused(status, detail or self.strerror(status))
        return status

    def begin(
        self, ring: int = 0, max_calls: int = 0, max_request: int = 0, max_workers: int = 0
    ) -> None:
        """Compares versions and starts the library; later calls change nothing."""
        text = ctypes.create_string_buffer(256)
        size = ctypes.sizeof(StartOptions)
        options = StartOptions(size, VERSION_NUMBER, ring, max_calls, max_workers, max_request)
        rc = self.start(ctypes.byref(options), text, len(text))
        self.check(rc, text.value.decode("utf-8", "replace"))

    def new_executor(self) -> Tuple[int, int]:
        """An executor and its descriptor."""
        text = ctypes.create_string_buffer(256)
        options = ExecutorOptions(ctypes.sizeof(ExecutorOptions), VERSION_NUMBER)
        options.gather = self.gather
        executor, fd = c_uint64(), c_int()
        rc = self.executor_new(ctypes.byref(executor), ctypes.byref(options), text, len(text))
        self.check(rc, text.value.decode("utf-8", "replace"))
        rc = self.executor_fd(ctypes.byref(fd), executor)
        if rc < 0:
            self.executor_free(executor)
        self.check(rc)
        return executor.value, fd.value

    def start_call(
        self, out: Any, executor: int, function: int, request: bytes, token: int, flags: int,
        deadline: Optional[int] = None, credit: int = 0, callbacks: int = 0, parent: int = 0,
        receiver: int = 0, handles: Sequence[int] = (),
    ) -> int:  # fmt: skip
        """Submits one call. `deadline` is for the function's context."""
        large = len(request) >= LARGE
        if deadline is None and not (credit or callbacks or parent or flags & SENDING or receiver or handles):
            submit = self.submit_large if large else self.submit
            return submit(out, executor, function, request, len(request), token, flags)
        named = (c_uint64 * len(handles))(*handles)
        options = CallOptions(
            ctypes.sizeof(CallOptions), function, request, len(request), token, flags, 0,
            NEVER if deadline is None else deadline, 0, credit, callbacks, parent,
            receiver, ctypes.addressof(named), len(handles), 0,
        )  # fmt: skip
        submit = self.submit_with_large if large else self.submit_with
        return submit(out, executor, ctypes.byref(options))

    def epoll(self, executor: int) -> Optional[int]:
        """The set in which the library watches descriptors, if the system grants one."""
        fd = c_int()
        return fd.value if self.host_epoll(ctypes.byref(fd), executor) == 0 else None

    def stats(self, executor: int) -> ExecutorStats:
        stats = ExecutorStats(ctypes.sizeof(ExecutorStats))
        self.check(self.executor_stat(ctypes.byref(stats), executor))
        return stats

    def functions(self) -> List[int]:
        while True:
            count = self.check(self.function_list(None, 0))
            handles = (c_uint64 * count)()
            if self.check(self.function_list(handles, count)) <= count:
                return list(handles)

    def modules(self) -> List[str]:
        count = self.check(self.module_list(None, 0))
        names = (c_char_p * count)()
        self.check(self.module_list(names, count))
        return [name.decode() for name in names if name]

    def describe(self, function: int) -> FunctionInfo:
        info = FunctionInfo(ctypes.sizeof(FunctionInfo))
        self.check(self.function_describe(ctypes.byref(info), function))
        return info
