"""Pure: whether what an upstream says of a call's tokens can be counted and paid with."""

from typing import Any

from fleet_worker.deepseek.shapes import Json, ShapeError, as_object

COUNTED = ("prompt_tokens", "prompt_cache_hit_tokens", "completion_tokens")
MOST_TOKENS = 10**9
"""More than any call can use; a larger number is no count."""


def usage_of(value: Any) -> Json | None:
    """A usage object; None where the upstream tells none.

    Raises:
        ShapeError: it is no such object, or a count in it is none.
    """
    usage = as_object(value)
    for name in COUNTED:
        count = usage.get(name) or 0
        if type(count) is not int or not 0 <= count <= MOST_TOKENS:
            raise ShapeError(f"has a usage whose {name} is no count of tokens")
    return usage or None
