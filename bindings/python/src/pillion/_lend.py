# SPDX-License-Identifier: Apache-2.0
"""Functions of the program's in requests, and as providers."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from ._flow import Function
from ._objects import JSON, Form, lends

Descriptor = Dict[str, Any]


def to_json(value: Any) -> bytes:
    return JSON.encode(value).encode()


def form_of(descriptor: Descriptor, **types: Any) -> Form:
    """The form of a function's, or of others of its request or response type."""
    return Form(f"{descriptor['module']}.{descriptor['name']}", {**descriptor, **types})


def encoder(form: Descriptor, kind: Any) -> Callable[[Any], bytes]:
    """Encodes objects of one of the descriptor's types, as a request of that type."""
    return form_of(form, request=kind).encode


def decoder(form: Descriptor, kind: Any) -> Callable[[bytes], Any]:
    return form_of(form, response=kind).decode


def request(form: Descriptor, value: Any, objects: Optional[List[int]] = None) -> Tuple[bytes, List[Function]]:
    """The request for a value, and the functions in it. They cross as their indices; so do
    objects, whose handles go to `objects`."""
    functions: List[Function] = []
    if lends(form["request"]):
        value = lend(form, form["request"], value, functions, [] if objects is None else objects)
    return form_of(form).encode(value), functions


def lend(
    form: Descriptor, kind: Any, value: Any, functions: List[Function], objects: List[int]
) -> Any:
    """The value with an index in place of each function and object."""
    if callable(value) and not lends(kind):
        raise TypeError(f"{form['module']}.{form['name']} takes no function there")
    if value is None or not isinstance(kind, dict):
        return value
    ((name, inner),) = kind.items()
    if name == "object":
        if getattr(value, "_class_name", "") != inner:
            raise TypeError(f"{form['module']}.{form['name']} takes a {inner} there, not {value!r}")
        objects.append(value._handle)
        return len(objects) - 1
    if name in ("callback", "signal"):
        if not callable(value):
            raise TypeError(f"{form['module']}.{form['name']} takes a function there, not {value!r}")
        types = inner if name == "callback" else {"request": inner, "response": "none"}
        decode, encode = decoder(form, types["request"]), encoder(form, types["response"])
        functions.append(Function(value, decode, encode))
        return len(functions) - 1
    if name == "optional":
        return lend(form, inner, value, functions, objects)
    if name == "list" and isinstance(value, (list, tuple)):
        return [lend(form, inner, item, functions, objects) for item in value]
    if not isinstance(value, dict) or name not in ("map", "struct"):
        return value  # Form, or Go, refuses it
    if name == "map":
        return {key: lend(form, inner, item, functions, objects) for key, item in value.items()}
    types = {field["name"]: field["type"] for field in inner}
    return {key: lend(form, types.get(key), item, functions, objects) for key, item in value.items()}


def functions(
    provided: Union[Mapping[str, Callable[..., Any]], Any], decode: Callable[[bytes], Any],
    encode: Callable[[Any], bytes],
) -> Dict[str, Function]:  # fmt: skip
    """The functions of a mapping, or the public methods of an object, by name."""
    if not isinstance(provided, Mapping):
        names = [name for name in dir(provided) if not name.startswith("_")]
        methods = {name: getattr(provided, name) for name in names}
        provided = {name: method for name, method in methods.items() if callable(method)}
    return {name: Function(call, decode, encode) for name, call in provided.items()}
