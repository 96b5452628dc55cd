# SPDX-License-Identifier: Apache-2.0
import asyncio

import anyio
import pytest
from conftest import everywhere, run

import pillion

pytestmark = [pytest.mark.anyio, everywhere]


async def test_unknown_function(lib):
    with pytest.raises(pillion.NotFound, match="no such function: test.nothing") as caught:
        await lib.call("test.nothing")
    assert caught.value.code == -14 and isinstance(caught.value, LookupError)
    with pytest.raises(pillion.NotFound):
        lib.describe("nothing")
    with pytest.raises(TypeError, match="a function's name is a str, not bytes"):
        await lib.call(b"test.echo")


@pytest.mark.parametrize("name", ["test.echo\0admin", "test.echo\0", "\0test.echo", "test.echo\udc00"])
async def test_name_that_c_would_read_otherwise(lib, name):
    await lib.call("test.echo")
    before = lib.counts()["calls"]
    with pytest.raises(pillion.NotFound):
        await lib.call(name, "x")
    with pytest.raises(pillion.NotFound):
        await lib.call_json(name, "x")
    with pytest.raises(pillion.NotFound):
        lib.describe(name)
    with pytest.raises(pillion.NotFound):
        await anyio.to_thread.run_sync(lib.call_sync, name)
    assert lib.counts()["calls"] == before


@pytest.mark.parametrize("name", ["test.fail", "test.loop_fail"])
async def test_go_error_has_message_and_code(lib, name):
    with pytest.raises(pillion.GoError) as caught:
        await lib.call(name, "out of cheese € \n")
    error = caught.value
    assert (error.message, error.code, error.status) == ("out of cheese € \n", 42, -13)
    assert str(error) == error.message and isinstance(error, pillion.Error)


async def test_go_error_of_any_length(lib):
    for size in (0, 1, 15, 16, 17, 24, 25, 100_000):
        with pytest.raises(pillion.GoError) as caught:
            await lib.call("test.fail", "x" * size)
        assert caught.value.message == "x" * size


async def test_nul_in_a_message(lib):
    with pytest.raises(pillion.GoError) as caught:
        await lib.call("test.nul")
    assert (caught.value.message, caught.value.code) == ("a\x00b", 0)


async def test_bytes_that_are_no_text_in_a_message(lib):
    with pytest.raises(pillion.GoError) as caught:
        await lib.call("test.fail", b"\xff\xfe")
    assert caught.value.message == "\ufffd\ufffd"


@pytest.mark.parametrize("name", ["test.panic", "test.loop_panic"])
async def test_panic_has_message_and_stack(lib, name):
    with pytest.raises(pillion.GoPanic) as caught:
        await lib.call(name, "boom")
    assert "boom" in caught.value.message and str(caught.value) == caught.value.message
    assert "goroutine" in caught.value.stack and "module" in caught.value.stack
    assert await lib.call("test.echo", "alive") == b"alive"


@pytest.mark.parametrize("name", ["test.goexit", "test.loop_goexit"])
async def test_goexit_is_an_error_of_its_own(lib, name):
    with pytest.raises(pillion.GoExit):
        await lib.call(name)
    assert await lib.call("test.echo", "alive") == b"alive"


async def test_parse_error_of_a_codec_is_a_request_error(lib):
    with pytest.raises(pillion.RequestError):
        await lib.call("test.add", b"{no json")


async def test_closed_library_refuses_and_starts_again(lib):
    await lib.call("test.echo")
    lib.shutdown()
    with pytest.raises(pillion.Closed) as caught:
        await lib.call("test.echo")
    assert caught.value.code == -10
    lib.start()
    assert await lib.call("test.echo", "again") == b"again"


def test_every_code_has_its_exception(lib, anyio_backend):
    from pillion._errors import BY_STATUS, refused

    for status, kind in BY_STATUS.items():
        error = refused(status)
        assert type(error) is kind and error.code == status and str(error)
    assert refused(-99).code == -99
    assert issubclass(pillion.Timeout, TimeoutError)
    assert issubclass(pillion.Timeout, asyncio.TimeoutError)
    assert pillion.TooLarge("why").args == ("why",)


def test_payloads_of_failures_that_are_cut_short(anyio_backend):
    from pillion._errors import failed

    for payload in (b"", b"abc", b"\1\0\0\0\xff\0\0\0abc"):
        assert isinstance(failed(-13, payload), pillion.GoError)
        assert isinstance(failed(-12, payload), pillion.GoPanic)
        assert isinstance(failed(-22, payload), pillion.RequestError)


def test_version_mismatch(anyio_backend):
    run(
        """
        from pillion import _abi
        _abi.VERSION_NUMBER = 99 << 16
        for _ in range(2):
            try:
                lib.functions()
            except pillion.VersionMismatch as error:
                assert isinstance(error, ImportError) and str(error), error
            else:
                raise AssertionError
        """
    )


def test_library_that_is_none(tmp_path, anyio_backend):
    with pytest.raises(pillion.LibraryNotFound, match="missing"):
        pillion.load(str(tmp_path / "missing.so"))
    text = tmp_path / "text.so"
    text.write_text("no ELF")
    with pytest.raises(pillion.LibraryNotFound):
        pillion.load(str(text)).functions()
    other = pillion.load("libc.so.6")
    with pytest.raises(pillion.LibraryNotFound, match="pillion_"):
        other.functions()
