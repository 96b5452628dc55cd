# SPDX-License-Identifier: Apache-2.0
"""Objects as requests and responses, by what a function's descriptor says."""

from __future__ import annotations

import json
from typing import Any, Dict

# Types that cross as their own bytes, and Python's types for them. A str may stand for
# bytes, as in `call`.
RAW = {"string": (str,), "bytes": (bytes, bytearray, memoryview, str), "none": (type(None),)}


def encode(function: Dict[str, Any], value: Any) -> bytes:
    """The request for a value."""
    name, codec, kind = f"{function['module']}.{function['name']}", function["codec"], function["request"]
    if codec not in ("json", "raw"):
        raise TypeError(f"{name} speaks {codec}, not json: use call or call_sync")
    if not isinstance(kind, str) or kind not in RAW:
        return json.dumps(value, separators=(",", ":")).encode()
    if kind == "none" and value == {}:
        value = None
    if not isinstance(value, RAW[kind]):
        raise TypeError(f"{name} takes {kind}, not {type(value).__name__}")
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)


def decode(function: Dict[str, Any], data: bytes) -> Any:
    """The value of a response."""
    kind = function["response"]
    if kind == "string":
        return data.decode(errors="surrogateescape")  # Go's strings may be any bytes
    if kind == "bytes":
        return data
    return None if kind == "none" else json.loads(data)
