# SPDX-License-Identifier: Apache-2.0
"""The README shows the very programs that the tests build and run, and every
file that it names is there."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


def test_excerpt_is_from_the_file() -> None:
    assert len(blocks("go")) == 2
    assert blocks("go")[1] in (ROOT / "tests/examples/gather/main.go").read_text()
    assert len(blocks("c")) == len(blocks("python")) == 1


def test_links_lead_somewhere() -> None:
    for page in ["README.md", "CONTRIBUTING.md", "RATIONALE.md", "bindings/python/README.md", "tests/bench/README.md"]:
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
