# SPDX-License-Identifier: Apache-2.0
"""Every C declaration is documented in the house's order, pillion.h has a line for
each of them, and an adapter is one short file."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = sorted((ROOT / "include").rglob("*.h*"))
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


# In pillion.h a line for a header begins a group, and a line for each of its functions
# follows.
GROUP = re.compile(r"^ \* (?P<header>\w+\.h(?:pp)?): \w")
ENTRY = re.compile(r"^ \*   (?P<name>pillion_\w+) +\w")


def index(page: str) -> list[tuple[str, str]]:
    """Header and function of each line of the index."""
    found, header = [], ""
    for line in page.split(" * INDEX\n", 1)[1].split(" */", 1)[0].splitlines():
        if group := GROUP.match(line):
            header = group["header"]
        elif entry := ENTRY.match(line):
            found.append((header, entry["name"]))
        else:
            assert line == " *", f"not a line of the index: {line}"
    return found


def faults(page: str) -> list[str]:
    lines = index(page)
    there = {(header, name) for header, name, _ in functions()}
    return (
        [f"no line: {f}" for f in sorted(there - set(lines))]
        + [f"no such function: {f}" for f in sorted(set(lines) - there)]
        + [f"twice: {f}" for f in sorted(set(lines)) if lines.count(f) > 1]
    )


def test_the_index_is_complete() -> None:
    assert not faults((ROOT / "include/pillion.h").read_text())


def test_the_index_has_what_the_library_exports() -> None:
    exported = set(re.findall(r"\b(pillion_\w+);", (ROOT / "capi/exports.map").read_text()))
    assert exported <= {name for _, name in index((ROOT / "include/pillion.h").read_text())}


def test_a_fault_of_the_index_shows() -> None:
    page = (ROOT / "include/pillion.h").read_text()
    line = next(line for line in page.splitlines() if " pillion_wake " in line) + "\n"
    assert faults(page.replace(line, "")) == ["no line: ('task.h', 'pillion_wake')"]
    assert faults(page.replace(line, line + line)) == ["twice: ('task.h', 'pillion_wake')"]
    assert faults(page.replace(line, line + line.replace("wake ", "woke "))) == [
        "no such function: ('task.h', 'pillion_woke')"
    ]
    assert len(faults(page.replace(" * task.h:", " * call.h:"))) == 2 * 8  # in the wrong place


ADAPTERS = {"asio.hpp", "epoll.h", "ev.h", "event.h", "glib.h", "poll.h", "qt.hpp", "sdevent.h", "uv.h"}
ON_THEM = {"gio.h"}  # needs no host, but a library
INSTEAD = {"static.h"}  # needs no library


def test_headers_that_the_page_does_not_include() -> None:
    """Adapters are for programs that have the loop."""
    included = re.findall(r'#include "pillion/(\w+\.h)"', (ROOT / "include/pillion.h").read_text())
    there = {header.name for header in HEADERS} - {"pillion.h", "adapter.h", "child.h"}
    assert there - set(included) == ADAPTERS | ON_THEM | INSTEAD


@pytest.mark.parametrize("name", sorted(ADAPTERS | ON_THEM))
def test_an_adapter_is_one_short_file(name: str) -> None:
    text = (ROOT / "include/pillion" / name).read_text()
    assert len(text.splitlines()) < (216 if name == "asio.hpp" else 200)  # each wait of Asio's ends
    assert re.findall(r'#include "(.*)"', text) == ["adapter.h" if name in ADAPTERS else "../pillion.h"]
