# SPDX-License-Identifier: Apache-2.0
"""The package as it is shipped: types, wheel and source distribution."""

import ast
import graphlib
import importlib.util
import os
import re
import subprocess
import sys
import venv
import zipfile

import pytest
from conftest import PATH, PROJECT

USE = """
import asyncio, pillion, sys
assert pillion.__file__.startswith(sys.prefix), pillion.__file__
lib = pillion.load()
assert lib.path.startswith(sys.prefix), lib.path
print(asyncio.run(lib.call("test.upper", "from the wheel")).decode())
print(lib.call_sync("test.upper", "sync").decode())
"""


def command(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_types_are_strict():
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull]
    assert "no issues found" in command(*words, cwd=PROJECT)


def test_files_are_small_and_licensed():
    for path in [*PROJECT.glob("src/**/*.py"), *PROJECT.glob("*.py"), *PROJECT.glob("bench/*.py")]:
        lines = path.read_text().splitlines()
        assert len(lines) < 300, path
        assert lines[0] == "# SPDX-License-Identifier: Apache-2.0", path


def imported(path):
    """The modules that a file imports at any place. The package's own begin with a dot."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is None:
            yield from ("." + name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + node.module


def test_imports_have_no_circle_and_the_core_knows_no_loop():
    """Imports that only the type checker sees count as well."""
    below = {"." + path.stem: {*imported(path)} for path in PROJECT.glob("src/pillion/*.py")}
    assert {"._core", "._abi"} < below["._asyncio"] & below["._library"] & below["._trio"]
    order = [*graphlib.TopologicalSorter(below).static_order()]
    known, todo = set(), {"._core"}
    while todo - known:
        known |= todo
        todo = set().union(*(below.get(name, ()) for name in todo))
    assert order.index("._core") < order.index("._asyncio")
    assert {"._abi", "._errors"} < known
    assert not known & {"._asyncio", "._trio", "._burst", "trio", "uvloop"}


def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", PROJECT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_glibc_floor_is_what_readelf_says():
    try:
        text = subprocess.run(["readelf", "-VW", PATH], capture_output=True, text=True).stdout
    except FileNotFoundError:
        pytest.skip("no readelf")
    said = {tuple(map(int, pair)) for pair in re.findall(r"GLIBC_(\d+)\.(\d+)", text)}
    machine, floor = hook().needs(PATH)
    assert floor == max(said | {(2, 17)})
    assert machine == os.uname().machine


def test_hook_refuses_what_is_no_library(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no ELF")
    with pytest.raises(ValueError, match="no 64-bit little-endian ELF"):
        hook().needs(str(text))


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """An sdist of the tree, and a wheel that is built from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    env = dict(os.environ, PILLION_BUILD_LIBRARY=PATH)
    said = command(
        sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(PROJECT), env=env
    )
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist, said


def test_wheel_says_what_it_needs(dist):
    wheel, _, said = dist
    machine, (major, minor) = hook().needs(PATH)
    tag = f"py3-none-manylinux_{major}_{minor}_{machine}"
    assert wheel.name == f"pillion-0.1.0-{tag}.whl"
    assert f"glibc {major}.{minor} or newer" in said
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert "Root-Is-Purelib: false" in archive.read("pillion-0.1.0.dist-info/WHEEL").decode()
    for name in ("pillion/__init__.py", "pillion/py.typed", "pillion/lib/libpillion.so.0"):
        assert name in names
    assert "pillion-0.1.0.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if "test" in name or name.endswith(".pyc")]


def test_build_without_a_library_says_what_is_missing(tmp_path):
    env = dict(os.environ, PILLION_BUILD_LIBRARY=str(tmp_path / "none.so"))
    words = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir"]
    done = subprocess.run(
        [*words, str(tmp_path), str(PROJECT)], env=env, capture_output=True, text=True
    )
    assert done.returncode != 0 and "PILLION_BUILD_LIBRARY" in done.stdout + done.stderr


def test_wheel_in_a_clean_environment(dist, tmp_path):
    """The wheel works after a pip install, without Go, compiler, source tree or variables."""
    wheel, _, _ = dist
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    python = str(place / "bin/python")
    command(
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python,
        "install", "--no-index", "--no-deps", str(wheel),
    )  # fmt: skip
    env = {"PATH": str(place / "bin"), "LANG": "C.UTF-8"}
    assert command(python, "-c", USE, cwd=tmp_path, env=env) == "FROM THE WHEEL\nSYNC\n"
