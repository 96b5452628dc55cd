# SPDX-License-Identifier: Apache-2.0
"""carriers.py: replays each file of vectors on each carrier, and renews README's table of
them: how many cases passed. A carrier skips cases of what it has not. run.sh,
tests/arm64/run.sh and tests/freestanding/run.sh have built the programs."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = sorted((ROOT / "tests/conformance/vectors").glob("*.vec"))
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- made by make carriers -->\n).*?(<!-- end of carriers -->\n)", re.S)
ARM = "qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/"


class Carrier(NamedTuple):
    name: str
    platform: str  # a row of README's table of platforms begins so
    command: str  # takes a file; or a board of tests/freestanding


CARRIERS = [
    Carrier("Go's `executor.Local`", "pure Go", "build/conformance/go"),
    Carrier("C's core, without Go", "Linux, glibc, amd64", "build/conformance/core"),
    Carrier("the library, from C", "Linux, glibc, amd64", "build/conformance/library"),
    Carrier("the library, from Python", "Linux, glibc, amd64",
            "build/venv/bin/python tests/conformance/replay.py build/lib/libpillion.so"),
    Carrier("arm64: `executor.Local`", "pure Go", ARM + "go"),
    Carrier("arm64: C's core", "Linux, glibc, arm64", ARM + "core"),
    Carrier("arm64: the library, from C", "Linux, glibc, arm64", ARM + "replay"),
    Carrier("static.h on the host", "microcontrollers", "board host"),
    Carrier("static.h, Cortex-M4", "microcontrollers", "board m4"),
    Carrier("static.h, Cortex-M0", "microcontrollers", "board m0"),
    Carrier("static.h, rv32imac", "microcontrollers", "board riscv"),
]  # fmt: skip


def cases(vectors: pathlib.Path) -> list[str]:
    return re.findall(r"^case (\S+)", vectors.read_text(), re.M)


def passed(command: list[str]) -> tuple[int, set[str]]:
    """How many did, and which were skipped, if it says so."""
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    said = done.stdout + done.stderr
    totals = re.search(r"^(\d+) passed, 0 failed", said, re.M)
    if done.returncode != 0 or totals is None:
        sys.exit(f"{command}\n{said}")
    return int(totals[1]), set(re.findall(r"^skipped (\S+)", said, re.M))


def row(carrier: Carrier) -> list[int]:
    """A board has all files in one program."""
    if not carrier.command.startswith("board "):
        return [passed([*carrier.command.split(), str(v)])[0] for v in VECTORS]
    board = carrier.command.removeprefix("board ")
    script = f". tests/freestanding/boards.sh; exec $(quickly {board} build/freestanding/{board}-vectors)"
    total, skipped = passed(["bash", "-c", script])
    counts = [len(set(cases(v)) - skipped) for v in VECTORS]
    assert sum(counts) == total, (carrier.name, counts, total)
    return counts


def main() -> None:
    lines = ["| | " + " | ".join(v.stem for v in VECTORS) + " |", "|---|" + ":-:|" * len(VECTORS)]
    for carrier in CARRIERS:
        lines.append(f"| {carrier.name} | " + " | ".join(str(n or "–") for n in row(carrier)) + " |")
        print(lines[-1], flush=True)
    table = "\n".join(lines) + "\n"
    README.write_text(TABLE.sub(lambda m: m[1] + table + m[2], README.read_text()))


if __name__ == "__main__":
    main()
