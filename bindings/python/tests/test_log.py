# SPDX-License-Identifier: Apache-2.0
"""What Go functions log, and the library's warnings, in loggers of Python's."""

import asyncio
import ctypes
import gc
import logging
import threading
import time

import pytest
import trio
from conftest import everywhere, finish, loops, run

import pillion
from pillion import _abi

pytestmark = pytest.mark.anyio
NAMES = ["test.log", "test.loop_log"]


class Heard(logging.Handler):
    """The logger "go", and what it has got."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.logger = logging.getLogger("go")
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.handlers[:], self.logger.filters[:] = [self], []
        self.then = lambda record: None

    def emit(self, record):
        self.records.append(record)
        self.then(record)

    def texts(self):
        return [record.getMessage() for record in self.records]


@pytest.fixture
def heard(lib):
    """Without the warnings of other tests."""
    yield Heard()
    lib.call_sync("test.log_unheard")


def say(lib, text, level=0, function="test.log", **attributes):
    return lib.call_json(function, {"Level": level, "Text": text, "Attrs": attributes})


def say_in_a_thread(lib, text, level=0):
    """Without a turn of the loop that runs here."""
    request = {"Level": level, "Text": text}
    thread = threading.Thread(target=lib.call_json_sync, args=("test.log", request))
    thread.start()
    thread.join()


async def some(condition):
    while not condition():
        await asyncio.sleep(0)


@everywhere
@pytest.mark.parametrize("name", NAMES)
async def test_record_keeps_what_go_knows_of_it(lib, anyio_backend, heard, name):
    with lib.log_to(heard.logger):
        before = time.time()
        attributes = dict(path="/x", n=3, name="mine", exc_info="e", deep={"a": [1, None]})
        attributes["message"] = "m"
        await say(lib, "100 %s", 4, name, **attributes)
    ((record),) = heard.records
    assert (record.name, record.levelname, record.getMessage()) == ("go", "WARNING", "100 %s")
    assert record.pathname.endswith("tests/module/log.go") and record.lineno > 40
    assert record.funcName.endswith("module.record.log") and record.threadName == "Go"
    assert before - 0.001 < record.created <= time.time()
    assert record.msecs == int(record.created * 1000) % 1000
    fresh = logging.makeLogRecord({})  # both from the import of logging on
    start = fresh.created - fresh.relativeCreated / 1000
    assert abs(record.created - record.relativeCreated / 1000 - start) < 1e-5
    assert (record.path, record.n, record.deep) == ("/x", 3, {"a": [1, None]})
    assert (record.name_, record.exc_info_, record.exc_info) == ("mine", "e", None)
    assert record.message_ == "m"


async def test_levels_are_mapped_and_below_the_loggers_nothing_comes(lib, heard):
    with lib.log_to(heard.logger):
        for level in (-20, -8, -4, 0, 2, 4, 8, 12):
            await say(lib, str(level), level)
    # The logger's level, DEBUG, is -4.
    assert [(r.msg, r.levelno) for r in heard.records] == [
        ("-4", 10), ("0", 20), ("2", 25), ("4", 30), ("8", 40), ("12", 50)
    ]  # fmt: skip
    heard.records.clear()
    heard.logger.setLevel(logging.ERROR)
    with lib.log_to(heard.logger):
        await say(lib, "warning", 4)  # the fallback takes it
        await say(lib, "debug", -4)
        await say(lib, "error", 8)
        await some(lambda: heard.records)
        say_in_a_thread(lib, "error again", 8)
        heard.logger.setLevel(logging.CRITICAL)  # which Go does not know yet
    assert heard.texts() == ["error"]
    assert await lib.call("test.log_unheard") == b"level=WARN msg=warning\n"
    for level, first in (21, 1), (22, 1), (23, 2), (25, 2), (26, 3), (9, -4), (8, -4), (7, -5):
        heard.records.clear()
        heard.logger.setLevel(level)
        with lib.log_to(heard.logger):
            await say(lib, "below", first - 1)
            await say(lib, "from it on", first)
        assert heard.texts() == ["from it on"], level


@everywhere
async def test_records_come_while_the_loop_runs(lib, anyio_backend, heard):
    with lib.log_to(heard.logger):
        for i in range(100):
            await say(lib, str(i))
            while len(heard.records) <= i:
                await lib.call("test.upper", "x")
    assert heard.texts() == [str(i) for i in range(100)]


@everywhere
async def test_block_ends_when_what_was_logged_is_heard(lib, anyio_backend, heard):
    for i in range(100):
        with lib.log_to(heard.logger):
            await say(lib, str(i))
        await say(lib, f"unheard-{i}")
    assert heard.texts() == [str(i) for i in range(100)]
    unheard = b"".join(b"level=INFO msg=unheard-%d\n" % i for i in range(100))
    assert await lib.call("test.log_unheard") == unheard


async def test_storm_loses_only_what_is_counted(lib, heard):
    """Each goroutine's records come in order, and a line stands for those that don't."""
    with lib.log_to(heard.logger):
        request = {"Goroutines": 50, "Each": 400, "Length": 100}
        await lib.call_json("test.log_storm", request)  # the loop hears meanwhile, if it is quick
        await say(lib, "over")
    lost, seen = 0, {}
    for record in heard.records:
        if hasattr(record, "g"):
            assert record.i > seen.get(record.g, -1)
            seen[record.g] = record.i
        elif record.msg.startswith("pillion: no room for "):
            assert record.levelno == logging.WARNING
            lost += int(record.msg.split()[4])
    told = sum(hasattr(record, "g") for record in heard.records)
    over = heard.texts().count("over")
    assert told + over + lost == 50 * 400 + 1
    assert over == 1 or heard.texts()[-1].startswith("pillion: no room")


async def test_storm_beside_a_stopped_loop_is_bounded_and_blocks_no_goroutine(lib, heard):
    with lib.log_to(heard.logger):
        # More than there is room for, and nothing of this loop runs meanwhile.
        request = {"Goroutines": 20, "Each": 500, "Length": 200}
        other = threading.Thread(target=lib.call_json_sync, args=("test.log_storm", request))
        other.start()
        other.join()
        assert not heard.records
        await some(lambda: heard.records)
        *records, last = heard.records
        assert last.msg == f"pillion: no room for {20 * 500 - len(records)} lines of the log"
        assert sum(len(record.msg) for record in records) < 1 << 18
        await say(lib, "room again")
    assert heard.texts()[-1] == "room again"


async def test_handler_that_has_go_log_is_not_entered_again(lib, heard):
    depth, calls = [0], []

    def echo(record):
        assert depth[0] == 0
        depth[0] += 1
        if len(calls) < 20:
            calls.append(asyncio.ensure_future(say(lib, f"echo of {record.msg}")))
        depth[0] -= 1

    heard.then = echo
    with lib.log_to(heard.logger):
        await say(lib, "x")
        await some(lambda: len(heard.records) > 20)
        await asyncio.gather(*calls)
    assert heard.texts()[0] == "x" and heard.texts()[20] == "echo of " * 20 + "x"


@everywhere
async def test_filter_that_fails_loses_one_record(lib, anyio_backend, heard, caplog):
    heard.logger.addFilter(lambda record: 1 / record.n)
    with lib.log_to(heard.logger):
        for n in (1, 0, 2):
            await say(lib, str(n), n=n)
    assert heard.texts() == ["1", "2"]
    said = [record.message for record in caplog.records if record.name == "pillion"]
    assert said == ["a record of Go's was not logged"]


async def test_library_has_one_listener(lib, heard):
    def another():
        with pytest.raises(pillion.Busy):
            asyncio.run(listen())

    async def listen():
        lib.log_to(heard.logger)

    with lib.log_to(heard.logger):
        with pytest.raises(pillion.Busy):
            lib.log_to(heard.logger)
        await asyncio.get_running_loop().run_in_executor(None, another)
        await say(lib, "still heard")
    assert heard.texts() == ["still heard"]


@loops
def test_closed_loop_hears_the_rest_and_then_nothing(lib, heard, new):
    for _ in range(2):
        loop = new()

        async def main():
            lib.log_to(heard.logger)
            await say(lib, "words")

        loop.run_until_complete(main())
        say_in_a_thread(lib, "last words")
        finish(loop)
        del loop
        gc.collect()
        assert heard.texts() == ["words", "last words"]
        heard.records.clear()
        say_in_a_thread(lib, "unheard")
        assert lib.call_sync("test.log_unheard") == b"level=INFO msg=unheard\n"


def test_trio_run_that_ends_hears_the_rest(lib, heard):
    async def main():
        lib.log_to(heard.logger)
        await say(lib, "words")
        say_in_a_thread(lib, "last words")

    trio.run(main)
    assert heard.texts() == ["words", "last words"]


async def test_warnings_of_the_library_come_also_those_from_before(lib, heard):
    host = lib._host()
    with lib.log_to(heard.logger):
        pass  # it takes what other tests have left
    heard.records.clear()

    async def warn():
        options = _abi.ProviderOptions(ctypes.sizeof(_abi.ProviderOptions), b"app.Http", b'"\\\n', 1 << 62, 1, 0)
        provider = ctypes.c_uint64()
        out, by = ctypes.byref(provider), ctypes.byref(options)
        host.abi.check(host.abi.provider_new(out, host.executor, by, None, 0))
        with pytest.raises(pillion.GoError):
            await lib.call("import.fetch", "x")
        host.abi.check(host.abi.provider_free(provider))

    await warn()
    with lib.log_to(heard.logger):
        assert len(heard.records) == 1
        await warn()
    assert [r.levelno for r in heard.records] == [logging.WARNING] * 2
    for record in heard.records:
        assert record.msg.startswith("pillion: a provider's descriptor is malformed")
        assert time.time() - 60 < record.created <= time.time()


def test_child_of_a_fork_hears_nothing():
    code = """
        import asyncio, logging
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        logging.getLogger("pillion").setLevel(logging.INFO)

        async def main():
            with lib.log_to():
                await lib.call_json("test.log", {"Level": 0, "Text": "parent"})
                if not os.fork():
                    try:
                        lib.log_to()
                    except pillion.Forked:
                        print("forked", flush=True)
                    os._exit(0)
                os.wait()
                await lib.call_json("test.log", {"Level": 0, "Text": "parent again"})

        asyncio.run(main())
    """
    lines = run(code).splitlines()
    assert lines.count("forked") == 1
    assert [line for line in lines if "parent" in line] == ["parent", "parent again"]
