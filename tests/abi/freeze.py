# SPDX-License-Identifier: Apache-2.0
"""freeze.py VERSION: keeps what a program of today is compiled with, as one header
without comments, for the consumers that run against every later library."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = re.compile(r'^#include "(?P<name>[\w./]+)"\n', re.M)


def whole(header: pathlib.Path, seen: set[pathlib.Path]) -> str:
    """The header, and in front of it those of ours that it includes, each once."""
    if header in seen:
        return ""
    seen.add(header)
    bare = subprocess.run(
        ["cc", "-fpreprocessed", "-dD", "-E", "-P", header], check=True, capture_output=True, text=True
    ).stdout
    return OWN.sub(lambda m: whole((header.parent / m["name"]).resolve(), seen), re.sub(" +$", "", bare, flags=re.M))


if __name__ == "__main__":
    frozen = ROOT / "tests/abi/frozen" / sys.argv[1]
    frozen.mkdir(parents=True)
    text = whole(ROOT / "include/pillion.h", set())
    (frozen / "pillion.h").write_text(f"/* SPDX-License-Identifier: Apache-2.0 */\n{text}")
