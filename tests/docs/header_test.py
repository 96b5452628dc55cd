# SPDX-License-Identifier: Apache-2.0
"""Every C declaration is documented in the house's order, and the README's and
headers' examples are the files that the tests build."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = sorted((ROOT / "include").rglob("*.h"))
SECTIONS = ["Threads:", "Reentrancy:", "Ownership:", "Returns:", "Since:"]

# A comment, and the function that stands right below it.
DOCUMENTED = re.compile(
    r"/\*\n(?P<comment>(?: \*[^\n]*\n)+?) \*/\n"
    r"(?P<declaration>(?:static inline )?[a-z][\w \*]*?\b(?P<name>pillion_\w+)\([^;{]*\))\s*[;{]"
)
FUNCTION = re.compile(r"^(?:static inline )?[a-z][\w \*]*?\b(pillion_\w+)\(", re.M)


def functions() -> list[tuple[str, str, str | None]]:
    found = []
    for header in HEADERS:
        text = header.read_text()
        documented = {m["name"]: m["comment"] for m in DOCUMENTED.finditer(text)}
        for name in FUNCTION.findall(text):
            if not name.startswith("pillion__"):
                found.append((header.name, name, documented.get(name)))
    return found


def test_the_headers_declare_functions() -> None:
    assert len({name for _, name, _ in functions()}) >= 40


@pytest.mark.parametrize(("header", "name", "comment"), functions())
def test_declaration_is_documented(header: str, name: str, comment: str | None) -> None:
    assert comment is not None, f"{header}: {name} has no comment right above it"
    text = [line.removeprefix(" *").strip() for line in comment.splitlines()]
    assert text[0].startswith(name + " "), f"the first sentence begins with {name}"
    at = [next((i for i, l in enumerate(text) if l.startswith(s)), -1) for s in SECTIONS]
    assert -1 not in at, f"{name} lacks {SECTIONS[at.index(-1)]}"
    assert at == sorted(at), f"{name}: not in the order {SECTIONS}"
    for start, end in zip(at, at[1:] + [len(text)]):
        assert " ".join(text[start:end]).split(":", 1)[1].strip(), f"{name}: an empty section"
    reentrancy, returns = (" ".join(text[at[i] : at[i + 1]]) for i in (1, 3))
    if "not inside a turn" in reentrancy:
        assert "PILLION_EREENTRANT" in returns or " as pillion_" in returns, f"{name}: it returns PILLION_EREENTRANT"


def test_parameters_are_named() -> None:
    for header in HEADERS:
        for declaration in re.findall(r"^[a-z][^;{}#]*?\bpillion_\w+\(([^;{}]*)\);", header.read_text(), re.M):
            for parameter in declaration.split(","):
                words = re.findall(r"\w+", parameter)
                assert words == ["void"] or len(words) >= 2, f"{header.name}: unnamed: {declaration}"
