# SPDX-License-Identifier: Apache-2.0
"""The README shows the very programs that the tests build and run, and every
page and picture that it names is there."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import sys
from xml.etree import ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [
    "README.md", "CONTRIBUTING.md", "RATIONALE.md", "bindings/python/README.md", "bindings/browser/README.md",
    "foreign/README.md", "tests/bench/README.md",
]  # fmt: skip
README = (ROOT / "README.md").read_text()
EXAMPLES = {"go": "hello/hello.go", "c": "hello.c", "python": "hello.py"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


@pytest.mark.parametrize(("language", "path"), EXAMPLES.items())
def test_example_is_the_file(language: str, path: str) -> None:
    source = (ROOT / "tests/examples" / path).read_text()
    # Without the licence line, and in Go the package's comment.
    code = re.sub(r"\A(?:(?:/\*.*\*/|//.*|#.*)?\n)+(?=\S)", "", source) if language != "c" else source.split("\n", 1)[1]
    assert blocks(language)[0] == code


def test_excerpts_are_from_their_files() -> None:
    for language, files in {"go": ["tail/tail.go", "gather/main.go"], "python": ["tail.py"], "c": []}.items():
        assert len(blocks(language)) == 1 + len(files)
        for block, path in zip(blocks(language)[1:], files):
            assert block in (ROOT / "tests/examples" / path).read_text()


GUIDE = (ROOT / "foreign/README.md").read_text()


def test_the_guide_shows_the_adapter_for_epoll() -> None:
    excerpts = re.findall(r"^```c\n(.*?)^```$", GUIDE, re.M | re.S)
    adapter = (ROOT / "include/pillion/epoll.h").read_text()
    assert len(excerpts) == 5
    for excerpt in excerpts:
        assert excerpt in adapter


def test_each_line_of_the_guides_checklist_has_cases() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", GUIDE, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1)) and len(rows) > 15
    files = [*(ROOT / "tests/conformance/loops").glob("*.c"), ROOT / "tests/c/adapter_test.c"]
    suites = "".join(path.read_text() for path in files)
    for number, cases in rows:
        for case in re.findall(r"`(\w+)`", cases):
            assert re.search(rf"(TEST|GIVEN)\((an_executor,\s*)?{case}\)", suites), (number, case)


def anchors(page: pathlib.Path) -> set[str]:
    """The names of a page's headings in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {path}"
        assert not anchor or anchor in anchors(target), f"{page} links to {path}#{anchor}"


def pictures() -> list[pathlib.Path]:
    return [ROOT / path for path in re.findall(r"!\[.+?\]\(([^)]+)\)", README)]


def test_pictures_are_read_on_light_and_on_dark_pages() -> None:
    assert len(pictures()) == 2
    for picture in pictures():
        ElementTree.parse(picture)
        assert "prefers-color-scheme: dark" in picture.read_text()


def test_curve_names_its_date_machine_and_command() -> None:
    text = (ROOT / "tests/bench/growth.svg").read_text()
    for wanted in [r"\d{4}-\d\d-\d\d, medians of \d+ rounds", r"tests/bench/run\.sh --only growth", r"\d+ cores, ", r"go1\.\d+"]:
        assert re.search(wanted, text), wanted


def test_paths_in_contributing_exist() -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    paths = [p for p in re.findall(r"[\w.]+/[\w./]*", code) if "NAME" not in p]
    assert len(paths) >= 40
    assert [p for p in paths if not (ROOT / p).exists()] == []


def test_floors_in_contributing_are_the_cores() -> None:
    rows = re.findall(r"^\| `capi/core/(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert rows[::-1] == list(dict.fromkeys(re.findall(r'"core/(\w+)/', (ROOT / "capi/core.c").read_text())))


def table_of(page: pathlib.Path) -> str:
    return re.search(r"<!-- made by make adapters -->\n(.*)\n<!-- end -->", page.read_text(), re.S)[1]


LOOPS = ROOT / "tests/conformance/loops"


def test_the_table_of_loops_has_all_cases_and_drivers() -> None:
    spec = importlib.util.spec_from_file_location("table", LOOPS / "table.py")
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    pythons = re.findall(r'"([\w-]+)": on_\w+', (LOOPS / "loops.py").read_text())
    full = table_of(LOOPS / "README.md")
    assert re.findall(r"^\| `(\w+)`", full, re.M) == list(table.cases())
    columns = [cell.strip() for cell in full.splitlines()[0].strip("|").split("|")][1:]
    drivers = [path.stem.replace("_", " ") for path in (LOOPS / "drivers").glob("*.c*")]
    assert sorted(columns) == sorted([*drivers, *table.GO.values(), *pythons])
    assert "✗" not in full
    assert table.summary(full) == table_of(ROOT / "README.md")


def test_a_driver_of_a_loop_is_one_short_file() -> None:
    for path in [*(LOOPS / "drivers").iterdir(), *(ROOT / "foreign").glob("*/loop_linux_test.go")]:
        assert len(path.read_text().splitlines()) < 100, path


def carriers() -> tuple[object, list[list[list[str]]], dict[str, str]]:
    """The program that makes the tables, the tables, and that of the platforms."""
    spec = importlib.util.spec_from_file_location("carriers", ROOT / "tests/conformance/carriers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["carriers"] = module
    spec.loader.exec_module(module)
    made = README.split("<!-- made by make carriers -->\n")[1].split("<!-- end of carriers -->")[0]
    tables = [[[c.strip() for c in line.strip("| ").split(" | ")] for line in part.splitlines()]
              for part in made.split("\n\n") if part.startswith("|")]  # fmt: skip
    platforms = dict(re.findall(r"^\| (.*?) \| (.*) \|$", README.split("## Platforms\n")[1].split("\n\n")[0], re.M))
    return module, tables, platforms


def test_the_tables_of_carriers_have_all_of_them_and_all_vectors() -> None:
    module, (tasks, calls), _ = carriers()
    vectors = ROOT / "tests/conformance/vectors"
    kinds = module.KINDS.values()
    check(tasks, module.CARRIERS, {f.stem: f for f in sorted(vectors.glob("*.vec"))})
    check(calls, module.CALLERS, {f"{f.stem} {k}": f for f in sorted(vectors.glob("calls/*.vec")) for k in kinds})


def check(rows: list[list[str]], carriers: list, columns: dict[str, pathlib.Path]) -> None:
    assert rows[0] == list(columns)
    assert [row[0] for row in rows[2:]] == [c.name for c in carriers]
    for row in rows[2:]:
        for file, passed in zip(columns.values(), row[1:], strict=True):
            cases = len(re.findall("^case ", file.read_text(), re.M))
            assert passed == "–" or int(passed) <= cases, (row[0], file.stem)


def test_a_platform_is_tested_if_it_has_a_carrier() -> None:
    module, _, platforms = carriers()
    claimed = {p for p, what in platforms.items() if "tested" in what and "not tested" not in what}
    both = [*module.CARRIERS, *module.CALLERS]
    assert claimed == {p for p in claimed if any(p.startswith(c.platform) for c in both)}
    for carrier in both:
        assert any(p.startswith(carrier.platform) for p in claimed), carrier
