# SPDX-License-Identifier: Apache-2.0
"""Programs run with today's library that were compiled with older headers, with
today's, and with later ones, whose structs are larger."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
LIB = ROOT / "build/lib"
FROZEN = sorted((ROOT / "tests/abi/frozen").iterdir())
MORE = 16  # bytes at the end of each struct of a later header
STRUCT = re.compile(r"struct (?P<name>pillion_\w+) \{\n  size_t size;\n[^}]*?(?=\n\})")
FOR_PROGRAMS = {"pillion_context", "pillion_ops"}  # what only the library makes


def structs(text: str) -> set[str]:
    return {m["name"] for m in STRUCT.finditer(text)}


def later(to: pathlib.Path) -> pathlib.Path:
    """Copies the headers; each struct with a size has a member more."""
    shutil.copytree(INCLUDE, to)
    for header in to.rglob("*.h"):
        header.write_text(STRUCT.sub(rf"\g<0>\n  unsigned char later[{MORE}];", header.read_text()))
    return to


def run(tmp_path: pathlib.Path, include: pathlib.Path, unknown: int, *flags: str, lib: pathlib.Path = LIB) -> None:
    """`unknown`: so far from the end of the header's structs the library knows nothing."""
    program = tmp_path / "consumer"
    subprocess.run(
        ["cc", "-std=gnu11", "-g", "-Wall", "-Werror", *flags, f"-DSIZED_UNKNOWN={unknown}", f"-I{include}",
         ROOT / "tests/abi/consumer.c", "-o", program, f"-L{lib}", "-lpillion-test", f"-Wl,-rpath,{lib}"],
        check=True,
    )  # fmt: skip
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:use_sigaltstack=0"}
    said = subprocess.run([program], env=env, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("flags", [("-O2",), ("-O1", "-fsanitize=address,undefined")], ids=["plain", "sanitized"])
@pytest.mark.parametrize("version", [*(f.name for f in FROZEN), "today", "later"])
def test_program_with_a_header_runs(tmp_path: pathlib.Path, version: str, flags: tuple[str, ...]) -> None:
    if version == "later":
        run(tmp_path, later(tmp_path / "include"), -MORE, *flags)
    elif version == "today":
        run(tmp_path, INCLUDE, 0, *flags)
    else:
        run(tmp_path, ROOT / "tests/abi/frozen" / version, 512, *flags)


@pytest.fixture(scope="session")
def next_minor(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the library of the next MINOR, built from a copy of the sources."""
    tree = tmp_path_factory.mktemp("next")
    for folder in ("include", "capi", "executor", "foreign", "tests/module"):
        shutil.copytree(ROOT / folder, tree / folder)
    for file in ("go.mod", "go.sum"):
        shutil.copy(ROOT / file, tree)
    header = tree / "include/pillion/version.h"
    number = re.compile(r"(?<=#define PILLION_VERSION_MINOR )\d+")
    header.write_text(number.sub(lambda m: str(int(m[0]) + 1), header.read_text()))
    subprocess.run(["go", "run", "./capi/build", "-o", "lib/libpillion-test.so", "./tests/module"], cwd=tree, check=True)
    return tree / "lib"


@pytest.mark.parametrize("version", [*(f.name for f in FROZEN), "today"])
def test_program_runs_with_the_library_of_the_next_minor(
    tmp_path: pathlib.Path, next_minor: pathlib.Path, version: str
) -> None:
    include, unknown = (INCLUDE, 0) if version == "today" else (ROOT / "tests/abi/frozen" / version, 512)
    run(tmp_path, include, unknown, "-O2", lib=next_minor)


def test_every_struct_is_tried() -> None:
    tried = set(re.findall(r"\bSIZED\((\w+), \d", (ROOT / "tests/support/sized.h").read_text()))
    there = structs("".join(h.read_text() for h in INCLUDE.rglob("*.h")))
    assert {f"pillion_{name}" for name in tried} == there - FOR_PROGRAMS
    assert len(there) >= 17
    frozen = structs("".join((f / "pillion.h").read_text() for f in FROZEN))
    assert frozen <= there
