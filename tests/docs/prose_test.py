# SPDX-License-Identifier: Apache-2.0
"""No comment and no page has words that send the reader back to the start of a
sentence. A sentence names who acts: the owner, a poster, a thief, the caller."""

from __future__ import annotations

import io
import pathlib
import re
import subprocess
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = re.compile(
    r"\b(?:whoever|nobody|shall)\b|(?<!to )\bbe it\b|\b(?:is|are) not to be\b"
    r"|(?:^|[.;] )who (?![^.;]*\?)",  # a clause as the subject
    re.I,
)
SLASHES = re.compile(r"/\*(.*?)\*/|//([^\n]*)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'|`[^`]*`", re.S)


def plain(text: str) -> str:
    """One line, without the stars and slashes of a block."""
    return re.sub(r"\s+", " ", re.sub(r"^\s*(?:\*|//|#)? ?", "", text, flags=re.M)).strip()


def of_slashes(source: str) -> list[str]:
    """Blocks, and runs of lines, of C, Go and Promela."""
    lines = re.sub(r"^(\s*//[^\n]*\n)+", lambda m: "/*" + m[0].replace("//", "").replace("*/", "") + "*/\n", source, flags=re.M)
    return [plain(m[1] or m[2]) for m in SLASHES.finditer(lines) if m[1] or m[2]]


def of_python(source: str) -> list[str]:
    found, run = [], []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            run.append(token.string)
        elif token.type != tokenize.NL:
            found, run = found + [plain("\n".join(run))], []
            if token.type == tokenize.STRING and token.string.startswith('"""'):
                found.append(plain(token.string))
    return found


def of_shell(source: str) -> list[str]:
    return [plain(m) for m in re.findall(r"(?:^\s*#[^\n]*\n)+", source, re.M)]


def of_page(source: str) -> list[str]:
    """Paragraphs, items and rows, without code."""
    text = re.sub(r"^```.*?^```$", "", source, flags=re.M | re.S)
    text = re.sub(r"^    .*$|`[^`\n]*`", "", text, flags=re.M)
    return [plain(p) for p in re.split(r"\n\s*\n|\n(?=[-|#]|\d+\. )", text)]


READERS = {".c": of_slashes, ".h": of_slashes, ".go": of_slashes, ".pml": of_slashes,
           ".py": of_python, ".sh": of_shell, ".md": of_page}


def faults(name: str, source: str) -> list[str]:
    prose = READERS[pathlib.Path(name).suffix](source)
    return [sentence for sentence in prose if FAULTS.search(sentence)]


def files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f for f in listed.stdout.split() if pathlib.Path(f).suffix in READERS]


@pytest.mark.parametrize("name", files())
def test_sentences_name_who_acts(name: str) -> None:
    assert faults(name, (ROOT / name).read_text()) == []


@pytest.mark.parametrize(("name", "source"), [
    ("a.c", "/*\n * Whoever comes\n * waits. */\nint a;\n"),
    ("a.c", "int nobody; /* the bound is not\n to be reached */\n"),
    ("a.go", "// It shall\n// wait.\nvar a int\n"),
    ("a.go", 'var b = "//" // be it early or late\n'),
    ("a.pml", "/* It waits; who is late, does not. */\n"),
    ("a.py", "def f():\n    x = 1  # for nobody\n"),
    ("a.py", 'def f():\n    """Tells\n    nobody."""\n'),
    ("a.sh", "# Who asks, waits.\n"),
    ("a.md", "- one\n- for\n  whoever waits\n"),
])
def test_faults_are_found(name: str, source: str) -> None:
    assert len(faults(name, source)) == 1


@pytest.mark.parametrize(("name", "source"), [
    ("a.c", 'int nobody = 1; char *s = "/* nobody */"; /* Who waits? */\n'),
    ("a.go", "var s = `// nobody`\n"),
    ("a.py", "nobody = '# shall'\n"),
    ("a.md", "The name `nobody` is code.\n```\nshall\n```\n"),
])
def test_code_is_not_prose(name: str, source: str) -> None:
    assert faults(name, source) == []
