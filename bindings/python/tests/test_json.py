# SPDX-License-Identifier: Apache-2.0
import anyio
import pytest
from conftest import everywhere

pytestmark = pytest.mark.anyio

JSON = [
    ("test.json_none", {"a": 1, "b": 2}, None),
    ("test.json_digits", {"a": 1, "b": 2}, "123"),
    ("test.json_bytes", {"a": 1, "b": 255}, b"\x01\xff"),
    ("test.json_number", {"a": 6, "b": 7}, 42),
    ("test.json_length", "abc€", {"sum": 6}),
    ("test.json_size", b"\x00abc", {"sum": 4}),
    ("test.json_size", "abc€", {"sum": 6}),
    ("test.json_seven", None, {"sum": 7}),
    ("test.json_seven", {}, {"sum": 7}),
    ("test.json_id", '"quoted"', '"quoted"!'),
    ("test.json_time", "2026-11-28T12:00:00Z", "2026-11-28T12:00:01Z"),
    ("test.json_maybe", None, None),
    ("test.json_maybe", "text", "text"),
    ("test.upper", "abc", "ABC"),
    ("test.echo", bytearray(b"abc"), b"abc"),
]


@everywhere
async def test_json_comes_back_as_json(lib):
    assert await lib.call_json("test.add", {"a": 40, "b": 2}) == {"sum": 42}
    assert lib.describe("test.add")["codec"] == "json"


@everywhere
@pytest.mark.parametrize("name, value, answer", JSON)
async def test_json_is_what_the_descriptor_says(lib, name, value, answer):
    assert await lib.call_json(name, value) == answer
    assert await anyio.to_thread.run_sync(lib.call_json_sync, name, value) == answer


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("test.echo", {}, "test.echo takes bytes, not dict"),
        ("test.json_size", 7, "test.json_size takes bytes, not int"),
        ("test.json_length", b"bytes", "test.json_length takes string, not bytes"),
        ("test.json_length", None, "test.json_length takes string, not NoneType"),
        ("test.json_seven", 7, "test.json_seven takes none, not int"),
    ],
)
async def test_json_that_a_function_does_not_take_is_not_sent(lib, name, value, said):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    with pytest.raises(TypeError, match=said):
        await lib.call_json(name, value)
    assert lib.stats()["calls"] == before
