# SPDX-License-Identifier: Apache-2.0
"""pillion_value, as ctypes sees it."""

from __future__ import annotations

import ctypes
from collections import deque
from ctypes import c_char_p, c_int32, c_uint32, c_uint64, c_void_p
from typing import Iterator, Optional

from . import _abi

RELEASE = ctypes.CFUNCTYPE(None, c_void_p)


class Reference(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("release", RELEASE), ("owner", c_void_p)]


class Payload(ctypes.Union):
    _fields_ = [("bytes", ctypes.c_uint8 * _abi.INLINE), ("ref", Reference)]


class Value(ctypes.Structure):
    length: int
    owners: Optional[Iterator[int]] = None
    _fields_ = [
        ("status", c_int32), ("reserved", c_uint32), ("length", c_uint64),
        ("payload", Payload),
    ]  # fmt: skip

    @classmethod
    def of(cls, data: bytes) -> Value:
        """A value for the library to copy. It needs `data`."""
        value = cls(0, 0, len(data))
        if len(data) > _abi.INLINE:
            value.payload.ref.data = ctypes.cast(c_char_p(data), c_void_p)
        else:
            value.payload.bytes[: len(data)] = data
        return value

    def copy(self) -> bytes:
        length = self.length
        if length <= _abi.INLINE:
            return bytes(self.payload.bytes[:length])
        return _abi.copied(self.payload.ref.data or 0, length)

    def drop(self) -> None:
        """Releases the value's payload once, whatever interrupts it.

        A signal handler runs between two bytecodes only: there is none between
        taking the owner from the iterator and releasing it.
        """
        ref = self.payload.ref
        if self.length > _abi.INLINE and ref.release:
            if self.owners is None:
                self.owners = iter((ref.owner,))
            deque(map(ref.release, self.owners), 0)
