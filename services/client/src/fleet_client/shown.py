"""What a stream has shown of one attempt, and what the whole answer still lacks."""

from typing import Any, cast

from fleet_client.answer import Answer
from fleet_client.events import Piece, Reasoning, Text, ToolCallDelta
from fleet_contracts import Delta

_ShownTool = tuple[str | None, str | None, str]


class Shown:
    """The pieces of one attempt, joined."""

    def __init__(self) -> None:
        self._reasoning: list[str] = []
        self._text: list[str] = []
        self._tools: dict[int, list[ToolCallDelta]] = {}

    def __bool__(self) -> bool:
        return bool(self._reasoning or self._text or self._tools)

    def add(self, piece: Piece) -> None:
        """Remember one piece."""
        match piece:
            case Reasoning(text):
                self._reasoning.append(text)
            case Text(text):
                self._text.append(text)
            case ToolCallDelta(index):
                self._tools.setdefault(index, []).append(piece)

    def lacking(self, answer: Answer) -> list[Piece] | None:
        """The pieces that make the whole answer of what was shown; None where it does not start that way."""
        reasoning = _after("".join(self._reasoning), answer.reasoning)
        text = _after("".join(self._text), answer.text)
        tools = self._tools_lacking(answer)
        if reasoning is None or text is None or tools is None:
            return None
        return [*([Reasoning(reasoning)] if reasoning else []), *([Text(text)] if text else []), *tools]

    def _tools_lacking(self, answer: Answer) -> list[ToolCallDelta] | None:
        wanted: dict[int, _ShownTool] = {
            index: (call.id, call.function.name, call.function.arguments)
            for index, call in enumerate(answer.tool_calls)
        }
        if self._tools.keys() - wanted.keys():
            return None
        pieces = [self._tool_lacking(index, tool) for index, tool in wanted.items()]
        known = [piece for piece in pieces if piece is not None]
        return (
            [piece for piece in known if piece.arguments or piece.id] if len(known) == len(pieces) else None
        )

    def _tool_lacking(self, index: int, wanted: _ShownTool) -> ToolCallDelta | None:
        if index not in self._tools:
            return ToolCallDelta(index, *wanted)
        call_id, name, arguments = _joined(self._tools[index])
        rest = _after(arguments, wanted[2])
        same = (call_id, name) == wanted[:2]
        return ToolCallDelta(index, None, None, rest) if same and rest is not None else None


def whole(answer: Answer) -> list[Piece]:
    """The whole answer as pieces."""
    return Shown().lacking(answer) or []


def pieces(delta: Delta) -> list[Piece]:
    """The pieces in a chunk's delta, in the order in which a model writes them."""
    found: list[Piece] = []
    if delta.reasoning_content:
        found.append(Reasoning(delta.reasoning_content))
    if delta.content:
        found.append(Text(delta.content))
    return [*found, *(_tool_call(tool) for tool in delta.tool_calls or ())]


def _tool_call(tool: dict[str, Any]) -> ToolCallDelta:
    # Deltas cross the wire as DeepSeek wrote them, so nobody has checked their shape yet.
    function = tool.get("function")
    named: dict[str, Any] = cast("dict[str, Any]", function) if isinstance(function, dict) else {}
    index = tool.get("index")
    return ToolCallDelta(
        index=index if isinstance(index, int) else 0,
        id=_text(tool.get("id")),
        name=_text(named.get("name")),
        arguments=_text(named.get("arguments")) or "",
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _joined(deltas: list[ToolCallDelta]) -> _ShownTool:
    call_id = next((delta.id for delta in deltas if delta.id), None)
    name = next((delta.name for delta in deltas if delta.name), None)
    return call_id, name, "".join(delta.arguments for delta in deltas)


def _after(start: str, text: str) -> str | None:
    return text[len(start) :] if text.startswith(start) else None
