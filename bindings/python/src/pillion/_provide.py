# SPDX-License-Identifier: Apache-2.0
"""Named functions of the program's, which Go finds by name."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Dict

from . import _abi
from ._flow import Function, Telling


class Provider:
    """Functions that Go may call while its block lasts: see Library.provide."""

    __slots__ = ("_host", "_name", "_functions", "_handle", "_token")

    def __init__(self, host: Telling, name: str, functions: Dict[str, Function]) -> None:
        self._host = host
        self._name = name
        self._functions = functions
        self._handle = ctypes.c_uint64()
        self._token = 0

    def __enter__(self) -> Provider:
        host, flow = self._host, self._host.new_flow()
        flow.functions = [*self._functions.values()]
        described = {"functions": [{"name": name} for name in self._functions]}
        options = _abi.ProviderOptions(
            ctypes.sizeof(_abi.ProviderOptions), self._name.encode(),
            json.dumps(described).encode(), flow.token, len(flow.functions), 0,
        )  # fmt: skip
        host.flows[flow.token] = flow  # before there is a provider: its events must find it
        text = ctypes.create_string_buffer(256)
        out, by = ctypes.byref(self._handle), ctypes.byref(options)
        rc = host.abi.provider_new(out, host.executor, by, text, len(text))
        if rc < 0:
            host.flows.pop(flow.token, None)
        host.abi.check(rc, text.value.decode("utf-8", "replace"))
        self._token = flow.token
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Takes no new calls. Those that run go on, and answer."""
        self._host.abi.provider_free(self._handle)
        self._host.flows.pop(self._token, None)

    __del__ = close
