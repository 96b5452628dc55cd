# SPDX-License-Identifier: Apache-2.0
"""Two authors' packages, each with a library of its own, in one process."""

import shutil
import subprocess
import sys

import pytest
from conftest import PATH, run

PROJECT_FILE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "1.0"
dependencies = ["pillion"]
"""
PACKAGE = """
import os, pillion
lib = pillion.load(os.path.join(os.path.dirname(__file__), "lib{name}.so"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the two packages, each installed from its wheel."""
    root = tmp_path_factory.mktemp("authors")
    words = {"cwd": root, "check": True, "capture_output": True, "timeout": 100}
    for name in ("ann", "bob"):
        package = root / name / name
        package.mkdir(parents=True)
        (root / name / "pyproject.toml").write_text(PROJECT_FILE.format(name=name))
        (package / "__init__.py").write_text(PACKAGE.format(name=name))
        shutil.copy(PATH, package / f"lib{name}.so")
        build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "."]
        subprocess.run([*build, name], **words)
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target", "site"]
    subprocess.run([*pip, *map(str, root.glob("*.whl"))], **words)
    return root / "site"


def with_both(installed, code, *arguments):
    head = "import sys\nsys.path.append(sys.argv[1])\n"
    return run(head + code, str(installed), *arguments)


ORDERS = pytest.mark.parametrize("first", ["ann", "bob"])

TIGHT = """
import asyncio, ann, bob
libs = (ann.lib, bob.lib) if sys.argv[2] == "ann" else (bob.lib, ann.lib)
for each in libs:
    each.start()
async def main():
    for computing in libs:
        for collecting in libs:
            loop = computing.submit("test.tight")
            while await computing.call("test.waiting") != b"1":
                pass
            await asyncio.gather(*(collecting.call("test.collect") for _ in range(3)))
            await computing.call("test.loosen")
            assert await loop == b""
    print("interrupted")
if sys.argv[3] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@ORDERS
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_library_collects_while_either_computes(installed, first, loop):
    assert with_both(installed, TIGHT, first, loop) == "interrupted\n"


LOAD = """
import asyncio, threading, ann, bob
ROUNDS = int(os.environ.get("LIBRARIES_ROUNDS", "20"))
libs = (ann.lib, bob.lib) if sys.argv[2] == "ann" else (bob.lib, ann.lib)
ended = {ann.lib: 0, bob.lib: 0}
async def panics(each, name):
    try:
        await each.call(name)
    except pillion.GoPanic as error:
        assert "nil pointer" in str(error), error
        ended[each] += 1
async def echoes(each, name):
    for n in range(50):
        assert await each.call(name, str(n)) == str(n).encode()
        ended[each] += 1
async def child(each):
    process = await asyncio.create_subprocess_exec("/bin/true")
    assert await process.wait() == 0
    assert await each.call("test.child_mask") == b"0000000000000000"
    ended[each] += 1
async def gives_up(each):
    try:
        await each.call("test.block", timeout=0.001)
    except pillion.Timeout:
        ended[each] += 1
async def main():
    for _ in range(ROUNDS):
        await asyncio.gather(*(job for each in libs for job in (
            panics(each, "test.fault"), panics(each, "test.loop_fault"), echoes(each, "test.echo"),
            echoes(each, "test.loop_yield"), child(each), gives_up(each),
            each.call("test.garbage", "5"), each.call("test.collect"))))
    assert ended == dict.fromkeys(libs, ROUNDS * 104), ended
    for each in libs:
        while await each.call("test.waiting") != b"0":
            pass
def blocks(each):
    for n in range(ROUNDS * 50):
        assert each.call_sync("test.upper", "x") == b"X"
threads = [threading.Thread(target=blocks, args=(each,)) for each in libs]
for thread in threads:
    thread.start()
if sys.argv[3] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
for thread in threads:
    thread.join()
for each in libs:
    each.shutdown(timeout=30)
    counts = each.counts()
    print(counts["calls"] + counts["tasks"] + counts["executors"])
"""


@ORDERS
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_two_libraries_under_a_mixed_load(installed, first, loop):
    assert with_both(installed, LOAD, first, loop) == "0\n0\n"


def test_a_library_shuts_down_while_the_other_goes_on(installed):
    with_both(
        installed,
        """
import asyncio, ann, bob
async def main():
    assert await ann.lib.call("test.echo", "a") == await bob.lib.call("test.echo", "a")
    left = ann.lib.submit("test.stubborn")
    goes_on = bob.lib.submit("test.stubborn")
    while (await ann.lib.call("test.waiting"), await bob.lib.call("test.waiting")) != (b"1", b"1"):
        pass
    await ann.lib.call("test.release")
    assert await left == b"released"
    await asyncio.to_thread(ann.lib.shutdown)
    try:
        await ann.lib.call("test.echo")
    except pillion.Closed:
        pass
    else:
        raise AssertionError
    assert await bob.lib.call("test.waiting") == b"1"
    await bob.lib.call("test.release")
    assert await goes_on == b"released"
asyncio.run(main())
""",
    )


def test_a_forked_child_is_told_so_by_both(installed):
    with_both(
        installed,
        """
import ann, bob
for each in (ann.lib, bob.lib):
    each.call_sync("test.echo")
pid = os.fork()
if pid == 0:
    told = 0
    try:
        for each in (ann.lib, bob.lib):
            try:
                each.call_sync("test.echo")
            except pillion.Forked:
                told += 1
    finally:
        os._exit(told)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
for each in (ann.lib, bob.lib):
    assert each.call_sync("test.child_mask") == b"0000000000000000"
""",
    )
