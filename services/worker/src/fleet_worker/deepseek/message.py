"""Pure: joins the fragments of an assistant's message."""

from typing import Any

from fleet_worker.deepseek.shapes import Json, ShapeError, as_list
from fleet_worker.deepseek.tool_calls import ToolCalls

_TEXTS = frozenset({"content", "reasoning_content"})
_NEVER_EMPTY = frozenset({"role", "tool_calls"})


class MessageParts:
    """The fragments of one message, by field.

    Text is joined, tool calls are joined by their index, and of anything else the last value stands.
    """

    __slots__ = ("_others", "_texts", "_tool_calls", "characters")

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._others: Json = {}
        self._tool_calls = ToolCalls()
        self.characters = 0
        """Of text and of arguments, in what `add` took."""

    @property
    def fields(self) -> int:
        """How many fields and tool calls are held."""
        return len(self._texts) + len(self._others) + len(self._tool_calls)

    def add(self, delta: Json) -> Json:
        """Take a delta; returns what a reader has not seen of it: text and tool calls that are not empty."""
        fields: Json = {}
        for name, value in delta.items():
            if not value:
                self._note_empty(name, value)
            elif name == "role":
                self._others[name] = value
            elif name == "tool_calls":
                self.characters += self._tool_calls.add(as_list(value))
                fields[name] = value
            elif type(value) is str:
                self.characters += len(value)
                self.join(name, value)
                fields[name] = value
            else:
                self._keep(name, value)
        return fields

    def join(self, name: str, text: str) -> None:
        """Take a piece of text that is not empty."""
        parts = self._texts.get(name)
        if parts is None:
            self._texts[name] = [text]
        else:
            parts.append(text)

    def text(self, name: str) -> str:
        """The text of a field so far."""
        return "".join(self._texts.get(name, ()))

    def message(self) -> Json:
        """The message as it comes unstreamed."""
        texts: Json = {name: "".join(parts) for name, parts in self._texts.items()}
        message = {"role": "assistant", "content": None, **self._others, **texts}
        if calls := self._tool_calls.whole():
            message["tool_calls"] = calls
        return message

    def _note_empty(self, name: str, value: Any) -> None:
        # A text of which only empty fragments came is an empty text, one of which only null came is null.
        if name in self._texts or name in _NEVER_EMPTY:
            return
        if value == "":
            self._texts[name] = []
        else:
            self._others.setdefault(name, value)

    def _keep(self, name: str, value: Any) -> None:
        if name in _TEXTS:
            raise ShapeError(f"has no text in {name}")
        self._others[name] = value
