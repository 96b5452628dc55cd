# SPDX-License-Identifier: Apache-2.0
"""What a call sends."""

from __future__ import annotations

from typing import Union

Payload = Union[bytes, bytearray, memoryview, str, None]


def encode(payload: Payload) -> bytes:
    if payload is None:
        return b""
    if isinstance(payload, str):
        return payload.encode()
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    raise TypeError(
        f"a payload is bytes, bytearray, memoryview, str or None, not {type(payload).__name__}"
    )
