"""Calls of functions that a model asks for: run here, in the caller's own process, never by a worker."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fleet_client.events import ToolRan
from fleet_contracts.completion import ToolCall
from fleet_contracts.functions import FunctionTool, tool_of

Tool = Callable[..., Any] | Mapping[str, Any]
"""A function with type hints, which is called here, or a tool in DeepSeek's shape, whose calls are yours."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A call and what came of it."""

    event: ToolRan
    message: dict[str, Any]
    """What the model is told, as a message."""


class Tools:
    """The tools of a conversation.

    Args:
        tools: functions, and tools in DeepSeek's shape.

    Raises:
        TypeError: a function can't be a tool; the text says why.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._functions: dict[str, FunctionTool] = {}
        self._theirs = set[str]()
        self.definitions: list[Mapping[str, Any]] = []
        for each in tools:
            if callable(each):
                function = tool_of(each)
                self._functions[function.name] = function
                self.definitions.append(function.definition)
            else:
                self._theirs.add(str(each.get("function", {}).get("name")))
                self.definitions.append(each)

    def are_ours(self, calls: Sequence[ToolCall]) -> bool:
        """Whether all of these can be called here; a name that nobody gave is the model's mistake to mend."""
        return bool(calls and self._functions) and not any(
            call.function.name in self._theirs for call in calls
        )

    async def run(self, calls: Sequence[ToolCall]) -> list[Ran]:
        """Call them all at once; one that fails tells the model why, and spoils nothing else."""
        return list(await asyncio.gather(*map(self._run, calls)))

    async def _run(self, call: ToolCall) -> Ran:
        name, arguments = call.function.name, call.function.arguments
        try:
            result, failed = _told(await self._call(name, arguments)), False
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is told and may do better
            result, failed = _told({"error": f"{type(error).__name__}: {error}"}), True
        message = {"role": "tool", "tool_call_id": call.id, "content": result}
        return Ran(ToolRan(name, arguments, result, failed), message)

    async def _call(self, name: str, arguments: str) -> Any:
        tool = self._functions.get(name)
        if tool is None:
            raise LookupError(f"there is no tool {name}; there are {', '.join(self._functions)}")
        read = tool.read(arguments)
        if inspect.iscoroutinefunction(tool.function):
            return await tool.function(**read)
        # A function that waits must not stop the streams of everybody else.
        return await asyncio.to_thread(tool.function, **read)


def _told(result: Any) -> str:
    return result if isinstance(result, str) else orjson.dumps(result, default=_plain).decode()


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)
