"""Pure: checks that JSON from the upstream has the shape that is read next."""

from typing import Any, cast

import orjson

Json = dict[str, Any]

DEEPEST = 250
"""Levels of objects and lists that a reply can pass on: the encoder takes 254, the decoder many more."""


class ShapeError(ValueError):
    """Something from the upstream isn't shaped as the API says. Never quotes it."""


def parsed(data: bytes | bytearray) -> Any:
    """The JSON in `data`.

    Raises:
        ShapeError: it holds none, or is nested deeper than a reply can be.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        problem = "holds broken JSON or broken UTF-8"
    else:
        # Brackets are counted in no time; only where there are many have levels to be.
        if data.count(b"[") + data.count(b"{") <= DEEPEST or _fits_into_a_reply(value):
            return value
        problem = "is nested too deep"
    # Raised outside the handler, for orjson's error keeps the whole text and would be kept as the context.
    raise ShapeError(problem)


def _fits_into_a_reply(value: Any) -> bool:
    try:
        orjson.dumps([[[[value]]]])
    except orjson.JSONEncodeError:
        return False
    return True


def as_object(value: Any) -> Json:
    """`value` as an object; null is an empty one."""
    if type(value) is dict:
        return cast("Json", value)
    if value is None:
        return {}
    raise ShapeError("has something else where an object must be")


def as_list(value: Any) -> list[Any]:
    """`value` as a list; null is an empty one."""
    if type(value) is list:
        return cast("list[Any]", value)
    if value is None:
        return []
    raise ShapeError("has something else where a list must be")


def as_text(value: Any) -> str:
    """`value` as text; null is an empty one."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise ShapeError("has something else where text must be")
