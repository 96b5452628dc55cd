# SPDX-License-Identifier: Apache-2.0
"""The library under test, the loops, and the check that nothing is left over."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import uvloop

import pillion

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
ROOT = PROJECT.parent.parent
PATH = os.environ.get("PILLION_TEST_LIBRARY", str(ROOT / "build/lib/libpillion-test.so"))

ASYNCIO = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]
TRIO = [pytest.param(("trio", {}), id="trio")]
everywhere = pytest.mark.parametrize("anyio_backend", ASYNCIO + TRIO)
LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]
loops = pytest.mark.parametrize("new", LOOPS)


@pytest.fixture(params=ASYNCIO)
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="session")
def lib():
    return pillion.load(PATH)


@pytest.fixture(autouse=True)
def nothing_left(lib):
    """After each test the library counts nothing that lives."""
    yield
    lib.shutdown(cancel=True, timeout=30)
    lib.start()
    counts = lib.counts()
    for name in ("workers", "parked", "threads", "max_workers"):
        counts.pop(name)
    assert not any(counts.values()), counts


def run(code, *arguments, **environment):
    """Runs `code` in a process of its own, where `lib` is loaded lazily."""
    head = "import pillion, sys, os\nlib = pillion.load(os.environ['PILLION_LIBRARY'])\n"
    env = dict(os.environ, PILLION_LIBRARY=PATH, PYTHONPATH=str(PROJECT / "src"), **environment)
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code), *arguments],
        env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def inside(lib, count):
    """Waits until `count` calls are inside test.block and test.stubborn."""
    while await lib.call("test.waiting") != str(count).encode():
        pass


def finish(loop):
    """Does what asyncio.run does at its end."""
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
