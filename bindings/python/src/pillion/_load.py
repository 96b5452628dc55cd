# SPDX-License-Identifier: Apache-2.0
"""Finds the shared library."""

from __future__ import annotations

import os
import threading
from typing import Dict, Optional, Union

from . import _abi
from ._errors import LibraryNotFound
from ._library import Library

_loaded: Dict[str, Library] = {}
_lock = threading.Lock()


def forked() -> None:
    """In a forked child: a lock that another thread held stays locked for ever."""
    global _lock
    _lock = threading.Lock()
    for library in [*_loaded.values()]:
        library._forked()


os.register_at_fork(after_in_child=forked)


def find(path: Optional[str] = None) -> str:
    """The argument for dlopen: see `load`."""
    path = path or os.environ.get("PILLION_LIBRARY")
    if path:
        if os.sep not in path:
            return path  # the loader's business
        if not os.path.exists(path):
            raise LibraryNotFound(f"{path}: there is no such file")
        return os.path.realpath(path)
    inside = os.path.join(os.path.dirname(__file__), "lib", _abi.SONAME)
    return os.path.realpath(inside) if os.path.exists(inside) else _abi.SONAME


def load(path: Union[str, "os.PathLike[str]", None] = None) -> Library:
    """The library at `path`; else at $PILLION_LIBRARY; else the one in this
    package; else what the system's loader finds under its soname.

    dlopen looks up a path without a slash. The same file gives the same Library. The
    first use loads it, so a process that only imports and calls this may still fork.
    """
    place = find(None if path is None else os.fspath(path))
    with _lock:
        library = _loaded.get(place)
        if library is None:
            library = _loaded[place] = Library(place)
    return library
