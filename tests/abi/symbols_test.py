# SPDX-License-Identifier: Apache-2.0
"""Exactly the header's functions leave the library, in one version, under its
SONAME; and they are those of the last blessed baseline."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIB = ROOT / "build/lib"
LIBRARIES = {"libpillion.so": "libpillion.so.0", "libpillion-test.so": "libpillion-test.so"}


def declared() -> set[str]:
    text = "".join(h.read_text() for h in (ROOT / "include").rglob("*.h"))
    return set(re.findall(r"^(?:const char \*|int |size_t )(pillion_\w+)\(", text, re.M))


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exported(library: str) -> dict[str, tuple[str, str]]:
    """Name to type and version of each symbol that the library defines."""
    found = {}
    for line in run("nm", "-D", "--defined-only", "--with-symbol-versions", str(LIB / library)).splitlines():
        kind, symbol = line.split()[-2:]
        name, _, version = symbol.partition("@@")
        if version:  # else it is the version itself, an absolute symbol
            found[name] = (kind, version)
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_only_the_headers_functions_leave(library: str) -> None:
    symbols = exported(library)
    assert set(symbols) == declared()
    assert {kind for kind, _ in symbols.values()} == {"T"}, "functions only, no data"
    version = "PILLION_1_" + LIBRARIES[library].replace("-", "_")
    assert {version for _, version in symbols.values()} == {version}


@pytest.mark.parametrize(("library", "soname"), LIBRARIES.items())
def test_library_has_its_soname(library: str, soname: str) -> None:
    assert f"Library soname: [{soname}]" in run("readelf", "-d", str(LIB / library))


def test_the_linker_script_lists_the_header() -> None:
    script = (ROOT / "capi/exports.map").read_text()
    assert set(re.findall(r"\b(pillion_\w+);", script)) == declared()


def abi() -> str:
    """Sizes, offsets, constants and signatures, as the compiler sees them."""
    header = ROOT / "include/pillion.h"
    include = str(ROOT / "include")
    declarations = subprocess.run(
        ["cc", "-E", "-P", f"-I{include}", str(header)], check=True, capture_output=True, text=True
    ).stdout
    flat = re.sub(r"\s+", " ", declarations)
    ours = [
        re.sub(r"\s+", " ", m).strip()
        for m in re.findall(r"(?:struct pillion_ops \{.*?\};|typedef (?:struct pillion_\w+ \{.*?\} pillion_\w+|[^{};]*pillion_\w+[^{};]*);"
                            r"|\b(?:int|size_t|const char \*)\s*pillion_\w+\([^;{]*\);)", flat)
    ]
    macros = subprocess.run(
        ["cc", "-E", "-dM", f"-I{include}", str(header)], check=True, capture_output=True, text=True
    ).stdout
    constants = sorted(
        line for line in macros.splitlines()
        if re.match(r"#define PILLION_[A-Z0-9_]+ \S", line) and "VERSION" not in line and "(state" not in line
    )
    return "\n".join([*ours, *constants]) + "\n"


def test_the_abi_is_the_baseline() -> None:
    """PILLION_BLESS=1 pytest tests/abi accepts an intended change."""
    baseline = ROOT / "tests/abi/baseline.txt"
    if os.environ.get("PILLION_BLESS"):
        baseline.write_text(abi())
    assert abi() == baseline.read_text()
