# SPDX-License-Identifier: Apache-2.0
import base64
import enum
import pickle
import random
from collections import OrderedDict

import anyio
import pytest
from conftest import everywhere

import pillion

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
    ("test.same_big", 10**30, 10**30),
    ("test.same_big", None, None),
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


@everywhere
@pytest.mark.parametrize("name", ["test.add", "test.json_loop", "test.json_async"])
async def test_json_of_every_kind_of_function(lib, name):
    assert await lib.call_json(name, {"a": 40, "b": 2}, timeout=60) == {"sum": 42}


@everywhere
async def test_json_of_nothing_is_empty(lib, monkeypatch):
    sent = []

    async def call(self, name, payload, *, timeout):
        sent.append(payload)
        return b""

    monkeypatch.setattr(pillion.Library, "call", call)
    for value in (None, {}):
        assert await lib.call_json("test.same_none", value) is None
    assert sent == [b"", b""]


@everywhere
async def test_json_calls_have_timeouts(lib):
    with pytest.raises(pillion.Timeout):
        await lib.call_json("test.block", b"", timeout=0.001)
    with pytest.raises(pillion.Timeout):
        await anyio.to_thread.run_sync(lib.call_json_sync, "test.block", b"", 0.001)


# ---- Values of every type ----------------------------------------------------


class Level(enum.IntEnum):
    ONE = 1


# What each function takes, of its type and of Python's other types.
SAMPLES = [
    None, True, False, 0, -7, Level.ONE, 1.5, "", "eA==", b"x", bytearray(b"x"), memoryview(b"x"),
    [], [1], (), (1, 2), {}, {"a": "b"}, {"a": 1}, OrderedDict(b=2), {1}, 1j, object(),
]  # fmt: skip
TAKES = {
    "bool": [True, False],
    "int": [0, -7, Level.ONE],
    "float": [0, -7, Level.ONE, 1.5],
    "string": ["", "eA=="],
    "bytes": ["", "eA==", b"x", bytearray(b"x"), memoryview(b"x")],
    "none": [None, {}],
    "list": [None, [], [1], (), (1, 2)],
    "map": [None, {}, {"a": "b"}],
    "pair": [{}, {"a": 1}, OrderedDict(b=2)],
    "maybe_string": [None, "", "eA=="],
    "maybe_bytes": [None, "", "eA=="],
    "maybe_none": [None, {}, {"a": "b"}, {"a": 1}, OrderedDict(b=2)],
}
# Go refuses what is wrong further inside.
GO_REFUSES = {"map": [{"a": 1}, OrderedDict(b=2)], "pair": [{"a": "b"}]}


def among(value, values):
    return any(type(value) is type(other) and value == other for other in values)


@pytest.mark.parametrize("kind", TAKES)
async def test_a_function_takes_values_of_its_type_and_nothing_else_is_sent(lib, kind):
    name = f"test.same_{kind}"
    await lib.call("test.echo")
    for value in SAMPLES:
        before = lib.stats()["calls"]
        if among(value, TAKES[kind]):
            await lib.call_json(name, value)
        elif among(value, GO_REFUSES.get(kind, ())):
            with pytest.raises(pillion.RequestError):
                await lib.call_json(name, value)
        else:
            with pytest.raises(TypeError, match=rf"^{name}.* not {type(value).__name__}$"):
                await lib.call_json(name, value)
            assert lib.stats()["calls"] == before


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("test.echo", {}, "test.echo takes bytes, not dict"),
        ("test.json_size", 7, "test.json_size takes bytes, not int"),
        ("test.json_length", b"bytes", "test.json_length takes string, not bytes"),
        ("test.json_length", None, "test.json_length takes string, not NoneType"),
        ("test.json_seven", 7, "test.json_seven takes none, not int"),
        ("test.json_seven", {"a": 1}, "test.json_seven takes none, not dict"),
        ("test.same_int", True, "test.same_int takes int, not bool"),
        ("test.same_maybe_bytes", b"x", "test.same_maybe_bytes takes optional bytes, not bytes"),
        ("test.add", [1, 2], "test.add takes struct, not list"),
        ("test.add", {"a": b"x"}, "test.add: Object of type bytes is not JSON serializable"),
        ("test.same_any", {"a": object()}, "test.same_any: Object of type object is not JSON"),
        ("test.json_shout", "x", "test.json_shout speaks shout, not json: use call"),
    ],
)
async def test_json_that_a_function_does_not_take_is_not_sent(lib, name, value, said):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    with pytest.raises(TypeError, match=said):
        await lib.call_json(name, value)
    assert lib.stats()["calls"] == before
    with pytest.raises(TypeError, match=said):
        await anyio.to_thread.run_sync(lib.call_json_sync, name, value)


@everywhere
async def test_a_function_with_a_codec_of_its_own_takes_bytes(lib):
    with pytest.raises(TypeError, match="test.json_shout speaks shout, not json: use call"):
        await lib.call_json("test.json_shout", "x")
    assert await lib.call("test.json_shout", "x") == b"X!"


# ---- Random values, by the descriptor ----------------------------------------


def text(dice):
    kinds = ["a\"\\/<>&\x00\x7f\n", "äß€\u2028\u2029\ufeff\ufffd\ufffe", "\U0001f600\U0010ffff"]
    return "".join(dice.choice(dice.choice(kinds)) for _ in range(dice.choice([0, 1, 5, 30])))


def number(dice):
    """A float64, finite."""
    exact = [0.0, 1.0, -1.0, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 2.0**53, 7]
    return dice.choice([dice.choice(exact), dice.uniform(-1e3, 1e3), dice.uniform(-1, 1) * 1e300])


def some(dice, make):
    return [make() for _ in range(dice.choice([0, 1, 4]))]


def anything(dice, depth):
    make = [None, dice.choice([True, False]), dice.randint(-(2**53), 2**53), number(dice), text(dice)]
    if depth:
        make.append(some(dice, lambda: anything(dice, depth - 1)))
        make.append({text(dice): anything(dice, depth - 1) for _ in range(3)})
    return dice.choice(make)


def inside(dice, kind):
    """A value of this type, inside another. None of a field means that it is left out."""
    if isinstance(kind, str):
        return {
            "bool": lambda: dice.choice([True, False]),
            "int": lambda: dice.choice([0, 1, -1, 2**63 - 1, -(2**63), dice.randint(-999, 999)]),
            "float": lambda: number(dice),
            "string": lambda: text(dice),
            "bytes": lambda: base64.b64encode(dice.randbytes(dice.randrange(5))).decode(),
            "none": dict,
            "any": lambda: anything(dice, 2),
        }[kind]()
    [(form, of)] = kind.items()
    if form == "optional":
        return dice.choice([None, inside(dice, of)])
    if form == "struct":
        fields = ((f["name"], inside(dice, f["type"]), f.get("omit")) for f in of)
        return {name: value for name, value, omit in fields if not (omit and value is None)}
    if dice.random() < 0.1:
        return None
    values = some(dice, lambda: inside(dice, of))
    return values if form == "list" else {text(dice): value for value in values}


def whole(dice, kind):
    """A value of this type, and the answer of a function that gives it back."""
    if kind == "none":
        return dice.choice([None, {}]), None
    if kind == "bytes":
        data = dice.randbytes(dice.choice([0, 1, 24, 25, 3000]))
        return dice.choice([bytes, bytearray, memoryview])(data), data
    value = inside(dice, kind)
    return tuple(value) if isinstance(value, list) and dice.random() < 0.3 else value, value


KINDS = [*TAKES, "tree", "maybe_tree", "any", "raw_json"]


def told_apart(value):
    """`value`, with True and 1 told apart, and 1 and 1.0 not."""
    if isinstance(value, list):
        return [told_apart(one) for one in value]
    if isinstance(value, dict):
        return {name: told_apart(one) for name, one in value.items()}
    return isinstance(value, bool), value


@everywhere
@pytest.mark.parametrize("kind", KINDS)
async def test_random_values_come_back(lib, kind):
    name = f"test.same_{kind}"
    request = lib.describe(name)["request"]
    for seed in range(60):
        value, answer = whole(random.Random(f"{kind} {seed}"), request)
        got = await lib.call_json(name, value)
        assert told_apart(got) == told_apart(answer), seed
        if seed < 10:
            got = await anyio.to_thread.run_sync(lib.call_json_sync, name, value)
            assert told_apart(got) == told_apart(answer), seed


@everywhere
async def test_the_type_of_an_answer_is_the_descriptors(lib):
    for kind, value in (("bool", True), ("int", 1), ("float", 1), ("string", "1"), ("bytes", b"1")):
        got = await lib.call_json(f"test.same_{kind}", value)
        assert type(got).__name__ == {"string": "str"}.get(kind, kind) and got == type(got)(value)


# ---- Text --------------------------------------------------------------------


@everywhere
async def test_text_that_is_no_utf_8_names_its_function(lib):
    assert await lib.call_json("test.json_text", "€".encode()) == "€"
    with pytest.raises(UnicodeDecodeError, match="in the response of test.json_text$"):
        await lib.call_json("test.json_text", b"ab\xff")
    with pytest.raises(UnicodeDecodeError, match="in the response of test.json_text$"):
        await anyio.to_thread.run_sync(lib.call_json_sync, "test.json_text", b"\xff")
    assert await lib.call("test.json_text", b"ab\xff") == b"ab\xff"


@pytest.mark.parametrize(
    "name, value, error",
    [
        ("test.same_string", "\ud800", UnicodeEncodeError),
        ("test.same_bytes", "\ud800", UnicodeEncodeError),
        ("test.same_any", ["\ud800"], UnicodeEncodeError),
        ("test.same_float", float("nan"), ValueError),
        ("test.same_any", [float("inf")], ValueError),
    ],
)
async def test_what_has_no_form_is_not_sent(lib, name, value, error):
    await lib.call("test.echo")
    before = lib.stats()["calls"]
    with pytest.raises(error, match=name):
        await lib.call_json(name, value)
    assert lib.stats()["calls"] == before


# ---- Requests that Go cannot read --------------------------------------------


@everywhere
@pytest.mark.parametrize("name", ["test.add", "test.json_loop", "test.json_async"])
async def test_a_request_that_go_cannot_read_is_an_error_of_its_own(lib, name):
    with pytest.raises(pillion.RequestError, match="malformed request.*pair.b") as caught:
        await lib.call_json(name, {"a": 1, "b": "two"})
    error = caught.value
    assert isinstance(error, pillion.GoError) and isinstance(error, ValueError)
    assert (error.code, error.status, str(error)) == (0, -22, error.message)
    with pytest.raises(pillion.RequestError):
        await lib.call(name, b"{no json")


@pytest.mark.parametrize(
    "name, value",
    [
        ("test.same_int", 2**63),
        ("test.same_maybe_bytes", "no base64"),
        ("test.same_list", ["text"]),
        ("test.same_big", "text"),
        ("test.json_time", "noon"),
    ],
)
@everywhere
async def test_values_that_only_go_can_refuse(lib, name, value):
    with pytest.raises(pillion.RequestError, match="malformed request"):
        await lib.call_json(name, value)
    with pytest.raises(pillion.RequestError, match="malformed request"):
        await anyio.to_thread.run_sync(lib.call_json_sync, name, value)


@everywhere
async def test_a_function_may_refuse_a_request_itself(lib):
    with pytest.raises(pillion.RequestError, match="no two are {3 4}") as caught:
        await lib.call_json("test.json_picky", {"a": 3, "b": 4})
    assert caught.value.code == 7
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.message, again.code) == (
        pillion.RequestError, caught.value.message, 7,
    )  # fmt: skip


@everywhere
async def test_a_response_that_has_no_form_is_a_go_error(lib):
    with pytest.raises(pillion.GoError, match="response can't be encoded") as caught:
        await lib.call_json("test.json_unsaid", {"a": 1})
    assert type(caught.value) is pillion.GoError


# ---- Descriptors -------------------------------------------------------------


async def test_a_descriptor_is_read_once(lib, monkeypatch):
    asked = []
    describe = pillion.Library.describe
    monkeypatch.setattr(
        pillion.Library, "describe", lambda *args: asked.append(args[1]) or describe(*args)
    )
    library = pillion.Library(lib.path)
    for _ in range(3):
        assert await library.call_json("test.json_digits", {}) == "123"
        assert await anyio.to_thread.run_sync(library.call_json_sync, "test.json_none", {}) is None
    assert sorted(asked) == ["test.json_digits", "test.json_none"]


async def test_a_descriptor_belongs_to_its_asker(lib):
    first = lib.describe("test.add")
    first["request"]["struct"].clear()
    assert len(lib.describe("test.add")["request"]["struct"]) == 2
    assert await lib.call_json("test.add", {"a": 1, "b": 2}) == {"sum": 3}
