# SPDX-License-Identifier: Apache-2.0
"""Payloads longer than a C int can count, and limits above the largest supported one."""

import ctypes
import mmap
from pathlib import Path

import pytest
from conftest import run

from pillion import _abi

SIZE = (1 << 31) + 1


def memory_available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


@pytest.mark.skipif(memory_available() < 2 * SIZE, reason="needs 4 GiB of memory")
def test_more_than_2_gib_are_copied_whole():
    with mmap.mmap(-1, SIZE) as pages:  # unwritten pages cost nothing
        pages[SIZE - 1] = 1
        there = ctypes.c_char.from_buffer(pages)
        copy = _abi.copied(ctypes.addressof(there), SIZE)
        del there
    assert len(copy) == SIZE
    assert copy[-1] == 1


def test_a_limit_of_more_than_4_gib_is_refused():
    run(
        """
        for limit in (1 << 32, 1 << 40):
            try:
                lib.start(max_request=limit)
            except pillion.TooLarge as e:
                assert "max_request" in str(e), e
            else:
                raise AssertionError(limit)
        lib.start(max_request=(1 << 32) - 1)
        assert lib.call_sync("test.echo", b"x") == b"x"
        """
    )
