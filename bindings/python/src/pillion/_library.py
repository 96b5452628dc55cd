# SPDX-License-Identifier: Apache-2.0
"""The user's side: Go functions by name."""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import threading
import time
from asyncio import AbstractEventLoop, Future, _get_running_loop
from typing import Any, Callable, Dict, List, Optional, TypeVar

from . import _abi, _sync
from ._asyncio import Host, Hosts
from ._burst import Burst, CallFuture
from ._core import HANDLER, Core
from ._errors import Forked, InvalidArgument, Timeout
from ._exchange import Exchanging
from ._flow import Telling
from ._objects import Form
from ._payload import Payload, encode

SLICE = 0.1  # seconds that a shutdown waits before Python's signal handlers run

T = TypeVar("T")


class Known(Dict[str, T]):
    """What was found out about functions, by name. Each is asked for once."""

    def __init__(self, ask: Callable[[str], T]) -> None:
        super().__init__()
        self.ask = ask

    def __missing__(self, name: str) -> T:
        answer = self[name] = self.ask(name)
        return answer


class Library(Exchanging):
    """One shared library with Go functions. Made by `pillion.load`.

    Any thread may use every method. The first use loads the library.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._loaded: Optional[Core] = None
        self._half_loaded = False  # the parent was loading it when this child was forked
        self._hosts = Hosts()
        self._local = self._hosts.local
        self._functions = Known(lambda name: self._core().find(name))
        self._classes = {}
        self._descriptors = Known(lambda name: self.describe(name))
        self._forms = Known(lambda name: Form(name, self._descriptors[name]))

    def __repr__(self) -> str:
        return f"<pillion.Library {self.path!r}>"

    def _core(self) -> Core:
        core = self._loaded
        if core is None:
            with self._lock:
                core = self._loaded
                if core is None:
                    core = self._loaded = self._load()
        return core

    def _load(self, *sizes: int) -> Core:
        if self._half_loaded:
            raise Forked()  # another load would find this one begun, and wait for its end
        return Core(self.path, *sizes)

    def _forked(self) -> None:
        self._half_loaded = self._half_loaded or self._loaded is None and self._lock.locked()
        self._lock = self._hosts.lock = threading.Lock()

    # ---- Calls --------------------------------------------------------------

    async def call(
        self, name: str, payload: Payload = b"", *, timeout: Optional[float] = None
    ) -> bytes:
        """Awaits a Go function: `await lib.call("hello.greet", "you")`.

        Cancelling the awaiting task, or `timeout` seconds, cancels the call in
        Go too; the function sees the timeout as its context's deadline. Raises GoError, GoPanic, GoExit or another `Error`.
        """
        host: Host = self._local.host
        if not host.running():
            if self._in_trio():
                return await self._call_trio(name, payload, timeout)
            host = self._hosts.attach(self._core())
        burst, index, future = host.add(self._functions[name], payload, Future)
        if host.inbound and HANDLER.get():
            burst.alone[index] = None, HANDLER.get()
        try:
            if timeout is not None:
                return await self._until(timeout, burst, index, future)
            return await future
        except BaseException:
            burst.cancel(index)
            raise

    @staticmethod
    async def _until(timeout: float, burst: Burst, index: int, future: Future[bytes]) -> bytes:
        burst.alone[index] = _sync.deadline(timeout), HANDLER.get()

        def expire() -> None:
            if not future.done():
                future.set_exception(Timeout())
                burst.cancel(index)

        timer = future.get_loop().call_later(timeout, expire)
        try:
            return await future
        finally:
            timer.cancel()

    @staticmethod
    def _in_trio() -> bool:
        trio = sys.modules.get("trio")
        if trio is None:
            return False
        try:
            trio.lowlevel.current_task()
        except (AttributeError, RuntimeError):  # half imported; not in a task
            return False
        return True

    async def _call_trio(self, name: str, payload: Payload, timeout: Optional[float]) -> bytes:
        from . import _trio

        core = self._core()
        return await _trio.call(core, self._functions[name], encode(payload), timeout)

    def _host(self) -> Telling:
        host: Host = self._local.host
        if host.running() and _get_running_loop() is host.loop:
            return host
        if self._in_trio():
            from . import _trio

            return _trio.attach(self._core())
        return self._hosts.attach(self._core())

    def submit(self, name: str, payload: Payload = b"") -> Future[bytes]:
        """Starts a call at once and returns an asyncio future.

        For `asyncio.gather`, `wait` and `as_completed`, which make a task of
        each coroutine but take futures as they are. Cancelling the future
        cancels the call. asyncio only.
        """
        host: Host = self._local.host
        if not host.running():
            host = self._hosts.attach(self._core())
        burst, index, future = host.add(self._functions[name], payload, CallFuture)
        if host.inbound and HANDLER.get():
            burst.alone[index] = None, HANDLER.get()
        future._pillion_call = burst, index  # type: ignore[attr-defined]
        return future

    def call_sync(
        self, name: str, payload: Payload = b"", timeout: Optional[float] = None
    ) -> bytes:
        """Calls a Go function and waits for it, on a thread without a loop.

        Other Python threads run meanwhile. KeyboardInterrupt cancels the call.
        Functions of kind "loop" or "async" need a loop: InvalidArgument.
        """
        self._may_block()
        core = self._core()
        function = self._functions[name]
        if function in core.loop_functions:
            raise InvalidArgument(f"{name} runs on a loop: await Library.call")
        return _sync.call(core, function, encode(payload), timeout)

    def _may_block(self) -> None:
        if _get_running_loop() is not None or self._in_trio():
            raise RuntimeError("call_sync would stop the loop of this thread: await Library.call")

    async def call_json(self, name: str, value: Any, *, timeout: Optional[float] = None) -> Any:
        """As `call`, with objects of the descriptor's types.

        A request or response that is a string, bytes or nothing is a `str`, `bytes` or
        `None`; json makes every other object. Where the type says so, a function stands for
        itself: Go may call it until this call ends. It may be an `async def`; it runs on this
        loop, in a copy of this context, and its exception is an error in Go.

        Raises TypeError, and sends nothing, if the function doesn't take `value`, and
        RequestError if Go finds that.
        """
        form = self._forms[name]
        if form.lends:
            return await self.collect_json(name, value, timeout=timeout)
        return form.decode(await self.call(name, form.encode(value), timeout=timeout))

    def call_json_sync(self, name: str, value: Any, timeout: Optional[float] = None) -> Any:
        """As `call_sync`, with objects: see `call_json`. Functions run in this thread, meanwhile."""
        form = self._forms[name]
        if form.lends:
            self._may_block()
            return asyncio.run(self.collect_json(name, value, timeout=timeout))
        return form.decode(self.call_sync(name, form.encode(value), timeout))

    # ---- Asking -------------------------------------------------------------

    def functions(self) -> List[str]:
        """The full names of all functions, sorted."""
        core = self._core()
        return [core.abi.describe(handle).name.decode() for handle in core.abi.functions()]

    def modules(self) -> List[str]:
        """The names of the Go modules in this library, sorted."""
        return self._core().abi.modules()

    def describe(self, name: str) -> Dict[str, Any]:
        """A function's descriptor: name, module, kind, codec, request, response, doc."""
        info = self._core().abi.describe(self._core().handle(name))
        descriptor: Dict[str, Any] = json.loads(info.descriptor)
        return descriptor

    def version(self) -> str:
        """The library's own version."""
        number = self._core().abi.version()
        return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"

    def counts(self) -> Dict[str, int]:
        """Counts of the process: executors, tasks, calls, payloads, workers, threads, …"""
        core = self._core()
        core.sweep()
        counts = _abi.LibraryCounts(ctypes.sizeof(_abi.LibraryCounts))
        core.abi.check(core.abi.library_count(ctypes.byref(counts)))
        return {name: getattr(counts, name) for name in counts.names}

    def stats(self, loop: Optional[AbstractEventLoop] = None) -> Dict[str, int]:
        """Counts of one asyncio loop's executor, by default the running one's."""
        core = self._core()
        host = self._hosts.of(loop) if loop is not None else self._hosts.attach(core)
        stats = core.abi.stats(host.executor) if host is not None else _abi.ExecutorStats()
        return {name: getattr(stats, name) for name in stats.names}

    def shutdown(self, cancel: bool = False, timeout: Optional[float] = None) -> None:
        """Refuses further calls (Closed) and waits until those in flight have ended.

        It blocks, so not on a loop's thread. Raises Timeout if some still run
        after `timeout` seconds; it may be called again.
        """
        abi = self._core().abi
        mode = _abi.CLOSE_CANCEL if cancel else _abi.CLOSE_DRAIN
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if end is None else min(SLICE, max(0.0, end - time.monotonic()))
            rc = abi.shutdown(mode, _sync.nanoseconds(left))
            if rc != _abi.ETIMEDOUT:
                abi.check(rc)
                return
            if end is not None and time.monotonic() >= end:
                raise Timeout("calls are still running")

    def start(
        self,
        *,
        ring: int = 0,
        max_calls: int = 0,
        max_request: int = 0,
        max_workers: int = 0,
        gather: float = 0,
    ) -> None:
        """Loads the library now, and starts it again after a shutdown.

        The sizes count if nothing has used the library before: submissions
        waiting for Go (a power of two), calls in flight in the process, bytes
        of one request, and blocking calls that run at once while others wait.
        0 is the default.

        `gather` is for each loop that makes its first call from here on. For so many
        seconds, up to 4, the end of a call may wait for other ends before one wake-up
        of the loop serves them all. Once half of a loop's calls have ended none waits,
        so a lone call never does. A millisecond or less makes a loop with many calls in
        flight cheaper by far; 0 wakes it at once.
        """
        ns = round(gather * 1e9)
        if not 0 <= ns < 1 << 32:
            raise ValueError(f"gather is {gather} seconds, not 0 to 4")
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(ring, max_calls, max_request, max_workers)
            else:
                self._loaded.abi.begin()
            self._loaded.abi.gather = ns
