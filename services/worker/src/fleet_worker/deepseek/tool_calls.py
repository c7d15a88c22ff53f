"""Pure: joins the fragments of tool calls."""

from typing import Any

from fleet_worker.deepseek.shapes import Json, ShapeError, as_object, as_text


class ToolCalls:
    """Tool calls by their index, each with the fragments of its arguments."""

    __slots__ = ("_arguments", "_calls", "_functions")

    def __init__(self) -> None:
        self._calls: dict[int, Json] = {}
        self._functions: dict[int, Json] = {}
        self._arguments: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, fragments: list[Any]) -> int:
        """Take the fragments of one delta; returns how many characters of arguments they hold.

        Raises:
            ShapeError: they are no fragments of tool calls.
        """
        return sum(self._add(place, as_object(fragment)) for place, fragment in enumerate(fragments))

    def whole(self) -> list[Json]:
        """The calls as they come unstreamed, in order of index."""
        return [self._whole(index) for index in sorted(self._calls)]

    def _add(self, place: int, fragment: Json) -> int:
        # Servers that make one call at a time may leave the index out.
        index = fragment.get("index", place)
        if type(index) is not int:
            raise ShapeError("has a tool call whose index is no number")
        function = as_object(fragment.get("function"))
        arguments = as_text(function.get("arguments"))
        _update(self._calls.setdefault(index, {"index": index}), fragment)
        _update(self._functions.setdefault(index, {}), function)
        self._arguments.setdefault(index, []).append(arguments)
        return len(arguments)

    def _whole(self, index: int) -> Json:
        arguments = "".join(self._arguments[index])
        function = {**self._functions[index], "arguments": arguments}
        return {"type": "function", **self._calls[index], "function": function}


def _update(known: Json, fragment: Json) -> None:
    # Later fragments repeat fields as null or "", which must not wipe out what came first.
    known.update({name: value for name, value in fragment.items() if value})
