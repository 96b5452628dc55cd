# SPDX-License-Identifier: Apache-2.0
"""Signals, forks and first uses: each in a process of its own."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import PATH, PROJECT, run


def test_import_and_load_do_not_load():
    run(
        """
        def mapped():
            return "libpillion" in open("/proc/self/maps").read()
        assert not mapped()
        lib2 = pillion.load()
        assert lib2 is lib and not mapped()
        assert lib.call_sync("test.echo", "now") == b"now"
        assert mapped()
        """
    )


def test_children_of_a_preforking_server_load_the_library():
    """The parent imports and loads, but only its children use the library."""
    out = run(
        """
        import asyncio
        for i in range(2):
            if os.fork() == 0:
                async def main():
                    return await lib.call("test.upper", "child")
                os.write(1, asyncio.run(main()) + b"\\n")
                os._exit(0)
        for i in range(2):
            assert os.wait()[1] == 0
        print(lib.call_sync("test.upper", "parent").decode())
        """
    )
    assert out.split() == ["CHILD", "CHILD", "PARENT"]


def test_forked_child_gets_forked_at_every_door():
    run(
        """
        import asyncio
        def refused(function, *args):
            try:
                function(*args)
            except pillion.Forked as error:
                assert error.code == -6
            else:
                raise AssertionError(function)
        lib.call_sync("test.echo")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                refused(lib.call_sync, "test.echo")
                refused(asyncio.run, lib.call("test.echo"))
                refused(lib.functions)
                refused(lib.counts)
                refused(lib.shutdown)
                refused(lib.start)
                code = 0
            except BaseException as error:
                print(repr(error), flush=True)
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert lib.call_sync("test.echo", "parent") == b"parent"
        """
    )


CHILD = """
import signal, threading, time
def child():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(20)
            for use in (lambda: lib.call_sync("test.echo", "x"), lib.functions, lib.counts, lib.start, lib.stats,
                        lambda: pillion.load().call_sync("test.echo", "x")):
                try:
                    use()
                except pillion.Forked:
                    code = 3
                except RuntimeError:
                    assert use is lib.stats  # no loop runs
                else:
                    assert code != 3, use
                    code = 4
        except BaseException as error:
            print(repr(error), flush=True)
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.mark.parametrize("use", ["call_sync('test.echo')", "start()", "functions()"])
def test_fork_while_another_thread_loads(use):
    """The child has locks that no thread will release, and a library that is half loaded."""
    run(
        CHILD
        + f"""
from pillion import _abi
inside, go_on = threading.Event(), threading.Event()
begin = _abi.Abi.begin
def slow(*sizes, **names):
    inside.set()
    assert go_on.wait(20)
    begin(*sizes, **names)
_abi.Abi.begin = slow
thread = threading.Thread(target=lambda: lib.{use})
thread.start()
assert inside.wait(20)
assert child() == 3, "Forked from everything"
go_on.set()
thread.join()
assert lib.call_sync("test.echo", "parent") == b"parent"
assert child() == 3
"""
    )


def test_fork_at_any_moment_of_a_load():
    """Before the load the child may load the library; later it gets Forked. It never hangs."""
    codes = {
        run(
            CHILD
            + f"""
thread = threading.Thread(target=lib.call_sync, args=("test.echo",))
thread.start()
end = time.monotonic() + {moment / 2000}
while time.monotonic() < end:
    pass
code = child()
thread.join()
assert lib.call_sync("test.echo", "parent") == b"parent"
print(code)
"""
        ).strip()
        for moment in range(16)
    }
    assert codes <= {"3", "4"}, codes


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_fork_inside_a_loop(loop):
    """The child's calls fail, and its end doesn't harm the parent."""
    run(
        f"""
        import asyncio, uvloop
        async def main():
            waiting = lib.submit("test.stubborn")
            await lib.call("test.echo")
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    await lib.call("test.echo")
                except pillion.Forked:
                    code = 0
                except BaseException as error:
                    print(repr(error), flush=True)
                finally:
                    os._exit(code)
            assert os.waitpid(pid, 0)[1] == 0
            assert await lib.call("test.echo", "parent") == b"parent"
            while await lib.call("test.waiting") != b"1":
                pass
            await lib.call("test.release")
            assert await waiting == b"released"
        {"asyncio" if loop == "asyncio" else "uvloop"}.run(main())
        """
    )


def interrupt(code):
    """Runs `code` until it prints a line, sends SIGINT, and returns its output."""
    head = "import pillion, sys, os\nlib = pillion.load(os.environ['PILLION_LIBRARY'])\n"
    env = dict(os.environ, PILLION_LIBRARY=PATH, PYTHONPATH=str(PROJECT / "src"))
    process = subprocess.Popen(
        [sys.executable, "-c", head + code], env=env, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        for _ in range(12):  # select may miss one after Python's last look
            process.send_signal(signal.SIGINT)
            try:
                out, _ = process.communicate(timeout=5)
                break
            except subprocess.TimeoutExpired:
                pass
        else:
            raise AssertionError("it waits on")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return process.returncode, out


WATCH = """
import threading
def watch():
    while lib.call_sync("test.waiting") != b"1":
        pass
    print("ready", flush=True)
threading.Thread(target=watch, daemon=True).start()
"""

AFTER = """
    while lib.call_sync("test.waiting") != b"0":
        pass
    lib.shutdown(timeout=30)
    print(lib.counts()["calls"], lib.counts()["executors"], "interrupted")
"""


@pytest.mark.parametrize("timeout", ["None", "100"])
def test_interrupt_during_call_sync(timeout):
    code, out = interrupt(
        WATCH
        + f"""
try:
    lib.call_sync("test.block", timeout={timeout})
except KeyboardInterrupt:
{AFTER}
"""
    )
    assert (code, out) == (0, "0 0 interrupted\n")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("name", ["test.block", "test.loop_block"])
def test_interrupt_during_an_await(loop, name):
    code, out = interrupt(
        WATCH
        + f"""
import {loop}
async def main():
    await lib.call({name!r})
try:
    {loop}.run(main())
except KeyboardInterrupt:
{AFTER}
"""
    )
    assert (code, out) == (0, "0 0 interrupted\n")


def test_signal_handler_that_returns_does_not_end_the_wait():
    code, out = interrupt(
        """
import signal, threading
hits = []
def handler(*_):
    hits.append(1)
    threading.Thread(target=lib.call_sync, args=("test.release",)).start()
signal.signal(signal.SIGINT, handler)
"""
        + WATCH
        + """
assert lib.call_sync("test.stubborn") == b"released"
print(hits)
"""
    )
    assert (code, out) == (0, "[1]\n")


def test_interrupt_during_shutdown():
    code, out = interrupt(
        """
import threading
thread = threading.Thread(target=lib.call_sync, args=("test.stubborn",), daemon=True)
thread.start()
while lib.call_sync("test.waiting") != b"1":
    pass
def watch():
    try:
        while True:
            lib.call_sync("test.echo")
    except pillion.Closed:
        print("ready", flush=True)
try:
    threading.Thread(target=watch, daemon=True).start()
    lib.shutdown()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(0)
"""
    )
    assert (code, out) == (0, "interrupted\n")


def test_a_library_that_cannot_start_says_so_and_is_tried_again():
    run(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)) # Go would raise a soft one
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            os.close(taken.pop()) # for the loader
        for use in (lib.start, lib.functions, lambda: lib.call_sync("test.echo")):
            try:
                use()
            except pillion.SystemFailure as error:
                assert "eventfd" in str(error), error
            else:
                raise AssertionError(use)
        for fd in taken:
            os.close(fd)
        assert lib.call_sync("test.echo", "now") == b"now"
        """
    )
