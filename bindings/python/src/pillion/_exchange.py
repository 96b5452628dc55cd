# SPDX-License-Identifier: Apache-2.0
"""The user's side of what travels both ways: items, and functions that Go calls."""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import _abi, _lend, _sync
from ._core import Core
from ._flow import Flow, Function, Telling
from ._inlet import WINDOW
from ._log import Log
from ._object import ObjectClass
from ._payload import Payload, encode
from ._provide import Provider
from ._stream import Items, Stream, collect, start_sending


class Exchanging:
    """The part of a library that makes calls with flows."""

    _functions: Dict[str, int]
    _classes: Dict[str, ObjectClass]
    _descriptors: Dict[str, Dict[str, Any]]

    def _core(self) -> Core:
        raise NotImplementedError

    def _host(self) -> Telling:
        """The host of the loop that runs here."""
        raise NotImplementedError

    # ---- Items --------------------------------------------------------------

    def stream(
        self, name: str, payload: Payload = b"", items: Optional[Items] = None, *,
        timeout: Optional[float] = None,
    ) -> Stream[bytes]:  # fmt: skip
        """Calls a Go function that answers with items: see Stream.

        `items` are for a function that reads items as well: an iterable, or an async one
        such as an async generator. They are sent by a task in a copy of this context, which
        closes the generator when it is done, or Go reads no more. After `timeout` seconds
        the function's context ends, and then the stream.
        """
        flow, begin = self._flow(name, encode(payload), items, encode, WINDOW, timeout)
        return Stream(flow, None, begin)

    def stream_json(
        self, name: str, value: Any = None, items: Optional[Items] = None, *,
        timeout: Optional[float] = None,
    ) -> Stream[Any]:  # fmt: skip
        """As `stream`, with objects, as in `call_json`. Functions in `value` are lent: see there."""
        form = self._descriptors[name]
        request, functions = _lend.request(form, value)
        encoder = _lend.encoder(form, form.get("in", "any"))
        flow, begin = self._flow(name, request, items, encoder, WINDOW, timeout, functions)
        return Stream(flow, _lend.decoder(form, form.get("out", "any")), begin)

    async def collect(
        self, name: str, payload: Payload = b"", items: Items = (), *,
        timeout: Optional[float] = None,
    ) -> bytes:  # fmt: skip
        """Awaits a Go function that reads items, as `call` does. For `items` see `stream`."""
        flow, begin = self._flow(name, encode(payload), items, encode, 0, timeout)
        answer: bytes = await collect(flow, begin)
        return answer

    async def collect_json(
        self, name: str, value: Any = None, items: Optional[Items] = None, *,
        timeout: Optional[float] = None,
    ) -> Any:  # fmt: skip
        """As `collect`, with objects, as in `call_json`. Functions in `value` are lent: see there."""
        form = self._descriptors[name]
        request, functions = _lend.request(form, value)
        encoder = _lend.encoder(form, form.get("in", "any"))
        credit = WINDOW if functions else 0
        flow, begin = self._flow(name, request, items, encoder, credit, timeout, functions)
        return _lend.decoder(form, form["response"])(await collect(flow, begin))

    def _flow(
        self, name: Union[str, int], request: bytes, items: Optional[Items], encoder: Callable[[Any], bytes],
        credit: int, timeout: Optional[float], functions: Sequence[Function] = (),
    ) -> Tuple[Flow, Callable[[], bool]]:  # fmt: skip
        """A call with flows, and what submits it, unless the library is full."""
        function = name if isinstance(name, int) else self._functions[name]
        deadline = None if timeout is None else _sync.deadline(timeout)
        host = self._host()
        flow = host.new_flow()
        flow.functions = functions

        def begin() -> bool:
            flags = _abi.EVENT if items is None else _abi.SENDING
            if not host.submit_flow(flow, function, request, deadline, credit, flags):
                return False
            if items is not None:
                start_sending(flow, items, encoder)
            return True

        return flow, begin

    # ---- Objects ------------------------------------------------------------

    def object(self, name: str) -> ObjectClass:
        """A class of Go's: `Store = lib.object("store.Store")`, `await Store.open(…)`."""
        known = self._classes.get(name)
        if known is None:
            known = self._classes[name] = ObjectClass(self, name)
        return known

    # ---- Providers ----------------------------------------------------------

    def provide(self, name: str, provided: Union[Mapping[str, Callable[..., Any]], Any]) -> Provider:
        """Lets Go call functions by the name of a provider, while a `with` block lasts:

            with lib.provide("app.Http", {"fetch": fetch}):
                ...

        `provided` is a mapping of functions, or an object with public methods. A function
        gets the request's bytes and gives a payload. It may be an `async def`: it runs on
        this loop, in a copy of this context. An exception is an error in Go.

        If Go reads items of it (`imports.Func(…).Range`), it is a generator, async or not,
        or gives one. Go stops it as a slow reader would, and has it closed when it reads no
        more. If Go sends it items (`imports.Collect`), it has a second argument, for an
        `async for`.
        """
        return Provider(self._host(), name, _lend.functions(provided, bytes, encode))

    def provide_json(
        self, name: str, provided: Union[Mapping[str, Callable[..., Any]], Any]
    ) -> Provider:
        """As `provide`, for Go functions with other requests and responses than `string` and
        `[]byte`: those cross as JSON."""
        return Provider(self._host(), name, _lend.functions(provided, json.loads, _lend.to_json))

    def log_to(self, logger: Optional[logging.Logger] = None) -> Log:
        """Has a logger, by default "pillion", get what Go functions log through
        executor/hostlog, and the library's own warnings:

            with lib.log_to(logging.getLogger("news")):
                ...

        Without a `with` block until this loop closes; the library has one at a time. A
        record has Go's time and source, and the attributes as those of its own: one that a
        record has already gets an underscore at its end. Go sends no records below the
        logger's level.
        """
        return Log(self._host(), logger or logging.getLogger("pillion"))
