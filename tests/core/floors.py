# SPDX-License-Identifier: Apache-2.0
"""Shows how often each floor of capi/core uses names of each other floor, and fails
if a floor uses one that stands above it.

    tests/core/floors.py [OBJECTS]

capi/core.c lists the files, and by that the floors from the lowest up. Each file is
built alone, and its object says what it needs; OBJECTS is a folder that has these
objects already. A file may not include a header of a higher floor either. The last
in core.c is the wiring, on no floor: constants, which every floor may read.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "capi/core"
OUT = ROOT / "build/core/floors"
CC = [*os.environ.get("CC", "gcc").split(), "-std=c11", "-D_GNU_SOURCE", "-O2",
      f"-I{ROOT}/include", f"-I{CORE}"]
UNITS = re.findall(r'^#include "core/(.+)\.c"$', (ROOT / "capi/core.c").read_text(), re.M)
WIRING = UNITS.pop()
FLOORS = list(dict.fromkeys(unit.split("/")[0] for unit in UNITS))


def floor(name: str) -> int:
    return FLOORS.index(name.split("/")[0])


def build(unit: str, source: Path) -> Path:
    out = OUT / f"{unit}.o"
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*CC, "-c", source, "-o", out], check=True)
    return out


def constants(path: Path) -> set[str]:
    """The names of what is in the wiring, all of it constants; exits if more is there."""
    said = subprocess.run(["nm", "-P", path], check=True, capture_output=True, text=True).stdout
    named = [line.split()[:2] for line in said.splitlines()]
    if other := [name for name, kind in named if kind not in "UrRdD"]:
        sys.exit(f"{WIRING}.c has more than constants: {other}")
    return {name for name, kind in named if kind in "RD"}


def symbols(unit: str, path: Path) -> tuple[str, set[str], set[str]]:
    """The unit, what it defines for others, and what it needs."""
    said = subprocess.run(["nm", "-gP", path], check=True, capture_output=True, text=True).stdout
    named = [line.split()[:2] for line in said.splitlines()]
    return unit, {n for n, kind in named if kind not in "Uvw"}, {n for n, kind in named if kind == "U"}


def uses(tables: list[tuple[str, set[str], set[str]]]) -> list[tuple[str, str, str]]:
    """Each use of another unit's name: the user, the owner, and the name."""
    home = {name: unit for unit, defined, _ in tables for name in defined}
    return [(unit, home[name], name) for unit, _, needed in tables
            for name in sorted(needed) if name in home]


def upward(found: list[tuple[str, str, str]]) -> set[str]:
    return {f"{unit}.c {name}" for unit, whose, name in found if floor(whose) > floor(unit)}


def headers_upward() -> list[str]:
    return [f"{path.relative_to(CORE)} includes {name}"
            for path in sorted(CORE.glob("*/*.[ch]"))
            for name in re.findall(r'^#include "(.+/.+\.h)"', path.read_text(), re.M)
            if name.split("/")[0] in FLOORS and floor(name) > floor(str(path.relative_to(CORE)))]


def misplaced() -> list[str]:
    """core.c has every file once, and floor by floor."""
    there = sorted(str(path.relative_to(CORE).with_suffix("")) for path in CORE.glob("*/*.c"))
    wrong = [f"{unit}.c is not in core.c once" for unit in set(there) ^ set(UNITS)]
    if sorted(UNITS) != there and not wrong:
        wrong = ["core.c has a file twice"]
    return wrong + [f"{b}.c stands behind {a}.c" for a, b in zip(UNITS, UNITS[1:]) if floor(a) > floor(b)]


def show(found: list[tuple[str, str, str]]) -> None:
    count = Counter((floor(unit), floor(whose)) for unit, whose, _ in found)
    print(" " * 10 + "".join(f"{name:>10}" for name in FLOORS))
    for i, name in reversed(list(enumerate(FLOORS))):
        print(f"{name:10}" + "".join(f"{count[i, j] or '':>10}" for j in range(len(FLOORS))))


def main() -> int:
    if len(sys.argv) > 1:
        *objects, wiring = [Path(sys.argv[1], f"{unit}.o") for unit in [*UNITS, WIRING]]
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            *objects, wiring = pool.map(lambda unit: build(unit, CORE / f"{unit}.c"), [*UNITS, WIRING])
    tables = [symbols(unit, path) for unit, path in zip(UNITS, objects)]
    found = uses(tables)
    show(found)
    wrong = misplaced() + headers_upward() + [f"upward: {use}" for use in sorted(upward(found))]
    wired = constants(wiring)
    read = sorted(f"{unit.split('/')[0]} {name}" for unit, _, needed in tables for name in needed & wired)
    print("\n".join(f"wired: {use}, {n} files" for use, n in Counter(read).items()))

    # The check itself must find a use that goes upward.
    source = OUT / "planted.c"
    OUT.mkdir(parents=True, exist_ok=True)
    source.write_text("void pillion_executor_turn(void);\n"
                      "void planted(void) { pillion_executor_turn(); }\n")
    planted = f"{FLOORS[0]}/planted"
    if f"{planted}.c pillion_executor_turn" not in upward(
            uses([*tables, symbols(planted, build(planted, source))])):
        wrong.append("a planted call upward was not found")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{sum(floor(a) != floor(b) for a, b, _ in found)} uses of lower floors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
