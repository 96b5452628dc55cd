# SPDX-License-Identifier: Apache-2.0
"""Objects of Go's."""

from __future__ import annotations

import json
import warnings
from typing import Any, Callable, Dict, List, Optional

from . import _abi, _lend
from ._errors import Closed
from ._inlet import WINDOW
from ._stream import Items, Stream, collect

Call = Callable[..., Any]


class ObjectClass:
    """A class of Go's objects. Its constructors are attributes, which are awaited:

        Store = lib.object("store.Store")
        async with await Store.open({"name": "a"}) as store:
            print(await store.get("key"))
            async for row in store.rows(""):
                ...

    So are the methods of an object. Each takes one value, of the type that the function's
    descriptor tells, and `timeout`; one that reads items also takes `items`, as
    `Library.stream` does. A method that gives items returns a Stream; others are awaited.
    """

    def __init__(self, library: Any, name: str) -> None:
        self._library = library
        self._name = name
        self._members: Dict[str, Dict[str, Any]] = {}
        abi = library._core().abi
        for handle in abi.functions():
            info = abi.describe(handle)
            owner, _, member = info.name.decode().rpartition(".")
            if owner == name:
                library._core().know(handle, info.kind)
                form = json.loads(info.descriptor)
                self._members[member] = {**form, "handle": handle, "gives": info.flows & _abi.FLOW_GIVES}
        if not self._members:
            abi.check(_abi.ENOTFOUND, f"no such class: {name}")

    def __repr__(self) -> str:
        return f"<class {self._name} of Go's>"

    def __getattr__(self, name: str) -> Call:
        form = self._member(name)
        if form is None or "object" in form:
            raise AttributeError(f"{self._name} has no constructor {name}")
        return self._call(form, None)

    def __dir__(self) -> Any:
        return [*super().__dir__(), *(n for n, f in self._members.items() if "object" not in f)]

    def _member(self, name: str) -> Optional[Dict[str, Any]]:
        return self._members.get(name) or self._members.get(name.rstrip("_"))  # import_

    def _call(self, form: Dict[str, Any], receiver: Optional[Object]) -> Call:
        library = self._library

        def call(value: Any = None, items: Optional[Items] = None, *, timeout: Optional[float] = None) -> Any:
            objects: List[int] = []
            request, functions = _lend.request(form, value, objects)
            streams = "out" in form
            credit = WINDOW if functions or streams else 0
            encoder = _lend.encoder(form, form.get("in", "any"))
            if items is None and "in" in form:
                items = ()
            flow, begin = library._flow(form["handle"], request, items, encoder, credit, timeout, functions)
            flow.handles, flow.gives = objects, bool(form["gives"])
            flow.object = 0 if receiver is None else receiver._open()
            decode = self._decoder(form, form["out" if streams else "response"])
            if streams:
                return Stream(flow, decode, begin)
            return finished(flow, begin, decode)

        return call

    def _decoder(self, form: Dict[str, Any], kind: Any) -> Callable[[Any], Any]:
        if not (isinstance(kind, dict) and "object" in kind):
            return _lend.decoder(form, kind)
        name = kind["object"]
        of = self if name == self._name else self._library.object(name)
        return lambda handle: Object(of, handle)


async def finished(flow: Any, begin: Callable[[], bool], decode: Callable[[Any], Any]) -> Any:
    value = decode(await collect(flow, begin))
    flow.end = b""  # an object in it is the caller's from here on
    return value


class Object:
    """An object of Go's: see ObjectClass. It is given up by `aclose`, at the end of an
    `async with` block, or when it is forgotten, with a ResourceWarning."""

    def __init__(self, of: ObjectClass, handle: int) -> None:
        self._class = of
        self._class_name = of._name
        self._handle = handle

    def __repr__(self) -> str:
        return f"<{self._class_name} of Go's{'' if self._handle else ', closed'}>"

    def __getattr__(self, name: str) -> Call:
        form = None if name.startswith("__") else self._class._member(name)
        if form is None or "object" not in form:
            raise AttributeError(f"{self._class_name} has no method {name}")
        return self._class._call(form, self)

    def __dir__(self) -> Any:
        return [*super().__dir__(), *(n for n, f in self._class._members.items() if "object" in f)]

    def _open(self) -> int:
        if not self._handle:
            raise Closed(f"{self!r} has no methods any more")
        return self._handle

    def _drop(self) -> int:
        handle, self._handle = self._handle, 0
        return self._class._library._core().abi.object_drop(handle) if handle else _abi.EBADHANDLE

    async def aclose(self) -> None:
        """Closes it, if its class has a function for that, and gives it up."""
        try:
            closes = [f for f in self._class._members.values() if f.get("closes")]
            if closes and self._handle:
                await self._class._call(closes[0], self)()
        finally:
            self._drop()

    async def __aenter__(self) -> Object:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            name = repr(self)
            if self._drop() == 0:  # not after a fork, or a shutdown
                warnings.warn(f"{name} was forgotten", ResourceWarning, source=self)
