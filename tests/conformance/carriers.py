# SPDX-License-Identifier: Apache-2.0
"""carriers.py: replays each file of vectors on each carrier, and renews README's tables of
them: how many cases passed. A carrier skips cases of what it has not. run.sh,
tests/arm64/run.sh and tests/freestanding/run.sh have built the programs."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = sorted((ROOT / "tests/conformance/vectors").glob("*.vec"))
FLOWS = sorted((ROOT / "tests/conformance/vectors/calls").glob("*.vec"))
KINDS = {"loop": "on a loop", "pool": "in a pool", "goroutine": "in goroutines"}
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- made by make carriers -->\n).*?(<!-- end of carriers -->\n)", re.S)
JS = "build/conformance/node build/conformance/"
WASIP1 = "build/conformance/wazero run -cachedir build/conformance/wazero.cache -env-inherit -mount /:/:ro " \
    "build/conformance/"
PYTHON = "build/venv/bin/python tests/conformance/"
MODULE = "node --no-warnings tests/conformance/replay_calls.mjs "
ARM = "qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/"


class Carrier(NamedTuple):
    name: str
    platform: str  # a row of README's table of platforms begins so
    command: str  # takes a file; or a board of tests/freestanding


CARRIERS = [
    Carrier("Go's `executor.Local`", "pure Go", "build/conformance/go"),
    Carrier("Node: `executor.Local`", "pure Go", JS + "local-js.wasm"),
    Carrier("wasip1 in wazero: `executor.Local`", "pure Go", WASIP1 + "local-wasip1.wasm"),
    Carrier("C's core, without Go", "Linux, glibc, amd64", "build/conformance/core"),
    Carrier("the library, from C", "Linux, glibc, amd64", "build/conformance/library"),
    Carrier("the library, from Python", "Linux, glibc, amd64",
            PYTHON + "replay.py build/lib/libpillion.so"),
    Carrier("arm64: `executor.Local`", "pure Go", ARM + "go"),
    Carrier("arm64: C's core", "Linux, glibc, arm64", ARM + "core"),
    Carrier("arm64: the library, from C", "Linux, glibc, arm64", ARM + "replay"),
    Carrier("static.h on the host", "microcontrollers", "board host"),
    Carrier("static.h, Cortex-M4", "microcontrollers", "board m4"),
    Carrier("static.h, Cortex-M0", "microcontrollers", "board m0"),
    Carrier("static.h, rv32imac", "microcontrollers", "board riscv"),
]  # fmt: skip

CALLERS = [
    Carrier("a model, in Go", "pure Go", "build/conformance/calls -kind"),
    Carrier("Node: the same", "pure Go", JS + "calls-js.wasm -kind"),
    Carrier("wasip1 in wazero: the same", "pure Go", WASIP1 + "calls-wasip1.wasm -kind"),
    Carrier("the library, from C", "Linux, glibc, amd64", "build/conformance/calls_library"),
    Carrier("the library, from Python", "Linux, glibc, amd64",
            PYTHON + "replay_calls.py build/lib/libpillion-test.so"),
    Carrier("a module for JavaScript, in Node", "WebAssembly for JavaScript", MODULE + "build/lib/pillion-test.wasm"),
    Carrier("a module for WASI, in Node", "WebAssembly for WASI", MODULE + "build/lib/pillion-test-wasi.wasm"),
]  # fmt: skip: their commands take a kind, too


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


def row_of_calls(carrier: Carrier) -> list[int]:
    return [passed([*carrier.command.split(), kind, str(v)])[0] for v in FLOWS for kind in KINDS]


def table(columns: list[str], rows: Iterator[tuple[str, list[int]]]) -> str:
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + ":-:|" * len(columns)]
    for name, counts in rows:
        lines.append(f"| {name} | " + " | ".join(str(n or "–") for n in counts) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    tasks = table([v.stem for v in VECTORS], ((c.name, row(c)) for c in CARRIERS))
    calls = table([f"{v.stem} {where}" for v in FLOWS for where in KINDS.values()],
                  ((c.name, row_of_calls(c)) for c in CALLERS))  # fmt: skip
    both = f"{tasks}\nAnd of those of calls, by where Go's functions run:\n\n{calls}"
    README.write_text(TABLE.sub(lambda m: m[1] + both + m[2], README.read_text()))


if __name__ == "__main__":
    main()
