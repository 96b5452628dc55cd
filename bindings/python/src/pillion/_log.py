# SPDX-License-Identifier: Apache-2.0
"""What Go logs, and what the library has to say, into a logger of Python's."""

from __future__ import annotations

import ctypes
import json
import logging
from collections import deque
from typing import Any, Deque, Dict

from . import _abi
from ._errors import Busy
from ._flow import Function, Telling

TAKEN = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}  # names that records have

log = logging.getLogger("pillion")


class Log:
    """A logger that gets what Go logs, until its block or its loop ends: see Library.log_to."""

    __slots__ = ("_host", "_executor", "_token", "_logger", "_room", "_lines")

    def __init__(self, host: Telling, logger: logging.Logger) -> None:
        flow = host.new_flow()
        # An event of the log's is like a call of Go's, of this function.
        flow.functions = [Function(self._serve, bytes, bytes)]
        self._host = host
        self._executor = host.executor
        self._token = flow.token
        self._logger = logger
        self._room = ctypes.create_string_buffer(_abi.LOG_ROOM)
        self._lines: Deque[bytes] = deque()
        if host.core.logs.setdefault(host.executor, self.close) != self.close:
            raise Busy("the loop has a logger for Go already")
        host.flows[flow.token] = flow  # before its first event
        try:
            host.abi.check(self._take(host.executor))
        except BaseException:
            self._forget()
            raise
        self._deliver()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Logs what Go has logged until now. Then Go logs as without a listener."""
        if self._listens():
            self._forget()
            self._take(0)
            self._deliver()

    def _listens(self) -> bool:
        return self._host.core.logs.get(self._executor) == self.close

    def _forget(self) -> None:
        self._host.core.logs.pop(self._executor, None)
        self._host.flows.pop(self._token, None)

    def _serve(self, _: bytes) -> None:
        if self._listens():  # its event may come after the close
            self._take(self._executor)
            self._deliver()

    def _take(self, executor: int) -> int:
        """Takes the lines; the next one is told to the executor."""
        level = -((logging.INFO - self._logger.getEffectiveLevel()) * 2 // 5)  # of slog
        room = self._room
        length = self._host.abi.log_take(room, len(room), executor, self._token, level)
        if length > 0:
            self._lines.extend(ctypes.string_at(room, length).splitlines())
        return length

    def _deliver(self) -> None:
        while self._lines:
            try:
                emit(self._logger, json.loads(self._lines.popleft().decode(errors="replace")))
            except Exception as error:
                log.error("a record of Go's was not logged", exc_info=error)


def emit(logger: logging.Logger, line: Dict[str, Any]) -> None:
    level = logging.INFO + line["level"] * 5 // 2
    if not logger.isEnabledFor(level):
        return
    source = line.get("source", {})
    record = logger.makeRecord(
        logger.name, level, source.get("file", ""), source.get("line", 0), line["msg"], (), None,
        source.get("function"),
    )  # fmt: skip
    if "time" in line:
        at = line["time"] / 1e9
        record.relativeCreated += (at - record.created) * 1000
        record.created = at
        record.msecs = float(line["time"] // 1000000 % 1000)
    record.threadName = "Go"
    for name, value in line.get("extra", {}).items():
        setattr(record, name + "_" if name in TAKEN else name, value)
    logger.handle(record)
