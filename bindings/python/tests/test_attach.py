# SPDX-License-Identifier: Apache-2.0
"""pillion_executor_attach as a language without a compiler calls it, by ctypes alone."""

import pytest
from conftest import run

HEAD = """
import asyncio, ctypes
from ctypes import CFUNCTYPE, byref, c_char_p, c_int, c_int32, c_size_t, c_uint16, c_uint64, c_void_p

class Event(ctypes.Structure):
    _fields_ = [("token", c_uint64), ("task", c_uint64), ("status", c_int32), ("outcome", c_uint16),
                ("flags", c_uint16), ("length", c_uint64), ("bytes", ctypes.c_ubyte * 24), ("reserved", c_uint64)]

ON_EVENT = CFUNCTYPE(None, ctypes.POINTER(Event), c_void_p)
DROP = CFUNCTYPE(None, c_void_p)

class Options(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("version", c_int), ("priority", c_int32), ("on_event", ON_EVENT),
                ("data", c_void_p), ("drop", DROP), ("library", c_char_p)]

so = ctypes.CDLL(os.environ["PILLION_LIBRARY"])
ex, text = c_uint64(), ctypes.create_string_buffer(512)
assert so.pillion_executor_new(byref(ex), None, None, 0) == 0
heard, dropped = [], []
on_event = ON_EVENT(lambda event, data: heard.append((event[0].token, bytes(event[0].bytes[:event[0].length]))))
drop = DROP(lambda data: dropped.append(1))

def attach(name, loop, library=None, priority=0):
    options = Options(ctypes.sizeof(Options), so.pillion_version(), priority, on_event, None, drop, library)
    return so.pillion_executor_attach(ex, name, c_void_p(loop), byref(options), text, len(text))

def submit(token, function=b"test.upper"):
    f = c_uint64()
    assert so.pillion_function_find(byref(f), function) == 0
    assert so.pillion_call_submit(None, ex, f, b"abc", c_size_t(3), c_uint64(token), 0) == 0
"""

UVLOOP = """
import uvloop, uvloop.loop

get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = c_void_p, [ctypes.py_object, c_char_p]
library = uvloop.loop.__file__.encode()

def its_loop(loop):
    return get(uvloop.loop.libuv_get_loop_t_ptr(loop), None)
"""


def test_plain_python_has_no_loop():
    out = run(
        HEAD + "for name in b'uv', b'glib', b'event', b'ev', b'sd-event':\n"
        "    print(attach(name, 1), text.value.decode())\n"
    )
    lines = out.splitlines()
    assert len(lines) == 5
    for line, soname in zip(lines, ["libuv", "libglib-2.0", "libevent_core-2.1", "libev", "libsystemd"]):
        assert line.startswith("-14 this process has no loop ")
        assert f"{soname}.so." in line and "is not loaded" in line


def test_uvloop_is_found_in_its_own_file_only():
    run(
        HEAD + UVLOOP + """
loop = uvloop.new_event_loop()
assert attach(b"uv", its_loop(loop)) == -14 and b"libuv.so.1" in text.value
assert attach(b"uv", its_loop(loop), b"libuv.so.1") == -14
assert attach(b"uv", its_loop(loop), library) == 0, text.value
assert attach(b"uv", its_loop(loop), library) == -9  # it is there already

async def main():
    for i in range(1, 4):
        submit(i)
        while len(heard) < i:
            await asyncio.sleep(0.001)
    submit(9, b"test.loop_echo")
    while len(heard) < 4:
        await asyncio.sleep(0.001)

loop.run_until_complete(main())
assert heard == [(1, b"ABC"), (2, b"ABC"), (3, b"ABC"), (9, b"abc")], heard
assert so.pillion_executor_detach(ex) == 0 and dropped == [1]
loop.close()
assert so.pillion_executor_free(ex) == 0
"""
    )


@pytest.mark.parametrize("end", ["free", "detach"])
def test_the_executor_leaves_uvloop_before_the_loop_is_closed(end):
    """uvloop's close takes every handle of libuv's loop for its own."""
    run(
        HEAD + UVLOOP + """
loop = uvloop.new_event_loop()
for i in range(50):
    if i == 0 or sys.argv[1] == "detach":
        assert attach(b"uv", its_loop(loop), library) == 0
        submit(1, b"test.block")
    loop.run_until_complete(asyncio.sleep(0.001))
    if sys.argv[1] == "detach":
        assert so.pillion_executor_detach(ex) == 0 and len(dropped) == i + 1
assert so.pillion_executor_free(ex) == 0 and len(dropped) == (50 if sys.argv[1] == "detach" else 1)
loop.close()
""",
        end,
    )


def test_two_copies_of_libuv_are_told_apart():
    run(
        HEAD + UVLOOP + """
loop = uvloop.new_event_loop()
assert attach(b"uv", its_loop(loop), library) == 0
try:
    other = ctypes.CDLL("libuv.so.1")
except OSError:
    sys.exit()
other.uv_default_loop.restype = c_void_p
assert attach(b"uv", other.uv_default_loop()) == -9 and b"another copy" in text.value
submit(1)
while not heard:
    loop.run_until_complete(asyncio.sleep(0.001))
assert so.pillion_executor_free(ex) == 0
loop.close()
"""
    )


def test_glib_with_a_priority():
    """A source of a lower priority waits for the executor's."""
    run(
        HEAD + """
glib = ctypes.CDLL("libglib-2.0.so.0")
glib.g_main_context_new.restype = c_void_p
context = c_void_p(glib.g_main_context_new())
glib.g_idle_source_new.restype = c_void_p
idle = c_void_p(glib.g_idle_source_new())
IDLE = CFUNCTYPE(c_int, c_void_p)
rounds = []
count = IDLE(lambda data: rounds.append(1) or 1)
glib.g_source_set_callback(idle, count, None, None)
glib.g_source_set_priority(idle, 0)
glib.g_source_attach(idle, context)
assert attach(b"glib", context.value, priority=200) == 0, text.value
submit(1)
for i in range(100):
    glib.g_main_context_iteration(context, 0)
assert len(rounds) == 100 and not heard  # the executor's turn
glib.g_source_destroy(idle)
while not heard:
    glib.g_main_context_iteration(context, 1)
assert heard == [(1, b"ABC")]
assert so.pillion_executor_free(ex) == 0 and dropped == [1]
glib.g_main_context_unref(context)
assert attach(b"glib", None) == -3  # the executor's handle is stale
"""
    )
