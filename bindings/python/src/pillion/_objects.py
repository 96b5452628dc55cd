# SPDX-License-Identifier: Apache-2.0
"""Objects as requests and responses, by what a function's descriptor says."""

from __future__ import annotations

import json
from typing import Any, Dict, Tuple

NONE = type(None)
ANY = (object, bool)
# Python's types for the descriptor's. A nil list or map is null in Go's JSON.
TYPES: Dict[str, Tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "string": (str,),
    "bytes": (bytes, bytearray, memoryview, str),
    "none": (NONE, dict),
    "list": (list, tuple, NONE),
    "map": (dict, NONE),
    "struct": (dict,),
}
RAW = ("string", "bytes", "none")  # cross as their own bytes, but for those inside another type
INSIDE = {**TYPES, "bytes": (str,)}
JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def outermost(kind: Any, types: Dict[str, Tuple[type, ...]]) -> Tuple[str, Tuple[type, ...]]:
    """A type's name, and Python's types for it."""
    if isinstance(kind, dict):
        name, inner = next(iter(kind.items()))
        if name != "optional":
            return name, types.get(name, ANY)
        name, python = outermost(inner, INSIDE)
        return f"optional {name}", (*python, NONE)
    return kind, types.get(kind, ANY)


def lends(kind: Any) -> bool:
    """Reports whether functions may be in objects of a type."""
    if isinstance(kind, list):
        return any(lends(field["type"]) for field in kind)
    if isinstance(kind, dict):
        return any(name in ("callback", "signal", "object") or lends(inner) for name, inner in kind.items())
    return False


class Form:
    """How the requests and responses of one function cross."""

    __slots__ = ("name", "request", "response", "types", "lends")

    def __init__(self, name: str, descriptor: Dict[str, Any]) -> None:
        codec = descriptor["codec"]
        if codec not in ("json", "raw"):
            raise TypeError(f"{name} speaks {codec}, not json: use call or call_sync")
        self.name = name
        self.request, self.types = outermost(descriptor["request"], TYPES)
        self.response, _ = outermost(descriptor["response"], TYPES)
        self.lends = lends(descriptor["request"])

    def encode(self, value: Any) -> bytes:
        """The request for a value. Looks at the outermost type only: Go looks at the others."""
        kind, types = self.request, self.types
        fits = isinstance(value, types) and (type(value) is not bool or bool in types)
        if not fits or kind == "none" and value:
            raise TypeError(f"{self.name} takes {kind}, not {type(value).__name__}")
        try:
            if kind not in RAW:
                return JSON.encode(value).encode()
            if isinstance(value, str):
                return value.encode()
        except UnicodeEncodeError as error:
            error.reason += f", in a request to {self.name}"
            raise
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        return bytes(value or b"")

    def decode(self, data: bytes) -> Any:
        """The value of a response."""
        kind = self.response
        if kind == "bytes":
            return data
        if kind == "none":
            return None
        try:
            text = data.decode()
        except UnicodeDecodeError as error:  # Go's strings may be any bytes
            error.reason += f", in the response of {self.name}"
            raise
        if kind == "string":
            return text
        return float(text) if kind == "float" else json.loads(text)
