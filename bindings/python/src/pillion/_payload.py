# SPDX-License-Identifier: Apache-2.0
"""What a call sends, and what it ends with."""

from __future__ import annotations

from typing import Union

from . import _abi
from ._errors import Error, failed

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


def decode(status: int, length: int, data: bytes) -> Union[bytes, Error]:
    """The result of a call, or its exception. `data` is from its event, and holds the
    payload, or begins with its address."""
    try:
        if length > _abi.INLINE:
            (at,) = _abi.ADDRESS.unpack_from(data)
            data = _abi.copied(at, length)
        else:
            data = data[:length]
    except MemoryError:
        status = _abi.ENOMEM
    return failed(status, data) if status else data
