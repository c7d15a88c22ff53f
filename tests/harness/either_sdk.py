"""The official SDK in both of its forms, streamed or not, asked with one function and read into one value."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import openai

from fleet_simulator import DEFAULT_KEY
from harness.sse import QUESTION


@dataclass
class Said:
    """What one answer amounts to, however it came."""

    reasoning: str = ""
    content: str = ""
    calls: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    finish: str | None = None
    tokens: int | None = None

    def take(self, part: Any, usage: Any, finish: str | None) -> None:
        """Add a message, or a delta of one."""
        self.reasoning += getattr(part, "reasoning_content", None) or ""
        self.content += part.content or ""
        for place, call in enumerate(part.tool_calls or ()):
            at = getattr(call, "index", place)
            name, arguments = self.calls.get(at, ("", ""))
            self.calls[at] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
        self.finish = finish or self.finish
        self.tokens = self.tokens if usage is None else usage.completion_tokens


@dataclass(frozen=True, slots=True)
class Sdk:
    """One form of the SDK."""

    asynchronous: bool
    stream: bool

    async def ask(self, url: str, *, key: str = DEFAULT_KEY, timeout_s: float = 10, **body: Any) -> Said:
        """The answer to QUESTION, or to what `body` says; raises what the SDK raises."""
        asked: dict[str, Any] = {
            "model": "deepseek-flash",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": self.stream,
            **body,
        }
        options = {"base_url": url, "api_key": key, "timeout": timeout_s, "max_retries": 0}
        if self.asynchronous:
            return await _ask_async(options, asked)
        return await asyncio.to_thread(_ask_sync, options, asked)


async def _ask_async(options: dict[str, Any], asked: dict[str, Any]) -> Said:
    said = Said()
    async with openai.AsyncOpenAI(**options) as sdk:
        create: Any = sdk.chat.completions.create
        reply = await create(**asked)
        if asked["stream"]:
            async for chunk in reply:
                _read(said, chunk)
        else:
            _read(said, reply)
    return said


def _ask_sync(options: dict[str, Any], asked: dict[str, Any]) -> Said:
    said = Said()
    with openai.OpenAI(**options) as sdk:
        create: Any = sdk.chat.completions.create
        reply = create(**asked)
        for chunk in reply if asked["stream"] else (reply,):
            _read(said, chunk)
    return said


def _read(said: Said, answer: Any) -> None:
    (choice,) = answer.choices
    said.take(getattr(choice, "delta", None) or choice.message, answer.usage, choice.finish_reason)
